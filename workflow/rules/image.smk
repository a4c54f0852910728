rule visibilities:
    input:
        script=workflow.source_path("../../scripts/visibilities.py"),
        source=visibility_source,
    output:
        f"{RUN}/visibilities/{{data}}.zarr.zip",
    log:
        f"{LOG}/visibilities/{{data}}.log",
    benchmark:
        f"{BENCHMARK}/visibilities/{{data}}.tsv"
    container:
        sif("image")
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        settings=visibility_settings,
        options=visibility_options,
        code=source_hash("image"),
    shell:
        "python {input.script} --settings {params.settings:q} {params.options} "
        "--name {wildcards.data} --output {output} 2>&1 | tee {log}"


rule image:
    input:
        script=workflow.source_path("../../scripts/image.py"),
        visibilities=f"{RUN}/visibilities/{{data}}.zarr.zip",
    output:
        mean=f"{RUN}/image/{{data}}/{{recipe}}/mean.fits",
        std=f"{RUN}/image/{{data}}/{{recipe}}/std.fits",
        samples=f"{RUN}/image/{{data}}/{{recipe}}/samples.zarr.zip",
        power=f"{RUN}/image/{{data}}/{{recipe}}/power_spectrum.ecsv",
        summary=f"{RUN}/image/{{data}}/{{recipe}}/summary.json",
    log:
        f"{LOG}/image/{{data}}.{{recipe}}.log",
    benchmark:
        f"{BENCHMARK}/image/{{data}}.{{recipe}}.tsv"
    container:
        sif("image")
    threads: 1
    resources:
        mem_mb=4000,
        runtime=240,
    params:
        settings=recipe,
        code=source_hash("image"),
        seed=CONFIG.seed,
        folder=subpath(output.mean, parent=True),
    shell:
        "python {input.script} --settings {params.settings:q} --seed {params.seed} "
        "--visibilities {input.visibilities} --name {wildcards.data} "
        "--output-folder {params.folder} 2>&1 | tee {log}"


rule clean:
    input:
        script=workflow.source_path("../../scripts/clean.py"),
        visibilities=f"{RUN}/visibilities/{{data}}.zarr.zip",
    output:
        image=f"{RUN}/image/{{data}}/{{recipe}}/clean.fits",
        residual=f"{RUN}/image/{{data}}/{{recipe}}/clean_residual.fits",
        pb=f"{RUN}/image/{{data}}/{{recipe}}/pb.fits",
    log:
        f"{LOG}/clean/{{data}}.{{recipe}}.log",
    benchmark:
        f"{BENCHMARK}/clean/{{data}}.{{recipe}}.tsv"
    container:
        sif("image")
    threads: 1
    resources:
        mem_mb=4000,
        runtime=240,
    params:
        settings=recipe,
        code=source_hash("image"),
        folder=subpath(output.image, parent=True),
    shell:
        "python {input.script} --settings {params.settings:q} --visibilities {input.visibilities} "
        "--name {wildcards.data} --output-folder {params.folder} 2>&1 | tee {log}"

rule visibilities:
    input:
        script=workflow.source_path("../../scripts/visibilities.py"),
        source=visibility_source,
        total_power=visibility_total_power,
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
        "python {input.script:q} --settings {params.settings:q} {params.options} "
        "--name {wildcards.data} --output {output:q} 2>&1 | tee {log:q}"


rule image:
    input:
        script=workflow.source_path("../../scripts/image.py"),
        visibilities=f"{RUN}/visibilities/{{data}}.zarr.zip",
        regions=lambda wildcards: CONFIG.image.recipes[wildcards.recipe].regions or [],
    output:
        mean=f"{RUN}/image/{{data}}/{{recipe}}/mean.fits",
        std=f"{RUN}/image/{{data}}/{{recipe}}/std.fits",
        relative_std=f"{RUN}/image/{{data}}/{{recipe}}/relative_std.fits",
        median=f"{RUN}/image/{{data}}/{{recipe}}/median.fits",
        mean_flat=f"{RUN}/image/{{data}}/{{recipe}}/mean_flat.fits",
        mean_beam=f"{RUN}/image/{{data}}/{{recipe}}/mean_beam.fits",
        std_beam=f"{RUN}/image/{{data}}/{{recipe}}/std_beam.fits",
        residual=f"{RUN}/image/{{data}}/{{recipe}}/residual.fits",
        resolution=f"{RUN}/image/{{data}}/{{recipe}}/resolution.fits",
        samples=f"{RUN}/image/{{data}}/{{recipe}}/samples.zarr.zip",
        power=f"{RUN}/image/{{data}}/{{recipe}}/power_spectrum.ecsv",
        parameters=f"{RUN}/image/{{data}}/{{recipe}}/parameters.ecsv",
        history=f"{RUN}/image/{{data}}/{{recipe}}/history.ecsv",
        noise=f"{RUN}/image/{{data}}/{{recipe}}/noise.ecsv",
        fluxes=f"{RUN}/image/{{data}}/{{recipe}}/fluxes.ecsv",
        summary=f"{RUN}/image/{{data}}/{{recipe}}/summary.json",
    log:
        f"{LOG}/image/{{data}}.{{recipe}}.log",
    benchmark:
        f"{BENCHMARK}/image/{{data}}.{{recipe}}.tsv"
    container:
        sif("image")
    threads: 2
    resources:
        mem_mb=4000,
        runtime=240,
    params:
        settings=lambda wildcards: recipe(wildcards, {"clean"}),
        code=source_hash("image"),
        seed=CONFIG.seed,
        folder=subpath(output.mean, parent=True),
    shell:
        "python {input.script:q} --settings {params.settings:q} --seed {params.seed} --threads {threads} "
        "--visibilities {input.visibilities:q} --name {wildcards.data} "
        "--output-folder {params.folder:q} 2>&1 | tee {log:q}"


rule clean:
    input:
        script=workflow.source_path("../../scripts/clean.py"),
        visibilities=f"{RUN}/visibilities/{{data}}.zarr.zip",
    output:
        image=f"{RUN}/image/{{data}}/{{recipe}}/clean.fits",
        residual=f"{RUN}/image/{{data}}/{{recipe}}/clean_residual.fits",
        model=f"{RUN}/image/{{data}}/{{recipe}}/clean_model.fits",
        dirty=f"{RUN}/image/{{data}}/{{recipe}}/dirty.fits",
        psf=f"{RUN}/image/{{data}}/{{recipe}}/psf.fits",
        pb=f"{RUN}/image/{{data}}/{{recipe}}/pb.fits",
        summary=f"{RUN}/image/{{data}}/{{recipe}}/clean.json",
    log:
        f"{LOG}/clean/{{data}}.{{recipe}}.log",
    benchmark:
        f"{BENCHMARK}/clean/{{data}}.{{recipe}}.tsv"
    container:
        lambda wildcards: {
            "radler": sif("image"),
            "wsclean": sif("clean-wsclean"),
            "casa": sif("clean-casa"),
        }[CONFIG.image.recipes[wildcards.recipe].clean.engine]
    threads: 1
    resources:
        mem_mb=4000,
        runtime=240,
    params:
        settings=lambda wildcards: CONFIG.image.recipes[wildcards.recipe].model_dump_json(
            include={"cell_arcsec", "n_pix", "reweight", "clean"}
        ),
        code=source_hash("image"),
        folder=subpath(output.image, parent=True),
    shell:
        "python {input.script:q} --settings {params.settings:q} --visibilities {input.visibilities:q} "
        "--name {wildcards.data} --output-folder {params.folder:q} 2>&1 | tee {log:q}"

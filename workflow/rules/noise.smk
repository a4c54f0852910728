rule noise_model:
    input:
        script=workflow.source_path("../../scripts/noise_model.py"),
        reference=CONFIG.noise_reference_file or [],
    output:
        store=f"{RUN}/noise/models/{{reference}}.zarr.zip",
        card=f"{RUN}/noise/models/{{reference}}.json",
    log:
        f"{LOG}/noise_model/{{reference}}.log",
    benchmark:
        f"{BENCHMARK}/noise_model/{{reference}}.tsv"
    container:
        sif("noise")
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        settings=settings("noise"),
        code=source_hash("noise"),
        reference=CONFIG.noise.reference,
    shell:
        "python {input.script:q} --settings {params.settings:q} --reference {params.reference:q} "
        "--output {output.store:q} --card {output.card:q} 2>&1 | tee {log:q}"


rule noise:
    input:
        script=workflow.source_path("../../scripts/noise.py"),
        simulated=f"{RUN}/simulate/{{shard}}.zarr.zip",
        truth=f"{RUN}/sky/{{shard}}.truth.ecsv",
        model=noise_models(),
    output:
        store=f"{RUN}/noise/draws/{{shard}}.zarr.zip",
        truth=f"{RUN}/noise/draws/{{shard}}.truth.ecsv",
    log:
        f"{LOG}/noise/{{shard}}.log",
    benchmark:
        f"{BENCHMARK}/noise/{{shard}}.tsv"
    container:
        sif("noise")
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        settings=settings("noise"),
        code=source_hash("noise"),
        seed=CONFIG.seed,
        model=lambda wildcards, input: f"--model {shlex.quote(str(input.model))}" if input.model else "",
    shell:
        "python {input.script:q} --settings {params.settings:q} --seed {params.seed} "
        "--simulated {input.simulated:q} --truth {input.truth:q} {params.model} "
        "--output {output.store:q} --output-truth {output.truth:q} 2>&1 | tee {log:q}"

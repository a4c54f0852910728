rule sky:
    input:
        script=workflow.source_path("../../scripts/sky.py"),
        observations=rules.query.output[0],
        files=list(CONFIG.sky.files.values()),
    output:
        store=f"{RUN}/sky/{{shard}}.zarr.zip",
        truth=f"{RUN}/sky/{{shard}}.truth.ecsv",
        lines=f"{RUN}/sky/{{shard}}.lines.ecsv",
    log:
        f"{LOG}/sky/{{shard}}.log",
    benchmark:
        f"{BENCHMARK}/sky/{{shard}}.tsv"
    container:
        sif("sky")
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        settings=settings("sky"),
        code=source_hash("sky"),
        seed=CONFIG.seed,
        simulations=lambda wildcards: SHARDS[wildcards.shard],
    shell:
        "python {input.script:q} --settings {params.settings:q} --seed {params.seed} "
        "--observations {input.observations:q} --simulations {params.simulations} "
        "--output {output.store:q} --truth {output.truth:q} --lines {output.lines:q} 2>&1 | tee {log:q}"

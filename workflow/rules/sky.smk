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
        # Of one window at a time, 1 MB a channel at 512 pixels a side: 1.1 GB were measured with 256 channels.
        mem_mb=lambda wildcards, attempt: (500 + 4 * CONFIG.sky.channels) * attempt,
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

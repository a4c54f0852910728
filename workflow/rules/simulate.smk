rule simulate:
    input:
        script=workflow.source_path("../../scripts/simulate.py"),
        observations=rules.query.output[0],
        sky=f"{RUN}/sky/{{shard}}.zarr.zip",
    output:
        f"{RUN}/simulate/{{shard}}.zarr.zip",
    log:
        f"{LOG}/simulate/{{shard}}.log",
    benchmark:
        f"{BENCHMARK}/simulate/{{shard}}.tsv"
    container:
        sif("simulate")
    threads: 1
    resources:
        # Of one window at a time 5 MB of images a channel at 512 pixels a side, twice, and as much of visibilities.
        mem_mb=lambda wildcards, attempt: (3000 + 20 * CONFIG.sky.channels) * attempt,
        runtime=120,
    params:
        settings=settings("simulate"),
        code=source_hash("simulate"),
        seed=CONFIG.seed,
    shell:
        "python {input.script:q} --settings {params.settings:q} --seed {params.seed} "
        "--observations {input.observations:q} --sky {input.sky:q} --threads {threads} "
        "--output {output:q} 2>&1 | tee {log:q}"


rule export:
    input:
        script=workflow.source_path("../../scripts/export.py"),
        store=lambda wildcards: f"{RUN}/simulate/{shard_of(wildcards)}.zarr.zip",
    output:
        directory(f"{RUN}/export/{{simulation}}/{{kind}}"),
    log:
        f"{LOG}/export/{{simulation}}.{{kind}}.log",
    benchmark:
        f"{BENCHMARK}/export/{{simulation}}.{{kind}}.tsv"
    wildcard_constraints:
        kind="|".join(EXPORTS),
    container:
        sif("simulate")
    resources:
        # All windows of one simulation: some 6 MB a channel and window.
        mem_mb=lambda wildcards, attempt: (1500 + 30 * CONFIG.sky.channels) * attempt,
        runtime=30,
    params:
        code=source_hash("simulate", "report"),
        file=lambda wildcards: EXPORTS[wildcards.kind],
    shell:
        "python {input.script:q} --store {input.store:q} --simulation {wildcards.simulation} "
        "--format {wildcards.kind} --output {output:q}/{params.file} 2>&1 | tee {log:q}"

rule query:
    input:
        script=workflow.source_path("../../scripts/query.py"),
        file=CONFIG.query_file or [],
    output:
        f"{RUN}/query/observations.ecsv",
    log:
        f"{LOG}/query/query.log",
    benchmark:
        f"{BENCHMARK}/query/query.tsv"
    container:
        sif("query")
    resources:
        mem_mb=1000,
        runtime=15,
    params:
        settings=settings("query"),
        code=source_hash("query"),
        seed=CONFIG.seed,
        simulations=len(SIMULATIONS),
    shell:
        "python {input.script:q} --settings {params.settings:q} --seed {params.seed} "
        "--simulations {params.simulations} --output {output:q} 2>&1 | tee {log:q}"

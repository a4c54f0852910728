localrules:
    dag,


rule dag:
    output:
        dot=f"{RUN}/dag.dot",
        config=f"{RUN}/config.json",
    log:
        f"{LOG}/dag/dag.log",
    params:
        settings=CONFIG.model_dump_json(indent=1),
    run:
        draw_graph(params.settings, output.config, output.dot, log[0])


rule report:
    input:
        script=workflow.source_path("../../scripts/report.py"),
        dag=rules.dag.output.dot,
        config=rules.dag.output.config,
        products=everything(),
    output:
        report(f"{RUN}/report.html", caption="../report/report.rst", category="Report"),
    log:
        f"{LOG}/report/report.log",
    benchmark:
        f"{BENCHMARK}/report/report.tsv"
    container:
        sif("catalogue")
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        folder=subpath(output[0], parent=True),
        code=source_hash("report", "catalogue"),
    shell:
        "python {input.script:q} --settings {input.config:q} --results {params.folder:q} "
        "--dag {input.dag:q} --output {output:q} 2>&1 | tee {log:q}"

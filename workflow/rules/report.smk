# The configuration as the workflow understood it, so that the rule below draws the same graph.
SETTINGS = CONFIG.model_dump(mode="json")


localrules:
    dag,


rule dag:
    output:
        dot=f"{RUN}/dag.dot",
        config=f"{RUN}/config.json",
    params:
        settings=SETTINGS,
        snakefile=str(Path(workflow.main_snakefile).resolve()),
    run:
        # Snakemake itself draws the graph; it runs where the workflow runs, never in a container.
        import subprocess

        Path(output.config).write_text(json.dumps(params.settings, indent=1) + "\n")
        command = [sys.executable, "-m", "snakemake", "--snakefile", params.snakefile, "--nolock"]
        command += ["--configfile", output.config, "--workflow-profile", "none", "--rulegraph", "dot"]
        graph = subprocess.run(command, capture_output=True, text=True)
        if graph.returncode:
            raise WorkflowError(f"the rule graph could not be drawn: {graph.stderr.strip()[-500:]}")
        Path(output.dot).write_text(graph.stdout)


def everything():
    """All that the report shows."""
    products = catalogues()
    if CONFIG.campaign:
        products += [rules.query.output[0], *DRAWS, rules.train.output.weights, *rules.scores.output]
        products += noise_models()
    for data in IMAGED:
        for name in RECIPES:
            products += [f"{RUN}/image/{data}/{name}/{file}" for file in ("summary.json", "clean.fits")]
    return products


rule report:
    input:
        script=workflow.source_path("../../scripts/report.py"),
        dag=rules.dag.output.dot,
        config=rules.dag.output.config,
        products=everything(),
    output:
        f"{RUN}/report.html",
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
        run=RUN,
        code=source_hash("report", "catalogue"),
    shell:
        "python {input.script} --settings {input.config} --results {params.run} "
        "--dag {input.dag} --output {output} 2>&1 | tee {log}"

rule catalogue:
    input:
        unpack(catalogue_input),
        script=workflow.source_path("../../scripts/catalogue.py"),
    output:
        f"{RUN}/catalogue/{{data}}/{{recipe}}/{{finder}}.ecsv",
    log:
        f"{LOG}/catalogue/{{data}}.{{recipe}}.{{finder}}.log",
    benchmark:
        f"{BENCHMARK}/catalogue/{{data}}.{{recipe}}.{{finder}}.tsv"
    container:
        sif("catalogue")
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        settings=settings("catalogue"),
        options=catalogue_options,
        code=source_hash("catalogue", "networks"),
    shell:
        "python {input.script:q} --settings {params.settings:q} {params.options} "
        "--finder {wildcards.finder} --name {wildcards.data} --output {output:q} 2>&1 | tee {log:q}"


rule scores:
    input:
        script=workflow.source_path("../../scripts/scores.py"),
        catalogues=catalogues(observations=False),
        truths=TRUTHS,
    output:
        scores=report(f"{RUN}/catalogue/scores.ecsv", caption="../report/scores.rst", category="Sources"),
        matches=f"{RUN}/catalogue/matches.ecsv",
    log:
        f"{LOG}/scores/scores.log",
    benchmark:
        f"{BENCHMARK}/scores/scores.tsv"
    container:
        sif("catalogue")
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        settings=settings("catalogue"),
        code=source_hash("catalogue"),
    shell:
        "python {input.script:q} --settings {params.settings:q} --catalogues {input.catalogues:q} "
        "--truth {input.truths:q} --output {output.scores:q} --matches {output.matches:q} 2>&1 | tee {log:q}"

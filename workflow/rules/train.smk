rule train:
    input:
        script=workflow.source_path("../../scripts/train.py"),
        draws=DRAWS,
        truths=TRUTHS,
        lines=[f"{RUN}/sky/{shard}.lines.ecsv" for shard in SHARDS],
    output:
        weights=f"{RUN}/train/blobs/weights.safetensors",
        history=f"{RUN}/train/blobs/history.csv",
        card=report(f"{RUN}/train/blobs/card.md", caption="../report/train.rst", category="Network"),
    log:
        f"{LOG}/train/blobs.log",
    benchmark:
        f"{BENCHMARK}/train/blobs.tsv"
    container:
        sif("train")
    threads: CONFIG.train.threads
    resources:
        mem_mb=6000,
        runtime=240,
    params:
        settings=settings("train"),
        code=source_hash("train", "networks", "noise", "sky", "simulate", "catalogue"),
        seed=CONFIG.seed,
        folder=subpath(output.weights, parent=True),
    shell:
        "python {input.script:q} --settings {params.settings:q} --seed {params.seed} "
        "--draws {input.draws:q} --truth {input.truths:q} --lines {input.lines:q} "
        "--output-folder {params.folder:q} 2>&1 | tee {log:q}"

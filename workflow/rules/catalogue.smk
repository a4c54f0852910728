# Sources are looked for on images of each recipe, on the campaign's dirty images (recipe `dirty`), and
# on FITS images of the user's (recipe `fits`).


def catalogue_input(wildcards):
    """The image in which the sources of one catalogue are looked for, with what is needed beside it."""
    found = {}
    if wildcards.recipe == "fits":
        found["image"] = FITS_DATA[wildcards.data]
    elif wildcards.recipe == "dirty":
        found["store"] = f"{RUN}/noise/draws/{shard_of(wildcards)}.zarr.zip"
    else:
        found["image"] = f"{RUN}/image/{wildcards.data}/{wildcards.recipe}/clean.fits"
        found["pb"] = f"{RUN}/image/{wildcards.data}/{wildcards.recipe}/pb.fits"
    if wildcards.finder == "network":
        found["weights"] = rules.train.output.weights
    return found


def catalogue_options(wildcards, input):
    """Command-line options for the inputs that this catalogue has."""
    options = [
        f"--{name} {input[name]}" for name in ("image", "pb", "store", "weights") if name in input.keys()
    ]
    if wildcards.recipe == "dirty":
        options.append(f"--simulation {wildcards.data}")
    elif naming.is_simulation(wildcards.data):
        # Imagers read the visibilities, whose noise is the radiometer's whatever the cubes hold.
        options.append("--realisation radiometer")
    return " ".join(options)


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
        "python {input.script} --settings {params.settings:q} {params.options} "
        "--finder {wildcards.finder} --name {wildcards.data} --output {output} 2>&1 | tee {log}"


FINDERS = ["sep", "network"]


def catalogues(simulations=True, observations=True):
    """Every catalogue of the run."""
    chosen = [(data, recipe, "sep") for data in IMAGED for recipe in RECIPES]
    chosen += [(data, "fits", "sep") for data in FITS_DATA]
    chosen += [(data, "dirty", finder) for data in SIMULATIONS for finder in FINDERS]
    return [
        f"{RUN}/catalogue/{data}/{recipe}/{finder}.ecsv"
        for data, recipe, finder in chosen
        if (simulations if naming.is_simulation(data) else observations)
    ]


rule scores:
    input:
        script=workflow.source_path("../../scripts/scores.py"),
        catalogues=catalogues(observations=False),
        truths=TRUTHS,
    output:
        scores=f"{RUN}/catalogue/scores.ecsv",
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
        "python {input.script} --settings {params.settings:q} --catalogues {input.catalogues} "
        "--truth {input.truths} --output {output.scores} --matches {output.matches} 2>&1 | tee {log}"

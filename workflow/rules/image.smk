OBSERVATIONS = {f"obs-{name}": observation for name, observation in CONFIG.observations.items()}
# A folder is a Measurement Set, to be imaged; a file is a FITS image, which has an image already.
FITS_DATA = {name: item.path for name, item in OBSERVATIONS.items() if not Path(item.path).is_dir()}
IMAGED = [*(SIMULATIONS if CONFIG.campaign and CONFIG.campaign.image else []), *OBSERVATIONS]
IMAGED = [data for data in IMAGED if data not in FITS_DATA]
RECIPES = list(CONFIG.image.recipes)


def visibility_source(wildcards):
    """The shard of a simulation, or the Measurement Set of an observation."""
    if naming.is_simulation(wildcards.data):
        return f"{RUN}/simulate/{shard_of(wildcards)}.zarr.zip"
    return OBSERVATIONS[wildcards.data].path


def visibility_options(wildcards, input):
    """Command-line options that say where the visibilities come from."""
    if naming.is_simulation(wildcards.data):
        return f"--store {input.source} --simulation {wildcards.data}"
    return f"--measurement-set {input.source}"


def visibility_settings(wildcards):
    """Which part of a Measurement Set to use; a simulation is used as it is."""
    if naming.is_simulation(wildcards.data):
        return "{}"
    return OBSERVATIONS[wildcards.data].model_dump_json(exclude={"path", "credit"})


def recipe(wildcards):
    """The settings of one imaging recipe as JSON."""
    return CONFIG.image.recipes[wildcards.recipe].model_dump_json()


rule visibilities:
    input:
        script=workflow.source_path("../../scripts/visibilities.py"),
        source=visibility_source,
    output:
        f"{RUN}/visibilities/{{data}}.zarr.zip",
    log:
        f"{LOG}/visibilities/{{data}}.log",
    benchmark:
        f"{BENCHMARK}/visibilities/{{data}}.tsv"
    container:
        sif("image")
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        settings=visibility_settings,
        options=visibility_options,
        code=source_hash("image"),
    shell:
        "python {input.script} --settings {params.settings:q} {params.options} "
        "--name {wildcards.data} --output {output} 2>&1 | tee {log}"


rule image:
    input:
        script=workflow.source_path("../../scripts/image.py"),
        visibilities=f"{RUN}/visibilities/{{data}}.zarr.zip",
    output:
        mean=f"{RUN}/image/{{data}}/{{recipe}}/mean.fits",
        std=f"{RUN}/image/{{data}}/{{recipe}}/std.fits",
        samples=f"{RUN}/image/{{data}}/{{recipe}}/samples.zarr.zip",
        power=f"{RUN}/image/{{data}}/{{recipe}}/power_spectrum.ecsv",
        summary=f"{RUN}/image/{{data}}/{{recipe}}/summary.json",
    log:
        f"{LOG}/image/{{data}}.{{recipe}}.log",
    benchmark:
        f"{BENCHMARK}/image/{{data}}.{{recipe}}.tsv"
    container:
        sif("image")
    threads: 1
    resources:
        mem_mb=4000,
        runtime=240,
    params:
        settings=recipe,
        code=source_hash("image"),
        seed=CONFIG.seed,
        folder=subpath(output.mean, parent=True),
    shell:
        "python {input.script} --settings {params.settings:q} --seed {params.seed} "
        "--visibilities {input.visibilities} --name {wildcards.data} "
        "--output-folder {params.folder} 2>&1 | tee {log}"


rule clean:
    input:
        script=workflow.source_path("../../scripts/clean.py"),
        visibilities=f"{RUN}/visibilities/{{data}}.zarr.zip",
    output:
        image=f"{RUN}/image/{{data}}/{{recipe}}/clean.fits",
        residual=f"{RUN}/image/{{data}}/{{recipe}}/clean_residual.fits",
        pb=f"{RUN}/image/{{data}}/{{recipe}}/pb.fits",
    log:
        f"{LOG}/clean/{{data}}.{{recipe}}.log",
    benchmark:
        f"{BENCHMARK}/clean/{{data}}.{{recipe}}.tsv"
    container:
        sif("image")
    threads: 1
    resources:
        mem_mb=4000,
        runtime=240,
    params:
        settings=recipe,
        code=source_hash("image"),
        folder=subpath(output.image, parent=True),
    shell:
        "python {input.script} --settings {params.settings:q} --visibilities {input.visibilities} "
        "--name {wildcards.data} --output-folder {params.folder} 2>&1 | tee {log}"

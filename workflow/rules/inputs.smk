# Which files a rule needs, and which files the run shall end with.

DRAWS = [f"{RUN}/noise/draws/{shard}.zarr.zip" for shard in SHARDS]
TRUTHS = [f"{RUN}/noise/draws/{shard}.truth.ecsv" for shard in SHARDS]

EXPORTS = {
    "ms": "visibilities.ms",
    "fits": ".",
    "npz": "simulation.npz",
    "h5": "simulation.h5",
    "png": "preview.png",
}

OBSERVATIONS = {f"obs-{name}": observation for name, observation in CONFIG.observations.items()}
# Visibilities are to be imaged; a FITS image is an image already.
FITS_DATA = {
    name: item.paths[0]
    for name, item in OBSERVATIONS.items()
    if len(item.paths) == 1 and kinds.kind(item.paths[0]) == "fits"
}
IMAGED = [*(SIMULATIONS if CONFIG.campaign and CONFIG.campaign.image else []), *OBSERVATIONS]
IMAGED = [data for data in IMAGED if data not in FITS_DATA]
RECIPES = list(CONFIG.image.recipes)
FINDERS = ["sep", "network"]


def exports():
    """The folder of every export that the configuration asks for."""
    kinds = CONFIG.campaign.export if CONFIG.campaign else []
    return [f"{RUN}/export/{simulation}/{kind}" for simulation in SIMULATIONS for kind in kinds]


def noise_models():
    """The noise model that the campaign draws from; none where its noise is radiometer noise only."""
    if not CONFIG.campaign or CONFIG.noise.mode == "theoretical":
        return []
    return [f"{RUN}/noise/models/{CONFIG.noise_reference_name}.zarr.zip"]


def visibility_source(wildcards):
    """The shard of a simulation, or the data sets of an observation."""
    if naming.is_simulation(wildcards.data):
        return f"{RUN}/simulate/{shard_of(wildcards)}.zarr.zip"
    return OBSERVATIONS[wildcards.data].paths


def visibility_total_power(wildcards):
    """The single dishes' map beside an observation; a simulation's lies in its shard."""
    if naming.is_simulation(wildcards.data):
        return []
    return OBSERVATIONS[wildcards.data].total_power or []


def visibility_options(wildcards, input):
    """Command-line options that say where the visibilities come from."""
    if naming.is_simulation(wildcards.data):
        return f"--store {shlex.quote(input.source)} --simulation {wildcards.data}"
    observation = OBSERVATIONS[wildcards.data]
    options = f"--data {shlex.join(observation.paths)}"
    if observation.total_power:
        options += f" --total-power {shlex.quote(observation.total_power)}"
    return options


def visibility_settings(wildcards):
    """Which part of an observation to use, and how; a simulation is used as it is."""
    if naming.is_simulation(wildcards.data):
        return "{}"
    return OBSERVATIONS[wildcards.data].model_dump_json(exclude={"path", "total_power", "credit"})


def recipe(wildcards, without):
    """The settings of one imaging recipe as JSON, without those that a rule does not read."""
    return CONFIG.image.recipes[wildcards.recipe].model_dump_json(exclude=without)


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
        f"--{name} {shlex.quote(input[name])}"
        for name in ("image", "pb", "store", "weights")
        if name in input.keys()
    ]
    if wildcards.recipe == "dirty":
        options.append(f"--simulation {wildcards.data}")
    elif naming.is_simulation(wildcards.data):
        # Imagers read the visibilities, whose noise is the radiometer's whatever the cubes hold.
        options.append("--realisation radiometer")
    return " ".join(options)


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

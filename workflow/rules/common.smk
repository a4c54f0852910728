# Configuration, names and helpers that every rule file uses. Only the standard library, yaml and
# pydantic are imported here, since each job of a cluster reads the workflow anew.

import json
import os
import shlex
import subprocess
import sys
import time
from pathlib import Path

from almabrain.config.model import Configuration, read_configuration
from almabrain.console.binds import show_to_containers
from almabrain.console.errors import UserError
from almabrain.console.failures import first_mistake, require_writable
from almabrain.data import kinds, naming
from almabrain.data.provenance import source_hash

if not workflow.overwrite_configfiles and Path("config/config.yaml").exists():

    configfile: "config/config.yaml"


try:
    CONFIG = read_configuration(config)
    CONFIG.require_files()
    require_writable(CONFIG.results)
except UserError as mistake:
    # One sentence and no traceback of the workflow's reading.
    print(f"error: {mistake}", file=sys.stderr)
    sys.exit(2)

RUN = str(Path(CONFIG.results) / CONFIG.run)
SHARDS = naming.shards(CONFIG.campaign.simulations, CONFIG.campaign.shard) if CONFIG.campaign else {}
SIMULATIONS = [simulation for shard in SHARDS.values() for simulation in shard]
BEGUN = time.time()
LOG = f"{RUN}/logs"
BENCHMARK = f"{RUN}/benchmarks"

show_to_containers([CONFIG.results, *CONFIG.files.values()])


wildcard_constraints:
    shard=r"shard-\d+",
    simulation=r"sim-\d+",
    data=r"(sim-\d+|obs-[a-z0-9_-]+)",
    recipe=r"[a-z0-9_-]+",
    finder=r"[a-z0-9_-]+",
    reference=r"[^/]+",


def settings(stage, **more):
    """The settings of one stage as JSON for the command line; a change in them reruns its rules."""
    return json.dumps(getattr(CONFIG, stage).model_dump(mode="json") | more, sort_keys=True)


def sif(stage):
    """The container of a stage: a SIF made by containers/build."""
    folder = os.environ.get("ALMABRAIN_SIF_DIR")
    return f"{folder or Path(workflow.basedir) / 'containers' / 'sif'}/{stage}.sif"


def shard_of(wildcards):
    """The shard that holds a simulation."""
    return naming.shard_of(wildcards.get("simulation") or wildcards.data, CONFIG.campaign.shard)


def draw_graph(settings, configfile, dot, log):
    """Write the rules' graph as Snakemake draws it, on the host and never in a container."""
    Path(configfile).write_text(settings)
    command = [sys.executable, "-m", "snakemake", "--snakefile", workflow.main_snakefile, "--nolock"]
    command += ["--configfile", configfile, "--workflow-profile", "none", "--rulegraph", "dot"]
    with open(dot, "w") as graph, open(log, "w") as messages:
        subprocess.run(command, stdout=graph, stderr=messages, check=True)

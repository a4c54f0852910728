"""Containers and the local environment come from the same files, and those hold what each stage imports."""

import ast
import importlib.metadata
import os
import re
import subprocess
import sys
from pathlib import Path

import grimp
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).resolve().parents[2]
STAGES = ("query", "sky", "simulate", "noise", "train", "image", "catalogue")
STAGES += ("clean-wsclean", "clean-casa")  # the rule clean, by other programs
ENVS = sorted(path.name for path in (ROOT / "envs").glob("*.txt") if path.name != "constraints.txt")
# Where a package is imported by another name than it is installed by.
INSTALLED_AS = {"yaml": "pyyaml", "casacore": "python-casacore", "PIL": "pillow"}
# A module that loads others by their names, which no import statement shows.
LOADS = {"almabrain.sky.scene": "almabrain.sky.models."}
# Debian 12's Python, in which the containers (and a newcomer's environment) run.
OLDEST_PYTHON = "3.11.2"


def normal(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(name):
    """{package: version} of an env file's own lines; fails on anything but an exact version."""
    found = {}
    for line in (ROOT / "envs" / name).read_text().splitlines():
        if line and not line.startswith(("#", "-r ")):
            exact = re.fullmatch(r"([A-Za-z0-9._-]+)==([A-Za-z0-9.]+)", line)
            assert exact, f"envs/{name}: '{line}' is no exact version"
            found[normal(exact[1])] = exact[2]
    return found


def packages(name):
    """{package: version} of an env file and of the files that it includes."""
    included = re.findall(r"^-r (\S+)$", (ROOT / "envs" / name).read_text(), re.MULTILINE)
    return pins(name) | {key: value for other in included for key, value in packages(other).items()}


@pytest.mark.parametrize("name", ENVS)
def test_requirements_are_the_versions_in_constraints(name):
    constraints = pins("constraints.txt")
    for package, version in packages(name).items():
        assert constraints.get(package) == version, f"envs/{name}: {package}=={version}"


def test_constraints_pin_all_that_the_requirements_bring_along():
    installed = {normal(item.name): item for item in importlib.metadata.distributions()}
    waiting = [(package, "") for name in ENVS for package in pins(name)]
    needed = set()
    while waiting:
        package, extra = waiting.pop()
        if (package, extra) in needed:
            continue
        needed.add((package, extra))
        for requirement in map(Requirement, installed[package].requires or []):
            if not requirement.marker or requirement.marker.evaluate({"extra": extra}):
                waiting += [(normal(requirement.name), name) for name in ("", *requirement.extras)]
    assert {package for package, _ in needed} == set(pins("constraints.txt"))


def test_constraints_are_the_versions_that_the_tests_run_with():
    installed = {normal(item.name): item for item in importlib.metadata.distributions()}
    for package, version in pins("constraints.txt").items():
        if package in installed:
            assert installed[package].version.split("+")[0] == version, package


def test_constraints_can_be_installed_in_the_containers_python():
    installed = {normal(item.name): item for item in importlib.metadata.distributions()}
    for package in pins("constraints.txt"):
        needed = installed[package].metadata.get("Requires-Python") if package in installed else None
        assert SpecifierSet(needed or "").contains(OLDEST_PYTHON), f"{package} needs Python {needed}"


@pytest.mark.parametrize("stage", STAGES)
def test_each_stage_has_a_dockerfile_over_the_base(stage):
    text = (ROOT / "containers" / stage / "Dockerfile").read_text()
    assert "FROM ${BASE}" in text
    assert f"-r /opt/almabrain/envs/{stage}.txt" in text
    assert text.index("pip install ${PIP_ARGS}") < text.index("/library/*.whl"), (
        "the library is the last layer"
    )


def rules():
    """{rule: (stages whose SIFs it uses, its script)} of every rule that runs in a container."""
    found = {}
    for file in (ROOT / "workflow" / "rules").glob("*.smk"):
        for block in re.split(r"^rule ", file.read_text(), flags=re.MULTILINE)[1:]:
            sif, script = re.findall(r'sif\("([\w-]+)"\)', block), re.search(r"scripts/(\w+\.py)", block)
            if script:
                assert sif, f"rule {block.split(':')[0]} names no SIF"
                found[block.split(":")[0]] = (sif, script[1])
    return found


def test_every_rule_names_the_sif_of_a_stage():
    assert {stage for stages, _ in rules().values() for stage in stages} == set(STAGES)


def imported_names(file):
    """Every name that a file imports, modules and what is taken out of them alike."""
    nodes = list(ast.walk(ast.parse(file.read_text())))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    for node in nodes:
        if isinstance(node, ast.ImportFrom):
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


@pytest.fixture(scope="module")
def imports():
    return grimp.build_graph("almabrain", include_external_packages=True, cache_dir=None)


def reached(script, imports):
    """The packages that a script can reach through the library, under the names they are installed by."""
    named = imported_names(ROOT / "scripts" / script)
    own = {module for module in named if module in imports.modules and module.startswith("almabrain.")}
    assert own, f"scripts/{script} uses nothing of the library"
    for loader, loaded in LOADS.items():
        if own & {loader, *imports.find_downstream_modules(loader)}:
            own |= {module for module in imports.modules if module.startswith(loaded)}
    modules = own.union(named, *(imports.find_upstream_modules(module) for module in own))
    outside = {module.split(".")[0] for module in modules} - set(sys.stdlib_module_names) - {"almabrain"}
    return {normal(INSTALLED_AS.get(name, name)) for name in outside}


@pytest.mark.parametrize("stage", STAGES)
def test_a_container_holds_what_its_scripts_can_reach_and_no_more(stage, imports):
    scripts = {script for stages, script in rules().values() if stage in stages}
    needed = set().union(*(reached(script, imports) for script in scripts))
    assert not needed - set(packages(f"{stage}.txt")), (
        f"envs/{stage}.txt lacks these; {scripts} may import them"
    )
    assert not set(pins(f"{stage}.txt")) - needed, (
        f"envs/{stage}.txt has these, and none of {scripts} imports them"
    )


@pytest.mark.parametrize("profile", ["default", "slurm", "slurm-gpu"])
def test_profiles_say_what_snakemake_knows(profile):
    said = yaml.safe_load((ROOT / "profiles" / profile / "config.yaml").read_text())
    known = subprocess.run(
        [sys.executable, "-m", "snakemake", "--help"], capture_output=True, text=True
    ).stdout
    for option in said:
        assert re.search(rf"--{option}\b", known), f"snakemake has no option --{option}"
    if "set-resources" in said:
        assert said["set-resources"].keys() == rules().keys()


def test_the_gpu_profile_differs_by_the_gpu_only():
    slurm, gpu = (
        yaml.safe_load((ROOT / "profiles" / name / "config.yaml").read_text())
        for name in ("slurm", "slurm-gpu")
    )
    assert gpu.pop("apptainer-args") == "--nv"
    assert gpu["set-resources"].pop("train")["gres"] == "gpu:1"
    slurm["set-resources"].pop("train")
    assert gpu == slurm


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [(["painting"], "there is no stage 'painting'"), (["--force", "sky"], "apptainer is not on PATH")],
)
def test_build_ends_in_one_sentence(arguments, sentence, tmp_path):
    done = subprocess.run(
        [sys.executable, ROOT / "containers" / "build", *arguments],
        env=os.environ | {"PATH": str(tmp_path), "ALMABRAIN_SIF_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("error: ") and sentence in done.stderr and done.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())

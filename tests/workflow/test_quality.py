"""The house rules that a program can check: style, imports between rooms, the workflow's own lint."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
STAGES = ["query", "sky", "simulate", "noise", "train", "image", "catalogue"]


@pytest.mark.parametrize(
    "command",
    [
        "ruff check .",
        "ruff format --check .",
        "snakefmt --check Snakefile workflow",
        "lint-imports --no-cache",
        "snakemake --lint --configfile config/demo.yaml",
    ],
)
def test_checker_finds_nothing(command):
    program, *arguments = command.split()
    environment = os.environ | {"PATH": f"{BIN}:{os.environ['PATH']}"}
    done = subprocess.run(
        [BIN / program, *arguments], cwd=ROOT, capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_has_the_same_name_on_every_floor(stage):
    floors = [
        f"workflow/rules/{stage}.smk",
        f"scripts/{stage}.py",
        f"src/almabrain/{stage}/__init__.py",
        f"src/almabrain/config/{stage}.py",
        f"containers/{stage}/Dockerfile",
        f"envs/{stage}.txt",
        f"tests/{stage}",
    ]
    assert [floor for floor in floors if not (ROOT / floor).exists()] == []


def test_rule_script_log_and_benchmark_share_one_name():
    for file in sorted((ROOT / "workflow/rules").glob("*.smk")):
        for rule in re.split(r"^rule ", file.read_text(), flags=re.M)[1:]:
            name = rule.split(":")[0]
            if "script=" not in rule:
                continue
            assert (ROOT / f"scripts/{name}.py").exists(), name
            for directive in (
                f"scripts/{name}.py",
                f"{{LOG}}/{name}/",
                f"{{BENCHMARK}}/{name}/",
                "container:",
            ):
                assert directive in rule, (file.name, name, directive)


def test_every_module_and_public_function_says_what_it_is():
    import ast

    silent = []
    for file in sorted([*(ROOT / "src").rglob("*.py"), *(ROOT / "scripts").glob("*.py")]):
        tree = ast.parse(file.read_text())
        if file.name != "__init__.py" and not ast.get_docstring(tree):
            silent.append(str(file.relative_to(ROOT)))
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
                nested = node.name == "main" and file.parent.name == "scripts"
                if not ast.get_docstring(node) and not nested and node in tree.body:
                    silent.append(f"{file.relative_to(ROOT)}:{node.name}")
    assert silent == []

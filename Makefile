# The commands of this project; `make help` lists them.
# Everything runs in a virtual environment of its own, .venv, made from envs/*.txt on first use.

PYTHON ?= python3.11
CONFIG ?= config/demo.yaml
CORES ?= all
VENV := $(CURDIR)/.venv
ENVS := $(wildcard envs/*.txt)
# A lock that the kernel lets go when its holder dies, so that a killed run never blocks the next one.
SNAKEMAKE := flock --wait 60 --conflict-exit-code 75 .snakemake.lock snakemake --nolock --cores $(CORES)
export PATH := $(VENV)/bin:$(PATH)
export PYTHONNOUSERSITE := 1

.DEFAULT_GOAL := help
.PHONY: help install run dry-run test test-containers test-slurm judge lint format config clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(VENV)/.installed ## make the environment .venv (run and test do it by themselves)

$(VENV)/.installed: $(ENVS) pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --upgrade pip
	$(VENV)/bin/python -m pip install --quiet -c envs/constraints.txt $(foreach file,$(filter-out envs/constraints.txt,$(ENVS)),-r $(file))
	$(VENV)/bin/python -m pip install --quiet --no-deps -c envs/constraints.txt -e .
	@touch $@

run: install ## the whole pipeline on the demo (CONFIG=config/observations.yaml for data of your own)
	@test -f "$(CONFIG)" || { echo "error: CONFIG is $(CONFIG), which is no file; give a configuration, such as config/demo.yaml" >&2; exit 2; }
	@$(SNAKEMAKE) --configfile $(CONFIG) || { status=$$?; [ $$status -ne 75 ] || \
	echo "error: another run is going on in this folder (it holds .snakemake.lock); wait for it or end it" >&2; exit $$status; }

dry-run: install ## what `make run` would do
	@snakemake --nolock --cores $(CORES) --configfile $(CONFIG) --dry-run

test: install ## all tests that need neither containers nor a cluster
	python -m pytest

test-containers: install ## build the seven SIFs and run the test configuration inside them
	bash tests/containers.sh

test-slurm: install ## run the test configuration through Slurm, in containers
	bash tests/slurm.sh

# CASA and xradio have an environment of their own; ALMABRAIN_JUDGE_PYTHON names another one that has them.
JUDGE_VENV := $(CURDIR)/.venv-judge
ALMABRAIN_JUDGE_PYTHON ?= $(JUDGE_VENV)/bin/python

$(JUDGE_VENV)/bin/python: tests/judges/requirements.txt
	$(PYTHON) -m venv $(JUDGE_VENV)
	$(JUDGE_VENV)/bin/python -m pip install --quiet --upgrade pip
	$(JUDGE_VENV)/bin/python -m pip install --quiet -r tests/judges/requirements.txt
	@touch $@

judge: install $(ALMABRAIN_JUDGE_PYTHON) ## compare with CASA, WSClean, xradio and the archive (2 GB of packages at first)
	ALMABRAIN_JUDGE_PYTHON=$(ALMABRAIN_JUDGE_PYTHON) python -m pytest tests/judges

format: install ## format the code
	ruff format . && ruff check --fix . && snakefmt Snakefile workflow

config: install ## regenerate the defaults file, the JSON schema and the configuration reference
	python -m almabrain.config.generate

clean: ## remove the results of the demo (never of your own runs) and caches
	rm -rf results/demo .pytest_cache .ruff_cache

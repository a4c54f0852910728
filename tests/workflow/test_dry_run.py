"""Which jobs each configuration asks for, without running any."""

import re
import resource

import pytest

CAMPAIGN = {
    "query": 1,
    "sky": 2,
    "simulate": 2,
    "noise_model": 1,
    "noise": 2,
    "train": 1,
    "scores": 1,
    "dag": 1,
    "report": 1,
    "all": 1,
}
EXPECTED = {
    "demo": CAMPAIGN | {"export": 12, "visibilities": 4, "image": 4, "clean": 4, "catalogue": 12},
    "test": CAMPAIGN | {"export": 2, "visibilities": 2, "image": 2, "clean": 2, "catalogue": 6},
    "config": CAMPAIGN | {"export": 4, "visibilities": 4, "image": 4, "clean": 4, "catalogue": 12},
}


def jobs(output: str) -> dict[str, int]:
    """The table of job counts that snakemake prints."""
    return {
        name: int(count)
        for name, count in re.findall(r"^(\w+) +(\d+)$", output, flags=re.M)
        if name != "total"
    }


@pytest.mark.parametrize("name", EXPECTED)
def test_a_campaign_asks_for_just_these_jobs(snakemake, name):
    done = snakemake("--configfile", f"config/{name}.yaml", "--dry-run")
    assert done.returncode == 0, done.stderr
    assert jobs(done.stdout + done.stderr) == EXPECTED[name]


def test_observations_are_imaged_or_catalogued(snakemake, tmp_path):
    (tmp_path / "mine.ms").mkdir()
    (tmp_path / "mine.fits").write_bytes(b"")
    config = tmp_path / "mine.yaml"
    config.write_text(
        f"run: mine\nobservations: {{a: {{path: {tmp_path}/mine.ms}}, b: {{path: {tmp_path}/mine.fits}}}}"
    )
    done = snakemake("--configfile", str(config), "--dry-run")
    assert done.returncode == 0, done.stderr
    expected = {"visibilities": 1, "image": 1, "clean": 1, "catalogue": 2, "dag": 1, "report": 1, "all": 1}
    assert jobs(done.stdout + done.stderr) == expected


def test_a_changed_setting_reaches_only_its_stage_and_those_after(snakemake):
    done = snakemake("--configfile", "config/test.yaml", "--dry-run", "--until", "sky")
    assert jobs(done.stdout + done.stderr) == {"query": 1, "sky": 2}


def test_a_mistake_is_the_last_line_and_a_dry_run_is_quick(snakemake, tmp_path):
    config = tmp_path / "mine.yaml"
    config.write_text("campaign: {simulatons: 4}")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = snakemake("--configfile", str(config), "--dry-run")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode != 0
    last = (done.stdout + done.stderr).strip().splitlines()[-1]
    assert last.startswith("error: key 'campaign.simulatons' is unknown; did you mean 'simulations'?")
    # Processor time, since other work and Snakemake's plugins that ask an absent Slurm make it wait.
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 5

"""What a user sees last when the input is at fault, through the whole workflow."""

import os
import subprocess

import numpy as np
import pytest

from almabrain.console.binds import show_to_containers
from almabrain.console.errors import UserError
from almabrain.console.failures import first_mistake, require_writable


def last_line(done: subprocess.CompletedProcess) -> str:
    assert done.returncode != 0, done.stdout + done.stderr
    return done.stderr.strip().splitlines()[-1]


def write_config(folder, text: str) -> tuple[str, str]:
    (folder / "mine.yaml").write_text(text)
    return "--configfile", str(folder / "mine.yaml")


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 1 MB of the test's own; skipped where mounting is not allowed."""
    place = tmp_path / "disk"
    place.mkdir()
    options = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)]
    if subprocess.run(options, capture_output=True).returncode:
        pytest.skip("mounting a small file system is not allowed here")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_fits_file_that_is_none(snakemake, tmp_path):
    (tmp_path / "mine.fits").write_text("not FITS at all")
    config = write_config(tmp_path, f"run: mine\nobservations: {{a: {{path: {tmp_path}/mine.fits}}}}")
    done = snakemake(*config)
    assert last_line(done).startswith(f"error: {tmp_path}/mine.fits is not a whole FITS file")
    assert not list((tmp_path / "mine").rglob("*.ecsv"))


def test_a_folder_that_is_no_measurement_set(snakemake, tmp_path):
    (tmp_path / "mine.ms").mkdir()
    config = write_config(tmp_path, f"run: mine\nobservations: {{a: {{path: {tmp_path}/mine.ms}}}}")
    done = snakemake(*config)
    assert last_line(done).startswith("error: ") and "mine.ms is not a Measurement Set" in last_line(done)
    assert not list((tmp_path / "mine").rglob("*.zip"))


def test_data_that_are_not_there(snakemake, tmp_path):
    config = write_config(tmp_path, f"run: mine\nobservations: {{a: {{path: {tmp_path}/absent.fits}}}}")
    assert f"observations.a.path is {tmp_path}/absent.fits, which does not exist" in last_line(
        snakemake(*config)
    )


def test_an_archive_row_with_an_unknown_pad(snakemake, tmp_path):
    from astropy.table import Table

    rows = Table.read("resources/observations.ecsv")[:1]
    rows["antenna_arrays"] = ["Z999:DV01 A001:DV02 A002:DV03"]
    rows.write(tmp_path / "rows.ecsv", format="ascii.ecsv")
    query = f"query: {{source: file, file: {tmp_path}/rows.ecsv}}"
    done = snakemake(
        *write_config(tmp_path, f"run: mine\ncampaign: {{simulations: 1}}\n{query}"), "--until", "query"
    )
    assert last_line(done).startswith("error: ") and "Z999" in last_line(done)


def test_results_below_a_file_or_on_a_read_only_or_full_disk(snakemake, tmp_path, small_disk):
    config = write_config(tmp_path, "run: mine\ncampaign: {simulations: 1}")
    (tmp_path / "file").write_text("")
    assert "is a file; give a folder" in last_line(snakemake(*config, results=tmp_path / "file"))
    (small_disk / "ballast").write_bytes(np.random.default_rng(0).bytes(1_000_000))
    assert "no space is left there" in last_line(snakemake(*config, results=small_disk))
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    assert "is read-only; give a folder" in last_line(snakemake(*config, results=small_disk))


def test_a_disk_that_fills_during_the_run(snakemake, tmp_path, small_disk):
    config = write_config(tmp_path, "run: mine\ncampaign: {simulations: 2}\nquery: {arrays: [7m]}")
    done = snakemake(*config, "--until", "simulate", results=small_disk)
    assert "no space is left there" in last_line(done) or "No space left" in last_line(done)
    assert not list((small_disk / "mine").glob("simulate/*")), "half-written output was left behind"


def test_the_newest_failure_is_told(tmp_path):
    for age, (name, text) in enumerate([("new", "x\nerror: this one"), ("old", "error: not this")]):
        (tmp_path / f"{name}.log").write_text(text)
        os.utime(tmp_path / f"{name}.log", (1e9 - age, 1e9 - age))
    assert first_mistake(tmp_path, tmp_path, since=0) == "this one"
    assert "interrupted" in first_mistake(tmp_path, tmp_path, since=1e9 + 1)
    (tmp_path / "newest.log").write_text("Traceback (most recent call last):\nValueError")
    assert "traceback is in" in first_mistake(tmp_path, tmp_path, since=0)


def test_a_writable_folder_passes(tmp_path):
    require_writable(tmp_path / "a" / "b")
    with pytest.raises(UserError, match="is a file"):
        (tmp_path / "c").write_text("")
        require_writable(tmp_path / "c")


def test_containers_see_the_users_folders(tmp_path, monkeypatch):
    monkeypatch.setenv("APPTAINER_BIND", "/opt/site")
    show_to_containers([str(tmp_path), None, str(tmp_path / "." / "a")])
    assert os.environ["APPTAINER_BIND"].split(",") == ["/opt/site", str(tmp_path), str(tmp_path / "a")]

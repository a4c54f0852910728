"""A run that was killed goes on where it was, to the same bytes; and never from what belongs to another."""

import dataclasses
import logging
import shutil
import time

import numpy as np
import pytest
import xarray as xr

from almabrain.config.image import Prior, SelfCalibration
from almabrain.image import checkpoint, inference

CLAIMED = 1.3  # noise over what the weights claim


class Killed(Exception):
    pass


def data(windows):
    """Data whose noise and gains are learned, with weights that claim too little noise."""
    window = windows["spw0"]
    claimed = {"spw0": window.assign(weight=CLAIMED**2 * window.weight).assign_attrs(simulated=False)}
    calibration = SelfCalibration(solve="phases", interval_s=300.0)
    return inference.Data(claimed, factors={"spw0": 1.0}, calibration=calibration)


def infer(windows, worked, folder=None, rounds=14, **more):
    given = more.pop("data", None) or data(windows)
    return inference.infer(given, worked, rounds, **{"seed": 1, "name": "test", "folder": folder} | more)


def kill_after(monkeypatch, rounds):
    """As if the process ended right after the checkpoint of that round."""
    keep = inference._keep

    def kept(where, walk):
        keep(where, walk)
        if len(walk.state.history) == rounds:
            raise Killed

    monkeypatch.setattr(inference, "_keep", kept)


@pytest.fixture(scope="module")
def ended(windows, worked, tmp_path_factory):
    """A run that was never interrupted, and its checkpoint."""
    folder = tmp_path_factory.mktemp("run") / "checkpoint"
    return infer(windows, worked, folder), folder


@pytest.fixture(scope="module")
def whole(ended):
    return ended[0]


def test_a_killed_run_goes_on_to_the_same_bytes(windows, worked, whole, tmp_path, monkeypatch):
    """Killed in the warm-up, between what is learned, while chains spread, and again among the draws that count."""
    warm = sum(each.warming for each in whole.history)
    assert 5 <= warm < len(whole.history) - 2
    for rounds in (2, warm - 1, warm, warm + 2):
        with monkeypatch.context() as killing, pytest.raises(Killed):
            kill_after(killing, rounds)
            infer(windows, worked, tmp_path / "c")
    begun = []
    monkeypatch.setattr(inference, "ascend", lambda *_: begun.append(1))
    done = infer(windows, worked, tmp_path / "c", threads=2)
    assert not begun  # else it began anew
    assert np.array_equal(np.array(done.draws), np.array(whole.draws)) and len(done.draws) >= 32
    assert np.array_equal(np.array(done.vectors), np.array(whole.vectors))
    for one, two in zip(done.model.points, whole.model.points, strict=True):
        assert np.array_equal(one, two)
    learned = done.data.noise.factors
    assert learned == whole.data.noise.factors and learned["spw0"] == pytest.approx(1.3, rel=0.1)
    assert np.array_equal(done.data.noise.baseline.factor, whole.data.noise.baseline.factor)
    assert done.data.gains.summary() == whole.data.gains.summary()
    for one, two in zip(done.history, whole.history, strict=True):
        assert dataclasses.replace(one, seconds=0.0) == dataclasses.replace(two, seconds=0.0)


def test_a_run_killed_before_its_products_were_written_has_nothing_to_do(windows, worked, ended, monkeypatch):
    whole, folder = ended
    monkeypatch.setattr(inference, "_round", lambda *_, **__: pytest.fail("a round was run"))
    again = infer(windows, worked, folder)
    assert np.array_equal(np.array(again.draws), np.array(whole.draws))
    assert again.history == whole.history


def test_only_draws_that_count_are_kept(ended):
    whole, folder = ended
    since = sum(not each.warming for each in whole.history)
    counted = range(since // 2, since)
    assert sorted(path.name for path in folder.iterdir()) == [
        *(f"draws-{number:04d}.npy" for number in counted), "state.npz",
    ]  # fmt: skip
    assert [bool(each.draws) for each in whole.rounds] == [number in counted for number in range(since)]
    assert sum(len(each.draws) for each in whole.rounds) == len(whole.draws)


def test_another_seed_begins_anew(windows, worked, ended, tmp_path, caplog):
    folder = tmp_path / "c"
    shutil.copytree(ended[1], folder)
    with caplog.at_level(logging.INFO):
        state = infer(windows, worked, folder, rounds=1, seed=2)
    assert "other data, settings or software; starting anew" in caplog.text
    assert [path.name for path in folder.iterdir()] == ["state.npz"]
    assert len(state.history) == 1 and not np.array_equal(state.vectors[0], ended[0].vectors[0])


def things(**changes):
    """What a checkpoint may be about, each a little different where asked."""
    values = np.arange(6.0) + 1j
    values[3] += changes.get("visibility", 0.0)
    window = xr.Dataset(
        {"visibility": (("row", "channel"), values.reshape(3, 2))}, attrs={"dishes_m": [7.0, 12.0]}
    )
    window = window.assign(weight=(window.visibility.dims, np.ones((3, 2))))
    window.attrs |= changes.get("attrs", {})
    window = window.assign(**changes.get("more", {}))
    windows = {changes.get("name", "spw0"): window, "spw1": window}
    given = inference.Data(windows, factors=changes.get("factors"))
    return given, changes.get("prior", Prior()), changes.get("seed", 1), changes.get("shape", (2, 3))


def test_what_a_checkpoint_is_about_is_told_apart():
    same = checkpoint.fingerprint(*things())
    assert same == checkpoint.fingerprint(*things())
    others = [
        {"visibility": 1e-12}, {"attrs": {"dishes_m": [12.0, 12.0]}}, {"more": {"x": 1.0}}, {"name": "spw2"},
        {"factors": {"spw0": 1.0, "spw1": 1.0}}, {"prior": Prior(k0=(3.0, 1.0))}, {"prior": None},
        {"seed": 2}, {"seed": "1"}, {"shape": (23,)},
    ]  # fmt: skip
    assert len({same, *(checkpoint.fingerprint(*things(**other)) for other in others)}) == 1 + len(others)


def test_an_edit_of_the_software_is_told(monkeypatch):
    before = checkpoint.fingerprint(1)
    monkeypatch.setattr(checkpoint.provenance, "source_hash", lambda *_: "edited")
    assert checkpoint.fingerprint(1) != before


@pytest.mark.parametrize("name", ["state.npz", "draws-0003.npy"])
@pytest.mark.parametrize("content", [b"", b"half a file"])
def test_half_a_checkpoint_is_none(tmp_path, caplog, name, content):
    kept = checkpoint.Checkpoint(tmp_path / "c", 1)
    kept.save({"steps": np.arange(3)}, {3: np.ones(2)})
    (tmp_path / "c" / name).write_bytes(content)
    with caplog.at_level(logging.INFO):
        assert kept.load() is None
    assert "cannot be read; starting anew" in caplog.text and not kept.folder.exists()


def test_large_pieces_are_written_once_and_removed_when_they_count_no_more(tmp_path):
    kept = checkpoint.Checkpoint(tmp_path / "c", 1)
    kept.save({"a": np.array(1)}, {1: np.ones(2), 2: np.zeros(2)})
    old = (kept.folder / "draws-0002.npy").stat().st_mtime_ns
    time.sleep(0.01)
    kept.save({"a": np.array(2)}, {2: np.zeros(2), 3: np.full(2, 7.0)})
    assert (kept.folder / "draws-0002.npy").stat().st_mtime_ns == old
    arrays, pieces = checkpoint.Checkpoint(tmp_path / "c", 1).load()
    assert arrays == {"a": 2} and sorted(pieces) == [2, 3] and pieces[3].tolist() == [7, 7]
    assert not (kept.folder / "draws-0001.npy").exists()
    assert checkpoint.Checkpoint(tmp_path / "c", 2).load() is None


def test_a_full_disk_stops_nothing_and_keeps_the_last_round(tmp_path, caplog, monkeypatch):
    kept = checkpoint.Checkpoint(tmp_path / "c", 1)
    kept.save({"a": np.array(1)}, {})

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    kept.save({"a": np.array(2)}, {})
    assert "No space left" in caplog.text
    assert kept.load()[0] == {"a": 1}

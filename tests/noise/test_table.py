"""References kept as small tables of facts."""

import numpy as np
import pytest

from almabrain.data import resources
from almabrain.data.tables import read_table, write_table
from almabrain.noise.draw import drawer
from almabrain.noise.measure import measure
from almabrain.noise.spectrum import masked_acf
from almabrain.noise.table import as_table, from_table


def test_the_default_table_says_where_it_comes_from():
    header = read_table(resources.path("noise/pisco_band6.ecsv")).meta
    assert "OBJECT Pisco" in header["source"] and len(header["sha256"]) == 64
    assert header["rms"] == pytest.approx(3.6e-5, rel=0.1) and header["unit"] == "Jy/beam"


def test_a_table_keeps_the_noise_of_an_isotropic_reference(
    reference, gaussian_field, rng, tmp_path, monkeypatch
):
    """Measured, written as a table, read, drawn: still the ACF and the skewness of the reference."""
    pixels = np.exp(0.5 * gaussian_field((256, 256), 2.5, rng))
    model = measure(reference(pixels, beam_px=5.9), mask_sources=False)
    (tmp_path / "noise").mkdir()
    write_table(tmp_path / "noise" / "made.ecsv", as_table(model, "a test"))
    monkeypatch.setattr(resources, "_FOLDERS", (tmp_path,))
    draw = drawer(from_table("made"), (128, 128), model.cell_arcsec, model.beam)
    fields = [draw(rng) for _ in range(60)]
    acf = np.mean([masked_acf(field, np.ones(field.shape)) for field in fields], axis=0)
    for lag in (1, 3, 6):
        expected = 0.5 * (model.acf[0, lag] + model.acf[lag, 0])
        assert acf[0, lag] / acf[0, 0] == pytest.approx(expected, abs=0.04)
    assert np.mean(np.stack(fields) ** 3) == pytest.approx(model.card["skewness"], rel=0.25)


def test_a_table_has_arrays_for_the_report():
    comparison = from_table("pisco_band6").comparison
    assert comparison.attrs["acf_difference"] < 0.03
    assert comparison.attrs["spectrum_bad_rings"] <= 0.1
    assert np.abs(comparison.histogram_real - comparison.histogram_drawn).max() < 0.02
    assert "picture_real" not in comparison and comparison.picture_drawn.ndim == 2

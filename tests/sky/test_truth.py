"""The tables of sources and of lines."""

import numpy as np
import pytest
from astropy import units as u

from almabrain.config.sky import SedSettings
from almabrain.data.coordinates import ARCSEC, lm_from_radec, lm_grid
from almabrain.data.line import peak_flux_density
from almabrain.data.tables import read_table, write_table
from almabrain.instrument import primary_beam
from almabrain.sky import scene, sed, truth
from almabrain.sky.line_table import transitions
from almabrain.sky.luminosity import line_flux_jy_kms

ALL_LINES = {"number": None, "names": ["CO(3-2)", "HCN(4-3)", "HCO+(4-3)", "HNC(4-3)"]}


def test_tables_have_the_promised_columns_and_units_after_reading(draw, tmp_path):
    made = draw(channels=32, serendipitous={"number": [2, 2]})
    for table, columns in ((made.truth, truth.SOURCES), (made.lines, truth.LINES)):
        write_table(tmp_path / "a.ecsv", scene.together([table, table]))
        read = read_table(tmp_path / "a.ecsv")
        assert len(read) == 2 * len(table) and read.colnames == list(columns)
        for name, (unit, _) in columns.items():
            assert read[name].unit == (unit and u.Unit(unit))


def test_every_line_has_its_row(draw):
    made = draw(5, channels=128, redshift=[0.0, 0.01], lines=ALL_LINES, sources=[1, 1])
    lines, own = made.lines, made.truth[0]
    assert len(lines) > 1
    strongest = lines[np.argmax(np.abs(lines["flux"]))]
    assert own["line"] == strongest["line"] and own["line_flux"] == strongest["flux"]
    for line in lines:
        assert line["rest_frequency"] == transitions()[line["line"]].rest_frequency_hz
        assert line["frequency"] == pytest.approx(line["rest_frequency"] / (1 + line["redshift"]))
        assert line["redshift"] == own["redshift"] and line["source"] == 0
        assert line["peak_flux"] == pytest.approx(peak_flux_density(line["flux"], line["width"]))
    assert lines["luminosity"].mask.all()


def test_a_point_behind_the_beam(draw):
    made = draw(model="points", sources=[1, 1], channels=32)
    own, line = made.truth[0], made.lines[0]
    offset = np.hypot(*lm_from_radec(own["ra"], own["dec"], 187.5, -40.0))
    pb = primary_beam.power(offset, own["reference_frequency"], 12)
    assert own["pb"] == pytest.approx(pb)
    assert own["apparent_flux"] == pytest.approx(pb * own["flux"]) == own["peak_flux"]
    assert own["predicted_snr"] == pytest.approx(own["peak_flux"] / made.field.sensitivity_jy)
    # The beam is narrower or broader at the line than at the reference.
    assert line["apparent_flux"] == pytest.approx(
        line["flux"] * primary_beam.power(offset, line["frequency"], 12)
    )
    assert line["apparent_flux"] != pytest.approx(line["flux"] * pb, rel=1e-4)


def test_a_picture_behind_the_beam(draw):
    made = draw(model="disc", channels=4, disc={"radius_beams": [6, 6]})
    own, (_, window) = made.truth[0], next(made.windows())
    model = window["pixel_model_jy"]
    l, m = lm_grid(model.shape[1], model.attrs["pixel_cell_arcsec"])
    pixels = own["flux"] * made.sources[0].shape.pixels
    seen = pixels * primary_beam.power(np.hypot(l, m), own["reference_frequency"], 12)
    assert own["apparent_flux"] == pytest.approx(seen.sum())
    # The image at every pixel by the sum over all pixels.
    bright = np.argwhere(pixels > 0.2 * pixels.max())
    peak = 0.0
    for y, x in bright[:: max(len(bright) // 300, 1)]:
        squared = (l - l[y, x]) ** 2 + (m - m[y, x]) ** 2
        peak = max(peak, (seen * np.exp(-4 * np.log(2) * squared / (0.8 * ARCSEC) ** 2)).sum())
    assert own["peak_flux"] == pytest.approx(peak, rel=0.01)


def test_the_line_of_a_rotating_disc(draw):
    made = draw(2, model="rotating_disc", channels=400, lines={"width_kms": [300.0, 300.0]})
    own, line = made.truth[0], made.lines[0]
    assert own["line_profile"] == "model" == line["profile"]
    assert line["width"] == pytest.approx(300)
    peak = 0.0
    for _, window in made.windows():
        frequency = window["frequency_hz"].values
        flux = window["pixel_model_jy"].values.astype(float).sum(axis=(1, 2))
        excess = flux - own["flux"] * (frequency / own["reference_frequency"]) ** own["spectral_index"]
        if excess.max() > peak:
            peak = excess.max()
            velocity = (line["frequency"] - frequency) / line["frequency"] * 299_792.458
            above = velocity[excess > excess.max() / 2]
    assert line["peak_flux"] == pytest.approx(peak, rel=0.03)
    assert np.ptp(above) == pytest.approx(300, abs=10)
    assert abs(above.max() + above.min()) < 10


def test_a_decrement_has_negative_fluxes(draw, row):
    made = draw(model="cluster", rows=[row([(149.0, 151.0)], band_list=4)])
    own = made.truth[0]
    assert own["flux"] < 0 and own["peak_flux"] < 0 and own["apparent_flux"] < 0
    assert own["redshift"] is np.ma.masked and own["line"] == ""
    _, window = next(made.windows())
    assert window["pixel_model_jy"].values.max() <= 0 and window["line_free"].values.all()


def test_only_sources_with_a_meaning_have_redshift_and_luminosity(draw):
    plain = draw(sources=[3, 3], channels=16).truth
    assert plain["redshift"].mask.tolist() == [False, True, True] and plain["luminosity"].mask.all()
    bright = draw(sources=[3, 3], channels=16, luminosity_lsun=[1e12, 1e13], redshift=[1.0, 4.0]).truth
    assert not bright["redshift"].mask.any() and not bright["luminosity"].mask.any()
    assert np.all((bright["luminosity"] >= 1e12) & (bright["luminosity"] <= 1e13))


def test_lines_may_follow_the_luminosity_of_a_source_given_by_flux(draw):
    """Without a ratio to the continuum: that of a galaxy as bright as the source, line by line."""
    lines = {"to_continuum": None, "scatter": False, "number": None}
    made = draw(sources=[1, 1], channels=128, flux_jy=[0.01, 0.1], redshift=[1.0, 3.0], lines=lines)
    own = made.truth[0]
    same = sed.flux_density_jy(own["reference_frequency"], own["luminosity"], own["redshift"], SedSettings())
    assert same == pytest.approx(own["flux"])
    for line in made.lines:
        ratio = 10 ** transitions()[line["line"]].log_ratio
        assert line["luminosity"] == pytest.approx(ratio * own["luminosity"])
        flux = line_flux_jy_kms(line["luminosity"], own["redshift"], line["frequency"])
        assert line["flux"] == pytest.approx(flux)


def test_absorption_has_negative_line_flux(draw):
    made = draw(sources=[1, 1], channels=64, lines={"absorption": 1.0})
    own = made.truth[0]
    assert own["line_flux"] < 0 < own["flux"]
    flux = np.concatenate([window["component_flux_jy"].values[0] for _, window in made.windows()])
    free = np.concatenate([window["line_free"].values for _, window in made.windows()])
    assert flux.min() > 0 and flux[~free].min() < 0.95 * flux[free].min()

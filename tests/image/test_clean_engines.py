"""CLEAN's engines as they are asked: cubes, mosaics, decrements, the set that other programs read, sentences."""

import json

import numpy as np
import pytest
import xarray as xr
from astropy.io import fits

from almabrain.config.base import check
from almabrain.config.image import CleanSettings, Recipe
from almabrain.console.errors import UserError
from almabrain.data.constants import ARCSEC
from almabrain.data.coordinates import lm_from_radec, pixel_from_lm, radec_from_lm
from almabrain.data.fits import read_image
from almabrain.image import clean, imaging_set
from almabrain.image.dirty import Imager
from almabrain.image.engines import wsclean
from almabrain.image.grid import choose_grid
from almabrain.response import primary_beam

from .conftest import FREQUENCY_HZ, observe

PLACE = np.random.default_rng(5).normal(0, 60, (16, 2))
LINE_JY = (0.5, 0.0, 1.0, 0.3)
STEP_HZ = 1e8


@pytest.fixture(scope="module")
def cube():
    """Four channels, falling in frequency: a point whose flux is LINE_JY and a steady Gaussian."""
    parts = [
        observe([[flux, 3.0, -2.0, 0, 0, 0], [0.5, -3.0, 2.0, 1.5, 1.5, 0]], 0.1, seed=number, place=PLACE)
        for number, flux in enumerate(LINE_JY)
    ]
    frequency = FREQUENCY_HZ + STEP_HZ * np.arange(4)
    window = (
        parts[0]
        .drop_dims("channel")
        .assign(
            frequency_hz=("channel", frequency),
            channel_width_hz=("channel", np.full(4, STEP_HZ)),
            visibility=(("row", "channel"), np.concatenate([part.visibility.values for part in parts], 1)),
            weight=(("row", "channel"), np.concatenate([part.weight.values for part in parts], 1)),
        )
    )
    return {"spw0": window}


@pytest.fixture(scope="module")
def mosaic():
    """Three points seen by five pointings at the same times; (flux, l, m) about (10, -30) deg."""
    sources = [(1.0, 0.0, 0.0), (0.5, 12.0, 6.0), (0.7, -14.0, -7.0)]
    windows = {}
    for number, aim in enumerate([(-14, 0), (0, 0), (14, 0), (-7, 12), (7, 12)]):
        ra, dec = radec_from_lm(*np.array(aim) * ARCSEC, 10.0, -30.0)
        seen = []
        for flux, l, m in sources:
            place = lm_from_radec(*radec_from_lm(l * ARCSEC, m * ARCSEC, 10.0, -30.0), ra, dec)
            response = float(primary_beam.dish(12.0)(*place, FREQUENCY_HZ))
            seen.append([flux * response, *np.array(place) / ARCSEC, 0, 0, 0])
        window = observe(seen, 0.25, seed=number, place=PLACE)
        windows[f"spw0.p{number}"] = window.assign_attrs(
            ra_deg=float(ra), dec_deg=float(dec), dishes_m=[12.0, 12.0], field_arcsec=60.0
        )
    return windows, sources


def flux_near(model, x, y, pixels):
    rows, columns = np.indices(model.shape[-2:])
    return model[..., np.hypot(columns - x, rows - y) < pixels].sum(-1)


# Points leave more of a Gaussian's faint wings outside the mask.
@pytest.mark.parametrize("algorithm, lost", [("hogbom", 0.16), ("multiscale", 0.1)])
def test_cube_gives_channel_maps(cube, algorithm, lost):
    grid = choose_grid(cube, Recipe(n_pix=128, cell_arcsec=0.2))
    made = clean.clean(cube, grid, CleanSettings(mode="cube", algorithm=algorithm))
    assert made["verdict"] == "converged"
    assert made["image"].shape == made["dirty"].shape == made["psf"].shape == (4, 128, 128)
    assert flux_near(made["model"], 64 - 15, 64 - 10, 6) == pytest.approx(LINE_JY, abs=0.02)
    assert flux_near(made["model"], 64 + 15, 64 + 10, 14) == pytest.approx([0.5] * 4, rel=lost)
    # Each is what it would be alone.
    alone = {"spw0": cube["spw0"].isel(channel=[2])}
    weight = {"spw0": grid.imaging_weight["spw0"][:, [2]]}
    own = clean.dataclasses.replace(grid, imaging_weight=weight)
    assert np.allclose(made["dirty"][2], clean.dirty(alone, own))


def test_cube_rises_in_frequency_and_blanks_channels_without_data(cube, tmp_path):
    window = cube["spw0"].copy(deep=True)
    window.weight.values[:, 1] = 0
    grid = choose_grid({"spw0": window}, Recipe(n_pix=64, cell_arcsec=0.25))
    settings = CleanSettings(mode="cube")
    order = [3, 2, 1, 0]
    falling = {"spw0": window.isel(channel=order)}
    weight = {"spw0": grid.imaging_weight["spw0"][:, order]}
    made = clean.clean(falling, clean.dataclasses.replace(grid, imaging_weight=weight), settings)
    assert (np.diff(made["frequency_hz"]) == STEP_HZ).all()
    assert np.isnan(made["image"][1]).all() and np.isfinite(made["image"][[0, 2, 3]]).all()
    summary = clean.write(tmp_path, made, grid, settings)
    cube_read = read_image(tmp_path / "clean.fits")
    assert cube_read.coords["frequency_hz"].values == pytest.approx(window.frequency_hz.values)
    assert np.nanmax(cube_read.values[2]) == pytest.approx(np.nanmax(made["image"][2]))
    assert json.loads((tmp_path / "clean.json").read_text())["verdict"] == summary["verdict"]
    assert len(summary["model_flux_jy"]) == 4


def test_clean_json_tells_the_engine(cube, tmp_path):
    grid = choose_grid(cube, Recipe(n_pix=64, cell_arcsec=0.25))
    settings = CleanSettings(algorithm="hogbom")
    made = clean.clean(cube, grid, settings)
    clean.write(tmp_path, made, grid, settings)
    engine = json.loads((tmp_path / "clean.json").read_text())["engine"]
    assert engine["name"] == "radler" and engine["version"] and engine["seconds"] > 0
    assert engine["iterations"] == made["iterations"] > 0 and engine["major_cycles"] > 0
    assert fits.getheader(tmp_path / "clean.fits")["ENGINE"].startswith("radler ")


@pytest.mark.parametrize(
    "change, part",
    [
        (lambda window: window.assign(frequency_hz=window.frequency_hz + 5e7), "other channels"),
        (lambda window: window.isel(channel=[0, 1]), "other channels"),
    ],
)
def test_cube_of_unlike_windows_is_refused(cube, change, part):
    windows = {"spw0": cube["spw0"], "spw1": change(cube["spw0"])}
    grid = choose_grid(windows, Recipe(n_pix=64, cell_arcsec=0.25))
    with pytest.raises(UserError, match=part):
        clean.clean(windows, grid, CleanSettings(mode="cube"))


def test_cube_of_uneven_channels_is_refused(cube):
    windows = {"spw0": cube["spw0"].isel(channel=[0, 1, 3])}
    grid = choose_grid(windows, Recipe(n_pix=64, cell_arcsec=0.25))
    with pytest.raises(UserError, match="not evenly spaced"):
        clean.clean(windows, grid, CleanSettings(mode="cube"))


def test_mosaic_finds_fluxes_and_places(mosaic):
    windows, sources = mosaic
    grid = choose_grid(windows, Recipe(n_pix=256, cell_arcsec=0.25))
    made = clean.clean(windows, grid, CleanSettings(threshold_sigma=2))
    assert made["verdict"] == "converged"
    for flux, l, m in sources:
        sky = radec_from_lm(l * ARCSEC, m * ARCSEC, 10.0, -30.0)
        place = lm_from_radec(*sky, grid.attrs["ra_deg"], grid.attrs["dec_deg"])
        x, y = (int(round(float(value))) for value in pixel_from_lm(*place, 256, 0.25))
        assert flux_near(made["model"], x, y, 8) / made["primary_beam"][y, x] == pytest.approx(flux, rel=0.03)
    covered = made["primary_beam"] > 0.2
    # Noise is flat, and what the weights say.
    for where in (made["primary_beam"] > 0.5, covered & (made["primary_beam"] < 0.5)):
        assert made["residual"][where].std() == pytest.approx(made["noise"], rel=0.1)


def test_mosaic_of_pointings_is_the_sum_of_their_images(mosaic):
    """The joint dirty image of noiseless data at a source, by its definition: flux times response."""
    windows, sources = mosaic
    grid = choose_grid(windows, Recipe(n_pix=256, cell_arcsec=0.25))
    imager = Imager(windows, grid)
    assert imager.response.max() == 1 and imager.is_mosaic
    weight, beams = 0.0, []
    for name, window in windows.items():
        lm = lm_from_radec(window.ra_deg, window.dec_deg, grid.attrs["ra_deg"], grid.attrs["dec_deg"])
        beam = primary_beam.image(256, 0.25, FREQUENCY_HZ, primary_beam.baseline(12, 12, lm))
        beams.append(grid.imaging_weight[name].sum() * beam**2)
        weight += beams[-1]
    assert np.allclose(imager.response, np.sqrt(weight / weight.max()), atol=1e-4)
    # A model that is the truth leaves noise.
    model = np.zeros((256, 256))
    for flux, l, m in sources:
        sky = radec_from_lm(l * ARCSEC, m * ARCSEC, 10.0, -30.0)
        place = lm_from_radec(*sky, grid.attrs["ra_deg"], grid.attrs["dec_deg"])
        x, y = (int(round(float(value))) for value in pixel_from_lm(*place, 256, 0.25))
        model[y, x] = flux * imager.response[y, x]
    left = imager.dirty(model)
    assert np.abs(left[imager.response > 0.2]).max() < 6 * imager.noise


def test_wsclean_refuses_a_mosaic(mosaic):
    windows, _ = mosaic
    grid = choose_grid(windows, Recipe(n_pix=128, cell_arcsec=0.5))
    with pytest.raises(UserError, match="mosaic.*radler or casa"):
        clean.clean(windows, grid, CleanSettings(engine="wsclean"))


def test_decrements_need_negative_components():
    windows = {"spw0": observe([[-0.4, 1.2, -0.8, 0, 0, 0]], sigma_jy=0.2, place=PLACE)}
    grid = choose_grid(windows, Recipe(n_pix=64, cell_arcsec=0.25))
    signed = clean.clean(windows, grid, CleanSettings(negative=True))
    positive = clean.clean(windows, grid, CleanSettings())
    assert signed["model"].sum() == pytest.approx(-0.4, rel=0.05) and signed["verdict"] == "converged"
    assert positive["model"].min() >= 0 and "deepest hole" in positive["verdict"]


def test_scales_are_those_asked_for():
    windows = {"spw0": observe([[0.3, 0, 0, 0, 0, 0]], sigma_jy=0.2)}
    grid = choose_grid(windows, Recipe(n_pix=128, cell_arcsec=0.2))
    beam = np.sqrt(grid.beam.major_arcsec * grid.beam.minor_arcsec)
    assert clean._widths(windows, grid, CleanSettings(scales=[0, 1, 3])) == pytest.approx([0, beam, 3 * beam])
    assert clean._widths(windows, grid, CleanSettings(scales=[0, 30])) == [0]
    assert clean._widths(windows, grid, CleanSettings(algorithm="hogbom", scales=[0, 1])) == [0]
    with pytest.raises(UserError, match="no component is narrower than a point"):
        check(CleanSettings, {"scales": [-1]}, "clean")


def test_hogbom_has_points_only_and_reaches_its_threshold():
    windows = {"spw0": observe([[0.5, -3, 2, 1.5, 1.5, 0]], sigma_jy=0.25, place=PLACE)}
    grid = choose_grid(windows, Recipe(n_pix=128, cell_arcsec=0.2))
    made = clean.clean(windows, grid, CleanSettings(algorithm="hogbom"))
    found = made["model"] > 0
    assert made["residual"][found].max() < 2 * made["noise"]


def test_set_for_other_programs_holds_the_imaging_weights(mosaic, tmp_path):
    tables = pytest.importorskip("casacore.tables")
    windows, _ = mosaic
    windows = {name: window.copy(deep=True) for name, window in windows.items()}
    first = next(iter(windows))
    windows[first].weight.values[::5] = 0
    windows[first].visibility.values[::5] = np.nan
    windows[first].attrs["dishes_m"] = [7.0, 12.0]
    rng = np.random.default_rng(0)
    weight = {
        name: rng.uniform(1, 2, window.weight.shape) * (window.weight.values > 0)
        for name, window in windows.items()
    }
    imaging_set.write(tmp_path / "vis.ms", windows, weight, "ALMA")
    with tables.table(str(tmp_path / "vis.ms"), ack=False) as main:
        field, time = main.getcol("FIELD_ID"), main.getcol("TIME")
        for number, name in enumerate(windows):
            kept = weight[name][:, 0] > 0
            hands = main.getcol("WEIGHT_SPECTRUM")[field == number]
            np.testing.assert_allclose(hands.sum(-1), weight[name][kept], rtol=1e-6)
            np.testing.assert_allclose(
                main.getcol("DATA")[field == number].mean(-1),
                windows[name].visibility.values[kept],
                rtol=1e-6,
            )
            np.testing.assert_array_equal(
                main.getcol("UVW")[field == number], windows[name].uvw_m.values[kept]
            )
        assert not main.getcol("FLAG").any()
        # No time has two pointings, which CASA would take for one.
        assert all(len(set(field[time == when])) == 1 for when in np.unique(time))
        antenna = main.getcol("ANTENNA1"), main.getcol("ANTENNA2")
    with tables.table(f"{tmp_path / 'vis.ms'}::ANTENNA", ack=False) as table:
        dish = table.getcol("DISH_DIAMETER")
    assert set(dish[antenna[0][field == 0]]) == {7.0} and set(dish[antenna[1][field == 0]]) == {12.0}
    with tables.table(f"{tmp_path / 'vis.ms'}::SPECTRAL_WINDOW", ack=False) as table:
        assert table.nrows() == 1 and list(table.getcol("MEAS_FREQ_REF")) == [1]


def test_single_flagged_channels_are_flagged_in_the_set(cube, tmp_path):
    tables = pytest.importorskip("casacore.tables")
    weight = cube["spw0"].weight.values.copy()
    weight[::3, 2] = 0
    imaging_set.write(tmp_path / "vis.ms", cube, {"spw0": weight}, "ALMA")
    with tables.table(str(tmp_path / "vis.ms"), ack=False) as main:
        np.testing.assert_array_equal(main.getcol("FLAG")[..., 0], weight == 0)
        assert np.isfinite(main.getcol("SIGMA")).all() and not main.getcol("FLAG_ROW").any()
        assert (main.getcol("WEIGHT_SPECTRUM")[weight == 0] == 0).all()


def test_set_without_any_weight_is_refused(cube, tmp_path):
    with pytest.raises(UserError, match="weight zero"):
        imaging_set.write(
            tmp_path / "vis.ms", cube, {"spw0": xr.zeros_like(cube["spw0"].weight).values}, "ALMA"
        )


def test_missing_programs_are_told_in_a_sentence(cube, monkeypatch, tmp_path):
    grid = choose_grid(cube, Recipe(n_pix=64, cell_arcsec=0.25))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="no program wsclean.*Debian package"):
        clean.clean(cube, grid, CleanSettings(engine="wsclean"))
    pytest.importorskip("casacore.tables")
    for python in ("", str(tmp_path / "python")):  # this one, which has no casatasks, and none
        monkeypatch.setenv("ALMABRAIN_CASA_PYTHON", python)
        with pytest.raises(UserError, match="has no casatasks.*ALMABRAIN_CASA_PYTHON"):
            clean.clean(cube, grid, CleanSettings(engine="casa"))


@pytest.mark.parametrize(
    "told, expected",
    [
        ("(7) Iteration 44, scale 0 px\n Iteration 137, scale 0\n3 major iterations were performed.", (137, 3, None)),
        ("Performed 50 iterations in total\nMaximum number of minor deconvolution iterations was reached",
         (50, 0, "all 50 iterations were used")),
        ("Maximum number of major iterations was reached\n60 major iterations were performed.",
         (0, 60, "the threshold was not met in 60 major cycles")),
    ],
)  # fmt: skip
def test_what_wsclean_tells_is_understood(told, expected):
    assert wsclean._how_it_went(told, CleanSettings(iterations=50)) == expected

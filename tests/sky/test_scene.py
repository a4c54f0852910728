import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import Table
from scipy.constants import speed_of_light
from scipy.signal import fftconvolve

from almabrain.config.base import check
from almabrain.config.sky import SkySettings
from almabrain.console.errors import UserError
from almabrain.data import store
from almabrain.data.coordinates import lm_from_radec, lm_grid
from almabrain.data.tables import read_table, write_table
from almabrain.instrument import noise, primary_beam, site
from almabrain.sky import scene
from almabrain.sky.field import cut_window, from_rows
from almabrain.sky.line_table import transitions
from almabrain.sky.pixels import moments, power_law_field
from almabrain.sky.shape import Shape

SCRIPT = Path(__file__).parents[2] / "scripts" / "sky.py"
WINDOWS = " U ".join(
    f"[{low}..{low + 2}GHz,31250.00kHz,1mJy/beam@10km/s,80uJy/beam@native, XX YY]"
    for low in (342.0, 344.0, 354.0, 356.0)
)
ROW = {
    "observation": "Alpha 2018-03-23",
    "target_name": "Alpha",
    "s_ra": 187.5,
    "s_dec": -40.0,
    "band_list": 7,
    "s_resolution": 0.8,
    "s_fov": 17.0,
    "t_exptime": 900.0,
    "t_min": 58200.2,
    "pwv": 0.7,
    "cont_sensitivity": 0.05,
    "frequency_support": WINDOWS,
    "antenna_arrays": " ".join(f"A{i:03d}:DV{i:02d}" for i in range(1, 41)),
    "array": "12m",
    "simulation": 0,
    "pointings": "",
    "schedule": "",
    "configuration": "",
}
NO_LINES = {"names": "none"}


def drawn(seed=1, rows=(ROW,), **settings) -> scene.Scene:
    return scene.draw(rows, check(SkySettings, settings, "sky"), np.random.default_rng(seed), "sim-000000")


def windows(made: scene.Scene) -> dict:
    return dict(made.windows())


def test_windows_are_cut_into_channels_without_gaps():
    window = cut_window(342e9, 344e9, 8)
    assert window.frequency_hz.shape == (8,) and window.bandwidth_hz == pytest.approx(2e9)
    assert window.frequency_hz[0] == pytest.approx(342.125e9)
    assert np.allclose(np.diff(window.frequency_hz), window.channel_width_hz[0])


def test_every_window_has_its_dataset_as_promised():
    made = drawn(channels=3, sources=[2, 2])
    assert list(windows(made)) == ["spw0", "spw1", "spw2", "spw3"]
    for window in windows(made).values():
        assert window["component_flux_jy"].dims == ("component", "channel")
        assert window["component_flux_jy"].shape == (2, 3)
        assert window["line_free"].dtype == bool
        assert {"simulation", "ra_deg", "dec_deg", "frame", "bandwidth_hz"} <= set(window.attrs)
        assert "pixel_model_jy" not in window
        assert np.array_equal(window["ra_deg"], made.truth["ra"])


def test_truth_says_what_the_model_holds():
    made = drawn(model="gaussians", sources=[3, 3], lines=NO_LINES, channels=5)
    for window in windows(made).values():
        for row, flux in zip(made.truth, window["component_flux_jy"].values):
            expected = (
                row["flux"]
                * (window["frequency_hz"].values / row["reference_frequency"]) ** row["spectral_index"]
            )
            assert np.allclose(flux, expected, rtol=1e-12)
    assert np.allclose(windows(made)["spw0"]["major_arcsec"], made.truth["major"])
    assert set(made.truth["kind"]) == {"gaussian"} and np.all(made.truth["minor"] <= made.truth["major"])
    assert made.truth["redshift"].mask.all() and not made.truth["line"].any()


def test_positions_lie_in_the_beam_and_the_truth_knows_how_deep():
    made = drawn(model="points", sources=[60, 60], separation_beams=0, min_primary_beam=0.3, lines=NO_LINES)
    centre = SkyCoord(ROW["s_ra"], ROW["s_dec"], unit="deg")
    positions = SkyCoord(made.truth["ra"], made.truth["dec"])
    separation = centre.separation(positions).to_value(u.rad)
    expected = primary_beam.power(separation, made.truth["reference_frequency"].value, 12)
    assert np.allclose(made.truth["pb"], expected, rtol=1e-6)
    assert made.truth["pb"].min() > 0.3 and made.truth["pb"].min() < 0.45 and made.truth["pb"].max() > 0.85
    # all around the centre, as many as chance has it
    angle = centre.position_angle(positions).to_value(u.deg)
    counts = np.histogram(angle, bins=4, range=(0, 360))[0]
    assert counts.min() >= 5 and counts.sum() == 60


def test_positions_are_not_on_a_grid():
    made = drawn(model="points", sources=[50, 50], separation_beams=0)
    offsets = SkyCoord(ROW["s_ra"], ROW["s_dec"], unit="deg").spherical_offsets_to(
        SkyCoord(made.truth["ra"], made.truth["dec"])
    )
    fraction = (offsets[0].to_value(u.arcsec) / (ROW["s_resolution"] / 5)) % 1
    assert 0.2 < fraction.std() < 0.4  # even between pixels: 0.289


def test_sources_keep_their_distance_where_there_is_room():
    made = drawn(model="points", sources=[8, 8], separation_beams=2)
    positions = SkyCoord(made.truth["ra"], made.truth["dec"])
    separation = positions[:, None].separation(positions[None, :]).to_value(u.arcsec)
    assert separation[~np.eye(8, dtype=bool)].min() >= 2 * ROW["s_resolution"]
    crowded = drawn(model="points", sources=[30, 30], separation_beams=50)
    assert len(crowded.truth) == 30


def test_offset_limit_in_beams():
    made = drawn(model="points", sources=[30, 30], separation_beams=0, max_offset_beams=5)
    separation = SkyCoord(ROW["s_ra"], ROW["s_dec"], unit="deg").separation(
        SkyCoord(made.truth["ra"], made.truth["dec"])
    )
    assert 3 < separation.to_value(u.arcsec).max() <= 5 * 0.8 + 1e-6


@pytest.mark.parametrize("model", ["points", "gaussians", "diffuse"])
def test_snr_is_the_peaks_in_the_predicted_noise(model):
    """Convolves the true sky with the beam on a fine grid and divides the peak by the radiometer's noise."""
    made = drawn(model=model, sources=[1, 1], snr=[20, 20], lines=NO_LINES, size_beams=[1.5, 1.5])
    truth = made.truth[0]
    assert truth["predicted_snr"] == pytest.approx(20)
    elevation = site.elevation_rad(ROW["s_ra"], ROW["s_dec"], ROW["t_min"] * 86400 + 450)
    each = [
        noise.image_sensitivity(ghz * 1e9, 2e9, 900, 40, 12, 0.7, elevation) for ghz in (343, 345, 355, 357)
    ]
    assert made.field.sensitivity_jy == pytest.approx(sum(sigma**-2 for sigma in each) ** -0.5)
    cell, size = 0.025, 256
    y, x = np.mgrid[-size:size, -size:size] * cell
    beam = np.exp(-4 * np.log(2) * (x**2 + y**2) / 0.8**2)
    if model == "diffuse":
        shape = made.sources[0].shape
        pixels, cell = truth["flux"] * shape.pixels, shape.cell_arcsec
        half = pixels.shape[0] // 2
        y, x = np.mgrid[-half:half, -half:half] * cell
        pixels = pixels * primary_beam.power(np.hypot(x, y) / 206264.8, made.field.reference_frequency_hz, 12)
        peak = fftconvolve(pixels, np.exp(-4 * np.log(2) * (x**2 + y**2) / 0.8**2), mode="same").max()
        assert peak / made.field.sensitivity_jy == pytest.approx(20, rel=1e-3)
        return
    if model == "points":
        peak = truth["apparent_flux"]
    else:
        angle = np.deg2rad(truth["pa"])
        along, across = x * np.sin(angle) + y * np.cos(angle), x * np.cos(angle) - y * np.sin(angle)
        profile = np.exp(-4 * np.log(2) * ((along / truth["major"]) ** 2 + (across / truth["minor"]) ** 2))
        # x runs east here; the primary beam acts on every pixel of the source.
        l0, m0 = lm_from_radec(truth["ra"], truth["dec"], ROW["s_ra"], ROW["s_dec"])
        offset = np.hypot(l0 + x / 206264.8, m0 + y / 206264.8)
        seen = profile / profile.sum() * primary_beam.power(offset, made.field.reference_frequency_hz, 12)
        assert truth["apparent_flux"] == pytest.approx(truth["flux"] * seen.sum(), rel=1e-4)
        peak = truth["flux"] * fftconvolve(seen, beam, mode="same").max()
    assert peak / made.field.sensitivity_jy == pytest.approx(20, rel=1e-3)


def test_flux_range_in_place_of_snr():
    fluxes = drawn(model="points", sources=[200, 200], flux_jy=[0.001, 0.1], separation_beams=0).truth["flux"]
    assert fluxes.min() >= 0.001 and fluxes.max() <= 0.1
    assert np.median(fluxes) == pytest.approx(0.01, rel=0.5)  # even in the logarithm


@pytest.mark.parametrize("seed", range(12))
def test_the_line_falls_into_a_window_at_its_redshift(seed):
    made = drawn(seed, sources=[3, 3], channels=16, lines={"width_kms": [100, 250]})
    own = made.truth[0]
    assert own["line"] and made.truth["line"][1:].tolist() == ["", ""]
    assert own["line_frequency"] * (1 + own["redshift"]) == pytest.approx(
        transitions()[own["line"]].rest_frequency_hz
    )
    assert own["apparent_flux"] == made.truth["apparent_flux"].max()
    total, strongest = 0.0, 0.0
    for window in windows(made).values():
        frequency = window["frequency_hz"].values
        continuum = own["flux"] * (frequency / own["reference_frequency"]) ** own["spectral_index"]
        excess = window["component_flux_jy"].values[0] - continuum
        total += (
            np.sum(excess * window["channel_width_hz"].values) / own["line_frequency"] * speed_of_light / 1e3
        )
        strongest = max(strongest, excess.max())
        assert np.all(excess[~window["line_free"].values] > 0)
    assert total == pytest.approx(own["line_flux"], rel=0.01)
    for window in windows(made).values():
        frequency = window["frequency_hz"].values
        continuum = own["flux"] * (frequency / own["reference_frequency"]) ** own["spectral_index"]
        excess = window["component_flux_jy"].values[0] - continuum
        assert np.array_equal(excess < 1e-3 * strongest, window["line_free"].values)


def test_a_named_line_and_a_wrong_name():
    assert drawn(lines={"names": ["CO(3-2)"]}).truth["line"][0] == "CO(3-2)"
    with pytest.raises(UserError, match=r"sky.lines.names holds .\[CII\]157.; did you mean .\[CII\]158."):
        drawn(lines={"names": ["[CII]157"]})


def test_a_named_line_that_no_redshift_brings_into_a_window_is_refused():
    with pytest.raises(UserError, match=r"CO\(1-0\).*outside the windows of sim-000007"):
        scene.check([ROW], check(SkySettings, {"lines": {"names": ["CO(1-0)"]}}, "sky"), "sim-000007")


def test_an_automatic_line_never_takes_the_last_free_channel(caplog):
    row = ROW | {"frequency_support": "[344.0..345.0GHz,31.25MHz,1mJy/beam@10km/s,80uJy/beam@native, XX YY]"}
    made = [drawn(seed, [row], channels=1) for seed in range(5)]
    assert all(windows(item)["spw0"]["line_free"].values.all() and not item.truth["line"][0] for item in made)
    told = [record for record in caplog.records if "no channel for the continuum" in record.message]
    assert len(told) >= 5 and all(record.levelname == "WARNING" for record in told)


def test_a_line_that_was_asked_for_is_not_left_out_in_silence():
    """2000 km/s in the only window, of 1740 km/s: a sentence; in one of four windows it is drawn."""
    row = ROW | {"frequency_support": "[343.0..345.0GHz,31.25MHz,1mJy/beam@10km/s,80uJy/beam@native, XX YY]"}
    broad = {"channels": 64, "lines": {"names": ["CO(3-2)"], "width_kms": [2000, 2000]}}
    with pytest.raises(UserError) as told:
        drawn(1, [row], **broad)
    for part in ("'CO(3-2)'", "2000 km/s", "sim-", "sky.channels", "sky.lines.width_kms"):
        assert part in str(told.value)
    assert "\n" not in str(told.value)
    for seed in range(3):
        made = drawn(seed, **broad)
        assert made.truth["line"][0] == "CO(3-2)" and made.truth["line_width"][0] == pytest.approx(2000)


def test_all_lines_together_leave_a_channel_free():
    """Each of many serendipitous lines leaves one of the two channels; together they would not."""
    row = ROW | {"frequency_support": "[344.0..345.0GHz,31.25MHz,1mJy/beam@10km/s,80uJy/beam@native, XX YY]"}
    settings = {"channels": 2, "lines": {"width_kms": [60, 60]}, "serendipitous": {"number": [15, 15]}}
    made = [drawn(seed, [row], **settings) for seed in range(9)]
    free = [windows(one)["spw0"]["line_free"].values.sum() for one in made]
    assert min(free) == 1
    assert any(1 < len(one.lines) < len(one.truth) - 3 for one in made)  # some lines are left out


@pytest.mark.parametrize("settings", [{"model": "empty"}, {"empty_fraction": 1.0}])
def test_an_empty_sky_has_all_columns_and_no_rows(settings, tmp_path):
    made = drawn(**settings)
    assert len(made.truth) == 0 and made.truth.colnames == drawn().truth.colnames
    assert windows(made)["spw0"]["component_flux_jy"].shape == (0, 4)
    assert windows(made)["spw0"]["line_free"].values.all()
    store.write(tmp_path / "a.zarr.zip", {"sim-000000/spw0": windows(made)["spw0"]})
    assert store.read(tmp_path / "a.zarr.zip", "sim-000000/spw0").sizes["component"] == 0
    together = scene.together([made.truth, drawn(sources=[2, 2]).truth])
    assert len(together) == 2 and together["flux"].unit == "Jy"


def test_some_fields_are_empty():
    counts = [len(drawn(seed, empty_fraction=0.4).truth) for seed in range(60)]
    assert 0.2 < np.mean(np.array(counts) == 0) < 0.6


def test_diffuse_is_positive_smooth_and_within_the_beam():
    made = drawn(model="diffuse", lines=NO_LINES, channels=2)
    window = windows(made)["spw0"]
    model = window["pixel_model_jy"]
    assert (
        model.dims == ("channel", "y", "x") and model.shape[1] == model.shape[2] and model.shape[1] % 2 == 0
    )
    assert model.values.min() >= 0 and window.sizes["component"] == 0
    truth = made.truth[0]
    scale = (window["frequency_hz"].values / truth["reference_frequency"]) ** truth["spectral_index"]
    assert np.allclose(model.sum(("y", "x")), truth["flux"] * scale, rtol=1e-5)
    assert model.values[:, 0].max() == 0 and model.values[:, :, 0].max() == 0  # the edge is dark
    half = model.shape[1] // 2
    y, x = np.mgrid[-half:half, -half:half] * model.attrs["pixel_cell_arcsec"]
    weight = model.values[0] / model.values[0].sum()
    offsets = SkyCoord(ROW["s_ra"], ROW["s_dec"], unit="deg").spherical_offsets_to(
        SkyCoord(truth["ra"], truth["dec"], unit="deg")
    )
    assert offsets[0].to_value(u.arcsec) == pytest.approx(
        -(weight * x).sum(), abs=1e-3
    )  # x grows to the west
    assert offsets[1].to_value(u.arcsec) == pytest.approx((weight * y).sum(), abs=1e-3)


def test_the_diffuse_field_has_its_power_law():
    power = np.mean(
        [np.abs(np.fft.fft2(power_law_field(128, -3.0, np.random.default_rng(i)))) ** 2 for i in range(30)],
        axis=0,
    )
    k = np.hypot(*np.meshgrid(np.fft.fftfreq(128), np.fft.fftfreq(128), indexing="ij"))
    low, high = power[(k > 0.03) & (k < 0.05)].mean(), power[(k > 0.3) & (k < 0.5)].mean()
    assert np.log10(low / high) == pytest.approx(3 - 0.05, abs=0.25)


def test_moments_of_a_known_ellipse():
    l, m = lm_grid(200, 0.1)
    east, north = l / np.deg2rad(1 / 3600) - 1.0, m / np.deg2rad(1 / 3600) + 0.5
    angle = np.deg2rad(30)  # north through east
    along, across = east * np.sin(angle) + north * np.cos(angle), east * np.cos(angle) - north * np.sin(angle)
    shape = np.exp(-4 * np.log(2) * ((along / 4) ** 2 + (across / 2) ** 2))
    centre, (major, minor, pa) = moments(shape / shape.sum(), l, m)
    assert np.rad2deg(centre) * 3600 == pytest.approx([1.0, -0.5], abs=1e-3)
    assert (major, minor, pa) == pytest.approx((4, 2, 30), rel=1e-3)


def test_seven_metre_dishes_see_a_wider_field():
    small = ROW | {"antenna_arrays": "J501:CM01 J502:CM02 J503:CM03", "s_resolution": 4.0, "array": "7m"}
    narrow, wide = from_rows([ROW], SkySettings()), from_rows([small], SkySettings())
    assert wide.radius_rad / narrow.radius_rad == pytest.approx(10.7 / 6.25, rel=0.02)
    assert wide.sensitivity_jy > 10 * narrow.sensitivity_jy


def test_the_same_seed_draws_the_same_sky():
    first, again, other = drawn(5), drawn(5), drawn(6)
    assert np.array_equal(first.truth["ra"], again.truth["ra"])
    assert not np.array_equal(first.truth["ra"][:1], other.truth["ra"][:1])


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"snr": [5, 10], "flux_jy": [0.1, 1]}, "contradict each other"),
        ({"sources": [4, 1]}, "'sources' is .*smaller number first"),
        ({"model": "gausians"}, "did you mean 'gaussians'"),
        ({"chanels": 4}, "did you mean 'channels'"),
        ({"empty_fraction": 1.5}, "sky.empty_fraction.*1.5"),
        ({"snr": [0, 10]}, "sky.snr"),
        ({"luminosity_lsun": [1e11, 1e13]}, r"'luminosity_lsun' is given.*'redshift' is \[0.0, 7.0\]; give"),
        ({"lines": {"to_continuum": None}}, "'lines.to_continuum' is null.*needs distances"),
        ({"model": "pictures"}, "needs the key 'pictures.folder'"),
        ({"lines": {"width_kms": [10, 100]}}, "sky.lines.width_kms.*10"),
        ({"serendipitous": {"number": [-1, 2]}}, "sky.serendipitous.number.*-1"),
        ({"serendipitous": {"counts_flux_jy": [1e-2, 1e-3]}}, "'serendipitous.counts_flux_jy' is .*smaller"),
    ],
)
def test_settings_tell_mistakes_in_one_sentence(values, sentence):
    with pytest.raises(UserError, match=sentence):
        check(SkySettings, values, "sky")


def test_light_outside_the_field_is_refused(monkeypatch):
    """A model may put its light anywhere; one that nobody would see is a mistake."""
    far = Shape("point", 0.02, 0.0)
    monkeypatch.setattr("almabrain.sky.models.points.draw", lambda *_: [far])
    with pytest.raises(UserError, match="sky.model 'points' puts its light 4125 arcsec off the phase centre"):
        drawn(model="points", flux_jy=[1, 2])


def test_files_of_the_model_in_use_are_named():
    settings = {
        "model": "tng",
        "tng": {"folder": "/a"},
        "fits": {"path": "b.fits"},
        "sed": {"table": "c.csv"},
    }
    assert check(SkySettings, settings, "sky").files == {"tng.folder": "/a", "sed.table": "c.csv"}


def observations(path: Path, number: int) -> Path:
    write_table(path, Table(rows=[ROW | {"simulation": index} for index in range(number)]))
    return path


def run_script(tmp_path: Path, *simulations: str, **settings):
    command = [sys.executable, str(SCRIPT), "--settings", json.dumps(settings), "--seed", "3"]
    command += ["--observations", str(observations(tmp_path / "observations.ecsv", 3))]
    command += ["--simulations", *simulations, "--output", str(tmp_path / "sky.zarr.zip")]
    command += ["--truth", str(tmp_path / "sky.truth.ecsv"), "--lines", str(tmp_path / "sky.lines.ecsv")]
    return subprocess.run(command, capture_output=True, text=True)


def test_script_writes_a_shard_and_its_truth(tmp_path):
    done = run_script(tmp_path, "sim-000001", "sim-000002", sources=[2, 2], channels=2)
    assert done.returncode == 0, done.stderr
    names = store.names(tmp_path / "sky.zarr.zip")
    assert names == [f"sim-{i:06d}/spw{k}" for i in (1, 2) for k in range(4)]
    truth = read_table(tmp_path / "sky.truth.ecsv")
    assert truth["simulation"].tolist() == ["sim-000001"] * 2 + ["sim-000002"] * 2
    assert {name: str(truth[name].unit) for name in ("ra", "flux", "line_flux")} == {
        "ra": "deg",
        "flux": "Jy",
        "line_flux": "Jy km / s",
    }
    lines = read_table(tmp_path / "sky.lines.ecsv")
    lined = truth[~truth["line_flux"].mask]  # one line each
    assert lines["simulation"].tolist() == lined["simulation"].tolist()
    assert np.allclose(lines["flux"], lined["line_flux"]) and str(lines["frequency"].unit) == "Hz"
    # A simulation's sky does not depend on which shard it is in.
    flux = store.read(tmp_path / "sky.zarr.zip", "sim-000002/spw1")["component_flux_jy"].values
    alone = tmp_path / "alone"
    alone.mkdir()
    assert run_script(alone, "sim-000002", sources=[2, 2], channels=2).returncode == 0
    assert np.array_equal(
        store.read(alone / "sky.zarr.zip", "sim-000002/spw1")["component_flux_jy"].values, flux
    )


def test_script_draws_one_sky_for_all_executions_of_a_simulation(tmp_path):
    """Two executions have half of the noise squared of one, and so half of the flux squared at the same SNR."""
    flux = []
    for number in (1, 2):
        folder = tmp_path / str(number)
        folder.mkdir()
        write_table(folder / "observations.ecsv", Table(rows=[ROW] * number))
        command = [sys.executable, str(SCRIPT), "--seed", "3", "--simulations", "sim-000000"]
        command += ["--settings", json.dumps({"model": "points", "sources": [1, 1], "snr": [20, 20]})]
        for name in ("observations", "output", "truth", "lines"):
            command += [f"--{name}", str(folder / f"{name}.{'zarr.zip' if name == 'output' else 'ecsv'}")]
        subprocess.run(command, check=True, capture_output=True)
        assert store.names(folder / "output.zarr.zip") == [f"sim-000000/spw{k}" for k in range(4)]
        flux.append(read_table(folder / "truth.ecsv")["flux"][0])
    assert flux[0] / flux[1] == pytest.approx(np.sqrt(2))


def test_script_of_empty_skies(tmp_path):
    assert run_script(tmp_path, "sim-000000", model="empty").returncode == 0
    truth = read_table(tmp_path / "sky.truth.ecsv")
    assert len(truth) == 0 and "predicted_snr" in truth.colnames


def test_script_tells_a_missing_row_in_one_sentence(tmp_path):
    done = run_script(tmp_path, "sim-000007")
    assert done.returncode == 2
    assert "has 3 simulations, none is sim-000007" in done.stderr.splitlines()[-1]
    assert not (tmp_path / "sky.zarr.zip").exists() and not (tmp_path / "sky.truth.ecsv").exists()

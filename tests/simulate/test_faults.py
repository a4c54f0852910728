"""Corruptions and total power as whole observations have them."""

import numpy as np
import pytest

from almabrain.config.simulate import SimulateSettings
from almabrain.console.errors import UserError
from almabrain.instrument import primary_beam
from almabrain.simulate.observe import observe

from .conftest import ARCSEC, SPEED_OF_LIGHT, make_row, make_sky

SMALL = {"n_pix": 128, "cell_arcsec": 0.2, "integration_s": 60.0}
MIXED = {"antenna_arrays": "A001:DV07 J501:CM01 A007:DV05 A015:DA64 J503:CM03 A022:DV23", "array": "12m+7m"}
BRIGHT = 1e6  # Jy: noise is nothing beside it


def run(sky, rows=None, seed=1, **settings):
    sky = sky if isinstance(sky, dict) else {"spw0": sky}
    settings = SimulateSettings(**(SMALL | settings))
    return dict(observe(rows or [make_row(t_exptime=300.0)], sky, settings, np.random.default_rng(seed)))


def ratio(window):
    """What became of each visibility (row, channel, polarisation)."""
    return (window["visibility"] / window["visibility_noiseless"]).values


def test_gains_and_air_belong_to_antennas_and_are_the_same_in_all_windows():
    sky = {f"spw{k}": make_sky([(2.0, -1.0, BRIGHT)], [230e9 + k * 1e9]) for k in (0, 1)}
    rows = [make_row(t_exptime=300.0), make_row(t_exptime=120.0, t_min=58850.31, **MIXED)]
    made = run(sky, rows, corruptions={"gain": {"phase_rms_deg": 20, "amplitude_rms": 0.05}})
    window = made["spw0"]
    changed = ratio(window)[:, 0]
    assert np.angle(changed).std() == pytest.approx(np.radians(20 * np.sqrt(2)), rel=0.3)
    np.testing.assert_allclose(changed, ratio(made["spw1"])[:, 0], atol=1e-3)
    pairs = {
        (int(a), int(b), float(t)): value
        for a, b, t, value in zip(
            *(window[name].values for name in ("antenna1", "antenna2", "time_mjd_s")), changed, strict=True
        )
    }
    for first, time in ((0, window["time_mjd_s"].values[0]), (10, window["time_mjd_s"].values[-1])):
        corners = [(first, first + 1), (first + 1, first + 2), (first, first + 2)]
        ab, bc, ac = (pairs[a, b, float(time)] for a, b in corners)
        np.testing.assert_allclose(np.angle(ab * bc * ac.conj()), 0, atol=1e-3)
        assert np.abs(np.angle(ab)).max() > 0.01
    assert abs(changed[0] - changed[45]).max() > 0.01  # the same baseline a minute later
    loss = float(window["dirty"].max() / window["dirty_noiseless"].max())
    assert 0.6 < loss < 0.97


@pytest.mark.parametrize("changes", [{}, MIXED, MIXED | {"pointings": "0,0 12,0"}])
def test_dishes_that_look_aside_see_a_point_with_their_own_voltage_patterns(changes):
    """Half way down the beam. log|V'/V| is a sum of two antennas' terms at each time: nothing else is in it."""
    row = make_row(t_exptime=120.0, **changes)
    made = run(
        make_sky([(8.0, -6.0, BRIGHT)], [230e9]),
        [row],
        corruptions={"pointing": {"rms_arcsec": 1.0, "correlation_s": 10}},
    )
    window, count = made["spw0"], made["antennas"].sizes["antenna"]
    changed = ratio(window)[:, 0, 0]
    np.testing.assert_allclose(changed.imag, 0, atol=2e-4)
    loss, time = np.log(changed.real), np.unique(window["time_mjd_s"], return_inverse=True)[1]
    pairs = np.zeros((len(loss), (time.max() + 1) * count))
    for name in ("antenna1", "antenna2"):
        pairs[np.arange(len(loss)), time * count + window[name].values] = 1
    terms, *_ = np.linalg.lstsq(pairs, loss, rcond=None)
    np.testing.assert_allclose(pairs @ terms, loss, atol=0.003)
    first, second = terms.reshape(-1, count)[:2]
    assert np.corrcoef(first, second)[0, 1] < 0.9  # six correlation times apart
    if not changes:
        around = primary_beam.voltage(np.array([9.5, 10.0, 10.5]) * ARCSEC, 230e9, 12.0)
        # 1 arcsec rms in two axes is 0.71 along the slope.
        assert terms.std() == pytest.approx((around[0] - around[2]) / around[1] / np.sqrt(2), rel=0.4)


def test_noise_does_not_depend_on_corruptions():
    sky = make_sky([], [230e9])
    plain, corrupted = run(sky), run(sky, corruptions={"gain": {"phase_rms_deg": 30}})
    np.testing.assert_array_equal(plain["spw0"]["dirty"], corrupted["spw0"]["dirty"])


def test_flagged_rows_have_no_part_in_the_images():
    sky = make_sky([(1.0, 2.0, 1.0)], [230e9])
    window = run(sky, corruptions={"flags": {"rows": 0.3, "baselines": 0.2}})["spw0"]
    flag = window["flag"].values
    assert flag.mean() == pytest.approx(1 - 0.7 * 0.8, abs=0.05)
    weight = np.where(flag, 0, 1 / window["sigma_jy"].values[:, 0].astype(float) ** 2)
    shift = window["uvw_m"].values @ np.array([-10, 7, 0]) * 0.2 * ARCSEC * 230e9 / SPEED_OF_LIGHT
    direct = np.sum(weight * (window["visibility"].values[:, 0].mean(-1) * np.exp(-2j * np.pi * shift)).real)
    assert float(window["dirty"][0, 64 + 7, 64 + 10]) == pytest.approx(direct / weight.sum(), abs=1e-4)
    with pytest.raises(UserError, match="0 by dishes in .* shadow and 225 by simulate.corruptions.flags"):
        run(sky, corruptions={"flags": {"rows": 0.9999}})


def test_a_corrupted_mosaic_is_phased_to_its_pointings():
    """Phases of a gain are those of the same gain without a mosaic: rotation and gain commute."""
    sky, row = make_sky([(4.0, -3.0, BRIGHT)], [230e9]), make_row(t_exptime=240.0, pointings="0,0 12,0")
    changed = ratio(run(sky, [row], corruptions={"gain": {"phase_rms_deg": 10}})["spw0"])
    np.testing.assert_allclose(np.abs(changed), 1, atol=1e-3)
    assert np.angle(changed).std() == pytest.approx(np.radians(10 * np.sqrt(2)), rel=0.35)


def test_total_power_comes_beside_the_cubes_where_asked_for():
    sky = make_sky([(2.0, -1.0, 3.0)], [230e9])
    assert "total_power" not in run(sky)["spw0"]
    window = run(sky, total_power={})["spw0"]
    assert window["total_power"].shape == window["dirty"].shape
    y, x = 64 - 5, 64 - 10
    assert float(window["total_power_noiseless"][0, y, x]) == pytest.approx(3.0, rel=1e-3)
    np.testing.assert_array_equal(window["dirty"], run(sky)["spw0"]["dirty"])

"""Noise factors from neighbouring samples."""

import numpy as np
import pytest
import xarray as xr

from almabrain.console.errors import UserError
from almabrain.image import noise

from .conftest import ARRAY, COMPONENTS, observe


@pytest.mark.parametrize("factor", [0.5, 1.0, 2.4])
def test_factor_is_seen_over_claimed(factor):
    window = observe(COMPONENTS, sigma_jy=0.25)
    window["weight"] = window.weight * factor**2
    assert noise.noise_factor(window) == pytest.approx(factor, rel=0.05)


def test_factor_is_blind_to_tails_and_flags():
    window = observe(COMPONENTS, sigma_jy=0.25)
    rng = np.random.default_rng(1)
    rows = rng.choice(window.sizes["row"], 100, replace=False)
    window["visibility"].values[rows] += 50
    flagged = rng.choice(window.sizes["row"], 300, replace=False)
    window["weight"].values[flagged] = 0
    assert noise.noise_factor(window) == pytest.approx(1, rel=0.15)


def test_factor_is_unknown_where_there_are_no_neighbours():
    assert np.isnan(noise.noise_factor(observe(COMPONENTS, 0.25, n_time=1)))


def merged(parts):
    """Several windows as one, as sets with merged sidebands have them."""
    return xr.concat(parts, "row", data_vars="minimal", coords="minimal", compat="override")


def test_samples_of_one_time_are_no_neighbours():
    """Two sidebands of one baseline and time see different skies: that is no noise."""
    lower, upper = (observe(COMPONENTS, sigma, seed, place=ARRAY) for seed, sigma in ((1, 0.25), (2, 0.4)))
    upper["visibility"] = upper.visibility + 3
    upper["time_mjd_s"] = upper.time_mjd_s + 0.005  # as uvfits rounds
    assert noise.noise_factor(merged([lower, upper])) == pytest.approx(1, rel=0.06)


def test_samples_that_are_there_twice_tell_half():
    """The likelihood takes them for independent: σ of each is √2 of the claimed."""
    window = observe(COMPONENTS, sigma_jy=0.25)
    assert noise.noise_factor(merged([window, window])) == pytest.approx(np.sqrt(2), rel=0.05)


def test_factor_of_nothing_is_unknown():
    window = observe(COMPONENTS, 0.25)
    assert np.isnan(noise.noise_factor(window.assign(weight=0 * window.weight)))
    assert np.isnan(noise.noise_factor(window.isel(row=[])))


def test_simulations_keep_their_weights_and_observations_do_not():
    window = observe(COMPONENTS, 0.25)
    assert noise.first_factors({"spw0": window}) is None
    measured = {
        name: window.assign_attrs(simulated=False, noise_factor=f) for name, f in (("a", 2.0), ("b", np.nan))
    }
    assert noise.first_factors(measured) == {"a": 2.0, "b": 2.0}
    rescaled, factors = noise.as_measured(measured, "auto")
    assert factors == {"a": 2.0, "b": 2.0}
    assert np.allclose(rescaled["b"].weight.values, window.weight.values / 4)
    assert noise.as_measured(measured, "never") == (measured, None)
    assert noise.as_measured(measured, "antennas")[1] == factors


def test_antennas_that_nobody_knows_are_told_in_a_sentence():
    window = observe(COMPONENTS, 0.25).assign_attrs(simulated=False, source="mine.npz")
    unknown = window.assign(antenna1=0 * window.antenna1 - 1, antenna2=0 * window.antenna2 - 1)
    with pytest.raises(
        UserError, match="'reweight' is 'antennas', but mine.npz does not say antennas; set it"
    ):
        noise.as_measured({"spw0": unknown}, "antennas")
    assert noise.as_measured({"a": unknown, "b": window}, "antennas")[1] == {"a": 1.0, "b": 1.0}

"""Noise in the dirty cube exists once, with the rms that was asked for."""

import numpy as np
import pytest
import xarray as xr
from scipy import fft

from almabrain.config.noise import NoiseSettings
from almabrain.console.errors import UserError
from almabrain.noise.inject import inject
from almabrain.noise.model import NoiseModel
from almabrain.noise.spectrum import spectrum_from_acf
from almabrain.noise.warp import Warp
from almabrain.response.beam import Beam

N, SIGMA_PX = 96, 2.0
BEAM_ARCSEC = SIGMA_PX * np.sqrt(8 * np.log(2)) * 0.1
PREDICTED = np.array([1e-3, 2e-3, 1e-3])


@pytest.fixture
def model():
    """A reference of 5 mJy/beam whose ACF is the cube's beam."""
    lag = fft.fftfreq(2 * N, 1 / (2 * N))
    acf = np.exp(-0.5 * (lag[:, None] ** 2 + lag**2) / SIGMA_PX**2)
    beam = Beam(BEAM_ARCSEC, BEAM_ARCSEC, 0.0)
    return NoiseModel("made", spectrum_from_acf(acf), 0.1, beam, 5.0, "mJy/beam", Warp.identity())


@pytest.fixture
def cube(rng):
    """A simulated window: 1 Jy/beam at the centre, white radiometer noise; channel 1 holds a line."""
    noiseless = np.zeros((3, N, N), np.float32)
    noiseless[:, N // 2, N // 2] = 1.0
    noise = PREDICTED[:, None, None] * rng.standard_normal(noiseless.shape)
    axes = ("channel", "y", "x")
    data = {
        "frequency_hz": ("channel", [1.0e11, 1.001e11, 1.002e11]),
        "line_free": ("channel", [True, False, True]),
        "dirty_noiseless": (axes, noiseless),
        "dirty": (axes, (noiseless + noise).astype(np.float32)),
        "psf": (axes, noiseless),
        "pb": (axes, np.ones_like(noiseless)),
        "rms_jy_beam": ("channel", PREDICTED),
        "bmaj_arcsec": ("channel", np.full(3, BEAM_ARCSEC)),
        "bmin_arcsec": ("channel", np.full(3, BEAM_ARCSEC)),
        "bpa_deg": ("channel", np.zeros(3)),
    }
    return xr.Dataset(data, attrs={"cell_arcsec": 0.1, "simulation": "sim-000000"})


def noise_of(made, cube):
    return made["dirty"].values.astype(float) - cube["dirty_noiseless"].values


def correlation(first, second):
    return np.corrcoef(first.ravel(), second.ravel())[0, 1]


def test_theoretical_carries_the_radiometer_noise_over(cube):
    made = inject(cube, NoiseSettings(mode="theoretical"), None, 1, "sim-000000/spw0")
    assert np.array_equal(made["dirty"], cube["dirty"])
    assert made.attrs["realisation"] == "radiometer"
    assert made["noise_rms"].values == pytest.approx(PREDICTED, rel=0.05)


def test_empirical_puts_the_drawn_field_in_the_place_of_the_radiometer_noise(cube, model):
    made = inject(cube, NoiseSettings(mode="empirical"), model, 1, "sim-000000/spw0")
    noise = noise_of(made, cube)
    assert noise.std(axis=(1, 2)) == pytest.approx(PREDICTED, rel=0.1)
    assert made["noise_rms"].values == pytest.approx(PREDICTED, rel=0.12)
    assert abs(correlation(noise, cube["dirty"].values - cube["dirty_noiseless"].values)) < 0.03
    assert correlation(noise[:, :, 2:], noise[:, :, :-2]) == pytest.approx(np.exp(-0.5), abs=0.06)
    assert made.attrs["realisation"] == "empirical" and made.attrs["noise_reference"] == "made"


def test_channels_are_independent(cube, model):
    noise = noise_of(inject(cube, NoiseSettings(mode="empirical"), model, 1, "sim-000000/spw0"), cube)
    assert abs(correlation(noise[0], noise[1])) < 0.15 and abs(correlation(noise[0], noise[2])) < 0.15


@pytest.mark.parametrize("fraction", [0.0, 0.3, 1.0])
def test_mixed_shares_the_variance(cube, model, fraction):
    settings = NoiseSettings(mode="mixed", empirical_fraction=fraction)
    made = inject(cube, settings, model, 1, "sim-000000/spw0")
    noise = noise_of(made, cube)
    radiometer = cube["dirty"].values - cube["dirty_noiseless"].values
    assert noise.std(axis=(1, 2)) == pytest.approx(PREDICTED, rel=0.1)
    # The share of the radiometer noise in the sum is its regression onto it.
    slope = np.sum(noise * radiometer) / np.sum(radiometer**2)
    assert slope == pytest.approx(np.sqrt(1 - fraction), abs=0.03)
    assert made.attrs["realisation"] == "mixed"


def test_the_rms_can_be_that_of_the_reference(cube, model):
    settings = NoiseSettings(mode="empirical", rms="reference")
    noise = noise_of(inject(cube, settings, model, 1, "sim-000000/spw0"), cube)
    assert noise.std(axis=(1, 2)) == pytest.approx(np.full(3, 5e-3), rel=0.1)


def test_a_reference_in_other_units_gives_no_rms(cube, model):
    import dataclasses

    settings = NoiseSettings(mode="empirical", rms="reference")
    with pytest.raises(UserError, match="is in 'K'.*noise.rms to predicted"):
        inject(cube, settings, dataclasses.replace(model, unit="K"), 1, "sim-000000/spw0")


def test_draws_belong_to_seed_and_window(cube, model):
    def dirty(seed, name):
        return inject(cube, NoiseSettings(mode="empirical"), model, seed, name)["dirty"].values

    first = dirty(1, "sim-000000/spw0")
    assert np.array_equal(first, dirty(1, "sim-000000/spw0"))
    assert not np.array_equal(first, dirty(2, "sim-000000/spw0"))
    assert not np.array_equal(first, dirty(1, "sim-000000/spw1"))


def test_everything_else_is_carried_over(cube, model):
    made = inject(cube, NoiseSettings(mode="empirical"), model, 1, "sim-000000/spw0")
    for key in ("psf", "pb", "frequency_hz", "line_free", "bmaj_arcsec", "rms_jy_beam"):
        assert np.array_equal(made[key], cube[key])
    assert made.attrs["cell_arcsec"] == 0.1 and "dirty_noiseless" not in made


def test_the_continuum_rms_is_that_of_the_line_free_mean(cube):
    made = inject(cube, NoiseSettings(mode="theoretical"), None, 1, "sim-000000/spw0")
    assert made.attrs["continuum_rms"] == pytest.approx(1e-3 / np.sqrt(2), rel=0.05)


def test_the_continuum_rms_of_the_radiometer_noise_stands_beside_that_of_the_drawn(cube, model):
    attrs = inject(cube, NoiseSettings(mode="empirical", rms="reference"), model, 1, "sim-000000/spw0").attrs
    assert attrs["radiometer_continuum_rms"] == pytest.approx(1e-3 / np.sqrt(2), rel=0.05)
    assert attrs["continuum_rms"] == pytest.approx(5e-3 / np.sqrt(2), rel=0.1)


def test_a_window_full_of_line_has_no_continuum(cube):
    cube["line_free"] = ("channel", [False] * 3)
    made = inject(cube, NoiseSettings(mode="theoretical"), None, 1, "sim-000000/spw0")
    assert "continuum_rms" not in made.attrs and made["noise_rms"].values == pytest.approx(
        PREDICTED, rel=0.05
    )

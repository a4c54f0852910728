"""Noise units: robust, local, blind to the flux unit and to the image's own range."""

import numpy as np
import pytest

from almabrain.data.statistics import robust_rms
from almabrain.networks.normalise import local_noise, to_noise_units


def test_robust_rms_ignores_sources_and_blanks():
    rng = np.random.default_rng(0)
    values = rng.normal(0, 2.0, (128, 128))
    values[:10] = np.nan
    values[40:50, 40:60] = 1000
    assert robust_rms(values) == pytest.approx(2.0, rel=0.05)


def test_local_noise_follows_a_gradient():
    rng = np.random.default_rng(0)
    truth = np.linspace(1, 3, 512)[None, :].repeat(512, axis=0)
    found = local_noise(rng.standard_normal((512, 512)) * truth)
    # Cells of 64 pixels, and a median over three of them, blunt the ends of the gradient.
    inside = slice(96, -96)
    np.testing.assert_allclose(found[:, inside], truth[:, inside], rtol=0.12)


def test_noise_units_do_not_depend_on_the_flux_unit():
    rng = np.random.default_rng(0)
    plane = rng.standard_normal((96, 96))
    np.testing.assert_allclose(to_noise_units(1e-6 * plane), to_noise_units(plane), rtol=1e-5)


def test_a_bright_source_leaves_the_rest_as_it_was():
    rng = np.random.default_rng(0)
    plane = rng.standard_normal((128, 128))
    bright = plane.copy()
    bright[64, 64] = 1e5
    away = np.s_[:50]
    np.testing.assert_allclose(to_noise_units(bright)[away], to_noise_units(plane)[away], rtol=0.01)


@pytest.mark.parametrize("value", [0.0, 3.0, np.nan])
def test_a_plane_without_noise_is_refused(value):
    with pytest.raises(ValueError, match="noise cannot be measured"):
        local_noise(np.full((64, 64), value))

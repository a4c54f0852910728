"""Draws have the spectrum and the pixels of their model, on the reference's grid and on others."""

import numpy as np
import pytest
from scipy import fft, stats

from almabrain.noise import spectrum
from almabrain.noise.draw import drawer
from almabrain.noise.model import NoiseModel
from almabrain.noise.warp import Warp
from almabrain.response.beam import Beam

SIGMA_PX = 3.0


def gaussian_model(sigma_x_px=SIGMA_PX, sigma_y_px=SIGMA_PX, warp=None, n=96):
    """A model whose ACF is a Gaussian; its beam has the axes of the ACF's core."""
    lag = fft.fftfreq(2 * n, 1 / (2 * n))
    acf = np.exp(-0.5 * ((lag[:, None] / sigma_y_px) ** 2 + (lag / sigma_x_px) ** 2))
    to_fwhm = np.sqrt(8 * np.log(2)) * 0.1
    axes = sorted([sigma_x_px * to_fwhm, sigma_y_px * to_fwhm], reverse=True)
    beam = Beam(*axes, 90.0 if sigma_x_px > sigma_y_px else 0.0)
    power = spectrum.spectrum_from_acf(acf)
    return NoiseModel("made", power, 0.1, beam, 1.0, "Jy/beam", warp or Warp.identity())


def mean_acf(draw, rng, draws=60):
    """Mean unnormalised ACF of draws without any mask, FFT order."""
    return np.mean([spectrum.masked_acf(draw(rng), np.ones(draw.shape)) for _ in range(draws)], axis=0)


def test_draws_have_the_acf_of_the_model_and_not_a_smoother_one(rng):
    """A filter with P in place of sqrt(P) would widen the Gaussian by sqrt(2): 0.78 at 3 px, not 0.61."""
    acf = mean_acf(drawer(gaussian_model()), rng)
    assert acf[0, 0] == pytest.approx(1, abs=0.03)
    for lag in (1, 3, 5, 8):
        expected = np.exp(-(lag**2) / (2 * SIGMA_PX**2))
        assert acf[0, lag] == pytest.approx(expected, abs=0.02)
        assert acf[lag, 0] == pytest.approx(expected, abs=0.02)


def test_a_white_model_draws_white_noise(rng):
    power = np.ones((128, 128))
    draw = drawer(NoiseModel("white", power, 0.1, Beam(0.3, 0.3, 0.0), 1.0, "", Warp.identity()))
    field = draw(rng)
    assert field.var() == pytest.approx(1, abs=0.06)
    assert np.abs(mean_acf(draw, rng, 20)[0, 1:6]).max() < 0.015


def test_opposite_edges_do_not_know_each_other(rng):
    draw = drawer(gaussian_model())
    edges = np.array([(field[:, 0], field[:, -1]) for field in (draw(rng) for _ in range(60))])
    assert abs(np.mean(edges[:, 0] * edges[:, 1])) < 0.08


@pytest.mark.parametrize(
    "distribution",
    [stats.lognorm(0.6), stats.expon(), stats.uniform(), stats.t(4)],
    ids=lambda d: d.dist.name,
)
def test_spectrum_and_marginal_hold_together(distribution, rng):
    """Strongly non-Gaussian: ACF within 0.02 and Kolmogorov-Smirnov within 0.015, both at once."""
    score = np.linspace(-3.5, 3.5, 57)
    warp = Warp(score, distribution.ppf(stats.norm.cdf(score)))
    draw = drawer(gaussian_model(warp=warp))
    acf = mean_acf(draw, rng)
    assert acf[0, 0] == pytest.approx(1, abs=0.06)
    for lag in (1, 2, 3, 5, 8):
        assert acf[0, lag] / acf[0, 0] == pytest.approx(np.exp(-(lag**2) / (2 * SIGMA_PX**2)), abs=0.02)
    pixels = np.concatenate([draw(rng).ravel() for _ in range(60)])
    expected = distribution.rvs(500_000, random_state=1)
    mean, scale = expected.mean(), expected.std()
    assert stats.kstest(pixels * scale + mean, distribution.cdf).statistic < 0.015


def test_without_predistortion_the_warp_would_break_the_spectrum():
    """The test above can fail: the bare warp misses the ACF by more than that test allows."""
    warp = Warp(np.linspace(-3.5, 3.5, 57), np.exp(0.9 * np.linspace(-3.5, 3.5, 57)))
    acf = np.exp(-(np.arange(9.0) ** 2) / (2 * SIGMA_PX**2))
    assert np.abs(warp.correlation(acf) - acf).max() > 0.05


def test_another_cell_and_beam_scale_the_texture(rng):
    """Half the cell, beam 1.5 times as wide: lags in units of the beam stay."""
    model = gaussian_model()
    beam = Beam(1.5 * model.beam.major_arcsec, 1.5 * model.beam.minor_arcsec, 0.0)
    acf = mean_acf(drawer(model, (128, 100), 0.05, beam), rng, 150)
    for lag in (4, 9, 14):
        expected = np.exp(-(lag**2) / (2 * (2 * 1.5 * SIGMA_PX) ** 2))
        assert acf[0, lag] == pytest.approx(expected, abs=0.05)
    assert acf[0, 0] == pytest.approx(1, abs=0.08)


@pytest.mark.parametrize("pa_deg", [0.0, 45.0, 90.0])
def test_the_beam_ellipse_is_mapped_with_its_position_angle(pa_deg, rng):
    """A round reference becomes noise along the new beam: north through east, east towards smaller x."""
    model = gaussian_model()
    fwhm = model.beam.major_arcsec
    acf = mean_acf(drawer(model, (96, 96), 0.1, Beam(2 * fwhm, fwhm, pa_deg)), rng, 100)
    angle = np.deg2rad(pa_deg)
    along = 4 * np.array([np.cos(angle), -np.sin(angle)])
    across = 4 * np.array([np.sin(angle), np.cos(angle)])
    value = {}
    for name, step in (("along", along), ("across", across)):
        y, x = np.rint(step).astype(int)
        value[name] = acf[y, x], np.hypot(y, x)
    for name, sigma_px in (("along", 2 * SIGMA_PX), ("across", SIGMA_PX)):
        found, lag = value[name]
        assert found == pytest.approx(np.exp(-(lag**2) / (2 * sigma_px**2)), abs=0.05)


def test_an_elongated_reference_is_turned_onto_the_target(rng):
    model = gaussian_model(sigma_x_px=5.0, sigma_y_px=2.5)
    turned = Beam(model.beam.major_arcsec, model.beam.minor_arcsec, 0.0)
    acf = mean_acf(drawer(model, (96, 96), 0.1, turned), rng, 80)
    assert acf[5, 0] == pytest.approx(np.exp(-0.5), abs=0.05)
    assert acf[0, 5] == pytest.approx(np.exp(-2), abs=0.05)


def test_the_same_generator_gives_the_same_field():
    draw = drawer(gaussian_model(n=32))
    first, again, other = (draw(np.random.default_rng(seed)) for seed in (3, 3, 4))
    assert np.array_equal(first, again)
    assert np.abs(np.corrcoef(first.ravel(), other.ravel())[0, 1]) < 0.5

"""Fits in correlated noise: no bias, and errors that are as large as the scatter."""

import numpy as np
import pytest

from almabrain.catalogue.measure import fit_sources, flux_and_size
from almabrain.networks.shapes import axes_from_covariance, pixel_covariance

from .conftest import BEAM, CELL, correlated_noise, make_plane

COVARIANCE = pixel_covariance(BEAM.major_arcsec, BEAM.minor_arcsec, BEAM.pa_deg, CELL)


def measured(rng, snr, shape, count=2):
    """(measured - true, error) of flux over true flux, x, y, major, minor for a grid of sources."""
    seen = COVARIANCE + pixel_covariance(*shape, CELL)
    flux = snr * 1e-3 * np.sqrt(np.linalg.det(seen) / np.linalg.det(COVARIANCE))
    size, rows = axes_from_covariance(seen, CELL), []
    for _ in range(count):
        x, y = (20 + 32 * np.mgrid[:7, :7] + rng.uniform(-0.5, 0.5, (2, 7, 7))).reshape(2, -1)
        plane = make_plane(rng, [(*at, snr, *shape) for at in zip(x, y)], n_pix=256)
        starts = np.rint(np.column_stack([x, y]))
        fits = fit_sources(plane.values, starts, np.full(plane.values.shape, 1e-3), COVARIANCE)
        for fit, *at in zip(fits, x, y):
            (value, error), fitted, fitted_error = flux_and_size(fit, COVARIANCE, CELL)
            errors = np.sqrt(np.diag(fit.errors))
            difference = [value / flux - 1, *(fit.centre - at), *(fitted - size)[:2]]
            rows.append((difference, [error / flux, *errors[1:3], *fitted_error[:2]], fit.resolved))
    return np.array([row[0] for row in rows]), np.array([row[1] for row in rows]), [row[2] for row in rows]


@pytest.mark.parametrize("snr, shape", [(15, (0, 0, 0)), (25, (1.5, 1.0, -20.0))])
def test_errors_are_as_large_as_the_scatter(rng, snr, shape):
    difference, error, resolved = measured(rng, snr, shape)
    pulls = difference / error
    # 98 sources: the mean of a pull is known to 0.1, its standard deviation to 0.07; 3.5 sigma of each.
    assert np.all(np.abs(pulls.mean(axis=0)) < 0.35)
    assert np.all(np.abs(pulls.std(axis=0) - 1) < 0.25)
    assert abs(np.median(difference[:, 0])) < 0.02
    assert np.mean(resolved) == pytest.approx(1.0 if shape[0] else 0.0, abs=0.08)


def test_errors_agree_with_condon_for_a_wide_source(rng):
    # Condon (1997) eqs. 20, 21 with the noise of eq. 41: rho^2 = A^2 theta^2 / 4 theta_N^2 ..., where the
    # beam as autocorrelation means noise smoothed with a kernel of theta_N = beam / sqrt 2.
    shape, snr = (3.0, 3.0, 0.0), 40
    _, error, _ = measured(rng, snr, shape, count=1)
    size = axes_from_covariance(COVARIANCE + pixel_covariance(*shape, CELL), CELL)[:2]
    theta, smoothing2 = np.sqrt(np.prod(size)), BEAM.major_arcsec * BEAM.minor_arcsec / 2
    rho2 = theta**2 / (4 * smoothing2) * (1 + smoothing2 / theta**2) ** 3 * snr**2
    position = theta / CELL / np.sqrt(8 * np.log(2)) * np.sqrt(2 / rho2)
    # His formulae integrate to infinity, ours over the window that is fitted: larger, but not by much.
    ratio = np.median(error[:, 1:3]) / position
    assert 0.9 < ratio < 1.5


def test_neighbours_do_not_add_to_each_other(rng):
    sources = [(60.0, 60.0, 100, 0, 0, 0), (68.0, 60.0, 50, 0, 0, 0)]
    plane = make_plane(rng, sources, rms=1e-3)
    starts = np.array([[60.0, 60.0], [68.0, 60.0]])
    fits = fit_sources(plane.values, starts, np.full(plane.values.shape, 1e-3), COVARIANCE)
    amplitudes = np.array([fit.parameters[0] for fit in fits])
    assert np.all(np.abs(amplitudes - [0.1, 0.05]) < 4e-3)


def test_noise_helper_has_the_beam_as_autocorrelation(rng):
    noise = np.array([correlated_noise(rng, 64, COVARIANCE) for _ in range(40)])
    assert noise.std() == pytest.approx(1.0, abs=0.05)
    lag = np.mean(noise[:, :, 2:] * noise[:, :, :-2])
    assert lag == pytest.approx(np.exp(-2 * np.linalg.inv(COVARIANCE)[0, 0]), abs=0.05)


def test_a_source_beyond_the_edge_is_no_crash(rng):
    plane = make_plane(rng, [(0.0, 64.0, 30, 0, 0, 0)])
    plane.values[:, 100:] = np.nan
    starts = np.array([[0.0, 64.0], [99.0, 20.0]])
    fits = fit_sources(plane.values, starts, np.full(plane.values.shape, 1e-3), COVARIANCE)
    assert fits[0].at_edge and fits[1].at_edge
    assert fits[0].parameters[0] == pytest.approx(0.03, rel=0.15)

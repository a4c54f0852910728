"""Point sources: where they are drawn, how bright the prior holds them for, which ones the data suggest."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import invgamma, norm

from almabrain.image import likelihood as likelihoods
from almabrain.image import points

from .conftest import COMPONENTS, observe

N_PIX = 36


def some(count=points.SLOTS, seed=0):
    """Points in the inner field, and excitations of theirs."""
    rng = np.random.default_rng(seed)
    places = points.Points(
        *(jnp.asarray(values) for values in rng.uniform(10, 26, (2, points.SLOTS))),
        jnp.asarray((np.arange(points.SLOTS) < count).astype(float)),
        jnp.asarray(rng.uniform(0.5, 2, points.SLOTS)),
    )
    return places, jnp.asarray(rng.standard_normal(points.EXCITATIONS))


def test_fluxes_are_inverse_gamma_a_priori():
    """Of index 1: the quantiles of a standard normal become those of exp(-q/S) q/S², ∝ S⁻² for the bright ones."""
    share = np.linspace(0.01, 0.99, points.SLOTS)
    places, excitation = some()
    excitation = excitation.at[: points.SLOTS].set(norm.ppf(share))
    expected = invgamma(1, scale=np.asarray(places.scale)).ppf(share)
    assert np.asarray(points.flux(places, excitation)) == pytest.approx(expected, rel=1e-6)


def test_growth_is_the_derivative_of_the_log_flux():
    places, excitation = some()
    step = jnp.zeros(points.EXCITATIONS).at[: points.SLOTS].set(1e-5)
    above, below = (points.flux(places, excitation + sign * step) for sign in (1, -1))
    assert np.asarray(points.growth(excitation)) == pytest.approx(np.log(above / below) / 2e-5, rel=1e-6)


def test_flux_and_its_unlikeliness_are_inverse():
    places, excitation = some()
    flux = np.array([0.3, 1.0, 1e4, 1e8])
    excitation = excitation.at[:4].set(points.unlikeliness(flux, np.asarray(places.scale)[:4]))
    assert np.asarray(points.flux(places, excitation))[:4] == pytest.approx(flux, rel=1e-6)


def test_unused_slots_are_dark():
    places, excitation = some(count=2)
    assert np.all(np.asarray(points.flux(places, excitation))[2:] == 0)
    assert np.allclose(points.draw(points.none(N_PIX), excitation, N_PIX), 0)


@pytest.mark.parametrize("kind", [0, 1, 2], ids=["flux", "x", "y"])
def test_derivatives_by_finite_differences(kind):
    places, excitation = some()
    rows, columns = points.derivative(places, excitation, N_PIX)
    for slot in (0, 7):
        index, step = slot + kind * points.SLOTS, 1e-5
        above, below = (points.draw(places, excitation.at[index].add(sign * step), N_PIX) for sign in (1, -1))
        expected = np.asarray(above - below) / (2 * step)
        found = np.outer(rows[index], columns[index])
        assert np.abs(found - expected).max() < 1e-6 * np.abs(expected).max()


def test_both_pictures_hold_the_flux_at_its_place():
    places, excitation = some(count=1)
    flux = float(points.flux(places, excitation)[0])
    place = [float(item[0]) for item in points.positions(places, excitation)]
    for picture, rel in ((points.draw, 3e-3), (points.deposit, 1e-6)):
        image = np.asarray(picture(places, excitation, N_PIX))
        assert image.sum() == pytest.approx(flux, rel=rel)
        centroid = [(image.sum(axis) * np.arange(N_PIX)).sum() / image.sum() for axis in (0, 1)]
        assert centroid == pytest.approx(place, abs=0.1)
    assert np.asarray(points.deposit(places, excitation, N_PIX)).min() >= 0


def test_data_are_halved_by_length(windows):
    short, long = points.by_length(windows)
    total = float(windows["spw0"].weight.sum())
    length = np.hypot(*windows["spw0"].uvw_m.values[:, :2].T)
    used = [part["spw0"].weight.values[:, 0] > 0 for part in (short, long)]
    assert not np.any(used[0] & used[1]) and length[used[0]].max() <= length[used[1]].min()
    for part in (short, long):
        assert float(part["spw0"].weight.sum()) == pytest.approx(total / 2, rel=0.01)


def test_candidates_are_points_and_not_discs(windows, worked):
    likelihood = likelihoods.build(windows, worked)
    found, excitation = points.find(windows, worked, likelihood)
    x, y = (np.asarray(item)[np.asarray(found.on) > 0] for item in (found.x, found.y))
    east, north = COMPONENTS[0, 1:3] / worked.cell_arcsec
    assert np.hypot(18 - x[0] - east, y[0] - 18 - north) < 0.3
    # Half of its 0.3 Jy to begin with.
    assert float(points.flux(found, jnp.asarray(excitation))[0]) == pytest.approx(0.15, rel=0.2)


def test_what_a_sky_leaves_out_is_given_points(windows, worked):
    """The residual of an empty sky is the dirty image: its peaks are found where the sources are."""
    pair = [[0.30, 1.2, -0.8, 0, 0, 0], [0.20, -2.0, 1.6, 0, 0, 0]]
    data = {"spw0": observe(pair, sigma_jy=0.25, seed=7)}
    likelihood = likelihoods.build(data, worked)
    nothing = points.none(N_PIX), np.zeros(points.EXCITATIONS)
    found, excitation = points.add(*nothing, np.asarray(likelihood.information), likelihood)
    assert float(found.on.sum()) == 2
    fluxes = np.asarray(points.flux(found, jnp.asarray(excitation)))[:2]
    assert fluxes == pytest.approx([0.30, 0.20], rel=0.1)
    for slot, (_, east, north, *_) in enumerate(pair):
        place = 18 - east / worked.cell_arcsec, 18 + north / worked.cell_arcsec
        assert (float(found.x[slot]), float(found.y[slot])) == pytest.approx(place, abs=0.35)
    # Their own light explains the data: a second time there is nothing left to be found.
    sky = points.draw(found, jnp.asarray(excitation), N_PIX)
    again, _ = points.add(found, excitation, np.asarray(likelihoods.left_over(likelihood, sky)), likelihood)
    assert float(again.on.sum()) == 2

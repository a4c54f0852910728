"""Channels and their prior against closed forms, and the solver with channels against the dense metric."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from almabrain.config.base import check
from almabrain.config.image import Recipe, Spectral
from almabrain.console.errors import UserError
from almabrain.image import inference, likelihood, sampler, solver, spectral
from almabrain.image import model as sky_model
from almabrain.image.grid import choose_grid

from .conftest import FIELD
from .lines import observe_channels, rotating

FREQUENCIES = 230e9 + 2e6 * np.arange(3)
N_PIX, CUBE = 20, Spectral(mode="cube", correlation_channels=2.0)


@pytest.fixture(scope="module")
def line():
    return {"spw0": observe_channels(FREQUENCIES, rotating(3), 0.5, seed=2)}


def test_basis_makes_the_correlation_and_its_fields_are_independent():
    basis = spectral.correlated(7, 2.5)
    lag = np.abs(np.subtract.outer(np.arange(7), np.arange(7)))
    assert basis @ basis.T == pytest.approx(np.exp(-lag / 2.5), abs=1e-12)
    squared = basis.T @ basis
    assert squared == pytest.approx(np.diag(np.diag(squared)), abs=1e-12)


@pytest.mark.parametrize(("length", "expected"), [(1e-3, np.eye(7)), (1e20, np.ones((7, 7)))])
def test_basis_of_extreme_lengths(length, expected):
    basis = spectral.correlated(7, length)
    assert basis @ basis.T == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize("true", [0.9, 0.5, 0.0])
def test_correlation_of_neighbours_is_that_without_noise(true):
    """Smooth skies with a known correlation, under noise of one beam that is twice as strong."""
    rng = np.random.default_rng(1)

    def smooth(count):
        images = np.stack([gaussian_filter(image, 2.0) for image in rng.standard_normal((count, 128, 128))])
        return images / images.std()

    skies = [smooth(1)[0]]
    for fresh in smooth(11):
        skies.append(true * skies[-1] + np.sqrt(1 - true**2) * fresh)
    dirty = np.stack(skies) / 2 + smooth(12)
    assert spectral.correlation(dirty, 8 * np.pi) == pytest.approx(true, abs=0.12)
    # That noise and sky together are less alike is what is put right.
    raw = (dirty[1:] * dirty[:-1]).sum() / (dirty**2)[1:].sum()
    assert true == 0.0 or raw < 0.3 * true


def test_correlation_is_unknown_where_nothing_is_seen():
    rng = np.random.default_rng(2)
    noise = np.stack([gaussian_filter(image, 2.0) for image in rng.standard_normal((8, 128, 128))])
    assert spectral.correlation(noise / noise.std(), 8 * np.pi) is None


def test_channels_are_split_and_joined(line):
    two = {"a": line["spw0"], "b": line["spw0"].isel(row=slice(0, 50))}
    found = spectral.channels(two, Spectral(mode="cube"))
    parts = found.split(two)
    assert [part["a"].frequency_hz.item() for part in parts] == FREQUENCIES.tolist()
    joined = found.join([{name: one.visibility.values for name, one in part.items()} for part in parts])
    assert all(np.array_equal(joined[name], two[name].visibility.values) for name in two)


def test_bands_hold_equal_weight_at_their_mean_frequency(line):
    low, high = (
        line["spw0"].assign_coords(frequency_hz=("channel", f + 1e6 * np.arange(3))) for f in (90e9, 110e9)
    )
    two = {"low": low, "high": high}
    found = spectral.channels(two, Spectral(mode="index", bands=2))
    assert found.frequency_hz == pytest.approx([90.001e9, 110.001e9])
    assert {name: of.tolist() for name, of in found.of.items()} == {"low": [0] * 3, "high": [1] * 3}
    # Nearly all weight on one side: the rest is a band nevertheless.
    heavy = {"low": low.assign(weight=1e6 * low.weight), "high": high}
    assert len(spectral.channels(heavy, Spectral(mode="index", bands=2)).frequency_hz) == 2


@pytest.mark.parametrize(
    ("heavy", "bands", "expected"),
    [(1.0, 4, [2, 2]), (1e3, 4, [3, 1]), (1e-3, 4, [1, 3]), (30.0, 2, [1, 1]), (1.0, 16, [4, 4])],
)
def test_no_band_straddles_a_gap(heavy, bands, expected):
    """Two receivers' bands, one of them heavier by far."""
    low, high = (
        {"spw0": observe_channels(hz, rotating(4), 0.5, seed=2)}["spw0"]
        for hz in (np.linspace(97e9, 103e9, 4), np.linspace(226e9, 234e9, 4))
    )
    windows = {"low": low.assign(weight=heavy * low.weight), "high": high}
    found = spectral.channels(windows, Spectral(mode="index", bands=bands))
    centre = found.frequency_hz
    inside = [((centre >= least) & (centre <= most)).sum() for least, most in ((97e9, 103e9), (226e9, 234e9))]
    assert inside == expected and len(centre) == sum(expected)
    assert set(found.of["low"]).isdisjoint(found.of["high"])


def test_pieces_are_bands_where_they_are_more(line):
    windows = {
        str(hz): line["spw0"].assign_coords(frequency_hz=("channel", hz + 1e6 * np.arange(3)))
        for hz in (90e9, 95e9, 110e9)
    }
    found = spectral.channels(windows, Spectral(mode="index", bands=2))
    assert found.frequency_hz == pytest.approx([90.001e9, 95.001e9, 110.001e9])


def test_flagged_channels_fill_no_gap_and_the_heaviest_may_be_the_last():
    hz = np.linspace(90e9, 100e9, 6)
    window = observe_channels(hz, rotating(6), 0.5, seed=2).assign(
        channel_width_hz=("channel", np.full(6, 2e8))
    )
    window.weight[:, 1:5] = 0.0
    window.weight[:, 5] *= 1e6
    found = spectral.channels({"spw0": window}, Spectral(mode="index", bands=2))
    assert found.frequency_hz == pytest.approx([90e9, 100e9]) and found.of["spw0"][-1] == 1
    near = window.assign_coords(frequency_hz=("channel", 90e9 + 1e8 * np.arange(6)))
    found = spectral.channels({"spw0": near}, Spectral(mode="index", bands=2))
    assert found.frequency_hz == pytest.approx([90e9, 90.5e9])


def test_indices_are_exact_for_power_laws():
    frequency = np.array([90e9, 100e9, 104e9, 115e9])
    index = np.random.default_rng(3).normal(1, 2, (5, 4, 4))
    reference = np.exp(np.log(frequency).mean())
    skies = 3.0 * (frequency[:, None, None] / reference) ** index[:, None]
    brightness, found = spectral.indices(skies, frequency)
    assert found == pytest.approx(index, abs=1e-9) and brightness == pytest.approx(3.0)


def test_moments_of_a_gaussian_line():
    frequency = 230e9 + 1e6 * np.arange(-60, 61)
    velocity = spectral.velocities_kms(frequency, 230e9)
    assert velocity[0] == pytest.approx(299792.458 * 60e6 / 230e9)  # below the rest frequency: receding
    shape = np.exp(-0.5 * ((velocity - 7.0) / 9.0) ** 2)
    total, centre = spectral.moments(2.0 * shape[None, :, None, None], velocity)
    assert total == pytest.approx(2.0 * 9.0 * np.sqrt(2 * np.pi), rel=1e-3)
    assert centre == pytest.approx(7.0, abs=1e-3)


def test_maps_are_blank_where_nothing_is_detected():
    rng = np.random.default_rng(4)
    brightness = np.stack([1 + 0.1 * rng.standard_normal(200), 1 + 0.5 * rng.standard_normal(200)], 1)[
        :, None
    ]
    mean, std = spectral.where_detected(rng.normal(3, 2, (200, 1, 2)), brightness)
    assert np.isfinite(mean).tolist() == np.isfinite(std).tolist() == [[True, False]]


def test_one_channel_makes_no_cube(line):
    one = {"spw0": line["spw0"].isel(channel=[0])}
    with pytest.raises(UserError, match="spectral.mode is 'cube', but the data have one channel"):
        choose_grid(one, Recipe(n_pix=64, cell_arcsec=0.19, spectral=CUBE))
    with pytest.raises(UserError, match="spectral.mode is 'index', but the data have one frequency"):
        choose_grid(one, Recipe(n_pix=64, cell_arcsec=0.19, spectral=Spectral(mode="index")))


def test_uneven_channels_make_no_cube(line):
    gap = {"spw0": line["spw0"].assign_coords(frequency_hz=("channel", [230e9, 230.002e9, 230.007e9]))}
    with pytest.raises(UserError, match="not evenly spaced; image them as continuum"):
        spectral.channels(gap, CUBE)
    with pytest.raises(UserError, match="window b has other channels"):
        spectral.channels({"a": line["spw0"], "b": gap["spw0"]}, CUBE)


def test_channels_that_drift_off_a_straight_line_make_no_cube():
    """Every step is within 1 % of the others, but one increment would misplace the middle by a channel's sixth."""
    steps = 2e6 * np.linspace(0.995, 1.005, 128)
    hz = 230e9 + np.concatenate([[0.0], np.cumsum(steps)])
    window = observe_channels(hz, rotating(129), 0.5, seed=2)
    with pytest.raises(UserError, match="not evenly spaced"):
        spectral.channels({"spw0": window}, CUBE)
    assert spectral.channels({"spw0": window.isel(channel=slice(0, 20))}, CUBE)


def test_channels_may_come_in_either_order(line):
    back = line["spw0"].isel(channel=slice(None, None, -1))
    for windows in ({"a": line["spw0"], "b": back}, {"b": back, "a": line["spw0"]}):
        found = spectral.channels(windows, CUBE)
        assert found.frequency_hz.tolist() == FREQUENCIES.tolist()
        assert found.of["a"].tolist() == [0, 1, 2] and found.of["b"].tolist() == [2, 1, 0]


def test_a_cube_has_an_end():
    hz = 230e9 + 2e6 * np.arange(257)
    window = observe_channels(hz[:1], rotating(2), 0.5, seed=2).isel(channel=[0] * 257)
    window = window.assign_coords(frequency_hz=("channel", hz))
    with pytest.raises(UserError, match="257 channels and a cube has at most 256; set average_channels"):
        spectral.channels({"spw0": window}, CUBE)
    assert len(spectral.channels({"spw0": window.isel(channel=slice(1, None))}, CUBE).frequency_hz) == 256


def test_many_fields_keep_their_means():
    low = solver._low_excitations(8, 3, jnp.eye(1000))
    assert set(range(0, 64 * 1000, 64)) <= set(low.tolist())


def test_a_signed_sky_has_no_index():
    with pytest.raises(UserError, match="a sky with spectral indices is positive"):
        check(Recipe, {"field": "signed", "spectral": {"mode": "index"}}, "recipe")


class Small:
    """A posterior of 3 channels of 20 x 20 pixels about some sky, and its metric as a dense matrix."""

    def __init__(self, line):
        recipe = FIELD.model_copy(update={"spectral": CUBE})
        grid = dataclasses.replace(choose_grid(line, recipe), n_pix=N_PIX, cell_arcsec=0.4)
        self.grid = dataclasses.replace(grid, primary_beam=np.ones((N_PIX, N_PIX)))
        self.line = line
        self.model = inference.start(inference.Data(line), self.grid, "positive", settings=CUBE).model
        rng = np.random.default_rng(6)
        self.size = sky_model.size(N_PIX, basis=self.model.basis)
        start = inference.ascend(self.model, jnp.zeros(self.size))
        self.vectors = [start + 0.3 * jnp.asarray(rng.standard_normal(self.size)) for _ in range(3)]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(solver, "_MOST_LOW", 300)  # else hardly any mode is left to the levels
            self.mass = sampler.masses(self.model, self.vectors, self.vectors)[1]
        self.system, unit = self.mass.system, jnp.eye(self.size)
        self.dense = np.asarray(jax.lax.map(lambda v: solver.metric(self.system, v), unit))
        self.nearly = np.asarray(
            jax.lax.map(lambda v: solver.metric(self.system, v, likelihood.on_torus), unit)
        )
        self.rough = np.asarray(jax.lax.map(lambda v: solver.approximate_inverse(self.system, v), unit))


@pytest.fixture(scope="module")
def small(line):
    return Small(line)


def test_likelihood_is_that_of_each_channel(small):
    sky = np.random.default_rng(7).exponential(1e-3, (3, N_PIX, N_PIX))
    one = dataclasses.replace(small.grid, channels=None)
    parts = [likelihood.build(part, one) for part in small.grid.channels.split(small.line)]
    expected = [likelihood.left_over(part, image) for part, image in zip(parts, sky, strict=True)]
    assert likelihood.left_over(small.model.likelihood, jnp.asarray(sky)) == pytest.approx(np.stack(expected))
    chi2 = likelihood.residuals(small.line, sky, small.grid)["spw0"]
    chi2 = (small.line["spw0"].weight.values * np.abs(chi2) ** 2).sum() / (2 * chi2.size)
    assert likelihood.reduced_chi2(small.model.likelihood, sky) == pytest.approx(chi2, abs=1e-5)


@pytest.mark.parametrize("exactly", [False, True])
def test_channels_need_not_be_of_the_same_pointings(small, exactly):
    """One pointing in the first band, two in the second; also where the gridder makes it exact about a sky."""
    low, high = (small.line["spw0"].isel(channel=[number]) for number in (0, 2))
    aside = high.assign_attrs(dec_deg=-30.0 + 3 / 3600)
    windows = {"low": low, "high": high, "aside": aside}
    channels = spectral.channels(windows, Spectral(mode="index", bands=2))
    assert channels.of["low"].tolist() == [0] and channels.of["aside"].tolist() == [1]
    grid = dataclasses.replace(small.grid, channels=channels)
    one = dataclasses.replace(grid, channels=None)
    sky = jnp.asarray(np.random.default_rng(7).exponential(1e-3, (2, N_PIX, N_PIX)))
    whole, each = (
        likelihood.build(windows, grid),
        [likelihood.build(part, one) for part in channels.split(windows)],
    )
    if exactly:
        whole = likelihood.about(whole, windows, grid, sky)
        pairs = zip(each, channels.split(windows), sky, strict=True)
        each = [likelihood.about(own, part, one, image) for own, part, image in pairs]
    expected = [likelihood.left_over(own, 2 * image) for own, image in zip(each, sky, strict=True)]
    assert likelihood.left_over(whole, 2 * sky) == pytest.approx(np.stack(expected))
    assert whole.data_energy == pytest.approx(sum(own.data_energy for own in each))


def test_a_channel_without_data_is_what_its_neighbours_make_it(small):
    weight = small.line["spw0"].weight.copy()
    weight[:, 1] = 0.0
    flagged = {"spw0": small.line["spw0"].assign(weight=weight)}
    model = inference.start(inference.Data(flagged), small.grid, "positive", settings=CUBE).model
    mass = sampler.masses(model, small.vectors, small.vectors)[0]
    solved = solver.approximate_inverse(mass.system, jnp.ones(small.size))
    value, gradient = sampler.energy(model, mass, small.vectors[0])
    assert all(np.isfinite(item).all() for item in (solved, value, gradient))
    watched, all_watched = (
        inference.monitored(one, small.vectors[0], small.grid) for one in (model, small.model)
    )
    assert (watched != 0).all() and len(watched) == 4 + (len(all_watched) - 4) * 2 / 3


def test_energy_has_the_gradient_that_it_says(small):
    place = sampler.position(small.model, small.mass, small.vectors[1])
    _, gradient = sampler.energy(small.model, small.mass, place)
    rng = np.random.default_rng(8)
    for way in (rng.standard_normal(small.size), np.eye(small.size)[-1], np.eye(small.size)[-2]):
        step = 1e-5 * jnp.asarray(way)
        up, down = (sampler.energy(small.model, small.mass, place + sign * step)[0] for sign in (1, -1))
        assert float(up - down) / 2e-5 == pytest.approx(float(gradient @ way), rel=1e-5, abs=1e-5)
    back = sampler.excitations(small.model, small.mass, place)
    assert np.asarray(back) == pytest.approx(np.asarray(small.vectors[1]), rel=1e-9)


def test_metric_is_that_of_the_skys_derivative(small):
    place = jnp.stack(small.vectors).mean(0)
    system = solver.metric_at(small.model, place, sky_model.field_sky(small.model, place)[1])
    rng = np.random.default_rng(5)
    one, two = (jnp.asarray(rng.standard_normal(small.size)).at[-3:].set(0.0) for _ in "ab")
    slopes = [
        (sky_model.sky(small.model, place + 1e-5 * way) - sky_model.sky(small.model, place - 1e-5 * way)) / 2e-5
        for way in (one, two)
    ]  # fmt: skip
    expected = jnp.vdot(slopes[0], likelihood.curvature(small.model.likelihood, slopes[1])) + one @ two
    assert float(one @ solver.metric(system, two)) == pytest.approx(float(expected), rel=1e-5)


def test_approximate_inverse_is_near_the_true_one(small):
    """Eigenvalues of P M: the squared frequencies of a trajectory's motion, over those of a perfect mass."""
    assert np.allclose(small.dense, small.dense.T, atol=1e-6 * np.abs(small.dense).max())
    assert np.allclose(small.rough, small.rough.T, atol=1e-9)
    assert np.linalg.eigvalsh(small.dense)[-1] > 1e3  # else there is nothing to test
    low = np.asarray(small.system.low)
    assert len(set(low.tolist())) == len(low) < 400
    told = small.nearly[np.ix_(low, low)] - np.eye(len(low))
    assert np.asarray(small.mass.system.told) == pytest.approx(told, abs=1e-9 * np.abs(told).max())
    known = np.linalg.inv(small.rough)[np.ix_(low, low)] - np.eye(len(low))
    assert known == pytest.approx(told, abs=1e-6 * np.abs(told).max())
    root = np.linalg.cholesky(small.dense)
    spread = np.linalg.eigvalsh(root.T @ small.rough @ root)
    assert 0.2 < spread[0] <= spread[-1] < 5


def test_draws_have_the_approximate_inverse_as_covariance(small):
    count = 3000
    keys = jax.random.split(jax.random.key(3), count)
    drawn = np.asarray(jax.lax.map(lambda key: solver.draw_approximate(small.system, key), keys))
    ways = np.random.default_rng(4).standard_normal((20, small.size))
    ways[:3] = np.eye(small.size)[-3:]
    ways[3:8] = np.linalg.eigh(small.dense)[1][:, [-1, -20, -100, -400, 5]].T
    seen = (drawn @ ways.T).var(0)
    expected = np.einsum("ai,ij,aj->a", ways, small.rough, ways)
    assert seen == pytest.approx(expected, rel=4.5 * np.sqrt(2 / count))

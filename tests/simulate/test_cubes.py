"""What is worked out once, for several channels or simulations, against working it out each time."""

import numpy as np
import pytest

from almabrain.config.simulate import SimulateSettings
from almabrain.simulate.cubes import Imaging
from almabrain.simulate.observe import observe
from almabrain.simulate.shared import Shared

from .conftest import make_row, make_sky

SKY = {"spw0": make_sky([(2.0, 3.0, 1.0)], np.linspace(229e9, 231e9, 40), 5e7)}


def observed(row, shared=None, seed=1, sky=SKY, **settings):
    settings = SimulateSettings(n_pix=128, cell_arcsec=0.15, **settings)
    return dict(observe([row], sky, settings, np.random.default_rng(seed), shared=shared))["spw0"]


@pytest.fixture
def gridded(monkeypatch):
    """Channels whose PSFs were gridded, call by call."""
    calls, inner = [], Imaging._psf_nodes

    def spy(self):
        nodes, shares = inner(self)
        calls.append(len(nodes))
        return nodes, shares

    monkeypatch.setattr(Imaging, "_psf_nodes", spy)
    return calls


def every_channel(self):
    count = len(self.frequency_hz)
    return list(range(count)), np.eye(count)


MIXED = {
    "antenna_arrays": make_row()["antenna_arrays"] + " N601:CM01 N602:CM02 N603:CM03 N604:CM04",
    "array": "12m+7m",
}


@pytest.mark.parametrize("changes", [{}, MIXED])
def test_psfs_of_some_channels_give_those_of_all(monkeypatch, gridded, changes):
    few = observed(make_row(**changes))
    assert gridded[0] < 20
    monkeypatch.setattr(Imaging, "_psf_nodes", every_channel)
    every = observed(make_row(**changes))
    np.testing.assert_allclose(few["psf"], every["psf"], atol=1e-5)
    for name in ("bmaj_arcsec", "bmin_arcsec"):
        np.testing.assert_allclose(few[name], every[name], rtol=1e-5)
    np.testing.assert_array_equal(few["dirty"], every["dirty"])


def test_psfs_are_gridded_one_by_one_where_something_is_not_smooth(gridded):
    observed(make_row(), weighting="briggs")
    observed(make_row(pointings="-8,0 0,0", t_exptime=1200.0))
    # The water line at 183.3 GHz, towards a source that changes its height.
    sky = {"spw0": make_sky([(2.0, 3.0, 1.0)], np.linspace(182.5e9, 184.2e9, 40), 5e7)}
    observed(make_row(band_list=5, t_exptime=7200.0), sky=sky)
    assert gridded == [40, 40, 40]


def test_simulations_of_the_same_executions_share_their_response(gridded):
    shared = Shared()
    first, second = observed(make_row(), shared), observed(make_row(simulation=7), shared, seed=2)
    assert len(gridded) == 1
    np.testing.assert_array_equal(first["psf"], second["psf"])
    assert np.abs(first["dirty"] - second["dirty"]).max() > 0
    alone = observed(make_row(), seed=2)
    for name in ("dirty", "dirty_noiseless", "psf", "pb", "rms_jy_beam", "visibility"):
        np.testing.assert_array_equal(second[name], alone[name])


@pytest.mark.parametrize(
    "changes", [{"pwv": 3.0}, {"t_min": 58849.32}, {"antenna_arrays": make_row()["antenna_arrays"][:-10]}]
)
def test_other_executions_share_nothing(changes):
    shared = Shared()
    observed(make_row(), shared)
    after, alone = observed(make_row(**changes), shared), observed(make_row(**changes))
    for name in ("psf", "rms_jy_beam", "dirty"):
        np.testing.assert_array_equal(after[name], alone[name])


def test_flags_drawn_anew_make_a_response_anew():
    shared = Shared()
    corruptions = {"flags": {"antenna_scans": 0.3}}
    first, second = (observed(make_row(), shared, seed, corruptions=corruptions) for seed in (1, 2))
    assert np.abs(first["psf"] - second["psf"]).max() > 1e-3

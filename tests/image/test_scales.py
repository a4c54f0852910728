"""What the shortest baseline hides."""

import numpy as np
import pytest
import xarray as xr

from almabrain.image.scales import largest_recoverable_scale_arcsec, wide_part


def _window(lengths_m, weight) -> xr.Dataset:
    uvw = np.zeros((len(lengths_m), 3))
    uvw[:, 0] = lengths_m
    return xr.Dataset(
        {"uvw_m": (("row", "uvw"), uvw), "weight": (("row", "channel"), np.asarray(weight, float)[:, None])},
        coords={"frequency_hz": ("channel", [230e9])},
    )


def test_the_shortest_baseline_that_is_not_flagged_decides():
    windows = {"spw0": _window([5.0, 15.0, 100.0], [0, 1, 1]), "spw1": _window([20.0], [1])}
    # 0.6 * 1.3034 mm / 15 m = 52.1 microradians
    assert largest_recoverable_scale_arcsec(windows) == pytest.approx(10.75, rel=1e-3)


def test_a_plateau_is_wide_and_what_stands_on_it_is_not():
    y, x = np.mgrid[:96, :96] - 48
    plateau = np.where(np.hypot(x, y) < 36, 2.0, 0.0)
    compact = 50 * np.exp(-4 * np.log(2) * (x**2 + y**2) / 5.0**2)
    wide = wide_part(plateau + compact, 1.0, 20.0)
    assert wide.sum() == pytest.approx(plateau.sum(), rel=0.05)
    assert wide_part(compact, 1.0, 20.0).sum() < 1e-3 * compact.sum()


def test_the_ringing_of_a_point_is_not_wide():
    y, x = np.mgrid[:64, :64] - 32.3
    ringing = np.sinc(x) * np.sinc(y)
    assert ringing.min() < -0.1
    assert 0 <= wide_part(ringing, 1.0, 12.0).sum() < 0.02

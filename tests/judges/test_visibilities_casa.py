"""Noiseless visibilities of components and of pixels against CASA's own prediction and a direct sum."""

import numpy as np
import pytest

from almabrain.data.coordinates import lm_grid
from almabrain.simulate.visibility import predict

from .scene import noiseless_set, sky

pytestmark = pytest.mark.judge
LIGHT_M_S = 299_792_458.0
# Two points and a Gaussian, so far out that leaving w out would cost 1e-3 of the flux.
COMPONENTS = [(9.3, 4.15, 2.0), (-3.33, -5.1, 1.0), (-5.0, 4.0, 1.5, 0.9, 0.5, 40.0)]
CELL = 0.05
# CASA looks its gridding function up in steps of 1/100 of a cell, which turns the phase of light at offset l
# in a field of width L by up to 2 pi l/(200 L): only a field many times wider than the light will do.
CASA_SIDE = 2048


def everywhere_one(l, m, frequency_hz):  # noqa: E741
    """No primary beam: CASA's task has none either."""
    return np.ones(np.broadcast_shapes(np.shape(l), np.shape(m), np.shape(frequency_hz)))


def test_components(ask, tmp_path):
    model = sky(COMPONENTS)
    window = noiseless_set(tmp_path / "judge.ms", model, 512, CELL)
    ours = predict(model, window["uvw_m"].values, everywhere_one)[:, 0]
    names = ("ra_deg", "dec_deg", "major_arcsec", "minor_arcsec", "pa_deg")
    listed = [
        {name: float(model[name][k]) for name in names} | {"flux_jy": COMPONENTS[k][2]} for k in range(3)
    ]
    verdict = ask("casa_predict.py", tmp_path, components=listed)
    worst = np.abs(verdict.arrays["visibility"] - ours).max() / sum(c[2] for c in COMPONENTS)
    print(f"components: {worst:.1e} of the total flux")
    assert worst < 1e-5  # the bar is 1e-3
    # Mirrored through the phase centre, or without w, it must not fit.
    assert np.abs(verdict.arrays["visibility"] - ours.conj()).max() > 1
    flat = np.where([True, True, False], window["uvw_m"].values, 0)
    without_w = predict(model, flat, everywhere_one)[:, 0]
    assert np.abs(verdict.arrays["visibility"] - without_w).max() > 4.5e-3


def test_pixels(ask, tmp_path):
    y, x = np.mgrid[:128, :128]
    blob = np.exp(-((x - 40) ** 2 + (y - 85) ** 2) / 2 / 8**2)
    pixels = blob + 0.5 * np.exp(-((x - 90) ** 2 + (y - 30) ** 2) / 2 / 5**2) * (1 + 0.5 * np.sin(x))
    pixels = (4.0 * pixels / pixels.sum()).astype(np.float32)
    model = sky([], pixels=pixels, cell_arcsec=CELL)
    window = noiseless_set(tmp_path / "judge.ms", model, 512, CELL)
    uvw = window["uvw_m"].values
    ours = predict(model, uvw, everywhere_one)[:, 0]
    l, m = lm_grid(128, CELL)
    depth = np.sqrt(1 - l**2 - m**2) - 1
    u, v, w = uvw[::4000].T * 230e9 / LIGHT_M_S
    phase = np.multiply.outer(u, l) + np.multiply.outer(v, m) + np.multiply.outer(w, depth)
    direct = (pixels * np.exp(2j * np.pi * phase)).sum(axis=(1, 2))
    by_hand = np.abs(ours[::4000] - direct).max() / pixels.sum()
    margin = (CASA_SIDE - 128) // 2
    np.save(tmp_path / "pixels.npy", np.pad(pixels, margin))
    verdict = ask(
        "casa_predict.py",
        tmp_path,
        cell_arcsec=CELL,
        ra_deg=model.attrs["ra_deg"],
        dec_deg=model.attrs["dec_deg"],
    )
    difference = np.abs(verdict.arrays["visibility"] - ours) / pixels.sum()
    print(
        f"pixels: {by_hand:.1e} direct sum; CASA {difference.max():.1e}, rms {np.sqrt((difference**2).mean()):.1e}"
    )
    assert by_hand < 1e-5
    assert difference.max() < 1e-3

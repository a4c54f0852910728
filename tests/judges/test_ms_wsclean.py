"""An independent imager opens our Measurement Set and must see what we see, where we see it."""

import os
import shutil
import subprocess

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from almabrain.config.simulate import SimulateSettings
from almabrain.data import store
from almabrain.response.grid import dirty_image
from almabrain.response.weights import briggs
from almabrain.simulate.export import export
from almabrain.simulate.observe import observe

from . import scene

ARCSEC = np.pi / 648_000
N_PIX, CELL = 256, 0.12
# (l, m, flux): off axis, unequal, and no reflection maps one onto the other.
SOURCES = [(6.3, 2.15, 2.0), (-3.33, -5.1, 1.0)]
PADS = " ".join(scene.PADS.split()[:20])


def sky_model():
    return scene.sky(SOURCES, frame="TOPO")


@pytest.fixture(scope="module")
def observed(tmp_path_factory):
    """Our own window and the folder with the Measurement Set made from it."""
    if shutil.which("wsclean") is None:
        pytest.skip("WSClean is not on the PATH: install the Debian package wsclean to run this judge")
    folder = tmp_path_factory.mktemp("judge")
    settings = SimulateSettings(n_pix=N_PIX, cell_arcsec=CELL)
    row = scene.row(antenna_arrays=PADS, t_exptime=1800.0)
    made = dict(observe([row], {"spw0": sky_model()}, settings, np.random.default_rng(1)))
    shard = folder / "shard.zarr.zip"
    store.write(shard, {f"sim-000000/{name}": data for name, data in made.items()})
    export(shard, "sim-000000", "ms", folder / "judge.ms")
    return made["spw0"], folder


def wsclean(folder, name, *options):
    """First channel's dirty image (y, x) and its header; inversion at full size, nothing resampled."""
    command = ["wsclean", "-name", name, "-j", "1", "-size", str(N_PIX), str(N_PIX), "-scale", f"{CELL}asec"]
    command += ["-channels-out", "2", "-niter", "0", "-no-update-model-required", "-no-mf-weighting"]
    command += ["-use-wgridder", "-wgridder-accuracy", "1e-6", "-no-small-inversion", *options, "judge.ms"]
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1"}
    subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True)
    with fits.open(folder / f"{name}-0000-dirty.fits") as hdus:
        return hdus[0].data.squeeze().astype(float), hdus[0].header


def subpixel_peak(image, y, x):
    """Place of the local maximum near (y, x) by a parabola through the logarithm along each axis."""
    box = image[y - 2 : y + 3, x - 2 : x + 3]
    dy, dx = np.unravel_index(box.argmax(), box.shape)
    y, x = y + dy - 2, x + dx - 2

    def shift(values):
        a, b, c = np.log(values)
        return 0.5 * (a - c) / (a - 2 * b + c)

    return y + shift(image[y - 1 : y + 2, x]), x + shift(image[y, x - 1 : x + 2])


def inner(image):
    edge = N_PIX // 10
    return image[edge:-edge, edge:-edge]


def casacore_j2000(ra_deg, dec_deg):
    """An ICRS position in casacore's J2000, some 23 mas away: the frame that WSClean's headers are in."""
    from casacore.measures import measures

    tool = measures()
    seen = tool.measure(tool.direction("ICRS", f"{float(ra_deg)!r}deg", f"{float(dec_deg)!r}deg"), "J2000")
    return np.degrees(seen["m0"]["value"]), np.degrees(seen["m1"]["value"])


def test_natural_dirty_image_is_ours(observed):
    window, folder = observed
    theirs, _ = wsclean(folder, "natural", "-weight", "natural")
    ours = window["dirty"].values[0]
    assert np.abs(inner(theirs - ours)).max() < 1e-3 * ours.max()
    # Upside down or mirrored it must not fit, or this test would see nothing.
    assert np.abs(inner(theirs - ours[::-1, ::-1])).max() > 0.5 * ours.max()


def test_briggs_dirty_image_is_ours(observed):
    window, folder = observed
    theirs, _ = wsclean(folder, "briggs", "-weight", "briggs", "0.5", "-padding", "1")
    frequency, uvw = window["frequency_hz"].values[:1], window["uvw_m"].values
    weight = briggs(uvw, frequency, 2 / window["sigma_jy"].values[:, :1] ** 2.0, N_PIX, CELL * ARCSEC, 0.5)
    visibility = window["visibility"].values.mean(axis=-1)[:, :1]
    ours = dirty_image(uvw, frequency, visibility, weight, N_PIX, CELL * ARCSEC)
    assert np.abs(inner(theirs - ours)).max() < 1e-3 * ours.max()


def test_sources_lie_at_their_ra_and_dec(observed):
    window, folder = observed
    theirs, header = wsclean(folder, "places", "-weight", "natural")
    celestial = WCS(header).celestial
    assert header["EQUINOX"] == 2000.0
    sky = sky_model()
    positions = zip(sky["ra_deg"].values, sky["dec_deg"].values, strict=True)
    ra, dec = np.transpose([casacore_j2000(*position) for position in positions])
    x, y = celestial.wcs_world2pix(ra, dec, 0)
    # Each source shines through the other's sidelobes; our image has the same, so compare peaks.
    for east, north, place in zip(x, y, range(2), strict=True):
        near = int(round(float(north))), int(round(float(east)))
        l, m, _ = SOURCES[place]
        ours = subpixel_peak(window["dirty"].values[0].astype(float), *near)
        seen = subpixel_peak(theirs, *near)
        assert east == pytest.approx(N_PIX // 2 - l / CELL, abs=0.02)
        assert north == pytest.approx(N_PIX // 2 + m / CELL, abs=0.02)
        np.testing.assert_allclose(seen, ours, atol=0.02)

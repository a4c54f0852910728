"""A tiny campaign in the form that the stage noise leaves behind."""

import numpy as np
import pytest
import xarray as xr
from astropy.table import Table
from scipy import fft

from almabrain.data import store, tables
from almabrain.data.constants import ARCSEC
from almabrain.data.coordinates import radec_from_lm
from almabrain.networks.shapes import pixel_covariance
from almabrain.response.beam import fit_beam
from almabrain.train.planes import Response

N_PIX, CELL, CENTRE = 64, 0.25, (150.0, -30.0)
CHANNEL_HZ, LINE_HZ = 1e7, 1e11 + 1e7


def dirty_beam(n_pix: int = N_PIX, seed: int = 0) -> np.ndarray:
    """A dirty beam with sidelobes: random baselines, two opposite cells each, zero spacing empty."""
    rng = np.random.default_rng(seed)
    grid = np.zeros((n_pix, n_pix))
    u, v = rng.normal(0, n_pix / 12, (2, 600)).round().astype(int)
    np.add.at(grid, (v % n_pix, u % n_pix), 1.0)
    np.add.at(grid, (-v % n_pix, -u % n_pix), 1.0)
    grid[0, 0] = 0
    psf = fft.fftshift(fft.ifft2(grid).real)
    return psf / psf.max()


def response() -> Response:
    psf = dirty_beam()
    beam = fit_beam(psf, CELL)
    y, x = np.mgrid[:N_PIX, :N_PIX] - N_PIX // 2
    pb = np.exp(-4 * np.log(2) * (x**2 + y**2) / N_PIX**2)
    return Response(psf, pb, (beam.major_arcsec, beam.minor_arcsec, beam.pa_deg), CELL)


def window(rng, x: float, y: float, flux: float, rms: float) -> xr.Dataset:
    """A window of three channels, one with a line twice as bright, and a point source at pixel (x, y)."""
    made = response()
    transfer = fft.fft2(fft.ifftshift(made.psf)).real
    k = fft.fftfreq(N_PIX)
    sky = np.exp(-2j * np.pi * (k[:, None] * y + k[None, :] * x))
    point = fft.ifft2(transfer * sky).real * made.pb[round(y), round(x)]
    colour = np.sqrt(np.clip(transfer, 0, None) / np.mean(np.clip(transfer, 0, None)))
    noise = [fft.ifft2(fft.fft2(rng.standard_normal(point.shape)) * colour).real for _ in range(3)]
    strength = np.array([1.0, 3.0, 1.0])
    dirty = flux * strength[:, None, None] * point + rms * np.array(noise)
    image, channel = ("channel", "y", "x"), ("channel",)
    each = [np.full(3, value) for value in made.beam_arcsec]
    return xr.Dataset(
        {
            "dirty": (image, dirty.astype("f4")),
            "psf": (image, np.repeat(made.psf[None], 3, 0).astype("f4")),
            "pb": (image, np.repeat(made.pb[None], 3, 0).astype("f4")),
            "noise_rms": (channel, np.full(3, rms)),
            "frequency_hz": (channel, 1e11 + 1e7 * np.arange(3)),
            "channel_width_hz": (channel, np.full(3, CHANNEL_HZ)),
            "line_free": (channel, np.array([True, False, True])),
            **{
                name: (channel, value) for name, value in zip(("bmaj_arcsec", "bmin_arcsec", "bpa_deg"), each)
            },
        },
        attrs={"ra_deg": CENTRE[0], "dec_deg": CENTRE[1], "cell_arcsec": CELL, "realisation": "radiometer"},
    )


def truth_row(simulation: str, x: float, y: float, flux: float) -> dict:
    ra, dec = radec_from_lm(-(x - N_PIX // 2) * CELL * ARCSEC, (y - N_PIX // 2) * CELL * ARCSEC, *CENTRE)
    return {
        "simulation": simulation,
        "source": 0,
        "component": 0,
        "ra": float(ra),
        "dec": float(dec),
        "flux": flux,
        "reference_frequency": 1e11,
        "spectral_index": 0.0,
        "major": 0.0,
        "minor": 0.0,
        "pa": 0.0,
    }


def line_row(simulation: str, flux: float) -> dict:
    return {
        "simulation": simulation,
        "source": 0,
        "frequency": LINE_HZ,
        # Twice the continuum in the mean over the middle channel, whose width of 30 km/s holds the whole line.
        "flux": 2 * flux * CHANNEL_HZ / LINE_HZ * 299_792.458,
        "width": 4.0,
        "profile": "gaussian",
    }


@pytest.fixture(scope="session")
def campaign(tmp_path_factory):
    """Two shards with a simulation each, and their tables: (draws, truths, lines)."""
    folder, rng = tmp_path_factory.mktemp("draws"), np.random.default_rng(5)
    draws, truths, lines = [], [], []
    for index, (x, y) in enumerate([(20.3, 40.6), (37.0, 25.2)]):
        simulation = f"sim-{index:06d}"
        draws.append(folder / f"shard-{index:04d}.zarr.zip")
        truths.append(folder / f"shard-{index:04d}.truth.ecsv")
        store.write(draws[-1], {f"{simulation}/spw0": window(rng, x, y, 0.02, 1e-3)})
        tables.write_table(truths[-1], Table(rows=[truth_row(simulation, x, y, 0.02)]))
        lines.append(folder / f"shard-{index:04d}.lines.ecsv")
        tables.write_table(lines[-1], Table(rows=[line_row(simulation, 0.02)]))
    return draws, truths, lines


@pytest.fixture
def made_response():
    return response()


@pytest.fixture
def point_covariance():
    return pixel_covariance(*response().beam_arcsec, CELL)

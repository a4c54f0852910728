"""The campaign's own planes: dirty channels and line-free continuum, with what truly is in them."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr
from astropy.table import Table

from almabrain.console.progress import track
from almabrain.data import coordinates, store
from almabrain.data.continuum import continuum_weights
from almabrain.data.line import MOVING, mean_flux_density, share_of_peak
from almabrain.networks.inputs import network_input
from almabrain.networks.shapes import pixel_covariance

CHANNELS_PER_WINDOW = 3


@dataclass(frozen=True)
class Plane:
    """A plane in noise units with its sources: pixel positions, peak SNR, and pixel covariances as seen."""

    maps: np.ndarray  # (2, y, x), see networks.inputs
    position: np.ndarray  # (source, 2) as (x, y)
    snr: np.ndarray  # (source,)
    covariance: np.ndarray  # (source, 2, 2), convolved with the beam
    beam_covariance: np.ndarray  # (2, 2)


@dataclass(frozen=True)
class Response:
    """What a window's telescope does to a point: dirty beam, its Gaussian core, primary beam."""

    psf: np.ndarray  # (y, x), peak 1 at n // 2
    pb: np.ndarray  # (y, x)
    beam_arcsec: tuple[float, float, float]  # FWHM major, minor; position angle in degrees
    cell_arcsec: float

    @property
    def beam_covariance(self) -> np.ndarray:
        """Pixel covariance (2, 2) of the beam."""
        return pixel_covariance(*self.beam_arcsec, self.cell_arcsec)


def groups_of(paths: Iterable[str | Path]) -> list[tuple[Path, str]]:
    """Every window (store, `sim-000000/spw0`) in the shards, in the order of the simulations."""
    found = [(Path(path), name) for path in paths for name in store.names(path) if "/spw" in name]
    return sorted(found, key=lambda item: item[1])


def split(groups: list[tuple[Path, str]], holdout_fraction: float) -> tuple[list, list]:
    """Windows to train on and to validate on: the last simulations, at least one, are held out.

    With each goes every other simulation of the same archive execution, which has the same antennas and uv
    coverage. With one execution only, its last simulations are held out nevertheless, and with a single
    simulation its windows serve both; the card says so.
    """
    execution = executions(groups)
    simulations = sorted(execution)
    if len(simulations) == 1:
        return groups, groups
    kept = max(round(len(simulations) * holdout_fraction), 1)
    held_out: set[str] = set()
    for last in reversed(simulations):
        if len(held_out) < kept:
            held_out |= {name for name in simulations if execution[name] == execution[last]}
    if len(held_out) == len(simulations):
        held_out = set(simulations[-kept:])
    parts = ([], [])
    for item in groups:
        parts[_simulation(item) in held_out].append(item)
    return parts


def executions(groups: list[tuple[Path, str]]) -> dict[str, str]:
    """The archive execution that each simulation is of; its own name where the store does not say."""
    first = {_simulation(item): item for item in reversed(groups)}
    return {name: store.attributes(*item).get("observation", name) for name, item in first.items()}


def _simulation(item: tuple[Path, str]) -> str:
    return item[1].split("/")[0]


def load(
    groups: list[tuple[Path, str]],
    truth: Table,
    lines: Table,
    rng: np.random.Generator,
    most: int,
    label: str,
) -> tuple[list[Plane], list[Response]]:
    """Planes and responses of the windows; of a large campaign a random choice of at most `most` planes.

    Of each window: the noise-weighted mean of its line-free channels, and a few of its channels.
    """
    count = min(len(groups), max(most // (1 + CHANNELS_PER_WINDOW), 1))
    # Drawn, not every k-th: that would be the same window of every simulation.
    chosen = [groups[index] for index in np.sort(rng.choice(len(groups), count, replace=False))]
    planes, responses = [], []
    for path, name in track(chosen, label):
        window = store.read(path, name)
        sources, own = (table[table["simulation"] == name.split("/")[0]] for table in (truth, lines))
        channels = rng.permutation(window.sizes["channel"])[:CHANNELS_PER_WINDOW]
        if (continuum := continuum_plane(window, sources)) is not None:
            planes.append(continuum)
        planes += [channel_plane(window, int(channel), sources, own) for channel in np.sort(channels)]
        responses.append(response_of(window, window.sizes["channel"] // 2))
    return planes, responses


def response_of(window: xr.Dataset, channel: int) -> Response:
    """The telescope's response in one channel of a window."""
    at = window.isel(channel=channel)
    beam = tuple(float(at[name]) for name in ("bmaj_arcsec", "bmin_arcsec", "bpa_deg"))
    return Response(at.psf.values, np.nan_to_num(at.pb.values), beam, float(window.attrs["cell_arcsec"]))


def channel_plane(window: xr.Dataset, channel: int, sources: Table, lines: Table) -> Plane:
    """One channel of a window: continuum plus the lines' emission, averaged over the channel's width."""
    at = window.isel(channel=channel)
    flux, peak = _lines(sources, lines, at)
    flux += _continuum(sources, float(at.frequency_hz))
    response = response_of(window, channel)
    return _plane(at.dirty.values, float(at.noise_rms), flux, response, sources, window, peak)


def continuum_plane(window: xr.Dataset, sources: Table) -> Plane | None:
    """The noise-weighted mean of a window's line-free channels; None where there is none."""
    weight = continuum_weights(window)
    if not weight.any():
        return None
    mean = np.tensordot(weight / weight.sum(), window.dirty.values, axes=1)
    frequency = float(np.average(window.frequency_hz.values, weights=weight))
    response = response_of(window, window.sizes["channel"] // 2)
    return _plane(mean, weight.sum() ** -0.5, _continuum(sources, frequency), response, sources, window)


def _plane(values, rms, flux, response, sources, window, peak=0.0) -> Plane:
    """`flux` (source,) in Jy is spread over the source's size; `peak` (source,) in Jy/beam is as it is seen."""
    cell, n_pix = response.cell_arcsec, values.shape[-1]
    centre = window.attrs["ra_deg"], window.attrs["dec_deg"]
    position = np.transpose(
        coordinates.pixel_from_lm(
            *coordinates.lm_from_radec(_column(sources, "ra"), _column(sources, "dec"), *centre), n_pix, cell
        )
    ).reshape(-1, 2)
    inside = np.all((position >= 0) & (position <= n_pix - 1), axis=1)
    position, flux = position[inside], flux[inside]
    peak = np.broadcast_to(peak, inside.shape)[inside]
    sizes = [_column(sources, name)[inside] for name in ("major", "minor", "pa")]
    beam = response.beam_covariance
    covariance = beam + pixel_covariance(*sizes, cell)
    x, y = np.rint(position).astype(int).T
    dilution = np.sqrt(np.linalg.det(beam) / np.linalg.det(covariance))
    return Plane(
        network_input(values, beam),
        position,
        (flux * response.pb[y, x] * dilution + peak) / rms,
        covariance,
        beam,
    )


def _continuum(sources: Table, frequency_hz: float) -> np.ndarray:
    ratio = frequency_hz / _column(sources, "reference_frequency", 1.0)
    return _column(sources, "flux") * ratio ** _column(sources, "spectral_index")


def _lines(sources: Table, lines: Table, channel: xr.Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Of every source's lines in one channel the mean flux density [Jy], and the peak [Jy/beam] of those whose
    gas moves across a picture, which are not spread as the source is."""
    at = channel.frequency_hz.values, channel.channel_width_hz.values
    flux, peak = np.zeros(len(sources)), np.zeros(len(sources))
    for line in lines:
        frequency, total, width = (float(line[name]) for name in ("frequency", "flux", "width"))
        own = np.flatnonzero(sources["source"] == line["source"])[:1]
        if line["profile"] == MOVING:
            peak[own] += float(line["apparent_peak"] * share_of_peak(*at, frequency, width))
        else:
            flux[own] += float(mean_flux_density(*at, frequency, total, width, str(line["profile"])))
    return flux, peak


def _column(sources: Table, name: str, missing: float = 0.0) -> np.ndarray:
    """A column as plain floats, in which whatever is masked or NaN (no line, no size) is `missing`."""
    if name not in sources.colnames:
        return np.full(len(sources), missing)
    return np.nan_to_num(np.ma.filled(np.ma.asarray(sources[name].data, float), np.nan), nan=missing)

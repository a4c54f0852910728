"""ALMA on a known sky: visibilities of all executions of a target with their noise, and their dirty cubes."""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from astropy.time import Time

from almabrain.config.simulate import SimulateSettings
from almabrain.data.constants import ARCSEC
from almabrain.instrument import mosaic
from almabrain.response.grid import LARGEST_PLANAR_PHASE, largest_w_phase
from almabrain.simulate.coverage import Coverage, check_unflagged, cover, sigma_jy
from almabrain.simulate.cubes import Imaging
from almabrain.simulate.faults import Faults
from almabrain.simulate.field import choose_grid
from almabrain.simulate.shared import Shared
from almabrain.simulate.total_power import covering_arcsec, single_dish
from almabrain.simulate.visibility import model_visibility

_BLOCK_SAMPLES = 1 << 22  # visibilities that are worked on at a time, to bound the memory
_ROW_VARIABLES = "time_mjd_s integration_s antenna1 antenna2 execution scan pointing".split()
# The columns of an execution that decide its coverage and its noise.
_DECIDING = "observation antenna_arrays array t_min t_exptime pwv band_list pointings schedule".split()
_LOG = logging.getLogger(__name__)


def observe(
    rows: Sequence,
    sky: Mapping[str, xr.Dataset],
    settings: SimulateSettings,
    rng: np.random.Generator,
    threads: int = 1,
    shared: Shared | None = None,
) -> Iterator[tuple[str, xr.Dataset]]:
    """Observe one sky as the executions in `rows` did: `spw<k>` datasets in turn, `antennas` and `pointings`.

    `rows` are those of one simulation in observations.ecsv (or mappings with their columns), `sky` a window's
    sky model under every `spw<k>`. Each result holds per channel the dirty image with and without noise, PSF
    and primary beam (channel, y, x), the predicted rms [Jy/beam] and the fitted beam; and, unless
    `settings.visibilities` is false, the visibilities in Jy, phased to their own pointing as uvw_m (row, 3)
    is. Rows under `flag` have no part in the images. Corruptions are in `dirty` and `visibility`, not in their
    noiseless twins. What another simulation of the same executions has worked out is taken from `shared`.
    Raises UserError for antennas, a source, times or a pixel grid that make no observation.
    """
    shared = shared or Shared()
    attrs = next(iter(sky.values())).attrs
    observation = str(rows[0]["observation"])
    aims = mosaic.directions(rows[0]["pointings"])
    place = attrs["ra_deg"], attrs["dec_deg"]
    key = *_deciding(rows), *place, settings.model_dump_json()
    shared.begin(key)
    coverage = shared.get("coverage", None, lambda: cover(rows, *place, aims, settings))
    smallest_m = float(coverage.antennas["diameter_m"].min())
    single_dishes = max(map(covering_arcsec, sky.values())) if settings.total_power else 0.0
    n_pix, cell = choose_grid(sky, coverage.uvw_m, aims, smallest_m, settings, single_dishes)
    common = {
        **{key: attrs[key] for key in ("simulation", "ra_deg", "dec_deg", "frame") if key in attrs},
        "observation": ", ".join(str(row["observation"]) for row in rows),
        "target_name": str(rows[0]["target_name"]),
        "cell_arcsec": cell,
        "n_pix": n_pix,
        "weighting": settings.weighting,
        "robust": settings.robust,
        "noise_bandwidth": "channel width",
        "begin_utc": Time(coverage.time_mjd_s.min() / 86400, format="mjd", scale="utc").isot,
        "exposure_s": float(sum(row["t_exptime"] for row in rows)),
        "instrument": f"BAND {rows[0]['band_list']}",
        "telescope": "ALMA",
        "bunit": "Jy/beam",
    }
    if len(coverage.kinds) == 1:
        common["dish_diameter_m"] = smallest_m
    for_faults, for_total_power, *rngs = rng.spawn(4)
    faults = Faults.draw(coverage, settings.corruptions, for_faults)
    check_unflagged(coverage, faults.flag, observation)
    telescope = _Telescope(rows, coverage, faults, common, settings, threads, shared)
    for name, window in sky.items():
        made = telescope.window(name, window, rngs)
        if settings.total_power:
            made = made.assign(_total_power(window, rows, coverage, common, settings, for_total_power))
        yield name, made
    yield "antennas", coverage.antennas
    yield "pointings", coverage.pointing_table()


def _total_power(window, rows, coverage: Coverage, common, settings, rng) -> dict:
    """The single dishes' maps of a window: they look through the mean air of the executions."""
    context = {
        "pwv": np.mean([float(row["pwv"]) for row in rows]),
        "band_list": rows[0]["band_list"],
        "elevation_rad": coverage.elevation_rad.mean(),
    }
    return single_dish(window, common["n_pix"], common["cell_arcsec"], settings.total_power, context, rng)


def check_observable(simulations: Iterable[Sequence], settings: SimulateSettings) -> None:
    """UserError for antennas, a source or times that make no observation, known before any sky is.

    `simulations` lists the executions of each; those that several simulations share are looked at once.
    """
    checked = set()
    for rows in simulations:
        place = float(rows[0]["s_ra"]), float(rows[0]["s_dec"])
        key = *_deciding(rows), *place
        if key not in checked:
            cover(rows, *place, mosaic.directions(rows[0]["pointings"]), settings)
        checked.add(key)


def _deciding(rows: Sequence) -> tuple[str, ...]:
    """What decides, beside its place and the settings, the coverage and the noise of an observation."""
    return tuple(str(row[column]) for row in rows for column in _DECIDING)


@dataclass(frozen=True)
class _Telescope:
    """All that every window of one simulation is observed with."""

    rows: Sequence
    coverage: Coverage
    faults: Faults
    common: Mapping
    settings: SimulateSettings
    threads: int
    shared: Shared

    def window(self, name: str, window: xr.Dataset, rngs: Sequence[np.random.Generator]) -> xr.Dataset:
        """One window's images and, where they are kept, visibilities."""
        coverage = self.coverage
        planar = _is_planar(name, window, coverage, self.common)
        step = max(1, _BLOCK_SAMPLES // len(coverage.flag))
        blocks = [
            self._channels(
                window.isel(channel=slice(start, start + step)), planar, rngs, f"{name} from {start}"
            )
            for start in range(0, window.sizes["channel"], step)
        ]
        made = xr.concat(blocks, "channel") if len(blocks) > 1 else blocks[0]
        made.attrs = dict(self.common)
        for key in ("frequency_hz", "channel_width_hz", "line_free"):
            made[key] = "channel", window[key].values
        made = made.set_coords("frequency_hz")
        if self.settings.visibilities:
            made["uvw_m"] = ("row", "uvw"), coverage.pointing_uvw_m()
            for key in _ROW_VARIABLES:
                values = getattr(coverage, key)
                made[key] = "row", values if values.dtype.kind == "f" else values.astype(np.int32)
            made["flag"] = "row", self.faults.flag
        return made

    def _channels(self, window: xr.Dataset, planar: bool, rngs, name: str) -> xr.Dataset:
        """Some channels of a window.

        `rngs` draw the noise of Stokes I and of Q: keeping the visibilities or not changes no image.
        """
        rng_i, rng_q = rngs
        coverage, faults, threads = self.coverage, self.faults, self.threads
        frequency, width = window["frequency_hz"].values, window["channel_width_hz"].values
        visibility = model_visibility(window, coverage, planar, threads)
        sigma = sigma_jy(self.rows, window, coverage)
        # Noise of Stokes I = (XX + YY)/2, and of (XX - YY)/2, which no image of ours needs: each σ/√2.
        scale = (sigma / np.sqrt(2)).astype(np.float32)
        added = _normal(rng_i, scale)
        corrupted = None
        if faults.act_on_signal:
            corrupted = faults.visibility(window, coverage, visibility, planar, threads)
            added += (corrupted.mean(axis=-1) - visibility).astype(np.complex64)
        imaging = Imaging(coverage, faults.flag, frequency, sigma, self.common, planar, threads)
        grid = self.common["n_pix"], self.common["cell_arcsec"], planar
        key = (grid, frequency.tobytes(), width.tobytes(), faults.flag.tobytes())
        response = self.shared.get(f"response of {name}", key, imaging.response)
        made = xr.Dataset(response | imaging.dirty(visibility, added))
        if self.settings.visibilities:
            half = _normal(rng_q, scale)
            if corrupted is not None:
                half += (corrupted[..., 0] - corrupted[..., 1]) / 2
            noisy = np.stack([visibility + added + half, visibility + added - half], axis=-1)
            if coverage.pointings_lm.any():
                turn = coverage.to_pointing(frequency)
                visibility, noisy = visibility * turn, noisy * turn[..., None]
            made["visibility"] = ("row", "channel", "polarisation"), noisy.astype(np.complex64)
            made["visibility_noiseless"] = ("row", "channel"), visibility.astype(np.complex64)
            made["sigma_jy"] = ("row", "channel"), sigma.astype(np.float32)
        return made


def _normal(rng: np.random.Generator, scale: np.ndarray) -> np.ndarray:
    """Complex noise (row, chan) whose real and imaginary parts have the standard deviation `scale`."""
    noise = rng.standard_normal((*scale.T.shape, 2), np.float32).view(np.complex64)[..., 0].T
    noise *= scale
    return noise


def _is_planar(name: str, window: xr.Dataset, coverage: Coverage, grid: Mapping) -> bool:
    """Whether w makes no difference to the pixels of a window, images and pixel model alike; logged."""
    field = grid["n_pix"] * grid["cell_arcsec"]
    if "pixel_model_jy" in window:
        model = window["pixel_model_jy"]
        field = max(field, model.shape[-1] * model.attrs["pixel_cell_arcsec"])
    phase = largest_w_phase(coverage.uvw_m, window["frequency_hz"].values, field * ARCSEC)
    planar = phase < LARGEST_PLANAR_PHASE
    _LOG.info(
        "%s of %s: 2π|w(n−1)| is up to %.2g over its %.4g arcsec: %s",
        name,
        grid["observation"],
        phase,
        field,
        "planar" if planar else "w is gridded",
    )
    return planar

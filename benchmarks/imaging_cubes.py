"""Cubes and spectral indices: how often the truth lies within the errors, and what channels cost.

    python benchmarks/imaging_cubes.py cube --seeds 8        clumps of gas, each with a line of its own
    python benchmarks/imaging_cubes.py index --seeds 8       clumps with spectral indices from -1 to 4
    python benchmarks/imaging_cubes.py time --pixels 64      16 channels; --channels 1 for one

Configuration 3 of ALMA, 30 antennas for half an hour. Pixels are at the CLEAN beam, within 0.5 of the primary beam.
"""

import argparse
import resource
import time
from dataclasses import dataclass
from pathlib import Path

import imaging_cases
import numpy as np
import xarray as xr

from almabrain.config.image import Recipe, Spectral
from almabrain.data.constants import ARCSEC
from almabrain.data.seeds import generator
from almabrain.image import grid as grids
from almabrain.image import inference, refine, spectral
from almabrain.image import model as sky_model
from almabrain.response.beam import convolve, render_components
from almabrain.response.predict import predict_components

BRIGHTEST = 30.0  # peak signal-to-noise of a natural beam in a channel
CLUMPS, SAMPLES, INSIDE = 3, 48, 0.5
WIDE = 230e9 * np.array([0.94, 0.98, 1.02, 1.06])


@dataclass(frozen=True)
class Scene:
    """Gaussians as the telescope sees them: `flux` (clump, channel) [Jy], `shape` l, m, axes [arcsec] and angle."""

    frequency_hz: np.ndarray
    flux: np.ndarray
    shape: np.ndarray
    index: np.ndarray

    @classmethod
    def make(
        cls, seed: int, frequency_hz: np.ndarray, settings: Spectral, beam: float, field: float
    ) -> "Scene":
        """Clumps of 0.5 to 4 beams [arcsec] in the middle of a field; fluxes in units of a beam's noise."""
        rng = generator(seed, "cubes", settings.mode)
        place = rng.uniform(-0.2, 0.2, (2, CLUMPS)) * field
        width = beam * np.exp(rng.uniform(np.log(0.5), np.log(4), CLUMPS))
        peak = BRIGHTEST * np.exp(rng.uniform(np.log(0.2), 0.0, CLUMPS))
        bright = peak * (1 + (width / beam) ** 2)
        index, count = rng.uniform(-1, 4, CLUMPS), len(frequency_hz)
        middle, spread = rng.uniform(0.2, 0.8, CLUMPS) * count, rng.uniform(0.8, 2.5, CLUMPS)
        flux = np.exp(-0.5 * ((np.arange(count) - middle[:, None]) / spread[:, None]) ** 2)
        if settings.mode == "index":
            flux = np.exp(np.outer(index, spectral.log_frequency(frequency_hz)))
        shape = np.stack([*place, width, 0.7 * width, rng.uniform(0, 180, CLUMPS)])
        return cls(frequency_hz, bright[:, None] * flux, shape, index)

    def windows(self, blank: xr.Dataset, sigma: float, seed: int) -> dict[str, xr.Dataset]:
        """Data with this noise [Jy] in a visibility, of which `flux` is that of a natural beam's noise."""
        l, m, major, minor, pa = self.shape  # noqa: E741
        uvw, rng = blank.uvw_m.values, generator(seed, "cubes", "noise")
        where = l * ARCSEC, m * ARCSEC, major * ARCSEC, minor * ARCSEC, np.radians(pa)
        seen = [
            predict_components(uvw, np.array([frequency]), flux[:, None], *where)[:, 0]
            for frequency, flux in zip(self.frequency_hz, self.flux.T, strict=True)
        ]
        seen = np.stack(seen, axis=1) * sigma / np.sqrt(len(uvw))
        noise = sigma * rng.standard_normal((2, *seen.shape))
        step = np.full(len(self.frequency_hz), np.ptp(self.frequency_hz) / max(len(self.frequency_hz) - 1, 1))
        made = blank[[name for name in blank.variables if "channel" not in blank[name].dims]].assign(
            visibility=(("row", "channel"), seen + noise[0] + 1j * noise[1]),
            weight=(("row", "channel"), np.full(seen.shape, sigma**-2.0)),
            frequency_hz=("channel", self.frequency_hz),
            channel_width_hz=("channel", step),
        )
        return {"spw0": made.assign_attrs(blank.attrs)}

    def seen(self, grid: grids.Grid, noise: float) -> np.ndarray:
        """Channels (C, N, N) at the CLEAN beam [Jy/beam], of fluxes in units of `noise`."""
        l, m, major, minor, pa = self.shape  # noqa: E741
        where = l * ARCSEC, m * ARCSEC, major, minor, pa, grid.beam
        return np.stack(
            [render_components(grid.n_pix, grid.cell_arcsec, noise * flux, *where) for flux in self.flux.T]
        )


def imaged(windows, settings: Spectral, seed: int, n_pix: int, cell_arcsec: float, rounds: int = 40):
    """The state of inference, and its grid."""
    recipe = Recipe(n_pix=n_pix, cell_arcsec=cell_arcsec, spectral=settings)
    grid = grids.working(windows, grids.choose_grid(windows, recipe))
    data = inference.Data(windows)
    return inference.infer(data, grid, rounds, seed, f"cubes{seed}", 2, settings=settings), grid


def cover(settings: Spectral, seeds: int, folder: Path, n_pix: int) -> None:
    """Print coverage of pixels, of fluxes in boxes of three beams by channel, or of indices."""
    frequency = 230e9 + 1e6 * np.arange(8) if settings.mode == "cube" else WIDE
    case = imaging_cases.empty(folder, 0, n_pix=n_pix)
    blank = next(iter(case.windows.values()))
    beam = imaging_cases.natural_beam(case).major_arcsec
    pulls = {"pixels, S/N 1 to 10": [], "pixels, S/N above 10": [], "boxes": [], "indices": []}
    for seed in range(seeds):
        scene = Scene.make(seed, frequency, settings, beam, n_pix * case.cell_arcsec)
        windows = scene.windows(blank, 1.0, seed)
        begun = time.monotonic()
        state, grid = imaged(windows, settings, seed, n_pix, case.cell_arcsec)
        chosen = refine.thinned(state.draws or state.vectors, SAMPLES)
        skies = [np.asarray(sky_model.sky(state.model, vector)) * grid.primary_beam for vector in chosen]
        draws = np.stack([[convolve(plane, grid.cell_arcsec, grid.beam) for plane in sky] for sky in skies])
        noise = 1 / np.sqrt(np.asarray(state.model.likelihood.diagonal).max())
        true, inside = scene.seen(grid, noise), grid.primary_beam > INSIDE
        pull = (draws.mean(0) - true) / draws.std(0, ddof=1)
        for name, low, high in (("pixels, S/N 1 to 10", 1, 10), ("pixels, S/N above 10", 10, np.inf)):
            pulls[name].append(pull[(true >= low * noise) & (true < high * noise) & inside])
        side = max(round(3 * beam / grid.cell_arcsec), 1)
        boxes = [_boxes(image, side)[..., _boxes(inside, side) == side**2] for image in (draws, true)]
        bright = boxes[1] > noise
        error = (boxes[0].mean(0) - boxes[1]) / boxes[0].std(0, ddof=1)
        pulls["boxes"].append(error[bright])
        if settings.mode == "index":
            brightness, index = spectral.indices(draws, frequency)
            found, std = spectral.where_detected(index, brightness)
            right = spectral.indices(true[None], frequency)[1][0]
            pulls["indices"].append(((found - right) / std)[np.isfinite(found) & inside])
        told = ", ".join(f"{key} {value:.3g}" for key, value in state.spectral.items() if value is not None)
        last = state.history[-1]
        print(
            f"seed {seed}: {time.monotonic() - begun:.0f} s, {len(state.history)} rounds, R-hat "
            f"{last.disagreement:.2f}, worst chain {last.worst_acceptance:.2f}, chi2 {last.chi2:.3f}; {told}",
            flush=True,
        )
        for name, each in pulls.items():
            if each:
                _tell(name, each, side**2 if name == "boxes" else grid.beam.area_pixels(grid.cell_arcsec))


def _tell(name: str, pulls: list[np.ndarray], pixels: float) -> None:
    size = np.abs(np.concatenate(pulls))
    count = size.size if name == "boxes" else size.size / pixels
    print(f"{name}: 68 % {np.mean(size < 1):.2f}, 95 % {np.mean(size < 1.96):.2f} of {count:.0f}")


def _boxes(image: np.ndarray, side: int) -> np.ndarray:
    """Sums in squares of images (..., N, N)."""
    edges = np.arange(0, image.shape[-1] - side + 1, side)
    image = image[..., : edges[-1] + side, : edges[-1] + side].astype(float)
    return np.add.reduceat(np.add.reduceat(image, edges, -2), edges, -1)


def cost(channels: int, folder: Path, n_pix: int) -> None:
    """Print time, rounds and memory of so many channels; one is a continuum image."""
    case = imaging_cases.empty(folder, 0, n_pix=n_pix)
    settings = Spectral(mode="cube" if channels > 1 else "continuum")
    beam = imaging_cases.natural_beam(case).major_arcsec
    scene = Scene.make(0, 230e9 + 1e6 * np.arange(16), Spectral(mode="cube"), beam, n_pix * case.cell_arcsec)
    windows = scene.windows(next(iter(case.windows.values())), 1.0, 0)
    if channels == 1:
        windows = {name: window.isel(channel=[8]) for name, window in windows.items()}
    begun = time.monotonic()
    state, grid = imaged(windows, settings, 0, n_pix, case.cell_arcsec)
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(
        f"{channels} channels, inference on {grid.n_pix} x {grid.n_pix}: {time.monotonic() - begun:.0f} s, "
        f"{used.ru_utime + used.ru_stime:.0f} s of CPU, {len(state.history)} rounds, "
        f"R-hat {state.history[-1].disagreement:.2f}, {used.ru_maxrss / 2**20:.1f} GiB"
    )


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["cube", "index", "time"])
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--pixels", type=int, default=64)
    parser.add_argument("--channels", type=int, default=16, help="of time: one for a continuum image")
    parser.add_argument("--folder", type=Path, default=Path("results/benchmarks/cubes"))
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    if args.what == "time":
        cost(args.channels, args.folder, args.pixels)
    else:
        cover(Spectral(mode=args.what), args.seeds, args.folder, args.pixels)


if __name__ == "__main__":
    main()

"""The pictures of docs/bayesian-imaging.md and docs/super-resolution.md, made by the pipeline's own scripts.

    python benchmarks/imaging_pictures.py --folder F [--only five resolution rings wide] [--output docs/images]

Fields of known sky are made in F, imaged and cleaned there by scripts/image.py and scripts/clean.py with the default
recipe, once, and drawn. With one thread: about a minute for each of five fields.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import imager
import imaging_cases
import numpy as np
from matplotlib.colors import LogNorm, Normalize
from matplotlib.patches import Ellipse

from almabrain.data import store
from almabrain.data.constants import ARCSEC
from almabrain.data.coordinates import lm_grid
from almabrain.data.fits import read_image
from almabrain.data.seeds import generator
from almabrain.image import visibilities
from almabrain.image.scales import largest_recoverable_scale_arcsec
from almabrain.report.style import SERIES, drawing, new_figure
from almabrain.response import predict
from almabrain.response.beam import Beam, convolve
from almabrain.response.primary_beam import dish
from almabrain.response.primary_beam import image as primary_beam

N_PIX = 128  # the field that is simulated
FIVE_SNR = 200
RINGS_ARCSEC, RING_WIDTH_ARCSEC = (1.4, 2.8, 4.2), 0.5  # radii and FWHM
RINGS_SNR = (20, 200)
WIDE_SNR, WIDE_SCALES = 50.0, (0.5, 1.0)  # FWHM in largest recoverable scales
_MJY = 1e3


@dataclass(frozen=True)
class Shown:
    """A field as it was imaged: its `truth` (y, x) in Jy/arcsec², samples (sample, y, x) and their mean likewise,
    CLEAN's image and the truth at the same beam, both in Jy/beam behind the primary beam, and the summary.

    In the samples points are band-limited, with ripples; in the mean, as it is published, spots one pixel wide.
    """

    truth: np.ndarray
    truth_at_beam: np.ndarray
    samples: np.ndarray
    mean: np.ndarray
    clean: np.ndarray
    pattern: np.ndarray
    cell_arcsec: float
    summary: dict
    largest_arcsec: float

    @property
    def beam(self) -> Beam:
        """The beam of both images."""
        return Beam(**self.summary["beam"])

    @property
    def samples_at_beam(self) -> np.ndarray:
        """The samples (sample, y, x) as the telescope sees them at the beam, Jy/beam."""
        apparent = np.nan_to_num(self.samples) * self.pattern * self.cell_arcsec**2
        return np.stack([convolve(one, self.cell_arcsec, self.beam) for one in apparent])

    @property
    def per_area(self) -> float:
        """What turns Jy/beam into Jy/arcsec²."""
        return 1 / self.beam.area_pixels(self.cell_arcsec) / self.cell_arcsec**2


def observe(folder: Path, name: str, array: str, brightness: Callable, snr: float) -> Path:
    """Visibilities of a sky `brightness` (east, north) [arcsec], its peak `snr` times the noise at the natural beam.

    The attribute `scale` turns `brightness` into Jy/arcsec².
    """
    scene, path = imaging_cases.empty(folder, 0, array), folder / f"{name}.zarr.zip"
    if path.exists():
        return path
    window, fine = scene.windows["spw0"], scene.cell_arcsec / 4
    l, m = lm_grid(4 * scene.n_pix, fine)
    frequency = window.frequency_hz.values
    seen = brightness(l / ARCSEC, m / ARCSEC) * dish(scene.facts["dish_m"])(l, m, frequency[0]) * fine**2
    peak = convolve(seen, fine, imaging_cases.natural_beam(scene)).max()
    scale = snr * scene.facts["sensitivity_jy_beam"] / peak
    pure = predict.predict_image(window.uvw_m.values, frequency, scale * seen, fine * ARCSEC, 1e-7)
    noise = generator(0, "picture", name).standard_normal((2, *pure.shape)) / np.sqrt(window.weight.values)
    window = window.assign(visibility=(window.visibility.dims, pure + noise[0] + 1j * noise[1]))
    store.write(path, {"spw0": window.assign_attrs(scale=scale)})
    return path


def show(path: Path, brightness: Callable, dish_m: float) -> Shown:
    """Image and clean a file of visibilities of a sky `brightness`, once."""
    made = path.with_name(path.name.removesuffix(".zarr.zip"))
    if not (made / "clean.fits").exists():
        summary = imager.image(path, made, {"n_pix": N_PIX})
        if "failed" in summary:
            raise RuntimeError(summary["failed"])
        script = [sys.executable, imager.ROOT / "scripts" / "clean.py", "--visibilities", path]
        subprocess.run(
            [*script, "--output-folder", made, "--settings", json.dumps({"n_pix": N_PIX})], check=True
        )
    summary = json.loads((made / "summary.json").read_text())
    n_pix, cell, beam = summary["n_pix"], summary["cell_arcsec"], Beam(**summary["beam"])
    windows = visibilities.read(path)
    pattern = primary_beam(n_pix, cell, summary["frequency_hz"], dish(dish_m))
    l, m = lm_grid(n_pix, cell)
    truth = windows["spw0"].attrs["scale"] * brightness(l / ARCSEC, m / ARCSEC)
    blurred = convolve(truth * pattern * cell**2, cell, beam)
    samples = store.read(made / "samples.zarr.zip", "samples")["sky"].values.astype(float)
    mean, clean = (
        np.nan_to_num(np.asarray(read_image(made / f"{name}.fits").values, float))
        for name in ("mean", "clean")
    )
    largest = largest_recoverable_scale_arcsec(windows)
    return Shown(truth, blurred, samples, mean, clean, pattern, cell, summary, largest)


def rings(east: np.ndarray, north: np.ndarray) -> np.ndarray:
    """Three rings, fainter outwards, on nothing."""
    radius, sigma = np.hypot(east, north), RING_WIDTH_ARCSEC / 2.355
    return sum(np.exp(-0.5 * ((radius - one) / sigma) ** 2) / one for one in RINGS_ARCSEC)


def gaussian(fwhm_arcsec: float) -> Callable:
    """A round Gaussian in the middle."""
    return lambda east, north: np.exp(-4 * np.log(2) * (east**2 + north**2) / fwhm_arcsec**2)


def five(east: np.ndarray, north: np.ndarray) -> np.ndarray:
    """The five Gaussians of the benchmarks."""
    total = 0.0
    for peak, major, minor, x, y, pa in imaging_cases.FIVE:
        turn = np.radians(pa)
        along = (east - x) * np.sin(turn) + (north - y) * np.cos(turn)
        across = (east - x) * np.cos(turn) - (north - y) * np.sin(turn)
        total = total + peak * np.exp(-4 * np.log(2) * ((along / major) ** 2 + (across / minor) ** 2))
    return total


def draw_five(folder: Path):
    """The maps of one field, and what CLEAN makes of the same data."""
    shown = show(observe(folder, "five", "alma.cycle9.3", five, FIVE_SNR), five, 12.0)
    mean, std = shown.mean, shown.samples.std(0, ddof=1)
    beams = [shown.truth_at_beam, shown.clean, shown.samples_at_beam.mean(0)]
    beams = [picture / shown.pattern * shown.per_area for picture in beams]
    figure = new_figure(11.5, 10.6, "compressed")
    axes = figure.subplots(3, 3, sharex=True, sharey=True)
    top = _MJY * shown.truth.max()
    log = LogNorm(top / 2000, top)
    titles = ("truth", "posterior mean", "one posterior sample")
    _pictures(figure, axes[0], shown, [shown.truth, mean, shown.samples[0]], titles, log, "mJy/arcsec²", 14)
    titles = ("truth at the beam", "CLEAN", "posterior mean at the beam (mean_beam)")
    _pictures(figure, axes[1], shown, beams, titles, log, "mJy/arcsec²", 14, beam=True)
    titles = ["standard deviation (std)"]
    _pictures(figure, axes[2, :1], shown, [std], titles, LogNorm(top / 2000, top / 5), "mJy/arcsec²", 14)
    titles = ["std / mean"]
    _pictures(figure, axes[2, 1:2], shown, [std / mean / _MJY], titles, Normalize(0, 2), "", 14, "viridis_r")
    titles = ["(mean − truth) / std"]
    error = (mean - shown.truth) / std / _MJY
    _pictures(
        figure, axes[2, 2:], shown, [error], titles, Normalize(-3, 3), "standard deviations", 14, "RdBu_r"
    )
    return figure, [shown]


def draw_resolution(folder: Path):
    """Where the data decide in the field of `draw_five`, and how fine they are there."""
    shown = show(observe(folder, "five", "alma.cycle9.3", five, FIVE_SNR), five, 12.0)
    planes = np.asarray(read_image(folder / "five" / "resolution.fits").values, float)
    beam = np.sqrt(shown.beam.major_arcsec * shown.beam.minor_arcsec)
    width = np.where(planes[3] > 0.1, np.sqrt(planes[0] * planes[1]) / beam, np.nan)
    figure = new_figure(11.5, 3.7, "compressed")
    axes = figure.subplots(1, 3, sharex=True, sharey=True)
    mean, top = shown.mean, _MJY * shown.truth.max()
    _pictures(
        figure, axes[:1], shown, [mean], ["posterior mean"], LogNorm(top / 2000, top), "mJy/arcsec²", 14
    )
    titles, ratio = ["effective resolution"], Normalize(0.5, 2.5)
    _pictures(figure, axes[1:2], shown, [width / _MJY], titles, ratio, "CLEAN beams", 14, "viridis_r")
    titles = ["share of the data"]
    _pictures(figure, axes[2:], shown, [planes[3] / _MJY], titles, Normalize(0, 1), "", 14, "viridis")
    return figure, []


def draw_rings(folder: Path):
    """Rings a beam apart at two signal-to-noise ratios, at full resolution, and a cut through them."""
    figure = new_figure(11.5, 5.9, "compressed")
    axes, every = figure.subplots(2, 4, width_ratios=(1, 1, 1, 1.35)), []
    for row, snr in zip(axes, RINGS_SNR):
        path = observe(folder, f"rings-{snr}", "alma.cycle9.3", rings, snr)
        shown = show(path, rings, 12.0)
        every.append(shown)
        top = _MJY * shown.truth.max()
        pictures = [shown.truth, shown.clean / shown.pattern * shown.per_area, shown.mean]
        titles = (f"truth, S/N {snr}", "CLEAN", "posterior mean")
        _pictures(figure, row[:3], shown, pictures, titles, Normalize(0, top), "mJy/arcsec²", 6, beam=True)
        middle = len(shown.truth) // 2
        offset = -(np.arange(len(shown.truth)) - middle) * shown.cell_arcsec
        _band(row[3], offset, shown.samples[:, middle], "posterior (68 and 95 %)")
        row[3].plot(offset, _MJY * pictures[1][middle], color=SERIES[1], label="CLEAN")
        row[3].plot(offset, _MJY * shown.truth[middle], color="black", ls=":", label="truth")
        row[3].set(xlim=(6, -6), ylim=(0, 1.6 * top), xlabel="RA offset [arcsec]", ylabel="mJy/arcsec²")
        row[3].set_title("cut through the middle")
        row[3].legend(loc="upper right")
    return figure, every


def draw_wide(folder: Path):
    """Profiles of Gaussians narrower and wider than the largest recoverable scale of the 7 m array."""
    scene = imaging_cases.empty(folder, 0, "aca.cycle9")
    largest, every = largest_recoverable_scale_arcsec(scene.windows), []
    figure = new_figure(9.0, 3.6)
    for axis, share in zip(figure.subplots(1, len(WIDE_SCALES)), WIDE_SCALES):
        shape = gaussian(share * largest)
        shown = show(observe(folder, f"wide-{share:g}", "aca.cycle9", shape, WIDE_SNR), shape, 7.0)
        every.append(shown)
        radius = np.arange(0, largest * 1.7, shown.cell_arcsec)
        _band(axis, radius, np.stack([_profile(shown, one, radius) for one in shown.samples]), "posterior")
        clean, truth = shown.clean / shown.pattern * shown.per_area, shown.truth
        axis.plot(radius, _MJY * _profile(shown, clean, radius), color=SERIES[1], label="CLEAN, at its beam")
        axis.plot(radius, _MJY * _profile(shown, truth, radius), color="black", ls=":", label="truth")
        axis.axvline(largest / 2, color="#999999", lw=0.8)
        title = f"{share:g} of the largest recoverable scale: {shown.summary['verdict'].split(':')[0]}"
        axis.set(xlabel="radius [arcsec]", title=title)
        axis.set(xlim=(0, radius[-1]), ylim=(0, 1.2 * _MJY * shown.truth.max()))
    figure.axes[0].set_ylabel("mean over circles [mJy/arcsec²]")
    figure.axes[0].legend()
    return figure, every


def _profile(shown: Shown, image: np.ndarray, radius: np.ndarray) -> np.ndarray:
    """Mean of an image over the pixels that are about as far from the middle as each `radius` [arcsec]."""
    l, m = lm_grid(len(image), shown.cell_arcsec)
    ring = np.round(np.hypot(l, m) / ARCSEC / shown.cell_arcsec).astype(int).ravel()
    return (np.bincount(ring, image.ravel()) / np.bincount(ring))[: len(radius)]


def _pictures(
    figure, axes, shown: Shown, pictures, titles, norm, unit: str, half: float, colours="inferno", beam=False
):
    """Pictures of one scale with one bar; those in Jy/arcsec² become mJy/arcsec²."""
    reach = len(shown.truth) / 2 * shown.cell_arcsec
    cell = shown.cell_arcsec / 2
    extent = (reach + cell, -reach + cell, -reach - cell, reach - cell)
    for axis, picture, title in zip(axes, pictures, titles):
        drawn = axis.imshow(np.clip(_MJY * picture, norm.vmin, None), norm=norm, cmap=colours, extent=extent)
        axis.set(title=title, xlim=(half, -half), ylim=(-half, half), xlabel="RA offset [arcsec]")
        if beam:
            size = shown.beam.major_arcsec, shown.beam.minor_arcsec
            place = 0.85 * half, -0.85 * half
            axis.add_patch(Ellipse(place, *size, angle=90 - shown.beam.pa_deg, fc="none", ec="white"))
    axes[0].set_ylabel("Dec offset [arcsec]")
    bar = figure.colorbar(drawn, ax=list(axes), pad=0.01, aspect=22, format="{x:g}")
    bar.set_label(unit)


def _band(axis, place: np.ndarray, samples: np.ndarray, label: str) -> None:
    for level, shade in ((95, 0.2), (68, 0.35)):
        low, high = np.percentile(samples, [50 - level / 2, 50 + level / 2], axis=0)
        axis.fill_between(place, _MJY * low, _MJY * high, color=SERIES[0], alpha=shade, lw=0)
    axis.plot(place, _MJY * samples.mean(0), color=SERIES[0], label=label)


PICTURES = {"five": draw_five, "resolution": draw_resolution, "rings": draw_rings, "wide": draw_wide}


def main() -> None:
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--folder", type=Path, required=True, help="for the fields and what is made of them")
    made.add_argument("--only", nargs="+", default=list(PICTURES), choices=list(PICTURES))
    made.add_argument("--output", type=Path, default=imager.ROOT / "docs" / "images")
    options = made.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    for name in options.only:
        with drawing():
            figure, every = PICTURES[name](options.folder)
            figure.savefig(options.output / f"imaging-{name}.png", dpi=85, metadata={"Software": None})
        for shown in every:
            _report(name, shown)


def _report(name: str, shown: Shown) -> None:
    """The numbers that go with a picture: fluxes within 0.2 of the primary beam."""
    seen = shown.pattern >= 0.2
    true = shown.truth[seen].sum() * shown.cell_arcsec**2
    cleaned = (shown.clean / shown.pattern)[seen].sum() / shown.beam.area_pixels(shown.cell_arcsec)
    summary = shown.summary
    ours, error = summary["flux_jy"], summary["flux_error_jy"]
    print(f"{name}: {summary['verdict']}, chi2 {summary['reduced_chi2']:.3f}, {summary['timings_s']}")
    print(
        f"  beam {shown.beam}, {summary['n_pix']} x {shown.cell_arcsec:.3f}, widest {shown.largest_arcsec:.1f}"
    )
    print(f"  flux / truth: {ours / true:.3f} ± {error / true:.3f}, CLEAN {cleaned / true:.3f}")
    print(
        f"  wide: {summary['flux_wide_jy'] / true:.3f}; {len(summary['points'])} points; {summary['spectrum']}"
    )


if __name__ == "__main__":
    main()

"""The programs that can clean, each asked in the same way: `deconvolve(plan) -> Deconvolved`."""

from dataclasses import dataclass

import numpy as np

from almabrain.config.image import CleanSettings
from almabrain.image.grid import Grid, Windows

MAJOR_CYCLES = 60
# WSClean and radler count a scale by the support of its tapered quadratic, not by its width.
SCALE_PER_FWHM = 2.2


@dataclass(frozen=True)
class Plane:
    """One image to be made: its channels, the grid with their weights and PSF, and its noise [Jy/beam]."""

    windows: Windows
    grid: Grid
    noise: float


@dataclass(frozen=True)
class Plan:
    """What an engine is asked for: one image of all windows, or one for each of their channels.

    `planes` are in the order of rising frequency; `scales_arcsec` are widths (FWHM), 0 for points.
    """

    windows: Windows
    grid: Grid
    planes: list[Plane]
    scales_arcsec: list[float]
    settings: CleanSettings

    @property
    def noise(self) -> float:
        """The noise of a typical plane [Jy/beam]."""
        return float(np.nanmedian([plane.noise for plane in self.planes]))


@dataclass(frozen=True)
class Deconvolved:
    """What an engine made: `model` [Jy/pixel] and `residual` [Jy/beam] (plane, y, x), and how it went.

    Both are as the dirty image shows the sky: behind its response. `stopped` says why the threshold was not met, if
    it was not.
    """

    model: np.ndarray
    residual: np.ndarray
    iterations: int
    major_cycles: int
    stopped: str | None
    version: str


OnePlane = tuple[np.ndarray, np.ndarray, int, int, str | None]  # of Deconvolved, for one plane


def joined(made: list[OnePlane], version: str) -> Deconvolved:
    """The planes that were cleaned one after the other: iterations in all, major cycles of the longest."""
    models, residuals, iterations, cycles, stopped = zip(*made, strict=True)
    reasons = [
        reason if len(made) == 1 else f"channel {number}: {reason}"
        for number, reason in enumerate(stopped)
        if reason
    ]
    return Deconvolved(
        np.stack(models),
        np.stack(residuals),
        sum(iterations),
        max(cycles),
        "; ".join(reasons) or None,
        version,
    )

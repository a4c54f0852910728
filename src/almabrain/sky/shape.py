"""What a source looks like before it is given its light: a component, or a picture on pixels."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Shape:
    """The form of one source, of one unit of flux; what `draw` of every sky model returns.

    `l`, `m` (direction cosines, east and north) are the centroid; sizes are FWHM in arcsec, 0 for a point;
    the angle is north through east. A picture has `pixels` (y, x) that sum to 1 (to -1 for a decrement), x
    to the west, the phase centre on pixel N//2, N even, and sizes from its second moments.

    `line_pixels`: for a picture whose line light is not the continuum's: of velocity edges (channel + 1,)
    in km/s, rising, receding positive, 0 at the line's centre, and the FWHM of the whole line in km/s, the
    share of line light (channel, y, x) between the edges; over all velocities it sums to 1, and in every
    pixel to `pixels`: the continuum follows the gas. `line_extent_kms`: of the same FWHM the lowest and the
    highest velocity, between which all light lies, and the least standard deviation of a pixel's velocities.

    `line_width_kms`: the FWHM of a line whose gas has velocities of its own (which `line_pixels` then keeps
    whatever width it is given); None where any width can be had.

    `continuum_jy`: of frequencies (channel,) in Hz the flux density in Jy, for a model that brings its own
    brightness, which times `pixels` is its light; `cube_jy`: of frequency edges (channel + 1,) in Hz,
    rising, mean flux densities (channel, y, x) in Jy/pixel, for a model that brings every channel. Neither
    is scaled, nor given lines.
    """

    kind: str
    l: float
    m: float
    major_arcsec: float = 0.0
    minor_arcsec: float = 0.0
    pa_deg: float = 0.0
    pixels: np.ndarray | None = None
    cell_arcsec: float = 0.0
    line_pixels: Callable[[np.ndarray, float], np.ndarray] | None = None
    line_extent_kms: Callable[[float], tuple[float, float, float]] | None = None
    line_width_kms: float | None = None
    continuum_jy: Callable[[np.ndarray], np.ndarray] | None = None
    cube_jy: Callable[[np.ndarray], np.ndarray] | None = None

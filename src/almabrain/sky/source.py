"""One source of a scene, with all that is known of it."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from almabrain.sky.brightness import Seen
from almabrain.sky.profile import Profile
from almabrain.sky.shape import Shape
from almabrain.sky.spectral_lines import Line


@dataclass(frozen=True)
class Source:
    """One source of the truth: what it looks like and how it shines.

    `flux_jy` is at the field's reference frequency, `continuum_jy` of frequencies (channel,) in Hz. Redshift
    and infrared luminosity (8-1000 um) are None where nothing depends on them. `profile` is that of the
    lines of a picture with velocities of its own.
    """

    shape: Shape
    role: str  # target or serendipitous
    seen: Seen
    flux_jy: float
    spectral_index: float
    continuum_jy: Callable[[np.ndarray], np.ndarray]
    redshift: float | None = None
    luminosity_lsun: float | None = None
    lines: tuple[Line, ...] = ()
    profile: Profile | None = None

"""What one observation can see: its windows, its beam, its noise, and how far out sources make sense."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from almabrain.config.sky import SkySettings
from almabrain.data.coordinates import ARCSEC
from almabrain.instrument import frequency_support, noise, primary_beam
from almabrain.response.primary_beam import ArrayBeam

# Frequencies of the archive are taken as barycentric, so that redshifts are; Earth's motion is left out.
FRAME = "BARY"
# Where the primary beam is looked up to find how far it reaches.
_RADII, _ANGLES = 1000, 36


@dataclass(frozen=True)
class Window:
    """Channels of one spectral window, rising: centres and width, Hz; each of shape (channel,)."""

    frequency_hz: np.ndarray
    channel_width_hz: np.ndarray

    @property
    def bandwidth_hz(self) -> float:
        """Width of all channels together, Hz."""
        return float(self.channel_width_hz.sum())

    @property
    def edges_hz(self) -> np.ndarray:
        """Edges of the channels (channel + 1,), Hz."""
        half = self.channel_width_hz / 2
        return np.append(self.frequency_hz - half, self.frequency_hz[-1] + half[-1])


@dataclass(frozen=True)
class Field:
    """One observation as the sky needs to know it; noise and beam are those of all its executions together."""

    ra_deg: float
    dec_deg: float
    windows: tuple[Window, ...]
    reference_frequency_hz: float
    beam_arcsec: float  # FWHM
    sensitivity_jy: float  # of all windows together, where the primary beam is 1
    radius_rad: float  # the target's sources lie within this distance of the phase centre
    array: ArrayBeam

    def primary_beam(self, l, m, frequency_hz=None):
        """Primary beam response at direction cosines, by default at the reference frequency."""
        return self.array.power(l, m, self.reference_frequency_hz if frequency_hz is None else frequency_hz)

    def reach_rad(self, least: float) -> float:
        """Largest distance from the phase centre, radians, where the primary beam is at least `least`."""
        offset, _, seen = self._where(least)
        return float(offset[np.flatnonzero(seen.any(axis=1))[-1]]) if seen.any() else 0.0

    def solid_angle_sr(self, least: float) -> float:
        """Area of the sky where the primary beam is at least `least`, steradians."""
        offset, step, seen = self._where(least)
        return float((2 * np.pi * np.sin(offset) * step * seen.mean(axis=1)).sum())

    def _where(self, least: float):
        smallest = min(min(sizes[:2]) for sizes in self.array.kinds)
        width = primary_beam.half_power_width_rad(self.reference_frequency_hz, smallest)
        # The first null lies at 1.2 half power widths; the main lobe falls steadily up to there.
        outer = np.hypot(*self.array.pointings_lm.T).max() + 1.15 * width
        step = outer / _RADII
        offset = (np.arange(_RADII) + 0.5) * step
        angle = 2 * np.pi * np.arange(_ANGLES if len(self.array.pointings_lm) > 1 else 1) / _ANGLES
        l, m = np.sin(offset)[:, None] * np.sin(angle), np.sin(offset)[:, None] * np.cos(angle)
        return offset, step, self.primary_beam(l, m) >= least


def cut_window(low_hz: float, high_hz: float, number: int) -> Window:
    """A window cut into `number` equal channels, ascending in frequency."""
    edges = np.linspace(low_hz, high_hz, number + 1)
    return Window((edges[:-1] + edges[1:]) / 2, np.diff(edges))


def from_rows(rows: Sequence, settings: SkySettings) -> Field:
    """The field of one simulation: its executions' rows of `observations.ecsv` (or mappings)."""
    first = rows[0]
    spans = frequency_support.parse(first["frequency_support"])
    reference = float(np.mean([span.centre_hz for span in spans]))
    array = ArrayBeam.of_rows(rows)
    centres, bandwidths = zip(*((span.centre_hz, span.bandwidth_hz) for span in spans), strict=True)
    weight = np.array([np.sum([*noise.pair_weights(row, centres, bandwidths).values()]) for row in rows])
    # A beam is as narrow as its baselines are long, and their mean square adds up by weight.
    width = np.array([float(row["s_resolution"]) for row in rows])
    # Every pointing of a mosaic has its share of the time, and is seen by its neighbours too.
    mosaic = np.sqrt(len(array.pointings_lm)) / float(array.peak(reference))
    whole = Field(
        ra_deg=float(first["s_ra"]),
        dec_deg=float(first["s_dec"]),
        windows=tuple(cut_window(span.low_hz, span.high_hz, settings.channels) for span in spans),
        reference_frequency_hz=reference,
        beam_arcsec=float(np.average(width**-2.0, weights=weight) ** -0.5),
        sensitivity_jy=float(weight.sum() ** -0.5) * mosaic,
        radius_rad=np.inf,
        array=array,
    )
    offset = settings.max_offset_beams * whole.beam_arcsec * ARCSEC
    return replace(whole, radius_rad=min(whole.reach_rad(settings.min_primary_beam), offset))

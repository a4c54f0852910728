"""What one observation can see: its windows, its beam, its noise, and how far out sources make sense."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq

from almabrain.config.sky import SkySettings
from almabrain.data.coordinates import ARCSEC
from almabrain.instrument import frequency_support, noise, pads, primary_beam, site

# Frequencies of the archive are taken as barycentric, so that redshifts are; Earth's motion is left out.
FRAME = "BARY"


@dataclass(frozen=True)
class Window:
    """Channels of one spectral window: centres and width, Hz; each of shape (channel,)."""

    frequency_hz: np.ndarray
    channel_width_hz: np.ndarray

    @property
    def bandwidth_hz(self) -> float:
        """Width of all channels together, Hz."""
        return float(self.channel_width_hz.sum())


@dataclass(frozen=True)
class Field:
    """One observation as the sky needs to know it; `sensitivity_jy` is that of all windows together."""

    ra_deg: float
    dec_deg: float
    windows: tuple[Window, ...]
    reference_frequency_hz: float
    beam_arcsec: float
    sensitivity_jy: float
    diameter_m: float
    radius_rad: float  # sources lie within this distance of the phase centre

    def primary_beam(self, offset_rad, frequency_hz=None):
        """Primary beam response at offsets, by default at the reference frequency."""
        return primary_beam.power(offset_rad, frequency_hz or self.reference_frequency_hz, self.diameter_m)


def channels(low_hz: float, high_hz: float, number: int) -> Window:
    """A window cut into `number` equal channels, ascending in frequency."""
    edges = np.linspace(low_hz, high_hz, number + 1)
    return Window((edges[:-1] + edges[1:]) / 2, np.diff(edges))


def from_row(row, settings: SkySettings) -> Field:
    """The field of one row of `observations.ecsv` (any mapping with its columns)."""
    spans = frequency_support.parse(row["frequency_support"])
    windows = tuple(channels(span.low_hz, span.high_hz, settings.channels) for span in spans)
    reference = float(np.mean([span.centre_hz for span in spans]))
    antennas = [pair.split(":")[1] for pair in str(row["antenna_arrays"]).split()]
    diameter = pads.dish_diameter_m(antennas[0])
    radius = min(
        _offset_of_power(settings.min_primary_beam, reference, diameter),
        settings.max_offset_beams * row["s_resolution"] * ARCSEC,
    )
    return Field(
        ra_deg=float(row["s_ra"]),
        dec_deg=float(row["s_dec"]),
        windows=windows,
        reference_frequency_hz=reference,
        beam_arcsec=float(row["s_resolution"]),
        sensitivity_jy=_sensitivity_jy(row, spans, len(antennas), diameter),
        diameter_m=diameter,
        radius_rad=radius,
    )


def _sensitivity_jy(row, spans, n_antennas: int, diameter_m: float) -> float:
    middle_s = row["t_min"] * 86400 + row["t_exptime"] / 2
    elevation = site.elevation_rad(row["s_ra"], row["s_dec"], middle_s)
    each = noise.image_sensitivity(
        np.array([span.centre_hz for span in spans]),
        np.array([span.bandwidth_hz for span in spans]),
        row["t_exptime"],
        n_antennas,
        diameter_m,
        row["pwv"],
        max(elevation, site.LOWEST_ELEVATION_RAD),
        band=int(row["band_list"]),
    )
    return float(np.sum(each**-2.0) ** -0.5)


def _offset_of_power(power: float, frequency_hz: float, diameter_m: float) -> float:
    """Offset, radians, at which the main lobe has fallen to `power`."""
    width = primary_beam.half_power_width_rad(frequency_hz, diameter_m)
    # The first null lies at 1.2 half power widths; the main lobe falls steadily up to there.
    return brentq(
        lambda offset: primary_beam.power(offset, frequency_hz, diameter_m) - power, 0, 1.15 * width
    )

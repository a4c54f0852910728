"""A source, where it may stand and how bright it is made."""

from dataclasses import dataclass

import numpy as np

from almabrain.config.sky import SkySettings
from almabrain.data.coordinates import ARCSEC, radec_from_lm
from almabrain.response.primary_beam import attenuate
from almabrain.sky.field import Field

DEFAULT_SNR = (10.0, 100.0)
_PLACING_TRIES = 200


@dataclass
class Source:
    """One source of the truth; sizes are FWHM in arcsec (0 for a point), the angle is north through east.

    A pixel model has `pixels_jy` (y, x), Jy per pixel at the reference frequency, centred on the phase
    centre; its position and size are those of its light's first and second moments.
    """

    kind: str
    ra_deg: float
    dec_deg: float
    flux_jy: float
    spectral_index: float
    major_arcsec: float
    minor_arcsec: float
    pa_deg: float
    primary_beam: float
    apparent_flux_jy: float
    predicted_snr: float
    pixels_jy: np.ndarray | None = None
    pixel_cell_arcsec: float = 0.0


def count(settings: SkySettings, rng: np.random.Generator) -> int:
    """How many sources a field gets."""
    return int(rng.integers(settings.sources[0], settings.sources[1] + 1))


def place(field: Field, number: int, settings: SkySettings, rng: np.random.Generator) -> np.ndarray:
    """Direction cosines (source, [l, m]) spread evenly over the field, kept apart where there is room."""
    apart = settings.separation_beams * field.beam_arcsec * ARCSEC
    placed = np.empty((0, 2))
    for _ in range(number):
        for _ in range(_PLACING_TRIES):
            radius, angle = np.sin(field.radius_rad) * np.sqrt(rng.random()), 2 * np.pi * rng.random()
            candidate = radius * np.array([np.sin(angle), np.cos(angle)])
            if np.all(np.hypot(*(placed - candidate).T) >= apart):
                break
        placed = np.vstack([placed, candidate])
    return placed


def component(field: Field, position, shape, settings: SkySettings, rng: np.random.Generator) -> Source:
    """A point or Gaussian at direction cosines `position`, with `shape` (major, minor, angle)."""
    major, minor, pa = shape
    ra, dec = radec_from_lm(*position, field.ra_deg, field.dec_deg)
    seen = attenuate(field.reference_frequency_hz, field.diameter_m, *position, *shape)
    response = float(seen.response[0, 0])
    # Behind a round beam a Gaussian's peak is its flux times the ratio of the two solid angles.
    beam, axes = field.beam_arcsec, np.array([seen.major_arcsec[0], seen.minor_arcsec[0]])
    dilution = float(beam**2 / np.sqrt(np.prod(beam**2 + axes**2)))
    flux = brightness(field, response * dilution, settings, rng)
    return Source(
        kind="gaussian" if major > 0 else "point",
        ra_deg=float(ra),
        dec_deg=float(dec),
        flux_jy=flux,
        spectral_index=float(rng.uniform(*settings.spectral_index)),
        major_arcsec=major,
        minor_arcsec=minor,
        pa_deg=pa,
        primary_beam=float(field.primary_beam(np.arcsin(np.hypot(*position)))),
        apparent_flux_jy=flux * response,
        predicted_snr=flux * response * dilution / field.sensitivity_jy,
    )


def brightness(field: Field, peak_per_flux: float, settings: SkySettings, rng: np.random.Generator) -> float:
    """A flux density, Jy: drawn evenly in its logarithm, or from the SNR that its peak shall have."""
    if settings.flux_jy:
        return log_uniform(rng, settings.flux_jy)
    return log_uniform(rng, settings.snr or DEFAULT_SNR) * field.sensitivity_jy / peak_per_flux


def gaussian_shape(
    field: Field, settings: SkySettings, rng: np.random.Generator
) -> tuple[float, float, float]:
    """Major and minor FWHM, arcsec, and position angle, deg, of a random ellipse."""
    major = log_uniform(rng, settings.size_beams) * field.beam_arcsec
    return major, major * rng.uniform(0.4, 1.0), rng.uniform(0.0, 180.0)


def log_uniform(rng: np.random.Generator, limits: tuple[float, float]) -> float:
    """A number even in its logarithm between two positive limits."""
    return float(np.exp(rng.uniform(*np.log(limits))))

"""A smooth, positive random structure on pixels, as of clouds or dust."""

import numpy as np
from scipy import fft
from scipy.signal import fftconvolve

from almabrain.config.sky import SkySettings
from almabrain.data.coordinates import ARCSEC, lm_grid, radec_from_lm
from almabrain.sky.field import Field
from almabrain.sky.source import Source, brightness

PIXELS_PER_BEAM = 4
LARGEST_SIDE = 512
# Amplitudes fall as k^-1.5 (power as k^-3), near what dust maps show (Miville-Deschenes et al. 2016).
POWER_SLOPE = -3.0
LOG_SCATTER = 1.0
FWHM_PER_SIGMA = np.sqrt(8 * np.log(2))


def draw(field: Field, settings: SkySettings, rng: np.random.Generator) -> list[Source]:
    """One log-normal field with a power-law spectrum inside the field's radius, as a pixel model."""
    cell = field.beam_arcsec / PIXELS_PER_BEAM
    half = int(min(np.ceil(field.radius_rad / ARCSEC / cell), LARGEST_SIDE // 2 - 1)) + 1
    l, m = lm_grid(2 * half, cell)
    offset = np.hypot(l, m)
    # A smooth edge: an abrupt one would ring on all baselines.
    edge = offset / ((half - 1) * cell * ARCSEC)
    taper = np.where(edge < 1, np.cos(np.pi / 2 * np.minimum(edge, 1)) ** 2, 0.0)
    shape = np.exp(LOG_SCATTER * _power_law_field(2 * half, POWER_SLOPE, rng)) * taper
    shape /= shape.sum()
    response = field.primary_beam(np.arcsin(offset))
    beam = np.exp(-4 * np.log(2) * (offset / (field.beam_arcsec * ARCSEC)) ** 2)
    peak = float(fftconvolve(shape * response, beam, mode="same").max())
    flux = brightness(field, peak, settings, rng)
    (l0, m0), (major, minor, pa) = _moments(shape, l, m)
    ra, dec = radec_from_lm(l0, m0, field.ra_deg, field.dec_deg)
    source = Source(
        kind="diffuse",
        ra_deg=float(ra),
        dec_deg=float(dec),
        flux_jy=flux,
        spectral_index=float(rng.uniform(*settings.spectral_index)),
        major_arcsec=major,
        minor_arcsec=minor,
        pa_deg=pa,
        primary_beam=float(field.primary_beam(np.arcsin(np.hypot(l0, m0)))),
        apparent_flux_jy=float(flux * (shape * response).sum()),
        predicted_snr=flux * peak / field.sensitivity_jy,
        pixels_jy=flux * shape,
        pixel_cell_arcsec=cell,
    )
    return [source]


def _power_law_field(side: int, slope: float, rng: np.random.Generator) -> np.ndarray:
    """A Gaussian random field (y, x) of zero mean and unit variance whose power falls as k^slope."""
    k = np.hypot(*np.meshgrid(fft.fftfreq(side), fft.rfftfreq(side), indexing="ij"))
    k[0, 0] = np.inf
    field = fft.irfft2(fft.rfft2(rng.standard_normal((side, side))) * k ** (slope / 2), s=(side, side))
    return field / field.std()


def _moments(shape: np.ndarray, l, m):
    """Centroid (l, m), and FWHM (arcsec) and angle (deg) of the Gaussian with the same second moments."""
    centre = np.array([(shape * l).sum(), (shape * m).sum()])
    dl, dm = l - centre[0], m - centre[1]
    cross = (shape * dl * dm).sum()
    values, vectors = np.linalg.eigh([[(shape * dl**2).sum(), cross], [cross, (shape * dm**2).sum()]])
    minor, major = FWHM_PER_SIGMA * np.sqrt(values) / ARCSEC
    east, north = vectors[:, 1]
    return centre, (float(major), float(minor), float(np.rad2deg(np.arctan2(east, north)) % 180))

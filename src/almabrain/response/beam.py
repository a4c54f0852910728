"""The restoring beam: fitted to a PSF, and applied to pictures and components."""

from dataclasses import dataclass

import numpy as np

from almabrain.data.constants import ARCSEC, FWHM_PER_SIGMA

_MAIN_LOBE_LEVEL = 0.35
_REACH_SIGMA = 6.5  # a Gaussian is below 1e-9 of its peak from here on


@dataclass(frozen=True)
class Beam:
    """An elliptical Gaussian beam: FWHM axes in arcsec, position angle in degrees north through east."""

    major_arcsec: float
    minor_arcsec: float
    pa_deg: float

    @property
    def area_sr(self) -> float:
        """Solid angle under the beam, in steradians."""
        return self.area_pixels(1.0) * ARCSEC**2

    def area_pixels(self, cell_arcsec: float) -> float:
        """Solid angle under the beam in pixels: divides Jy/beam into Jy/pixel."""
        return np.pi / (4 * np.log(2)) * self.major_arcsec * self.minor_arcsec / cell_arcsec**2


def fit_beam(psf: np.ndarray, cell_arcsec: float) -> Beam:
    """The Gaussian that fits a PSF's main lobe best.

    `psf` (y, x) with its peak at pixel N//2. Least squares of all pixels above 0.35 of the peak that hang
    together with it; the peak is held at 1. Raises ValueError where the PSF is not positive there.
    """
    from scipy import optimize

    psf = np.asarray(psf, float)
    centre = tuple(size // 2 for size in psf.shape)
    if not psf[centre] > 0:
        raise ValueError("the PSF has no peak at its centre: no visibility has weight")
    psf = psf / psf[centre]
    y, x = _main_lobe(psf, centre)
    value = psf[y, x]
    east, north = -(x - centre[1]) * cell_arcsec, (y - centre[0]) * cell_arcsec
    powers = np.stack([east**2, east * north, north**2], axis=-1)
    # The logarithm of a Gaussian is linear in the form wanted: a start that is nearly there.
    near = np.maximum(value, 0.1 * _MAIN_LOBE_LEVEL)
    start = np.linalg.lstsq(powers * near[:, None], -np.log(near) * near, rcond=None)[0]
    a, b, c = optimize.leastsq(
        lambda form: np.exp(-powers @ form) - value,
        start,
        Dfun=lambda form: -powers * np.exp(-powers @ form)[:, None],
        xtol=1e-12,
        ftol=1e-12,
    )[0]
    curvature, axes = np.linalg.eigh([[a, b / 2], [b / 2, c]])
    if not curvature[0] > 0:
        raise ValueError("the PSF's main lobe is no Gaussian: the uv coverage is too poor to fit a beam")
    major, minor = 2 * np.sqrt(np.log(2) / curvature)
    pa_deg = np.degrees(np.arctan2(axes[0, 0], axes[1, 0]))
    return Beam(float(major), float(minor), float((pa_deg + 90) % 180 - 90))


def _main_lobe(psf: np.ndarray, centre: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Pixels (y, x) above the level that hang together with the centre, found in a box just large enough."""
    from scipy import ndimage

    half = 16
    while True:
        low = [max(0, middle - half) for middle in centre]
        box = psf[tuple(slice(start, middle + half + 1) for start, middle in zip(low, centre))]
        labels, _ = ndimage.label(box > _MAIN_LOBE_LEVEL)
        lobe = labels == labels[tuple(middle - start for middle, start in zip(centre, low))]
        edges = lobe[[0, -1]].any() or lobe[:, [0, -1]].any()
        if not edges or half > max(psf.shape):
            break
        half *= 2
    if np.count_nonzero(lobe) < 9:  # three parameters need the first neighbours of so narrow a lobe
        lobe = ndimage.binary_dilation(lobe, np.ones((3, 3)))
    y, x = np.nonzero(lobe)
    return y + low[0], x + low[1]


def convolve(image: np.ndarray, cell_arcsec: float, beam: Beam) -> np.ndarray:
    """An image (y, x) in Jy/pixel convolved with `beam`, in Jy/beam; zero beyond the edges."""
    from scipy.signal import fftconvolve

    reach = int(np.ceil(_REACH_SIGMA * beam.major_arcsec / FWHM_PER_SIGMA / cell_arcsec))
    reach = min(reach, max(image.shape) - 1)
    steps = np.arange(-reach, reach + 1) * cell_arcsec
    blur = covariance_of(beam.major_arcsec, beam.minor_arcsec, beam.pa_deg)
    full = fftconvolve(image, _gaussian(-steps[None, :], steps[:, None], blur), mode="full")
    return full[reach : reach + image.shape[0], reach : reach + image.shape[1]]


def render_components(
    n_pix: int,
    cell_arcsec: float,
    flux: np.ndarray,
    l: np.ndarray,
    m: np.ndarray,
    major_arcsec: np.ndarray,
    minor_arcsec: np.ndarray,
    pa_deg: np.ndarray,
    beam: Beam,
) -> np.ndarray:
    """The picture (y, x) in Jy/beam that a noiseless telescope with a Gaussian `beam` would show.

    Components (component,) of `flux` [Jy] at exact direction cosines `l` (east) and `m` (north), with FWHM
    axes in arcsec, position angle in degrees. Gaussians convolve to Gaussians: covariances add.
    """
    picture = np.zeros((n_pix, n_pix))
    offset = (np.arange(n_pix) - n_pix // 2) * cell_arcsec
    blur = covariance_of(beam.major_arcsec, beam.minor_arcsec, beam.pa_deg)
    columns = np.broadcast_arrays(*map(np.atleast_1d, (flux, l, m, major_arcsec, minor_arcsec, pa_deg)))
    for jansky, east, north, major, minor, pa in zip(*columns, strict=True):
        covariance = blur + covariance_of(major, minor, pa)
        peak = jansky * np.sqrt(np.linalg.det(blur) / np.linalg.det(covariance))
        east, north = east / ARCSEC, north / ARCSEC
        reach = _REACH_SIGMA * np.sqrt(np.linalg.eigvalsh(covariance)[1])
        x = np.nonzero(np.abs(-offset - east) < reach)[0]
        y = np.nonzero(np.abs(offset - north) < reach)[0]
        if x.size and y.size:
            box = np.ix_(y, x)
            picture[box] += peak * _gaussian(-offset[None, x] - east, offset[y, None] - north, covariance)
    return picture


def covariance_of(major, minor, pa_deg):
    """Covariance in (east, north) of a Gaussian given by its FWHM axes and position angle."""
    sin, cos = np.sin(np.radians(pa_deg)), np.cos(np.radians(pa_deg))
    axes = np.array([[sin, cos], [cos, -sin]])
    return axes.T @ np.diag(np.square([major, minor]) / FWHM_PER_SIGMA**2) @ axes


def axes_of(covariance) -> tuple[float, float, float]:
    """FWHM axes (major, minor) and position angle in [-90, 90) of a covariance in (east, north)."""
    variance, axes = np.linalg.eigh(covariance)
    minor, major = FWHM_PER_SIGMA * np.sqrt(variance)
    pa_deg = np.degrees(np.arctan2(axes[0, 1], axes[1, 1]))
    return float(major), float(minor), float((pa_deg + 90) % 180 - 90)


def _gaussian(east, north, covariance):
    (a, b), (_, c) = np.linalg.inv(covariance)
    return np.exp(-0.5 * (a * east**2 + 2 * b * east * north + c * north**2))

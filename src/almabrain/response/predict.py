"""Visibilities of a known sky: components by formula, pixel models by the w-gridder."""

from collections.abc import Mapping

import numpy as np

from almabrain.data.constants import SPEED_OF_LIGHT_M_S
from almabrain.data.coordinates import n_minus_one
from almabrain.response.beam import covariance_of

TERMS = np.array([(degree - b, b) for degree in range(9) for b in range(degree + 1)])
# The most that q^a exp(-q²/2) comes to is (a/e)^(a/2).
LARGEST_TERMS = np.prod(np.sqrt((np.maximum(TERMS, 1e-9) / np.e) ** TERMS), axis=1)
_CHUNK_SAMPLES = 1 << 19
_CHANNELS_FROM_ONE = 32
_FAINTEST = 500.0  # exp(-500) of the flux
_LEAST_TERM = 1e-8  # of a component's flux
_SMALLEST_GRID = 32  # ducc0 refuses smaller images, and odd ones


def predict_components(
    uvw_m: np.ndarray,
    frequency_hz: np.ndarray,
    flux_jy: np.ndarray,
    l: np.ndarray,
    m: np.ndarray,
    major_rad: np.ndarray,
    minor_rad: np.ndarray,
    pa_rad: np.ndarray,
    uneven: Mapping[int, np.ndarray] | None = None,
) -> np.ndarray:
    """Visibilities of points and elliptical Gaussians at exact positions, (row, chan) in Jy.

    `uvw_m` (row, 3) in metres, `frequency_hz` (chan,), `flux_jy` (component, chan), direction cosines
    `l` (east), `m` (north), FWHM axes and position angle (north through east) in radians, each
    (component,); zero axes make a point. V = Σ S exp(+2πi(ul + vm + w(n−1))), Thompson, Moran &
    Swenson (2017) eq. 3.7 with the sign of Measurement Set columns; the Gaussian's envelope is the
    Fourier transform of its profile on the tangent plane, with w to first order over its extent. `uneven`
    has, for the numbers of Gaussians behind a beam, the polynomials of `response.uneven.expand`, which then
    take w to second order.
    """
    uvw_m = np.asarray(uvw_m, float)
    wavenumber = np.asarray(frequency_hz, float) / SPEED_OF_LIGHT_M_S
    flux = np.atleast_2d(np.asarray(flux_jy, float)).reshape(-1, wavenumber.size)
    components = np.broadcast_arrays(*(np.atleast_1d(x) for x in (l, m, major_rad, minor_rad, pa_rad)))
    # Channel by channel in memory, as the gridder takes them.
    visibility = np.zeros((wavenumber.size, len(uvw_m)), complex).T
    step = max(1, _CHUNK_SAMPLES // max(1, wavenumber.size))
    for start in range(0, len(uvw_m), step):
        rows = slice(start, start + step)
        for k, (spectrum, *component) in enumerate(zip(flux, *components, strict=True)):
            terms = (uneven or {}).get(k)
            _add_component(visibility[rows], uvw_m[rows], wavenumber, spectrum, *component, terms)
    return visibility


def _add_component(out, uvw_m, wavenumber, spectrum, l, m, major, minor, pa, terms):
    path_m = uvw_m @ (l, m, n_minus_one(l, m))
    if not major > 0:
        out += spectrum * _waves(path_m, None, wavenumber).T
        return
    # Over the extent of the component, n falls off as a plane: w acts like more of u and v.
    n = 1 + n_minus_one(l, m)
    uv_m = uvw_m[:, :2] - uvw_m[:, 2:] * np.array([l, m]) / n
    along = uv_m @ (np.sin(pa), np.cos(pa))
    across = uv_m @ (np.cos(pa), -np.sin(pa))
    # A Gaussian of FWHM a transforms to exp(-(π a u)² / (4 ln 2)).
    width_m2 = np.pi**2 / (4 * np.log(2)) * ((major * along) ** 2 + (minor * across) ** 2)
    waves = spectrum * _waves(path_m, width_m2, wavenumber).T
    if terms is not None:
        root = np.linalg.cholesky(covariance_of(major, max(minor, 1e-6 * major), pa_deg=np.degrees(pa)))
        real, imaginary = _polynomial(2 * np.pi * uv_m @ root, np.pi * uvw_m[:, 2], wavenumber, *terms)
        waves = real * waves + 1j * imaginary * waves
    out += waves


def _waves(path_m, width_m2, wavenumber):
    """exp(2πi path κ − width κ²) at wavenumbers κ (chan, row); no `width_m2` is one of 0.

    Evenly spaced channels follow from one another by multiplication, a tenth of the cost of sine and cosine:
    each by the ratio of the last two, and that by exp(−2 width Δκ²). It is begun anew before errors grow.
    """
    steps = np.diff(wavenumber)
    even = steps.size > 1 and np.allclose(steps, steps[0], rtol=1e-9, atol=0)
    stride = _CHANNELS_FROM_ONE if even else 1
    turn = 2j * np.pi * path_m
    # Beyond that nothing is left of the light, and exponents might overflow.
    width = 0.0 if width_m2 is None else np.minimum(width_m2, _FAINTEST / wavenumber.max() ** 2)
    waves = np.empty((wavenumber.size, path_m.size), complex)
    for start in range(0, wavenumber.size, stride):
        here = wavenumber[start]
        waves[start] = np.exp(turn * here - width * here**2)
        last = min(start + stride, wavenumber.size)
        if last > start + 1:
            ratio = np.exp(turn * steps[0] - width * (2 * here + steps[0]) * steps[0])
            bend = None if width_m2 is None else np.exp(-2 * width * steps[0] ** 2)
            for k in range(start + 1, last):
                np.multiply(waves[k - 1], ratio, out=waves[k])
                if bend is not None:
                    ratio *= bend
    return waves


def _polynomial(q_m, w_m, wavenumber, plain, curved):
    """Real and imaginary part (row, chan) of Σ (c_ab + i w c'_ab) (i q₁)^a (i q₂)^b, by lengths in metres.

    `plain` c and `curved` c' (chan, term) of TERMS.
    """
    weighty = np.abs(plain).max(axis=0) + np.abs(curved).max(axis=0) * np.abs(w_m).max() * wavenumber.max()
    used = weighty * LARGEST_TERMS > _LEAST_TERM * np.abs(plain).max()
    power = TERMS[used]
    rows = q_m[:, :1] ** power[:, 0] * q_m[:, 1:] ** power[:, 1]
    degree = power.sum(axis=1)
    turn = 1j**degree * wavenumber[:, None] ** degree
    of_plain, of_curved = turn * plain[:, used], 1j * wavenumber[:, None] * turn * curved[:, used]
    rows = np.hstack([rows, rows * w_m[:, None]]).T
    channels = np.hstack([of_plain, of_curved])
    return (channels.real @ rows).T, (channels.imag @ rows).T


def n_curvature(l: float, m: float) -> np.ndarray:
    """Second derivatives (2, 2) of n by l and m."""
    n = 1 + n_minus_one(l, m)
    return -(np.eye(2) / n + np.outer([l, m], [l, m]) / n**3)


def predict_image(
    uvw_m: np.ndarray,
    frequency_hz: np.ndarray,
    image: np.ndarray,
    cell_rad: float,
    epsilon: float = 1e-6,
    planar: bool = False,
    threads: int = 1,
    centre: tuple[float, float] = (0.0, 0.0),
) -> np.ndarray:
    """Visibilities of a pixel model, (row, chan) in Jy, by ducc0's w-gridder.

    `image` (y, x) or (chan, y, x) in Jy/pixel, x growing west and y north, direction cosines `centre` at pixel
    N//2; `planar` leaves w out. `epsilon` is the accuracy relative to the sum of fluxes; float32 images are taken in
    single precision, which is good to 1e-6. Same sum as `predict_components` with a point at every pixel's
    centre (Arras et al. 2021, A&A 646, A58).
    """
    import ducc0

    frequency_hz = np.asarray(frequency_hz, float)
    image = np.asarray(image)
    planes = image if image.dtype == np.float32 else image.astype(float)
    options = gridder_options(cell_rad, epsilon, planar, threads, centre)
    options["uvw"] = np.ascontiguousarray(uvw_m, float)
    if planes.ndim == 2:
        return ducc0.wgridder.dirty2vis(freq=frequency_hz, dirty=_grid(planes), **options)
    columns = [
        ducc0.wgridder.dirty2vis(freq=frequency_hz[k : k + 1], dirty=_grid(plane), **options)
        for k, plane in enumerate(planes)
    ]
    return np.concatenate(columns, axis=1)


def gridder_options(
    cell_rad: float, epsilon: float, planar: bool, threads: int, centre: tuple[float, float] = (0.0, 0.0)
) -> dict:
    """The options under which ducc0's transform is this project's: exp(+2πi(ul + vm + w(n−1))), no 1/n.

    The first axis of ducc0's image is x, which grows west here: −l. With that its kernel
    exp(−2πi(ul' + vm − w(n−1))) needs v flipped, and with it the centre (l, m) in m.
    """
    return {
        "pixsize_x": cell_rad,
        "pixsize_y": cell_rad,
        "center_x": -centre[0],
        "center_y": -centre[1],
        "epsilon": epsilon,
        "do_wgridding": not planar,
        "flip_v": True,
        "divide_by_n": False,
        "nthreads": threads,
    }


def _grid(plane: np.ndarray) -> np.ndarray:
    """The plane as ducc0 wants it, (x, y), padded to an even size that is large enough."""
    sizes = [max(_SMALLEST_GRID, size + size % 2) for size in plane.shape]
    before = [new // 2 - old // 2 for new, old in zip(sizes, plane.shape, strict=True)]
    padding = [(lead, new - old - lead) for lead, new, old in zip(before, sizes, plane.shape, strict=True)]
    return np.ascontiguousarray(np.pad(plane, padding).T)

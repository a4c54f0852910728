"""How bright the sources of the truth are against the noise that is really there."""

from typing import NamedTuple

import numpy as np
import xarray as xr
from astropy.table import Row, Table

from almabrain.data.constants import ARCSEC
from almabrain.data.continuum import continuum_weights
from almabrain.data.coordinates import lm_from_radec, lm_grid
from almabrain.data.line import MOVING, mean_flux_density, share_of_peak

# Whose noise the continuum of the truth is judged by: column of the table, and attribute of the window.
CONTINUUM_RMS = {"measured_snr": "continuum_rms", "radiometer_snr": "radiometer_continuum_rms"}
COMPONENTS = ("point", "gaussian")
# So far from a source, in FWHM as seen through the beam, it has fallen to 0.2 % of its peak.
COVERED_FWHM = 1.5
DESCRIPTIONS = {
    "measured_snr": "continuum, apparent peak over measured rms of the drawn noise",
    "radiometer_snr": "continuum, apparent peak over measured rms of the radiometer noise",
    "line_snr": "line, apparent peak of its best channel over measured rms of the drawn noise",
}


class Sensitivity(NamedTuple):
    """What sources are judged by in one window."""

    cube: xr.Dataset  # the window's attributes, and what has only the dimension channel
    noiseless: np.ndarray | None  # (y, x) Jy/beam, line-free mean without noise; None without such channels

    @property
    def beam_arcsec(self) -> np.ndarray:
        """Major and minor FWHM of the middle channel."""
        middle = self.cube.sizes["channel"] // 2
        return np.array([self.cube[key].values[middle] for key in ("bmaj_arcsec", "bmin_arcsec")])


def sensitivity(noisy: xr.Dataset, simulated: xr.Dataset) -> Sensitivity:
    """The sensitivity of one window, from its cube with noise and the one that it was made of."""
    weight = continuum_weights(noisy)
    picture = None
    if weight.any():
        picture = np.tensordot(weight / weight.sum(), simulated["dirty_noiseless"].values, axes=1)
    flat = [name for name in noisy.variables if noisy[name].dims == ("channel",)]
    return Sensitivity(noisy[flat], picture)


def measured_snr(truth: Table, windows: dict[str, list[Sensitivity]]) -> Table:
    """The sky truth with the columns of `DESCRIPTIONS`: apparent peaks [Jy/beam] over measured rms.

    `windows`: by simulation. The continuum of a component is judged on the line-free channels of all
    windows together (their S/N add in quadrature), once in the drawn noise and once in the radiometer's,
    which images made of the visibilities have; its strongest line on the single channel that shows it best
    (0 without a line). Below 0 for a decrement or absorption; NaN for a simulation without cubes.
    """
    made = truth.copy()
    numbers = [
        _snr(row, truth[_others(truth, index)], windows.get(row["simulation"], []))
        for index, row in enumerate(truth)
    ]
    for name, text in DESCRIPTIONS.items():
        made[name] = np.array([number[name] for number in numbers], float)
        made[name].description = text
    return made


def _others(truth: Table, index: int) -> np.ndarray:
    """The points and Gaussians (row,) that stand beside a picture; none for those themselves."""
    picture = truth["kind"][index] not in COMPONENTS
    return picture & (truth["simulation"] == truth["simulation"][index]) & np.isin(truth["kind"], COMPONENTS)


def _snr(row: Row, others: Table, windows: list[Sensitivity]) -> dict[str, float]:
    if not windows:
        return dict.fromkeys(DESCRIPTIONS, np.nan)
    shown = [window for window in windows if window.noiseless is not None]
    peaks = np.array([_continuum_peak(row, others, window) for window in shown])
    sign = np.sign(peaks.sum())
    made = {
        column: float(sign * np.linalg.norm(peaks / [window.cube.attrs[rms] for window in shown]))
        for column, rms in CONTINUUM_RMS.items()
    }
    return made | {"line_snr": max((_line_snr(row, others, window) for window in windows), key=abs)}


def _continuum_peak(row: Row, others: Table, window: Sensitivity) -> float:
    """Apparent peak [Jy/beam]: analytic for points and Gaussians, else the brightest pixel within the FWHM.

    The picture would give that of any source, but beside a bright one the sidelobes of that one. A decrement
    has its deepest pixel instead, below 0. Pixels that `others` cover do not count; where they cover all, the
    peak is that of the truth, at the beam that the archive states.
    """
    if row["kind"] in COMPONENTS:
        ratio = float(window.cube["frequency_hz"].values.mean()) / _number(row, "reference_frequency")
        flux = _number(row, "flux") * ratio ** _number(row, "spectral_index")
        # Where the source is brightest the primary beam hardly changes within the telescope's beam.
        return flux * _number(row, "pb") * _dilution(row, window)
    reach = 0.5 * max(_number(row, "major"), window.beam_arcsec[0])
    own = _distance_arcsec(row, window) <= reach
    for other in others:
        seen = np.hypot(_number(other, "major"), window.beam_arcsec[0])
        own &= _distance_arcsec(other, window) > COVERED_FWHM * seen
    if not own.any():
        return _number(row, "peak_flux")
    sign = -1.0 if _number(row, "flux") < 0 else 1.0
    return sign * float((sign * window.noiseless)[own].max(initial=0.0))


def _distance_arcsec(row: Row, window: Sensitivity) -> np.ndarray:
    """Distance of every pixel (y, x) from a source."""
    attrs = window.cube.attrs
    l, m = lm_grid(window.noiseless.shape[-1], attrs["cell_arcsec"])
    l0, m0 = lm_from_radec(row["ra"], row["dec"], attrs["ra_deg"], attrs["dec_deg"])
    return np.hypot(l - l0, m - m0) / ARCSEC


def _dilution(row: Row, window: Sensitivity) -> float:
    """Peak [Jy/beam] of a Gaussian of 1 Jy: beam area over convolved area, the axes taken as aligned."""
    size = np.array([_number(row, "major"), _number(row, "minor")])
    return float(np.prod(window.beam_arcsec / np.hypot(window.beam_arcsec, size)))


def _line_snr(row: Row, others: Table, window: Sensitivity) -> float:
    """Largest line signal of a channel over that channel's rms; below 0 in absorption, 0 without a line.

    A picture's line is spread as its continuum is, unless its gas has velocities of its own: then the truth
    says how bright the archive's beam sees it, and what the cube's beam makes of that is taken to be as for
    the continuum.
    """
    cube = window.cube
    frequency, flux, width = (_number(row, f"line_{key}") for key in ("frequency", "flux", "width"))
    channels = cube["frequency_hz"].values, cube["channel_width_hz"].values
    if flux == 0:
        return 0.0
    if row["line_profile"] == MOVING:
        beam = _spread(row, others, window) / (_number(row, "peak_flux") / _number(row, "flux"))
        peak = _number(row, "line_peak") * beam * share_of_peak(*channels, frequency, width)
    else:
        profile = str(row["line_profile"])
        peak = _spread(row, others, window) * mean_flux_density(*channels, frequency, flux, width, profile)
    ratio = peak / cube["noise_rms"].values
    return float(ratio[np.abs(ratio).argmax()])


def _spread(row: Row, others: Table, window: Sensitivity) -> float:
    """Apparent peak [Jy/beam] of 1 Jy of continuum, or of a line that does not move, in the cube's own beam.

    Of a picture in a window without continuum, in the beam that the archive states.
    """
    if row["kind"] in COMPONENTS:
        return _number(row, "pb") * _dilution(row, window)
    shown = window.noiseless is not None
    peak = _continuum_peak(row, others, window) if shown else _number(row, "peak_flux")
    return peak / _number(row, "flux")


def _number(row: Row, key: str) -> float:
    return float(np.nan_to_num(np.ma.filled(row[key], 0.0)))

"""How bright the sources of the truth are against the noise that is really there."""

from typing import NamedTuple

import numpy as np
import xarray as xr
from astropy.table import Row, Table

from almabrain.data.coordinates import ARCSEC, lm_from_radec, lm_grid
from almabrain.noise.inject import continuum_weights

SPEED_OF_LIGHT_KM_S = 299_792.458
# Area under a Gaussian of unit peak and unit FWHM.
GAUSSIAN_AREA = np.sqrt(np.pi / (4 * np.log(2)))


class Sensitivity(NamedTuple):
    """What sources are judged by in one window."""

    cube: xr.Dataset  # the window's attributes, and what has only the dimension channel
    noiseless: np.ndarray  # (y, x) Jy/beam, line-free mean without noise

    @property
    def beam_arcsec(self) -> np.ndarray:
        """Major and minor FWHM of the middle channel."""
        middle = self.cube.sizes["channel"] // 2
        return np.array([self.cube[key].values[middle] for key in ("bmaj_arcsec", "bmin_arcsec")])


def sensitivity(noisy: xr.Dataset, simulated: xr.Dataset) -> Sensitivity:
    """The sensitivity of one window, from its cube with noise and the one that it was made of."""
    picture = np.tensordot(continuum_weights(noisy), simulated["dirty_noiseless"].values, axes=1)
    flat = [name for name in noisy.variables if noisy[name].dims == ("channel",)]
    return Sensitivity(noisy[flat], picture)


def measured_snr(truth: Table, windows: dict[str, list[Sensitivity]]) -> Table:
    """The sky truth with a column `measured_snr`: apparent peak [Jy/beam] over the measured rms.

    `windows`: by simulation. The continuum of a component is judged on the line-free channels of all
    windows together (their S/N add in quadrature), its line, where it has one, on the single channel at the
    line's peak; the better of the two counts. NaN for a simulation without cubes.
    """
    made = truth.copy()
    made["measured_snr"] = [_snr(row, windows.get(row["simulation"], [])) for row in truth]
    made["measured_snr"].description = "apparent peak over measured rms, of the continuum or of the line"
    return made


def _snr(row: Row, windows: list[Sensitivity]) -> float:
    if not windows:
        return float("nan")
    continuum = [_continuum_peak(row, window) / window.cube.attrs["continuum_rms"] for window in windows]
    return float(max(np.linalg.norm(continuum), *(_line_snr(row, window) for window in windows)))


def _continuum_peak(row: Row, window: Sensitivity) -> float:
    """Apparent peak [Jy/beam]: analytic for points and Gaussians, else the brightest pixel within the FWHM.

    The picture would give that of any source, but beside a bright one the sidelobes of that one.
    """
    if row["kind"] in ("point", "gaussian"):
        return _number(row, "apparent_flux") * _dilution(row, window)
    attrs = window.cube.attrs
    l, m = lm_grid(window.noiseless.shape[-1], attrs["cell_arcsec"])
    l0, m0 = lm_from_radec(row["ra"], row["dec"], attrs["ra_deg"], attrs["dec_deg"])
    reach = 0.5 * max(_number(row, "major"), window.beam_arcsec[0]) * ARCSEC
    return float(window.noiseless[np.hypot(l - l0, m - m0) <= reach].max(initial=0.0))


def _dilution(row: Row, window: Sensitivity) -> float:
    """Peak [Jy/beam] of a Gaussian of 1 Jy: beam area over convolved area, the axes taken as aligned."""
    size = np.array([_number(row, "major"), _number(row, "minor")])
    return float(np.prod(window.beam_arcsec / np.hypot(window.beam_arcsec, size)))


def _line_snr(row: Row, window: Sensitivity) -> float:
    """Peak of a line, as one channel shows it, over that channel's rms; 0 without a line in the window."""
    frequency, flux = _number(row, "line_frequency"), _number(row, "line_flux")
    cube = window.cube
    channel = int(np.argmin(np.abs(cube["frequency_hz"].values - frequency)))
    width_hz = float(np.abs(cube["channel_width_hz"].values[channel]))
    if flux == 0 or abs(cube["frequency_hz"].values[channel] - frequency) > 0.5 * width_hz:
        return 0.0
    channel_km_s = width_hz / frequency * SPEED_OF_LIGHT_KM_S
    # A channel wider than the line dilutes it.
    width_km_s = max(GAUSSIAN_AREA * _number(row, "line_width"), channel_km_s)
    peak = flux / width_km_s * _number(row, "pb") * _dilution(row, window)
    return float(peak / cube["noise_rms"].values[channel])


def _number(row: Row, key: str) -> float:
    return float(np.nan_to_num(np.ma.filled(row[key], 0.0)))

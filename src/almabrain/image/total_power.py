"""The map of single dishes that goes beside visibilities: of a simulation, or a FITS image of the user's.

Either becomes one dataset: `map` (y, x) [Jy/beam] without blanks; attributes ra_deg and dec_deg (of pixel
N//2 along each axis), cell_arcsec, beam_arcsec (FWHM of its round beam), rms_jy_beam, frequency_hz, frame.
"""

import logging
from pathlib import Path

import numpy as np
import xarray as xr

from almabrain.console.errors import UserError
from almabrain.data import store
from almabrain.data.fits import read_image
from almabrain.data.statistics import robust_rms

log = logging.getLogger(__name__)

_ROUNDEST = 1.1  # axes of a beam that may pass for a round one: its width is then off by less than 5 %
_EDGE_BEAMS = 1.0
_NORTH_DEG = 0.1
_VARIABLE = "total_power"


def of_simulation(path: str | Path, simulation: str) -> xr.Dataset | None:
    """The mean map of all line-free channels of all windows, None where no total power was simulated.

    Channels weigh 1/rms², as their noise is independent. Beams shrink by a few per cent across a band: the
    mean's has the mean of their areas, and differs from a Gaussian in second order only.
    """
    total, weights, beams2, frequencies = 0.0, [], [], []
    attrs = {}
    for group in store.names(path):
        if not group.startswith(f"{simulation}/spw"):
            continue
        data = store.read(path, group)
        if _VARIABLE not in data:
            return None
        attrs = data.attrs
        free = data.line_free.values.astype(bool)
        weight = data["total_power_rms"].values[free].astype(float) ** -2
        total = total + np.einsum("k,kyx->yx", weight, data[_VARIABLE].values[free].astype(float))
        weights.append(weight)
        beams2.append(data["total_power_beam_arcsec"].values[free] ** 2)
        frequencies.append(data["frequency_hz"].values[free])
    weight = np.concatenate(weights) if weights else np.zeros(0)
    if not weight.size:
        return None
    mean = lambda values: float(np.average(np.concatenate(values), weights=weight))  # noqa: E731
    return _dataset(
        total / weight.sum(), float(attrs["ra_deg"]), float(attrs["dec_deg"]), float(attrs["cell_arcsec"]),
        np.sqrt(mean(beams2)), weight.sum() ** -0.5, mean(frequencies), str(attrs["frame"]),
        f"{path}::{simulation}",
    )  # fmt: skip


def of_image(path: str | Path, rms_jy_beam: float | None = None) -> xr.Dataset:
    """A FITS image in Jy/beam with a round beam, north up; edges with blank pixels are cut off.

    `rms_jy_beam` None takes the robust rms along the edge, one beam wide, where the source should have ended.
    Raises UserError for a picture that cannot be a map of single dishes.
    """
    image = read_image(path)
    attrs = image.attrs
    if image.ndim == 3:
        raise UserError(
            f"{path} is a cube of {image.shape[0]} channels; give the mean of those that the visibilities cover"
        )
    if attrs["bunit"].lower().replace(" ", "") != "jy/beam":
        raise UserError(f"{path} has the unit '{attrs['bunit']}'; convert it to Jy/beam")
    if "bmaj_arcsec" not in attrs or "frequency_hz" not in attrs:
        missing = (
            "beam (BMAJ, BMIN)" if "bmaj_arcsec" not in attrs else "frequency (an axis FREQ, or RESTFRQ)"
        )
        raise UserError(f"{path} does not say its {missing}; add it to the header")
    major, minor = attrs["bmaj_arcsec"], attrs.get("bmin_arcsec", attrs["bmaj_arcsec"])
    if major > _ROUNDEST * minor:
        raise UserError(
            f"{path} has a beam of {major:.4g} x {minor:.4g} arcsec, but that of a single dish is round to "
            f"{_ROUNDEST - 1:.0%}; convolve the map to a round one"
        )
    _check_north_up(path, attrs)
    whole = np.asarray(image.values, float)
    rows, columns = _without_blanks(whole, path)
    values, cell, beam = whole[rows, columns], attrs["cell_arcsec"], float(np.sqrt(major * minor))
    x, y = columns.start + values.shape[1] // 2, rows.start + values.shape[0] // 2
    ra, dec = attrs["wcs"].wcs_pix2world(x, y, 0)
    rms = rms_jy_beam or _edge_rms(values, beam / cell)
    log.info("%s: total power, beam %.4g arcsec, rms %.3g Jy/beam", path, beam, rms)
    return _dataset(
        values, float(ra) % 360, float(dec), cell, beam, rms, attrs["frequency_hz"], "", str(path)
    )


def _dataset(values, ra_deg, dec_deg, cell, beam, rms, frequency, frame, source) -> xr.Dataset:
    return xr.Dataset(
        {"map": (("y", "x"), values)},
        attrs={
            "ra_deg": ra_deg, "dec_deg": dec_deg, "cell_arcsec": float(cell), "beam_arcsec": float(beam),
            "rms_jy_beam": float(rms), "frequency_hz": float(frequency), "frame": frame, "source": source,
        },
    )  # fmt: skip


def _check_north_up(path, attrs) -> None:
    """UserError unless x grows to the west and y to the north, in the ICRS or J2000."""
    wcs = attrs["wcs"].wcs
    x_axis, y_axis = attrs["wcs"].pixel_scale_matrix.T
    turned = np.degrees(np.arctan2(y_axis[0], y_axis[1]))
    if not wcs.ctype[0].startswith("RA") or x_axis[0] > 0 or abs(turned) > _NORTH_DEG:
        raise UserError(f"{path} is not in RA and Dec with north up and east to the left; regrid it so")


def _without_blanks(values: np.ndarray, path) -> tuple[slice, slice]:
    """Rows and columns that are left when edges are cut, the blankest first, until no pixel is blank."""
    low, high = [0, 0], list(values.shape)
    while True:
        blank = ~np.isfinite(values[low[0] : high[0], low[1] : high[1]])
        if not blank.any():
            break
        shares = {(axis, end): np.take(blank, end, axis=axis).mean() for axis in (0, 1) for end in (0, -1)}
        (axis, end), _ = max(shares.items(), key=lambda item: item[1])
        (high if end else low)[axis] += end or 1
        if min(high[0] - low[0], high[1] - low[1]) < 2:
            raise UserError(f"{path} has blank pixels all over; give a map that is whole in its middle")
    if lost := values.size - blank.size:
        log.warning("%s: %d of %d pixels lie in edges with blanks and are cut off", path, lost, values.size)
    return slice(low[0], high[0]), slice(low[1], high[1])


def _edge_rms(values: np.ndarray, beam_pixels: float) -> float:
    width = max(1, round(_EDGE_BEAMS * beam_pixels))
    edge = np.ones(values.shape, bool)
    edge[width:-width, width:-width] = False
    return float(robust_rms(values[edge]))

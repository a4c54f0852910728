"""Visibilities as some file holds them, before they are Stokes I; and what every kind of file is asked for."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from almabrain.console.errors import UserError


@dataclass
class Raw:
    """One spectral window of one field as stored.

    uvw_m (row, 3), time_mjd_s, antenna1, antenna2 (row,), visibility [Jy] and flag (row, channel, correlation),
    weight [1/Jy²] as claimed, of the same shape; frequency_hz and channel_width_hz (channel,); diameter_m of
    every antenna number; the array's place site_m (3,) ITRF, None where it is not known.
    """

    uvw_m: np.ndarray
    time_mjd_s: np.ndarray
    antenna1: np.ndarray
    antenna2: np.ndarray
    visibility: np.ndarray
    weight: np.ndarray
    flag: np.ndarray
    correlations: list[str]
    frequency_hz: np.ndarray
    channel_width_hz: np.ndarray
    diameter_m: np.ndarray
    site_m: np.ndarray | None
    attrs: dict[str, Any]

    def usable_weight(self, lost: Counter) -> np.ndarray:
        """The weights, 0 where a sample is flagged, has no positive weight or is not finite; counted in `lost`."""
        flagged = np.broadcast_to(self.flag, self.visibility.shape)
        weighted = np.isfinite(self.weight) & (self.weight > 0)
        finite = np.isfinite(self.visibility) & np.isfinite(self.uvw_m).all(axis=1)[:, None, None]
        lost["samples"] += flagged.size
        lost["flagged"] += int(np.count_nonzero(flagged))
        lost["weightless"] += int(np.count_nonzero(~flagged & ~weighted))
        lost["not finite"] += int(np.count_nonzero(~flagged & weighted & ~finite))
        return np.where(weighted & finite & ~flagged, self.weight, 0.0)


class Source(Protocol):
    """A file of visibilities, opened for reading; a context manager."""

    path: Path

    def __enter__(self) -> "Source": ...

    def __exit__(self, *_: Any) -> None: ...

    def fields(self) -> dict[int, str]:
        """Names of the fields that have data, by number."""

    def direction(self, field: int) -> tuple[float, float]:
        """RA and Dec (ICRS, degrees) of a field's phase centre."""

    def windows(self) -> list[int]:
        """Numbers of the spectral windows."""

    def beam_arcsec(self, window: int) -> float:
        """Width at half power of the smallest dish's primary beam, about."""

    def read(self, field: int, window: int) -> list[Raw]:
        """Cross-correlations of one field and window, one for each set of polarisations."""


def icrs(ra_rad: float, dec_rad: float, frame: str) -> tuple[float, float]:
    """RA and Dec (ICRS, degrees) of a direction in a frame of astropy's: J2000 as FK5 is 20-30 mas off."""
    from astropy.coordinates import SkyCoord

    place = SkyCoord(ra_rad, dec_rad, unit="rad", frame=frame).icrs
    return float(place.ra.deg), float(place.dec.deg)


def explain_nothing_usable(path: Path, fields: list[str], lost: Counter) -> None:
    """Raise the UserError that says why no visibility of the fields is left."""
    named = f"field {fields[0]}" if len(fields) == 1 else f"{len(fields)} fields"
    name, total = f"{path}, {named}", lost["samples"]
    if not total:
        raise UserError(f"{name} holds no cross-correlations in the windows chosen; choose others")
    if lost["flagged"] == total:
        raise UserError(f"{name} is flagged completely; unflag some of it or choose another field")
    if lost["flagged"] + lost["weightless"] == total:
        raise UserError(f"{name} has no positive weight; initialise the weights (CASA: initweights)")
    raise UserError(f"{name} holds no finite visibility with a positive weight; give calibrated data")

"""All visibilities of one simulation before they are measured: whose, when, where on the uv plane."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import xarray as xr

from almabrain.config.simulate import SimulateSettings
from almabrain.console.errors import UserError
from almabrain.data.constants import SPEED_OF_LIGHT_M_S
from almabrain.data.coordinates import radec_from_lm, sphere_axes
from almabrain.instrument import noise
from almabrain.simulate.track import Antennas, Track, antennas, track


@dataclass(frozen=True, eq=False)
class Coverage:
    """The rows of all executions of one target, one after the other, in each of them time slowest.

    Antennas are numbered through all executions. `kind` tells which of `kinds`, the pairs of dish
    diameters [m] (larger first), a row's baseline is of.
    """

    ra_deg: float
    dec_deg: float
    pointings_lm: np.ndarray  # (pointing, 2) direction cosines about the target
    antennas: xr.Dataset  # (antenna): name, pad, itrf_m, diameter_m, execution
    kinds: tuple[tuple[float, float], ...]
    uvw_m: np.ndarray  # (row, 3) about the target
    time_mjd_s: np.ndarray  # (row,) and so all the following
    integration_s: np.ndarray
    elevation_rad: np.ndarray
    antenna1: np.ndarray
    antenna2: np.ndarray
    execution: np.ndarray
    scan: np.ndarray
    pointing: np.ndarray
    kind: np.ndarray
    flag: np.ndarray  # shadowed

    def pointing_uvw_m(self) -> np.ndarray:
        """uvw (row, 3) about each row's own pointing, as in ALMA's sets.

        The target's axes turned rigidly, so that w = u l + v m + w n about the target exactly; left out is
        how aberration stretches the way between the two, 1e-4 of it.
        """
        turned = np.empty_like(self.uvw_m)
        for number, turn in enumerate(self._turns()):
            rows = self.pointing == number
            turned[rows] = self.uvw_m[rows] @ turn.T
        return turned

    def to_pointing(self, frequency_hz: np.ndarray) -> np.ndarray:
        """Factor (row, chan) that moves visibilities from the target's phase centre to their pointing's own.

        exp(2πi (w_target − w_pointing)): V = Σ S exp(2πi b·(s − centre)).
        """
        lead_m = self.uvw_m[:, 2] - self.pointing_uvw_m()[:, 2]
        return np.exp(2j * np.pi * np.multiply.outer(lead_m, frequency_hz / SPEED_OF_LIGHT_M_S))

    @cached_property
    def executions(self) -> list["Execution"]:
        """The executions, with their times and antennas."""
        return [_execution(self, number) for number in range(int(self.execution[-1]) + 1)]

    def pointing_table(self) -> xr.Dataset:
        """Position of every pointing: ra_deg, dec_deg (pointing)."""
        ra, dec = radec_from_lm(*self.pointings_lm.T, self.ra_deg, self.dec_deg)
        return xr.Dataset({"ra_deg": ("pointing", ra), "dec_deg": ("pointing", dec)})

    def _turns(self) -> list[np.ndarray]:
        """Rotations from the target's (u, v, w) axes to those of every pointing."""
        target = sphere_axes(*np.radians([self.ra_deg, self.dec_deg]))
        place = self.pointing_table()
        pairs = zip(place["ra_deg"].values, place["dec_deg"].values, strict=True)
        return [sphere_axes(*np.radians([ra, dec])) @ target.T for ra, dec in pairs]


@dataclass(frozen=True)
class Execution:
    """One execution: its rows and antennas in the coverage, its integrations, and which of them each row is of."""

    rows: slice
    antennas: slice
    time_mjd_s: np.ndarray  # (time,)
    elevation_rad: np.ndarray  # (time,)
    integration_s: float
    time: np.ndarray  # (row,)


def _execution(coverage: Coverage, number: int) -> Execution:
    rows = slice(*np.searchsorted(coverage.execution, [number, number + 1]))
    antennas = slice(*np.searchsorted(coverage.antennas["execution"].values, [number, number + 1]))
    times, first, time = np.unique(coverage.time_mjd_s[rows], return_index=True, return_inverse=True)
    elevation = coverage.elevation_rad[rows][first]
    return Execution(rows, antennas, times, elevation, float(coverage.integration_s[rows][0]), time)


def cover(
    rows, ra_deg: float, dec_deg: float, pointings_lm: np.ndarray, settings: SimulateSettings
) -> Coverage:
    """The coverage of one target by the executions in `rows` (of observations.ecsv).

    Raises UserError for antennas, a source or times that make no observation, and where dishes in the shadow
    of others leave nothing of a pointing.
    """
    arrays = [antennas(row) for row in rows]
    tracks = [
        track(row, array, ra_deg, dec_deg, len(pointings_lm), settings)
        for row, array in zip(rows, arrays, strict=True)
    ]
    table = _antenna_table(arrays)
    first = np.cumsum([0, *(len(array.name) for array in arrays)])
    parts = [_rows(number, path, first[number]) for number, path in enumerate(tracks)]
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    diameter = table["diameter_m"].values
    sizes = np.sort([diameter[columns["antenna1"]], diameter[columns["antenna2"]]], axis=0)[::-1]
    kinds, kind = np.unique(sizes, axis=1, return_inverse=True)
    made = Coverage(
        ra_deg,
        dec_deg,
        pointings_lm,
        table,
        tuple(map(tuple, kinds.T.tolist())),
        kind=kind.ravel(),
        **columns,
    )
    check_unflagged(made, made.flag, rows[0]["observation"])
    return made


def _rows(number: int, path: Track, first_antenna: int) -> dict[str, np.ndarray]:
    """Columns (row,) of one execution."""
    times, pairs = path.shadowed.shape

    def of_time(values):
        return np.repeat(values, pairs)

    return {
        "uvw_m": path.uvw_m.reshape(-1, 3),
        "time_mjd_s": of_time(path.time_mjd_s),
        "integration_s": np.full(times * pairs, path.integration_s),
        "elevation_rad": of_time(path.elevation_rad),
        "antenna1": np.tile(path.antenna1 + first_antenna, times),
        "antenna2": np.tile(path.antenna2 + first_antenna, times),
        "execution": np.full(times * pairs, number),
        "scan": of_time(path.scan),
        "pointing": of_time(path.pointing),
        "flag": path.shadowed.ravel(),
    }


def _antenna_table(arrays: list[Antennas]) -> xr.Dataset:
    counts = [len(array.name) for array in arrays]
    return xr.Dataset(
        {
            "name": ("antenna", [name for array in arrays for name in array.name]),
            "pad": ("antenna", [pad for array in arrays for pad in array.pad]),
            "itrf_m": (("antenna", "xyz"), np.concatenate([array.itrf_m for array in arrays])),
            "diameter_m": ("antenna", np.concatenate([array.diameter_m for array in arrays])),
            "execution": ("antenna", np.repeat(np.arange(len(arrays), dtype=np.int32), counts)),
        }
    )


def check_unflagged(coverage: Coverage, flag: np.ndarray, observation: str) -> None:
    """UserError unless every pointing keeps a visibility that is not flagged; `flag` is shadow and more."""
    total = np.bincount(coverage.pointing, minlength=len(coverage.pointings_lm))
    kept = np.bincount(coverage.pointing[~flag], minlength=len(total))
    if kept.all():
        return
    worst = int(np.argmin(kept))
    shadowed = np.count_nonzero(coverage.flag[coverage.pointing == worst])
    whole = "" if len(kept) == 1 else f" on pointing {worst + 1} of its mosaic"
    raise UserError(
        f"observation '{observation}': no unflagged baseline is left{whole}, of {total[worst]} rows, {shadowed} by "
        f"dishes in each other's shadow and {total[worst] - shadowed} by simulate.corruptions.flags; observe when "
        "the source is higher, or lower the shares of flags"
    )


def sigma_jy(rows, window: xr.Dataset, coverage: Coverage) -> np.ndarray:
    """σ per polarisation and real part (row, chan), Jy; the channel's width is its noise bandwidth.

    Between unlike dishes σ² goes as the product of their system equivalent flux densities: the geometric mean
    of the two σ of like pairs.
    """
    frequency, width = window["frequency_hz"].values, np.abs(window["channel_width_hz"].values)
    out = np.empty((len(frequency), len(coverage.uvw_m))).T  # channel by channel, as images are made
    for row, part in zip(rows, coverage.executions, strict=True):
        of_part = coverage.kind[part.rows]
        for kind in np.unique(of_part):
            like = [
                noise.visibility_sigma(
                    frequency, width, part.integration_s, diameter, float(row["pwv"]), part.elevation_rad[:, None],
                    int(row["band_list"]),
                )
                for diameter in coverage.kinds[kind]
            ]  # fmt: skip
            of_kind = slice(None) if (of_part == kind).all() else of_part == kind
            each = np.ascontiguousarray(np.sqrt(like[0] * like[1]).T)
            out[part.rows][of_kind] = np.take(each, part.time[of_kind], axis=1).T
    return out

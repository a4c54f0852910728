"""uvfits: visibilities as FITS random groups, after AIPS Memo 117 (Greisen 2016)."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

from almabrain.config.image import VisibilitySettings
from almabrain.console.errors import UserError
from almabrain.data.constants import SPEED_OF_LIGHT_M_S
from almabrain.image.raw import Raw, icrs
from almabrain.instrument import pads
from almabrain.instrument.primary_beam import half_power_width_arcsec

# Values of the axis STOKES.
_CORRELATIONS = {1: "I", 2: "Q", 3: "U", 4: "V", -1: "RR", -2: "LL", -3: "RL", -4: "LR",
                 -5: "XX", -6: "YY", -7: "XY", -8: "YX"}  # fmt: skip
_FRAMES = {"TOPOCENT": "TOPO", "GEOCENTR": "GEO", "BARYCENT": "BARY", "LSRK": "LSRK", "LSRD": "LSRD"}
_SUBARRAY = 100  # the baseline's decimals tell the subarray, in hundredths
_MJD_0 = 2400000.5


class UvFits:
    """A uvfits file of one source or several (`raw.Source`): sources are fields, IFs are windows.

    A weight of 0 or less is a flag. `settings.dish_diameter_m` says the dishes' size where the antenna table and
    the names of ALMA's antennas do not. Raises UserError for files that are no uvfits.
    """

    def __init__(self, path: str | Path, settings: VisibilitySettings):
        self.path, self._settings = Path(path), settings

    def __enter__(self) -> "UvFits":
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # AIPS writes cards that astropy grumbles about
                self._hdus = fits.open(self.path, memmap=False)
                self._header, self._groups = self._hdus[0].header, self._hdus[0].data
                tables = {hdu.name: hdu for hdu in self._hdus[1:]}
        except (OSError, ValueError, TypeError) as error:
            raise UserError(f"{self.path} cannot be read as uvfits ({error}); write it again") from None
        if not isinstance(self._groups, fits.GroupData):
            raise UserError(f"{self.path} holds no random groups; give uvfits, a Measurement Set or npz")
        self._names = [name.upper() for name in self._groups.parnames]
        self._axes = self._read_axes()
        self._frequency_hz, self._width_hz = self._read_frequencies(tables.get("AIPS FQ"))
        self._sources = self._read_sources(tables.get("AIPS SU"))
        self._source_id = self._column("SOURCE", 1).astype(int)
        self._array = [hdu for hdu in self._hdus[1:] if hdu.name == "AIPS AN"]
        self._antennas()
        return self

    def __exit__(self, *_: Any) -> None:
        self._hdus.close()

    def _read_axes(self) -> dict[str, tuple[int, np.ndarray]]:
        """Axis of the data array (with the group first) and values along it, by the name of each axis."""
        header, found = self._header, {}
        count = header["NAXIS"]
        for number in range(2, count + 1):
            name = str(header.get(f"CTYPE{number}", "")).split("-")[0].strip().upper()
            step = header.get(f"CDELT{number}", 1.0)
            offset = np.arange(header[f"NAXIS{number}"]) + 1 - header.get(f"CRPIX{number}", 1.0)
            values = header.get(f"CRVAL{number}", 0.0) + step * offset
            found[name] = (count - number + 1, values)
        missing = {"COMPLEX", "STOKES", "FREQ"} - set(found)
        if missing:
            raise UserError(
                f"{self.path} lacks the axis {', '.join(sorted(missing))}; give uvfits of an interferometer"
            )
        return found

    def _column(self, name: str, default: float | None = None) -> np.ndarray:
        """A parameter of the groups; those of one name are summed, as PZERO and a second DATE ask."""
        found = [i for i, known in enumerate(self._names) if known.split("-")[0] == name]
        if not found and default is None:
            raise UserError(f"{self.path} lacks the parameter {name}; give uvfits with baselines and times")
        if not found:
            return np.full(len(self._groups), default)
        return sum(np.asarray(self._groups.par(i), float) for i in found)

    def _read_frequencies(self, table) -> tuple[np.ndarray, np.ndarray]:
        """Frequency and channel width [Hz] (setup, IF, channel), (setup, IF)."""
        frequency = self._axes["FREQ"][1]
        n_if = self._axes["IF"][1].size if "IF" in self._axes else 1
        width = abs(self._header[f"CDELT{self._number('FREQ')}"])
        self._setups = {1: 0}
        if table is None:
            return np.broadcast_to(frequency, (1, n_if, frequency.size)), np.full((1, n_if), width)
        rows = table.data
        self._setups = {int(number): i for i, number in enumerate(np.atleast_1d(rows["FRQSEL"]))}
        offset = np.reshape(rows["IF FREQ"], (len(rows), n_if)).astype(float)
        step = np.reshape(rows["CH WIDTH"], (len(rows), n_if)).astype(float)
        step = np.where(step == 0, width, step)
        if "SIDEBAND" in rows.names:  # CH WIDTH is a size, whose sign stands beside it
            step = np.abs(step) * np.where(np.reshape(rows["SIDEBAND"], step.shape) < 0, -1, 1)
        number = self._number("FREQ")
        channel = np.arange(frequency.size) + 1 - self._header.get(f"CRPIX{number}", 1.0)
        base = self._header[f"CRVAL{number}"]
        return base + offset[..., None] + step[..., None] * channel, np.abs(step)

    def _number(self, axis: str) -> int:
        return self._header["NAXIS"] - self._axes[axis][0] + 1

    def _read_sources(self, table) -> dict[int, tuple[str, float, float, str]]:
        """Name, RA and Dec [rad] and frame of each source."""
        header = self._header
        if table is None:
            place = {}
            for name in ("RA", "DEC"):
                if name in self._axes:
                    place[name] = float(self._axes[name][1][0])
                elif f"OBS{name}" in header:
                    place[name] = float(header[f"OBS{name}"])
                else:
                    raise UserError(f"{self.path} does not say its phase centre; add axes RA and DEC")
            frame = _frame(header.get("RADESYS"), header.get("EQUINOX", header.get("EPOCH", 2000.0)))
            ra, dec = np.radians([place["RA"], place["DEC"]])
            return {1: (str(header.get("OBJECT", "")).strip() or self.path.stem, ra, dec, frame)}
        found = {}
        for row in table.data:
            frame = _frame(header.get("RADESYS"), row["EPOCH"] if "EPOCH" in table.data.names else 2000.0)
            ra, dec = np.radians([row["RAEPO"], row["DECEPO"]])
            found[int(row["ID. NO."])] = (str(row["SOURCE"]).strip(), ra, dec, frame)
        return found

    def _antennas(self) -> None:
        """Names, diameters and places of the antennas, by 256 x subarray + number."""
        self._diameter, self._place = {}, []
        for subarray, hdu in enumerate(self._array):
            header, rows = hdu.header, hdu.data
            centre = np.array([header.get(f"ARRAY{axis}", 0.0) for axis in "XYZ"], float)
            longitude = np.arctan2(centre[1], centre[0]) if np.any(centre) else 0.0
            for row in rows:
                key = subarray, int(row["NOSTA"])
                self._diameter[key] = self._size(row, rows.names)
                x, y, z = np.asarray(row["STABXYZ"], float)
                # AIPS turns x and y to the array's meridian unless the table says XYZHAND, FRAME = ITRF.
                if str(header.get("FRAME", "")).strip().upper() != "ITRF":
                    cos, sin = np.cos(longitude), np.sin(longitude)
                    x, y = cos * x - sin * y, sin * x + cos * y
                self._place.append(centre + (x, y, z))

    def _size(self, row, columns) -> float:
        if "DIAMETER" in columns and float(row["DIAMETER"]) > 0:
            return float(row["DIAMETER"])
        if str(self._header.get("TELESCOP", "")).strip().upper().startswith("ALMA"):
            try:
                return pads.dish_diameter_m(str(row["ANNAME"]).strip().upper())
            except UserError:
                pass  # some writers put the pad there
        if self._settings.dish_diameter_m:
            return self._settings.dish_diameter_m
        raise UserError(f"{self.path} does not say how large its dishes are; add the key dish_diameter_m")

    def fields(self) -> dict[int, str]:
        """Names of the sources that have data, by number."""
        present = np.unique(self._source_id).tolist()
        unknown = [number for number in present if number not in self._sources]
        if unknown:
            raise UserError(
                f"{self.path} has data of source {unknown[0]}, which its table SU lacks; write it again"
            )
        return {number: self._sources[number][0] for number in present}

    def direction(self, field: int) -> tuple[float, float]:
        """RA and Dec (ICRS, degrees) of a source."""
        return icrs(*self._sources[field][1:])

    def windows(self) -> list[int]:
        """Numbers of the IFs, from 0, those of later frequency setups after those of the first."""
        return list(range(self._frequency_hz.shape[0] * self._frequency_hz.shape[1]))

    def beam_arcsec(self, window: int) -> float:
        """Width at half power of the smallest dish's primary beam."""
        setup, number = divmod(window, self._frequency_hz.shape[1])
        smallest = min(self._diameter.values())
        return half_power_width_arcsec(float(self._frequency_hz[setup, number].mean()), smallest)

    def read(self, field: int, window: int) -> list[Raw]:
        """Cross-correlations of one source and IF."""
        setup, number = divmod(window, self._frequency_hz.shape[1])
        setups = self._column("FREQSEL", 1).astype(int)
        antenna1, antenna2, subarray = self._baselines()
        rows = (self._source_id == field) & (antenna1 != antenna2)
        rows &= np.isin(setups, [key for key, place in self._setups.items() if place == setup])
        if not rows.any():
            return []
        values = self._samples(rows, number)
        visibility, weight = values[..., 0] + 1j * values[..., 1], values[..., 2].astype(float)
        keys = sorted(self._diameter)
        place_of = {key: place for place, key in enumerate(keys)}
        ends = [
            np.array([place_of[key] for key in zip(subarray[rows], antenna[rows])])
            for antenna in (antenna1, antenna2)
        ]
        uvw = np.stack([self._column(name)[rows] for name in ("UU", "VV", "WW")], 1) * SPEED_OF_LIGHT_M_S
        time = (self._column("DATE")[rows] - _MJD_0) * 86400
        name, *_ = self._sources[field]
        ra, dec = self.direction(field)
        codes = self._axes["STOKES"][1].round().astype(int)
        attrs = {
            "ra_deg": ra, "dec_deg": dec, "object": name, "frame": self._frame(),
            "telescope": str(self._header.get("TELESCOP", "")).strip() or "unknown",
        }  # fmt: skip
        raw = Raw(
            uvw, time, *ends, visibility, np.maximum(weight, 0), weight <= 0,
            [_CORRELATIONS.get(code, str(code)) for code in codes.tolist()],
            self._frequency_hz[setup, number].astype(float),
            np.full(values.shape[1], self._width_hz[setup, number]),
            np.array([self._diameter[key] for key in keys]), np.mean(self._place, axis=0), attrs,
        )  # fmt: skip
        return [raw]

    def _baselines(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Both antennas' numbers and the subarray (from 0) of every group."""
        if any(name.startswith("ANTENNA1") for name in self._names):
            subarray = self._column("SUBARRAY", 1).astype(int) - 1
            return self._column("ANTENNA1").astype(int), self._column("ANTENNA2").astype(int), subarray
        code = self._column("BASELINE")
        whole = np.floor(code + 1e-4).astype(int)
        subarray = np.round((code - whole) * _SUBARRAY).astype(int)
        # 256 a + b has no room for more antennas; then it is 2048 a + b + 65536 (Memo 117, sect. 3.1.2).
        many = whole > 65536
        first = np.where(many, (whole - 65536) // 2048, whole // 256)
        second = np.where(many, (whole - 65536) % 2048, whole % 256)
        return first, second, subarray

    def _samples(self, rows: np.ndarray, number: int) -> np.ndarray:
        """Real, imaginary and weight (row, channel, correlation, 3) of one IF."""
        data = np.asarray(self._groups.data[rows], float)
        order = ["FREQ", "STOKES", "COMPLEX"]
        if "IF" in self._axes:
            data = np.take(data, [number], axis=self._axes["IF"][0])
        data = np.moveaxis(data, [self._axes[name][0] for name in order], [-3, -2, -1])
        return data.reshape(len(data), *data.shape[-3:])

    def _frame(self) -> str:
        return _FRAMES.get(str(self._header.get("SPECSYS", "TOPOCENT")).strip().upper(), "TOPO")


def _frame(stated: str | None, equinox: float) -> str:
    if str(stated or "").strip().upper() == "ICRS":
        return "icrs"
    return "fk4" if float(equinox or 2000.0) < 1975 else "fk5"

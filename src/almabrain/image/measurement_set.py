"""Measurement Sets (version 2), read and never touched."""

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from almabrain.console.errors import UserError, nearest

# Stokes::StokesTypes of casacore.
CORRELATIONS = {1: "I", 5: "RR", 6: "RL", 7: "LR", 8: "LL", 9: "XX", 10: "XY", 11: "YX", 12: "YY"}
# MFrequency::Types of casacore.
FRAMES = {0: "REST", 1: "LSRK", 2: "LSRD", 3: "BARY", 4: "GEO", 5: "TOPO"}
# MDirection::Types of casacore, as astropy names those that do not move with the Earth.
DIRECTIONS = {"ICRS": "icrs", "J2000": "fk5", "B1950": "fk4", "GALACTIC": "galactic"}


@dataclass
class Raw:
    """One window of one field as stored, flags folded into the weights (0 where flagged)."""

    uvw_m: np.ndarray
    time_mjd_s: np.ndarray
    antenna1: np.ndarray
    antenna2: np.ndarray
    visibility: np.ndarray
    weight: np.ndarray
    correlations: list[str]
    frequency_hz: np.ndarray
    channel_width_hz: np.ndarray
    attrs: dict[str, Any]


class MeasurementSet:
    """A Measurement Set opened for reading; a context manager.

    Where the tables cannot be locked in place (a read-only file system) a temporary copy is read.
    Raises UserError for anything that is no Measurement Set.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        self._copy: Path | None = None

    def __enter__(self) -> "MeasurementSet":
        if not (self.path / "table.dat").is_file():
            raise UserError(
                f"{self.path} is not a Measurement Set (a folder with a file 'table.dat'); give a calibrated .ms"
            )
        try:
            self._open(self.path)
        except RuntimeError:
            self._copy = Path(tempfile.mkdtemp(prefix="almabrain-ms-"))
            shutil.copytree(self.path, self._copy / "copy.ms")
            try:
                self._open(self._copy / "copy.ms")
            except RuntimeError as error:
                self.__exit__()
                reason = str(error).splitlines()[0]
                raise UserError(
                    f"{self.path} cannot be read as a Measurement Set ({reason}); give a calibrated .ms"
                ) from None
        return self

    def __exit__(self, _kind=None, error: BaseException | None = None, _trace=None) -> None:
        if self._copy is not None:
            shutil.rmtree(self._copy, ignore_errors=True)
        if isinstance(error, RuntimeError):  # casacore's, for a file that is missing or cut short
            reason = str(error).splitlines()[0]
            raise UserError(f"{self.path} cannot be read ({reason}); copy or download it again") from error

    def _open(self, path: Path) -> None:
        from casacore.tables import table

        def columns(name: str) -> dict[str, Any]:
            with table(str(path / name), ack=False, readonly=True, lockoptions="usernoread") as sub:
                cells = {}
                for column in sub.colnames():
                    if all(sub.iscelldefined(column, row) for row in range(sub.nrows())):
                        cells[column] = [sub.getcell(column, row) for row in range(sub.nrows())]
                return cells

        self._main = path
        self._fields = columns("FIELD")
        self.field_names, self._directions = self._fields["NAME"], self._fields["PHASE_DIR"]
        with table(str(path / "FIELD"), ack=False, readonly=True, lockoptions="usernoread") as fields:
            self._direction_info = fields.getcolkeywords("PHASE_DIR").get("MEASINFO", {})
        self._windows = columns("SPECTRAL_WINDOW")
        self._descriptions = columns("DATA_DESCRIPTION")
        self._correlations = columns("POLARIZATION")["CORR_TYPE"]
        self._diameters = np.array(columns("ANTENNA")["DISH_DIAMETER"])
        self._telescopes = columns("OBSERVATION").get("TELESCOPE_NAME", [""])
        with table(str(path), ack=False, readonly=True, lockoptions="usernoread") as main:
            self.columns = main.colnames()
            missing = {"UVW", "ANTENNA1", "ANTENNA2", "FIELD_ID", "DATA_DESC_ID", "TIME"} - set(self.columns)
            if missing:
                raise UserError(
                    f"{self.path} lacks the columns {', '.join(sorted(missing))}; give a calibrated .ms"
                )
            self._field_id = main.getcol("FIELD_ID") if main.nrows() else np.zeros(0, int)

    def choose_field(self, fields: list[str | int]) -> int:
        """Number of the field asked for, or of the only one that has data."""
        if len(fields) > 1:
            raise UserError(
                f"key 'fields' lists {len(fields)} fields of {self.path}, but mosaics are not possible yet; "
                "give one of them"
            )
        present = sorted(set(self._field_id.tolist()))
        known = ", ".join(f"{i} ({self.field_names[i]})" for i in present[:10])
        known += ", ..." if len(present) > 10 else ""
        if not fields:
            if len(present) == 1:
                return present[0]
            raise UserError(
                f"{self.path} has {len(present)} fields with data: {known}; mosaics are not possible yet, "
                "so name one with the key 'fields'"
            )
        asked = fields[0]
        matches = [i for i in present if asked == self.field_names[i]]
        matches = matches or [i for i in present if str(asked) == str(i)]
        if len(matches) > 1:
            numbers = ", ".join(map(str, matches))
            raise UserError(
                f"key 'fields' is '{asked}', but {len(matches)} fields of {self.path} have that name; give one "
                f"of the numbers {numbers}"
            )
        if not matches:
            hint = nearest(str(asked), [self.field_names[i] for i in present])
            raise UserError(f"key 'fields' is '{asked}', but {self.path} has {known}{hint}")
        return matches[0]

    def choose_windows(self, windows: list[int]) -> list[int]:
        """Numbers of the spectral windows asked for, or of all."""
        present = sorted({int(window) for window in self._descriptions["SPECTRAL_WINDOW_ID"]})
        for window in windows:
            if window not in present:
                raise UserError(
                    f"key 'spectral_windows' has {window}, but {self.path} has {', '.join(map(str, present))}"
                )
        return sorted(set(windows)) or present

    def data_column(self, asked: str) -> str:
        """Name of the column that holds the visibilities to image."""
        choices = [name for name in ("CORRECTED_DATA", "DATA") if name in self.columns]
        if not choices:
            raise UserError(
                f"{self.path} has no column DATA or CORRECTED_DATA; give a calibrated Measurement Set"
            )
        if asked == "auto":
            return choices[0]
        if asked not in choices:
            raise UserError(f"key 'data_column' is {asked}, but {self.path} has {', '.join(choices)}")
        return asked

    def read(self, field: int, window: int, data_column: str) -> Raw | None:
        """Cross-correlations of one field and window; None where there are none."""
        from casacore.tables import taql

        column = self.data_column(data_column)
        descriptions = [
            i for i, spw in enumerate(self._descriptions["SPECTRAL_WINDOW_ID"]) if int(spw) == window
        ]
        main = str(self._main)
        query = (
            f"select from '{main}' where FIELD_ID={field} and DATA_DESC_ID in {descriptions} "
            "and ANTENNA1!=ANTENNA2"
        )
        rows = taql(query)
        try:
            if rows.nrows() == 0:
                return None
            visibility = rows.getcol(column)
            flag = rows.getcol("FLAG") if "FLAG" in self.columns else np.zeros(visibility.shape, bool)
            if "FLAG_ROW" in self.columns:
                flag = flag | rows.getcol("FLAG_ROW")[:, None, None]
            weight = np.where(flag, 0.0, self._weights(rows, visibility.shape))
            antenna1, antenna2 = rows.getcol("ANTENNA1"), rows.getcol("ANTENNA2")
            uvw, time = rows.getcol("UVW"), rows.getcol("TIME")
        finally:
            rows.close()
        polarisation = int(self._descriptions["POLARIZATION_ID"][descriptions[0]])
        names = [CORRELATIONS.get(int(code), str(code)) for code in self._correlations[polarisation]]
        frequency = np.atleast_1d(self._windows["CHAN_FREQ"][window]).astype(float)
        return Raw(
            uvw, time, antenna1, antenna2, visibility, weight, names, frequency,
            np.abs(np.atleast_1d(self._windows["CHAN_WIDTH"][window])).astype(float),
            self._attributes(field, window, antenna1, antenna2),
        )  # fmt: skip

    def _weights(self, rows, shape: tuple[int, ...]) -> np.ndarray:
        """1/σ² per visibility from WEIGHT_SPECTRUM, or WEIGHT (one per row and correlation), as claimed."""
        if "WEIGHT_SPECTRUM" in self.columns and rows.iscelldefined("WEIGHT_SPECTRUM", 0):
            try:
                spectrum = rows.getcol("WEIGHT_SPECTRUM").astype(float)
            except RuntimeError:
                spectrum = None  # declared, but not filled for every row
            if spectrum is not None and spectrum.shape == shape and np.any(spectrum > 0):
                return spectrum
        if "WEIGHT" not in self.columns:
            raise UserError(f"{self.path} has no column WEIGHT; initialise the weights (CASA: initweights)")
        return np.broadcast_to(rows.getcol("WEIGHT").astype(float)[:, None, :], shape)

    def _attributes(self, field: int, window: int, antenna1, antenna2) -> dict[str, Any]:
        used = np.union1d(antenna1, antenna2)
        diameters = sorted(set(np.round(self._diameters[used], 3).tolist()))
        if len(diameters) > 1:
            raise UserError(
                f"{self.path} mixes dishes of {' and '.join(f'{d:g} m' for d in diameters)}; image each array apart"
            )
        ra, dec = self._phase_centre(field)
        reference = int(self._windows.get("MEAS_FREQ_REF", [5] * (window + 1))[window])
        return {
            "ra_deg": ra,
            "dec_deg": dec,
            "frame": FRAMES.get(reference, "TOPO"),
            "dish_diameter_m": float(diameters[0]),
            "telescope": self._telescopes[0] or "unknown",
            "object": self.field_names[field],
        }

    def _phase_centre(self, field: int) -> tuple[float, float]:
        """RA and Dec (ICRS, degrees) of a field, from whatever frame the set states: J2000 is FK5, 20-30 mas off."""
        from astropy.coordinates import SkyCoord

        info = self._direction_info
        frame = info.get("Ref", "J2000")
        if "VarRefCol" in info:  # every row has its own
            codes = [str(code) for code in info.get("TabRefCodes", [])]
            names = dict(zip(codes, info.get("TabRefTypes", []), strict=False))
            code = str(self._fields[info["VarRefCol"]][field])
            frame = names.get(code, code)
        if frame not in DIRECTIONS:
            raise UserError(
                f"{self.path} gives the direction of field {self.field_names[field]} in the frame {frame}; "
                f"known are {', '.join(DIRECTIONS)}: change its phase centre to one of them"
            )
        angles = np.asarray(self._directions[field]).reshape(-1, 2)[0]
        place = SkyCoord(*angles, unit="rad", frame=DIRECTIONS[frame]).icrs
        return float(place.ra.deg), float(place.dec.deg)

    def explain_nothing_usable(self, field: int) -> None:
        """Raise the UserError that says why no visibility of a field is left."""
        from casacore.tables import taql

        name = f"{self.path}, field {self.field_names[field]}"
        rows = taql(f"select from '{self._main}' where FIELD_ID={field} and ANTENNA1!=ANTENNA2")
        try:
            if rows.nrows() == 0:
                raise UserError(f"{name} holds no cross-correlations in the windows chosen; choose others")
            row = np.arange(rows.nrows())
            flagged = all(
                np.all(rows.getcell("FLAG", int(i))) or rows.getcell("FLAG_ROW", int(i)) for i in row[:20000]
            )
            if flagged:
                raise UserError(f"{name} is flagged completely; unflag some of it or choose another field")
            if not any(np.any(rows.getcell("WEIGHT", int(i)) > 0) for i in row[:20000]):
                raise UserError(f"{name} has no positive weight; initialise the weights (CASA: initweights)")
        finally:
            rows.close()
        raise UserError(f"{name} holds no finite visibility with a positive weight; give calibrated data")

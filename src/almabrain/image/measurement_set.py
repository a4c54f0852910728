"""Measurement Sets (version 2), read and never touched."""

import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from almabrain.config.image import VisibilitySettings
from almabrain.console.errors import UserError
from almabrain.image.raw import Raw, icrs
from almabrain.instrument.primary_beam import half_power_width_arcsec

# Stokes::StokesTypes of casacore.
CORRELATIONS = {1: "I", 5: "RR", 6: "RL", 7: "LR", 8: "LL", 9: "XX", 10: "XY", 11: "YX", 12: "YY"}
# MFrequency::Types of casacore.
FRAMES = {0: "REST", 1: "LSRK", 2: "LSRD", 3: "BARY", 4: "GEO", 5: "TOPO"}
# MDirection::Types of casacore, as astropy names those that do not move with the Earth.
DIRECTIONS = {"ICRS": "icrs", "J2000": "fk5", "B1950": "fk4", "GALACTIC": "galactic"}


class MeasurementSet:
    """A Measurement Set opened for reading; a context manager (`raw.Source`).

    Of the settings it reads `data_column` (auto is CORRECTED_DATA where it exists, else DATA) and, where the set does
    not say how large dishes are, `dish_diameter_m`. Where the tables cannot be locked in place (a read-only file
    system) a temporary copy is read. Raises UserError for anything that is no Measurement Set.
    """

    def __init__(self, path: str | Path, settings: VisibilitySettings):
        self.path, self._settings = Path(path), settings
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
        self._names, self._directions = self._fields["NAME"], self._fields["PHASE_DIR"]
        with table(str(path / "FIELD"), ack=False, readonly=True, lockoptions="usernoread") as fields:
            self._direction_info = fields.getcolkeywords("PHASE_DIR").get("MEASINFO", {})
        self._windows = columns("SPECTRAL_WINDOW")
        self._descriptions = columns("DATA_DESCRIPTION")
        self._correlations = columns("POLARIZATION")["CORR_TYPE"]
        antennas = columns("ANTENNA")
        self._diameters = np.array(antennas["DISH_DIAMETER"])
        self._places = np.array(antennas["POSITION"]) if "POSITION" in antennas else None
        self._telescopes = columns("OBSERVATION").get("TELESCOPE_NAME", [""])
        with table(str(path), ack=False, readonly=True, lockoptions="usernoread") as main:
            self.columns = main.colnames()
            missing = {"UVW", "ANTENNA1", "ANTENNA2", "FIELD_ID", "DATA_DESC_ID", "TIME"} - set(self.columns)
            if missing:
                raise UserError(
                    f"{self.path} lacks the columns {', '.join(sorted(missing))}; give a calibrated .ms"
                )
            empty = np.zeros(0, int)
            self._present = np.unique(main.getcol("FIELD_ID") if main.nrows() else empty).tolist()
            used = [main.getcol(name) if main.nrows() else empty for name in ("ANTENNA1", "ANTENNA2")]
            self._used = np.union1d(*used)
        self._fill_diameters()

    def _fill_diameters(self) -> None:
        unknown = ~(self._diameters > 0)
        if unknown[self._used].any() and not self._settings.dish_diameter_m:
            bad = self._diameters[self._used][unknown[self._used]][0]
            raise UserError(
                f"{self.path} says that a dish's diameter is {bad:g} m; correct its table ANTENNA, or add the key "
                "dish_diameter_m"
            )
        self._diameters = np.where(unknown, self._settings.dish_diameter_m or np.nan, self._diameters)

    def fields(self) -> dict[int, str]:
        """Names of the fields that have data, by number."""
        return {number: self._names[number] for number in self._present}

    def windows(self) -> list[int]:
        """Numbers of the spectral windows."""
        return sorted({int(window) for window in self._descriptions["SPECTRAL_WINDOW_ID"]})

    def beam_arcsec(self, window: int) -> float:
        """Width at half power of the smallest dish's primary beam."""
        frequency = float(np.mean(self._windows["CHAN_FREQ"][window]))
        return half_power_width_arcsec(frequency, float(self._diameters[self._used].min()))

    def _data_column(self) -> str:
        """Name of the column that holds the visibilities to image."""
        asked = self._settings.data_column
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

    def read(self, field: int, window: int) -> list[Raw]:
        """Cross-correlations of one field and window, one for each data description (set of polarisations)."""
        spectral = self._descriptions["SPECTRAL_WINDOW_ID"]
        found = [
            self._read(field, window, number) for number, spw in enumerate(spectral) if int(spw) == window
        ]
        return [raw for raw in found if raw is not None]

    def _read(self, field: int, window: int, description: int) -> Raw | None:
        from casacore.tables import taql

        column = self._data_column()
        rows = taql(
            f"select from '{self._main}' where FIELD_ID={field} and DATA_DESC_ID={description} "
            "and ANTENNA1!=ANTENNA2"
        )
        try:
            if rows.nrows() == 0:
                return None
            visibility = rows.getcol(column)
            flag = rows.getcol("FLAG") if "FLAG" in self.columns else np.zeros(visibility.shape, bool)
            if "FLAG_ROW" in self.columns:
                flag = flag | rows.getcol("FLAG_ROW")[:, None, None]
            weight = self._weights(rows, visibility.shape)
            antenna1, antenna2 = rows.getcol("ANTENNA1"), rows.getcol("ANTENNA2")
            uvw, time = rows.getcol("UVW"), rows.getcol("TIME")
        finally:
            rows.close()
        polarisation = int(self._descriptions["POLARIZATION_ID"][description])
        names = [CORRELATIONS.get(int(code), str(code)) for code in self._correlations[polarisation]]
        frequency = np.atleast_1d(self._windows["CHAN_FREQ"][window]).astype(float)
        return Raw(
            uvw, time, antenna1, antenna2, visibility, weight, flag, names, frequency,
            np.abs(np.atleast_1d(self._windows["CHAN_WIDTH"][window])).astype(float),
            self._diameters, self._site(), self._attributes(field, window),
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

    def _site(self) -> np.ndarray | None:
        """The middle of the antennas that have data; None where places are missing (a set made by a simulator)."""
        if self._places is None or not np.linalg.norm(self._places[self._used], axis=1).min() > 0:
            return None
        return self._places[self._used].mean(axis=0)

    def _attributes(self, field: int, window: int) -> dict[str, Any]:
        ra, dec = self.direction(field)
        reference = int(self._windows.get("MEAS_FREQ_REF", [5] * (window + 1))[window])
        return {
            "ra_deg": ra,
            "dec_deg": dec,
            "frame": FRAMES.get(reference, "TOPO"),
            "telescope": self._telescopes[0] or "unknown",
            "object": self._names[field],
        }

    def direction(self, field: int) -> tuple[float, float]:
        """RA and Dec (ICRS, degrees) of a field's phase centre, from whatever frame the set states."""
        info = self._direction_info
        frame = info.get("Ref", "J2000")
        if "VarRefCol" in info:  # every row has its own
            codes = [str(code) for code in info.get("TabRefCodes", [])]
            names = dict(zip(codes, info.get("TabRefTypes", []), strict=False))
            code = str(self._fields[info["VarRefCol"]][field])
            frame = names.get(code, code)
        if frame not in DIRECTIONS:
            raise UserError(
                f"{self.path} gives the direction of field {self._names[field]} in the frame {frame}; "
                f"known are {', '.join(DIRECTIONS)}: change its phase centre to one of them"
            )
        return icrs(*np.asarray(self._directions[field]).reshape(-1, 2)[0], DIRECTIONS[frame])

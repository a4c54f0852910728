"""Visibilities as plain arrays in an npz file: u, v [wavelengths], Re, Im or V [Jy], weight [1/Jy²]."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from almabrain.config.image import VisibilitySettings
from almabrain.console.errors import UserError
from almabrain.data.constants import SPEED_OF_LIGHT_M_S
from almabrain.image.raw import Raw
from almabrain.instrument.primary_beam import half_power_width_arcsec

# What the arrays cannot say, the configuration has to.
_NEEDED = ("ra_deg", "dec_deg", "frequency_ghz", "dish_diameter_m")
UNKNOWN_ANTENNA = -1


class NpzFile:
    """An npz file as one field and one window of one channel (`raw.Source`).

    Signs as in a Measurement Set, V = Σ S exp(+2πi(ul + vm)); w is optional. Antennas are UNKNOWN_ANTENNA and
    times 0, as nobody can tell them. Raises UserError for files without these arrays or a configuration without
    phase centre, frequency and dish.
    """

    def __init__(self, path: str | Path, settings: VisibilitySettings):
        self.path, self._settings = Path(path), settings

    def __enter__(self) -> "NpzFile":
        missing = [key for key in _NEEDED if getattr(self._settings, key) is None]
        if missing:
            raise UserError(
                f"{self.path} holds plain arrays that do not say where and with what they were observed; add the "
                f"keys {', '.join(missing)} beside its path"
            )
        try:
            with np.load(self.path, allow_pickle=False) as found:
                arrays = {name: np.asarray(found[name]) for name in found.files}
        except (OSError, ValueError, zipfile.BadZipFile) as error:
            raise UserError(
                f"{self.path} cannot be read as npz ({error}); write it with numpy.savez"
            ) from None
        self._columns = self._checked(arrays)
        return self

    def __exit__(self, *_: Any) -> None:
        self._columns = {}

    def _checked(self, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """u, v, w, V and weight, each (row,)."""
        if {"Re", "Im"} <= set(arrays):
            arrays.setdefault("V", arrays["Re"] + 1j * arrays["Im"])
        if "weights" in arrays:
            arrays.setdefault("weight", arrays["weights"])
        missing = [name for name in ("u", "v", "V", "weight") if name not in arrays]
        if missing:
            raise UserError(
                f"{self.path} lacks {', '.join(missing)} (it holds {', '.join(arrays) or 'nothing'}); it needs the "
                "arrays u, v [wavelengths], V or Re and Im [Jy], and weight [1/Jy^2]"
            )
        columns = {name: np.ravel(arrays[name]) for name in ("u", "v", "V", "weight")}
        columns["w"] = np.ravel(arrays["w"]) if "w" in arrays else np.zeros(columns["u"].size)
        sizes = {name: column.size for name, column in columns.items()}
        if len(set(sizes.values())) > 1:
            told = ", ".join(f"{name} {size}" for name, size in sizes.items())
            raise UserError(
                f"{self.path} has arrays of different lengths ({told}); give one of each per visibility"
            )
        return columns

    def fields(self) -> dict[int, str]:
        """The one field."""
        return {0: self.path.stem}

    def direction(self, field: int) -> tuple[float, float]:
        """The phase centre that the configuration gives."""
        return float(self._settings.ra_deg), float(self._settings.dec_deg)

    def windows(self) -> list[int]:
        """The one window."""
        return [0]

    def beam_arcsec(self, window: int) -> float:
        """Width at half power of the dishes' primary beam."""
        return half_power_width_arcsec(self._settings.frequency_ghz * 1e9, self._settings.dish_diameter_m)

    def read(self, field: int, window: int) -> list[Raw]:
        """All visibilities."""
        columns, settings = self._columns, self._settings
        frequency = settings.frequency_ghz * 1e9
        uvw = np.stack([columns[name] for name in "uvw"], 1).astype(float) * SPEED_OF_LIGHT_M_S / frequency
        placed = np.isfinite(uvw).all(axis=1)
        antenna = np.full(len(uvw), UNKNOWN_ANTENNA)
        ra, dec = self.direction(field)
        raw = Raw(
            np.where(placed[:, None], uvw, 0.0), np.zeros(len(uvw)), antenna, antenna,
            np.where(placed, columns["V"], np.nan)[:, None, None],
            columns["weight"].astype(float)[:, None, None],
            np.zeros((len(uvw), 1, 1), bool), ["I"], np.array([frequency]), np.zeros(1),
            np.array([settings.dish_diameter_m]), None,
            {"ra_deg": ra, "dec_deg": dec, "frame": "unknown", "telescope": "unknown", "object": self.path.stem},
        )  # fmt: skip
        return [raw]

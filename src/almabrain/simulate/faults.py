"""What goes wrong in one simulation: drawn once for all executions, then laid on every spectral window."""

from dataclasses import dataclass

import numpy as np
import xarray as xr

from almabrain.config.corruptions import CorruptionSettings
from almabrain.data.constants import ARCSEC
from almabrain.simulate import pointing_errors
from almabrain.simulate.corrupt import Corruption, acts_on_signal, draw, draw_flags
from almabrain.simulate.coverage import Coverage
from almabrain.simulate.visibility import kinds_of_rows, predict


@dataclass(frozen=True)
class Faults:
    """The faults of a coverage's executions, and the rows (row,) that they leave unusable."""

    flag: np.ndarray
    corruptions: tuple[Corruption, ...]  # one for each execution, or none
    offsets_rad: np.ndarray | None  # (row, 2 dishes, 2 axes) off the pointing, the larger dish first
    rms_rad: float

    @classmethod
    def draw(cls, coverage: Coverage, settings: CorruptionSettings, rng: np.random.Generator) -> "Faults":
        """Draw the faults."""
        for_flags, for_signal, for_pointing = rng.spawn(3)
        flag, corruptions, offsets = coverage.flag, (), None
        if any(dict(settings.flags).values()):
            pairs = coverage.antenna1, coverage.antenna2
            flag = draw_flags(settings.flags, *pairs, coverage.scan, flag, for_flags)
        if acts_on_signal(settings):
            corruptions = tuple(
                draw(
                    settings,
                    coverage.antennas["itrf_m"].values[part.antennas],
                    part.time_mjd_s,
                    part.integration_s,
                    part.elevation_rad,
                    for_signal,
                )
                for part in coverage.executions
            )
        if settings.pointing.rms_arcsec:
            offsets = np.empty((len(flag), 2, 2))
            diameter = coverage.antennas["diameter_m"].values
            for part in coverage.executions:
                count = part.antennas.stop - part.antennas.start
                drawn = pointing_errors.offsets_rad(settings.pointing, part.time_mjd_s, count, for_pointing)
                pair = np.stack([coverage.antenna1[part.rows], coverage.antenna2[part.rows]])
                pair = np.where(np.diff(diameter[pair], axis=0) > 0, pair[::-1], pair) - part.antennas.start
                offsets[part.rows] = np.stack([drawn[part.time, dish] for dish in pair], axis=1)
        return cls(flag, corruptions, offsets, settings.pointing.rms_arcsec * ARCSEC)

    @property
    def act_on_signal(self) -> bool:
        """Whether visibilities differ from a perfect instrument's."""
        return bool(self.corruptions) or self.offsets_rad is not None

    def visibility(
        self,
        window: xr.Dataset,
        coverage: Coverage,
        perfect: np.ndarray,
        planar: bool,
        threads: int = 1,
    ) -> np.ndarray:
        """Visibilities (row, chan, polarisation) of a sky model, of the `perfect` ones (row, chan)."""
        seen = perfect if self.offsets_rad is None else self._off_pointing(window, coverage, planar, threads)
        if not self.corruptions:
            return np.repeat(seen[..., None], 2, axis=-1)
        made = np.empty((*seen.shape, 2), np.complex64)
        for corruption, part in zip(self.corruptions, coverage.executions, strict=True):
            first, second = (
                antenna[part.rows] - part.antennas.start for antenna in (coverage.antenna1, coverage.antenna2)
            )
            frequency = window["frequency_hz"].values
            made[part.rows] = corruption.apply(seen[part.rows], frequency, part.time, first, second)
        return made

    def _off_pointing(self, window, coverage, planar, threads) -> np.ndarray:
        seen = np.empty((len(coverage.uvw_m), window.sizes["channel"]), complex)
        for aim, sizes, rows in kinds_of_rows(coverage):
            uvw_m, offsets = coverage.uvw_m[rows], self.offsets_rad[rows]
            seen[rows] = pointing_errors.visibility(
                lambda power, uvw_m=uvw_m: predict(window, uvw_m, power, planar, threads),
                window["frequency_hz"].values,
                sizes,
                aim,
                offsets[:, 0],
                offsets[:, 1],
                self.rms_rad,
            )
        return seen

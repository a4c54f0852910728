"""What goes wrong on the way from the sky to the visibilities; docs/corruptions.md has the laws.

All of it acts on the signal, before noise is added: noise of the receivers and of the air does not come
from the sky, and stays as the radiometer equation has it.
"""

from dataclasses import dataclass

import numpy as np

from almabrain.config.corruptions import CorruptionSettings, FlagSettings
from almabrain.data.constants import SPEED_OF_LIGHT_M_S
from almabrain.instrument import site
from almabrain.simulate.drift import drift
from almabrain.simulate.troposphere import Screen

_N_POL = 2  # XX and YY


@dataclass(frozen=True)
class Corruption:
    """The faults of one execution's antennas and air, the same for all its spectral windows."""

    gain: np.ndarray  # (time, antenna, polarisation), complex
    path_m: np.ndarray  # (time, antenna)
    dephasing_m2: np.ndarray  # (time, antenna, antenna)
    ripple: np.ndarray  # (antenna, polarisation, 4): cosine and sine of the amplitude's, then of the phase's
    ripple_period_hz: float

    def apply(
        self,
        visibility: np.ndarray,
        frequency_hz: np.ndarray,
        time: np.ndarray,
        antenna1: np.ndarray,
        antenna2: np.ndarray,
    ) -> np.ndarray:
        """Corrupted visibilities (row, channel, polarisation), complex64, of noiseless ones (row, channel).

        `time`, `antenna1`, `antenna2` (row,) count within the execution. V_pq' = G_p V_pq G_q* with
        G = gain · bandpass · exp(2πi ν path / c), times exp(-(2πν/c)² dephasing / 2).
        """
        wavenumber = 2 * np.pi * np.asarray(frequency_hz, float) / SPEED_OF_LIGHT_M_S
        bandpass = self._bandpass(frequency_hz)
        made = np.empty((*visibility.shape, _N_POL), np.complex64)
        order = np.argsort(time, kind="stable")
        for rows in np.split(order, np.flatnonzero(np.diff(time[order])) + 1):
            if not len(rows):
                continue
            k, first, second = time[rows[0]], antenna1[rows], antenna2[rows]
            delay = np.exp(1j * np.multiply.outer(self.path_m[k], wavenumber))
            station = (self.gain[k][:, None] * bandpass * delay[..., None]).astype(np.complex64)
            loss = np.exp(-0.5 * np.multiply.outer(self.dephasing_m2[k][first, second], wavenumber**2))
            seen = (visibility[rows] * loss).astype(np.complex64)
            made[rows] = seen[..., None] * station[first] * station[second].conj()
        return made

    def _bandpass(self, frequency_hz) -> np.ndarray:
        """Complex bandpass (antenna, channel, polarisation)."""
        turn = 2 * np.pi * np.asarray(frequency_hz, float)[:, None] / self.ripple_period_hz
        wave = np.cos(turn), np.sin(turn)
        a, b, c, d = np.moveaxis(self.ripple, -1, 0)[:, :, None]
        return (1 + a * wave[0] + b * wave[1]) * np.exp(1j * (c * wave[0] + d * wave[1]))


def acts_on_signal(settings: CorruptionSettings) -> bool:
    """True where `draw` would make anything but a perfect instrument."""
    gain, bandpass = settings.gain, settings.bandpass
    rms = (gain.amplitude_rms, gain.phase_rms_deg, bandpass.amplitude_rms, bandpass.phase_rms_deg)
    return any(rms) or settings.troposphere.path_rms_um > 0


def draw(
    settings: CorruptionSettings,
    itrf_m: np.ndarray,
    time_mjd_s: np.ndarray,
    integration_s: float,
    elevation_rad: np.ndarray,
    rng: np.random.Generator,
) -> Corruption:
    """Draw the faults of one execution: antennas at `itrf_m` (antenna, 3), dumps at `time_mjd_s` (time,).

    `elevation_rad` (time,) is the source's; a path through the air, rough on scales much below its depth,
    grows with the root of the air mass 1/sin(elevation). Pointing errors and flags are drawn elsewhere.
    """
    for_gain, for_bandpass, for_air = rng.spawn(3)  # no effect's numbers depend on which others are on
    n_times, n_antennas = len(time_mjd_s), len(itrf_m)
    each = (n_antennas, _N_POL)
    gain = settings.gain
    series = drift(time_mjd_s, gain.correlation_s, (*each, 2), for_gain)
    amplitude, phase = gain.amplitude_rms * series[..., 0], np.radians(gain.phase_rms_deg) * series[..., 1]
    bandpass = settings.bandpass
    rms = np.repeat([bandpass.amplitude_rms, np.radians(bandpass.phase_rms_deg)], 2)
    ripple = rms * for_bandpass.standard_normal((*each, 4))
    path, dephasing = np.zeros((n_times, n_antennas)), np.zeros((n_antennas, n_antennas))
    if settings.troposphere.path_rms_um:
        screen = Screen.draw(settings.troposphere, for_air)
        place = site.ground_m(itrf_m)
        if settings.troposphere.effect != "decorrelation":
            path = screen.path_m(place, time_mjd_s, integration_s)
        if settings.troposphere.effect != "phase":
            apart = (place[:, None] - place).reshape(-1, 2)
            dephasing = screen.dephasing_m2(apart, integration_s).reshape(n_antennas, n_antennas)
    air_mass = 1 / np.sin(np.asarray(elevation_rad, float))
    return Corruption(
        (1 + amplitude) * np.exp(1j * phase),
        path * np.sqrt(air_mass)[:, None],
        dephasing * air_mass[:, None, None],
        ripple,
        bandpass.period_mhz * 1e6,
    )


def draw_flags(
    settings: FlagSettings,
    antenna1: np.ndarray,
    antenna2: np.ndarray,
    scan: np.ndarray,
    flag: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    """Flags (row,): those of `flag`, and at random antennas for whole scans, baselines, and single rows.

    `antenna1`, `antenna2`, `scan` (row,) may count through several executions. Of n things of each kind
    share·n are flagged, rounded up or down at random so that the mean is exact.
    """
    count = max(antenna1.max(initial=0), antenna2.max(initial=0)) + 1
    there = np.concatenate([scan * count + antenna1, scan * count + antenna2])
    antenna_scans, antenna_scan = np.unique(there, return_inverse=True)
    baselines, baseline = np.unique(antenna1 * count + antenna2, return_inverse=True)
    lost = _choose(settings.antenna_scans, len(antenna_scans), rng)[antenna_scan].reshape(2, -1)
    made = flag | lost[0] | lost[1]
    made |= _choose(settings.baselines, len(baselines), rng)[baseline]
    made |= _choose(settings.rows, len(made), rng)
    return made


def _choose(share: float, count: int, rng) -> np.ndarray:
    """Which of `count` things are among the share."""
    chosen = np.zeros(count, bool)
    chosen[rng.permutation(count)[: int(share * count + rng.random())]] = True
    return chosen

"""The air above the array: a frozen layer of turbulent water vapour that the wind carries along.

Path lengths follow the structure function D(b) = <(path(r + b) - path(r))²> of Carilli & Holdaway (1999,
Radio Science 34, 817): b^5/3 below the thickness of the layer, b^2/3 above, constant beyond the outer scale.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from almabrain.config.corruptions import TroposphereSettings

_KNOTS_PER_DECADE = 5
_RINGS_PER_DECADE = 160
_FINEST_M = 0.03  # 1/k of the shortest waves: shorter ones carry nothing that ALMA's shortest baseline sees
_WAVES = 8000  # over some six decades of k; their number sets how isotropic one drawn field is
_NODES = 48  # of the integral over a dump
_BLOCK_TIMES = 512


def law_m2(baseline_m, settings: TroposphereSettings):
    """Structure function [m²] that the settings ask for, at zenith: Carilli & Holdaway (1999), sect. 2."""
    thickness = settings.thickness_m

    def shape(length):
        ratio = length / thickness
        return np.where(ratio < 1, ratio ** (5 / 3), ratio ** (2 / 3))

    return (
        _path_rms_m(settings) ** 2
        * shape(np.minimum(baseline_m, settings.outer_scale_m))
        / shape(np.float64(1000.0))
    )


@lru_cache(maxsize=8)
def _spectrum(thickness_m: float, outer_scale_m: float) -> tuple[np.ndarray, np.ndarray]:
    """Log10 of wavenumbers k [rad/m] and the variance [m²] each of them carries, for 1 m rms at 1 km.

    The spectrum, nowhere below 0, that comes nearest to the law. No field has the law's corners, as its
    spectrum would be negative: they get rounded, by up to 9 % of D, or 15 % where 5/3 goes flat at once.
    """
    from scipy.optimize import nnls
    from scipy.special import j0

    unit = TroposphereSettings(path_rms_um=1.0, thickness_m=thickness_m, outer_scale_m=outer_scale_m)
    knots = np.arange(-np.log10(5 * outer_scale_m), -np.log10(_FINEST_M), 1 / _KNOTS_PER_DECADE)
    rings = np.arange(knots[0], knots[-1], 1 / _RINGS_PER_DECADE)
    wavenumber = 10**rings
    # Hats in log k, each of a Kolmogorov spectrum, so that few of them make a smooth one.
    hats = np.array([np.interp(rings, knots, hat) for hat in np.eye(len(knots))]) * wavenumber ** (-5 / 3)
    baseline = np.geomspace(1.0, 10 * outer_scale_m, 300)
    wanted = 1e12 * law_m2(baseline, unit)
    waves = 2 * (1 - j0(np.outer(baseline, wavenumber)))
    height, _ = nnls(waves @ hats.T / wanted[:, None], np.ones(len(baseline)))
    return rings, height @ hats


@lru_cache(maxsize=8)
def _table(thickness_m: float, outer_scale_m: float) -> tuple[np.ndarray, np.ndarray]:
    """Logarithms of baselines [m] and of the drawn field's structure function [m²], for 1 m rms at 1 km."""
    from scipy.special import j0

    rings, variance = _spectrum(thickness_m, outer_scale_m)
    baseline = np.geomspace(0.01, 20 * outer_scale_m, 2000)
    return np.log(baseline), np.log(2 * (1 - j0(np.outer(baseline, 10**rings))) @ variance)


def structure_m2(baseline_m, settings: TroposphereSettings) -> np.ndarray:
    """Structure function [m²] at zenith of the field that `Screen` draws; any shape of `baseline_m`."""
    baseline = np.asarray(baseline_m, float)
    table = _table(settings.thickness_m, settings.outer_scale_m)
    shape = np.exp(np.interp(np.log(np.maximum(baseline, 1e-9)), *table))
    return np.where(baseline > 0, _path_rms_m(settings) ** 2 * shape, 0.0)


def _path_rms_m(settings) -> float:
    return settings.path_rms_um * 1e-6 * settings.wvr_residual


@dataclass(frozen=True)
class Screen:
    """One drawn layer of air: plane waves of path length, and the wind that moves them."""

    wave: np.ndarray  # (wave, 2) rad/m, east and north
    amplitude_m: np.ndarray  # (wave,) complex
    wind_m_s: np.ndarray  # (2,) east and north
    settings: TroposphereSettings

    @classmethod
    def draw(cls, settings: TroposphereSettings, rng: np.random.Generator) -> "Screen":
        """Waves spread evenly over log k, with random directions and Gaussian amplitudes.

        A sparse spectrum (Charnotskii 2013, JOSA A 30, 479): it has the structure function on all scales at
        once, where a grid would need cells below the shortest baseline over all that the wind brings along.
        """
        rings, variance = _spectrum(settings.thickness_m, settings.outer_scale_m)
        edge = np.linspace(rings[0], rings[-1], _WAVES + 1)
        log_k = rng.uniform(edge[:-1], edge[1:])
        share = np.interp(log_k, rings, variance) * (edge[1] - edge[0]) * _RINGS_PER_DECADE
        angle, blows_to = rng.uniform(0, 2 * np.pi, _WAVES), rng.uniform(0, 2 * np.pi)
        normal = rng.standard_normal((2, _WAVES))
        return cls(
            10 ** log_k[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1),
            _path_rms_m(settings) * np.sqrt(share) * (normal[0] + 1j * normal[1]),
            settings.wind_m_s * np.array([np.cos(blows_to), np.sin(blows_to)]),
            settings,
        )

    def path_m(self, place_m: np.ndarray, time_s: np.ndarray, integration_s: float) -> np.ndarray:
        """Mean path length [m] at zenith over every dump, (time, antenna).

        `place_m` (antenna, 2) east and north, `time_s` (time,) the middles of the dumps. Frozen flow: what
        passes r at time t was at r - wind·t at time 0. A wave that turns by a within a dump keeps sin(a/2)/(a/2).
        """
        turn = self.wave @ self.wind_m_s  # rad/s
        kept = self.amplitude_m * np.sinc(turn * integration_s / (2 * np.pi))
        here = kept * np.exp(1j * (place_m @ self.wave.T))
        time_s = np.asarray(time_s, float) - time_s[0]
        blocks = np.split(time_s, range(_BLOCK_TIMES, len(time_s), _BLOCK_TIMES))
        return np.concatenate([(np.exp(-1j * np.outer(block, turn)) @ here.T).real for block in blocks])

    def dephasing_m2(self, baseline_m: np.ndarray, integration_s: float) -> np.ndarray:
        """Variance [m²] at zenith of a baseline's path difference about its mean over a dump, (baseline,).

        `baseline_m` (baseline, 2) east and north. With the difference's own structure function over time,
        F(t) = 2 D(vt) + 2 D(b) - D(b + vt) - D(b - vt) under frozen flow, it is ∫₀¹ (1 - s) F(sT) ds.
        """
        node, weight = np.polynomial.legendre.leggauss(_NODES)
        share, weight = (node + 1) / 2, weight / 2
        moved = np.multiply.outer(share * integration_s, self.wind_m_s)

        def structure(step):
            return structure_m2(np.linalg.norm(step, axis=-1), self.settings)

        ahead = structure(baseline_m[:, None] + moved) + structure(baseline_m[:, None] - moved)
        both = structure(moved) + structure(baseline_m)[:, None]
        return np.maximum((2 * both - ahead) @ (weight * (1 - share)), 0.0)

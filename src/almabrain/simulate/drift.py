"""Random numbers that drift: what is wrong with an antenna now will be much the same a minute later."""

import numpy as np


def drift(
    time_s: np.ndarray, correlation_s: float, shape: tuple[int, ...], rng: np.random.Generator
) -> np.ndarray:
    """Gaussian series (time, *shape) of mean 0 and rms 1 with autocorrelation exp(-|Δt| / correlation_s).

    `time_s` in seconds, in order, evenly spaced or not: an Ornstein-Uhlenbeck process, by its exact step
    x' = ρx + √(1 - ρ²) ξ with ρ = exp(-Δt / correlation_s) (Gillespie 1996, Phys. Rev. E 54, 2084).
    """
    series = rng.standard_normal((len(time_s), *shape))
    kept = np.exp(-np.diff(time_s) / correlation_s)
    for k, rho in enumerate(kept, start=1):
        series[k] = rho * series[k - 1] + np.sqrt(1 - rho**2) * series[k]
    return series

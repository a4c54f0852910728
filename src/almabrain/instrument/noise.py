"""Noise that the radiometer equation predicts, from one visibility to a whole image.

`visibility_sigma` is the standard deviation of the real part and of the imaginary part of one
baseline's visibility in one polarisation. A naturally weighted Stokes I image averages the real parts
of n_pol N(N-1)/2 T/t of them, which gives `image_sensitivity`.
"""

from collections import Counter
from itertools import combinations_with_replacement

import numpy as np
from scipy.constants import Boltzmann

from almabrain.data.constants import JANSKY
from almabrain.instrument import atmosphere, pads, receivers, site

# Places in a channel, in its width, where T_sys is taken: lines of ozone are narrower than many channels.
_PLACES = (np.arange(8) + 0.5) / 8 - 0.5


def system_temperature(frequency_hz, pwv_mm, elevation_rad, band: int | None = None):
    """System temperature above the atmosphere, K; broadcasts over frequencies (Hz), water (mm), elevation.

    T_sys = (1 + g) [T_rx + η_f T_sky + (1 - η_f) T_amb] e^(τ₀ sec z) / η_f (ALMA Technical Handbook,
    chapter on sensitivity). In the double-sideband bands 9 and 10, g = 1: 90° phase switching separates
    the signals of the two sidebands but leaves the noise of both. `band` None: by the mean frequency.
    """
    chosen = receivers.bands()[band] if band else receivers.band_of(float(np.mean(frequency_hz)))
    forward = receivers.FORWARD_EFFICIENCY
    sky = atmosphere.sky_temperature(frequency_hz, pwv_mm, elevation_rad)
    received = (
        chosen.receiver_temperature_k + forward * sky + (1 - forward) * atmosphere.AMBIENT_TEMPERATURE_K
    )
    absorbed = np.exp(atmosphere.opacity(frequency_hz, pwv_mm, elevation_rad))
    return (1 + chosen.image_gain) * received * absorbed / forward


def visibility_sigma(
    frequency_hz, bandwidth_hz, integration_s, diameter_m, pwv_mm, elevation_rad, band: int | None = None
):
    """σ, Jy, per real and imaginary part of a visibility of one baseline, channel and polarisation.

    σ = 2 k T_sys / (η_q η_c A_eff sqrt(2 Δν t)): Thompson, Moran & Swenson (2017), sect. 6.2, with the
    Handbook's efficiencies. `bandwidth_hz` is the noise bandwidth, over which T_sys² is averaged.
    """
    single = _flux_density(frequency_hz, bandwidth_hz, diameter_m, pwv_mm, elevation_rad, band)
    return single / np.sqrt(2 * np.asarray(bandwidth_hz, float) * integration_s)


def image_sensitivity(
    frequency_hz,
    bandwidth_hz,
    integration_s,
    n_antennas,
    diameter_m,
    pwv_mm,
    elevation_rad,
    n_pol: int = 2,
    band: int | None = None,
):
    """σ, Jy/beam, of a naturally weighted Stokes I image; `integration_s` is the whole time on source.

    σ_I = 2 k T_sys / (η_q η_c A_eff sqrt(N (N - 1) n_pol Δν t)): ALMA Technical Handbook, on sensitivity.
    """
    single = _flux_density(frequency_hz, bandwidth_hz, diameter_m, pwv_mm, elevation_rad, band)
    samples = n_antennas * (n_antennas - 1) * n_pol * np.asarray(bandwidth_hz, float) * integration_s
    return single / np.sqrt(samples)


def pair_weights(row, frequency_hz, bandwidth_hz) -> dict[tuple[float, float], np.ndarray]:
    """Natural weight, Σ 1/σ² in 1/Jy² in Stokes I, of an execution's baselines by kind: (larger, smaller dish, m).

    `row` of observations.ecsv (or a mapping), at the elevation of its middle; each weight has the shape of
    `frequency_hz` and `bandwidth_hz`. Between unlike dishes σ² is the product of those of like pairs. Kinds
    without a pair are left out.
    """
    elevation = max(site.middle_elevation_rad(row), site.LOWEST_ELEVATION_RAD)
    sizes = Counter(pads.dish_diameter_m(item.split(":")[1]) for item in str(row["antenna_arrays"]).split())
    sigma = {
        size: image_sensitivity(
            frequency_hz,
            bandwidth_hz,
            row["t_exptime"],
            2,
            size,
            row["pwv"],
            elevation,
            band=int(row["band_list"]),
        )
        for size in sizes
    }
    weights = {}
    for first, second in combinations_with_replacement(sorted(sizes, reverse=True), 2):
        pairs = sizes[first] * (sizes[second] - (first == second)) / (1 + (first == second))
        if pairs:
            weights[first, second] = pairs / (sigma[first] * sigma[second])
    return weights


def _flux_density(frequency_hz, bandwidth_hz, diameter_m, pwv_mm, elevation_rad, band):
    """System equivalent flux density, Jy, with the losses of digitising and correlating.

    A channel is the mean of many narrow ones, whose variances add: T_sys is its rms over the channel.
    """
    frequency_hz, bandwidth_hz = np.asarray(frequency_hz, float), np.asarray(bandwidth_hz, float)
    places = (frequency_hz + place * bandwidth_hz for place in _PLACES)
    squares = [system_temperature(place, pwv_mm, elevation_rad, band) ** 2 for place in places]
    temperature = np.sqrt(sum(squares) / len(squares))
    efficiency = receivers.QUANTISATION_EFFICIENCY * receivers.CORRELATOR_EFFICIENCY
    area = receivers.effective_area_m2(frequency_hz, diameter_m)
    return 2 * Boltzmann * temperature / (efficiency * area) / JANSKY

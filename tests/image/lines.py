"""Small observations with channels, of known sky."""

import numpy as np
import xarray as xr

from almabrain.data.constants import ARCSEC
from almabrain.response.predict import predict_components

from .conftest import ARRAY, observe


def observe_channels(frequency_hz, components, sigma_jy, seed, place=ARRAY) -> xr.Dataset:
    """As `observe` at these frequencies; `components(channel)` are each channel's, in one order of places."""
    blank = observe([[0, 0, 0, 0, 0, 0]], 1.0, place=place)
    rng, seen = np.random.default_rng(seed), []
    for channel, frequency in enumerate(frequency_hz):
        flux, l, m, major, minor, pa = np.transpose(components(channel))  # noqa: E741
        where = l * ARCSEC, m * ARCSEC, major * ARCSEC, minor * ARCSEC, np.radians(pa)
        seen.append(
            predict_components(blank.uvw_m.values, np.array([frequency]), flux[:, None], *where)[:, 0]
        )
    seen = np.stack(seen, axis=1)
    noise = sigma_jy * (rng.standard_normal(seen.shape) + 1j * rng.standard_normal(seen.shape))
    width = np.full(len(frequency_hz), np.ptp(frequency_hz) / max(len(frequency_hz) - 1, 1))
    return blank.drop_vars(["visibility", "weight", "frequency_hz", "channel_width_hz"]).assign(
        visibility=(("row", "channel"), seen + noise),
        weight=(("row", "channel"), np.full(seen.shape, sigma_jy**-2.0)),
        frequency_hz=("channel", np.asarray(frequency_hz, float)),
        channel_width_hz=("channel", width),
    )


def rotating(n_channel: int, flux_jy: float = 0.8):
    """Components of a line whose source moves across the field, brightest in the middle channel."""
    offset = np.linspace(-1, 1, n_channel)

    def components(channel):
        profile = flux_jy * np.exp(-0.5 * (offset[channel] / 0.8) ** 2)
        return [[profile, -2.0 * offset[channel], 0.7 * offset[channel], 1.4, 1.0, 30.0]]

    return components

"""Our opacity, sky and system temperature against CASA's layered atmosphere, line by line."""

import numpy as np
import pytest

from almabrain.instrument import atmosphere, noise, receivers

pytestmark = pytest.mark.judge
# The water line at 183 GHz, ozone and clear air in bands 3, 6 and 7, and the edge of a water line in band 9.
RANGES_GHZ = [(108, 113), (178, 188), (230, 240), (340, 350), (660, 670)]
PWV_MM = [0.5, 1.0, 2.0]


def test_system_temperature_at_the_zenith(ask, tmp_path):
    found = ask("casa_atmosphere.py", tmp_path, ranges_ghz=RANGES_GHZ, pwv_mm=PWV_MM, step_ghz=0.01).arrays
    for number, range_ghz in enumerate(RANGES_GHZ):
        frequency = found[f"frequency_{number}"]
        band = receivers.band_of(frequency.mean())
        for pwv in PWV_MM:
            opacity, sky = found[f"opacity_{number}_{pwv}"], found[f"sky_{number}_{pwv}"]
            seen = opacity < 3
            received = band.receiver_temperature_k + 0.95 * sky + 0.05 * 270
            theirs = (1 + band.image_gain) * received * np.exp(opacity) / 0.95
            ours = noise.system_temperature(frequency, pwv, np.pi / 2, band.number)
            error = np.abs(ours / theirs - 1)[seen]
            absorbed = np.abs(np.exp(-atmosphere.zenith_opacity(frequency, pwv)) - np.exp(-opacity)).max()
            print(f"{range_ghz} GHz, {pwv} mm: T_sys within {error.max():.3f}, transmission {absorbed:.3f}")
            assert error.max() < 0.025 and np.median(error) < 0.01
            assert absorbed < 0.005

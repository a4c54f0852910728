"""The CO(1-0) of a bright galaxy, measured from its noiseless cube, on the published relation with L_IR."""

import numpy as np
import pytest
from astropy.cosmology import Planck18

from almabrain.config.base import check
from almabrain.config.simulate import SimulateSettings
from almabrain.config.sky import SkySettings
from almabrain.data.coordinates import lm_from_radec, pixel_from_lm
from almabrain.instrument import configurations
from almabrain.simulate.observe import observe
from almabrain.sky import scene

REST_GHZ = 115.2712018
LUMINOSITY_LSUN = 5e13
LIGHT_KMS = 299_792.458


def row(redshift):
    middle = REST_GHZ / (1 + redshift)
    return {
        "simulation": 0, "observation": "CO", "target_name": "CO", "s_ra": 150.0, "s_dec": -30.0, "t_min": 60000.1,
        "t_exptime": 1200.0, "pwv": 1.0, "band_list": 3 if redshift < 1 else 1, "s_resolution": 2.0, "s_fov": 60.0,
        "frequency_support": f"[{middle - 0.4:.6f}..{middle + 0.4:.6f}GHz,976.56kHz, XX YY]", "array": "12m",
        "antenna_arrays": " ".join(configurations.antennas("alma.cycle9.1")), "pointings": "", "schedule": "",
    }  # fmt: skip


def luminosity_k_kms_pc2(flux_jy_kms, redshift):
    """L' of a line: Solomon & Vanden Bout (2005, ARA&A 43, 677), eq. 3."""
    distance_mpc = Planck18.luminosity_distance(redshift).value
    observed = REST_GHZ / (1 + redshift)
    return 3.25e7 * flux_jy_kms * observed**-2 * distance_mpc**2 * (1 + redshift) ** -3


@pytest.mark.parametrize("redshift", [0.05, 0.2, 0.35, 1.4, 1.8, 2.2])
def test_measured_luminosity_lies_on_the_relation(redshift):
    settings = {
        "model": "points", "sources": [1, 1], "luminosity_lsun": [LUMINOSITY_LSUN] * 2, "redshift": [redshift] * 2,
        "channels": 80, "lines": {"names": ["CO(1-0)"], "width_kms": [300, 300], "scatter": False},
    }  # fmt: skip
    rows = [row(redshift)]
    drawn = scene.draw(rows, check(SkySettings, settings, "sky"), np.random.default_rng(1), "sim-000000")
    seen = observe(rows, dict(drawn.windows()), SimulateSettings(integration_s=300), np.random.default_rng(1))
    made = dict(seen)["spw0"]
    truth = drawn.truth[0]
    place = lm_from_radec(truth["ra"], truth["dec"], made.attrs["ra_deg"], made.attrs["dec_deg"])
    x, y = (
        int(np.round(value))
        for value in pixel_from_lm(*place, made.attrs["n_pix"], made.attrs["cell_arcsec"])
    )
    spectrum = made["dirty_noiseless"].values[:, y, x] / made["pb"].values[:, y, x]
    frequency = made["frequency_hz"].values
    free = made["line_free"].values
    spectrum = spectrum - np.polyval(np.polyfit(frequency[free], spectrum[free], 1), frequency)
    step_kms = made["channel_width_hz"].values / (REST_GHZ * 1e9 / (1 + redshift)) * LIGHT_KMS
    measured = luminosity_k_kms_pc2(float(np.sum(spectrum * step_kms)), redshift)
    # The relation gives L_IR; its published scatter is 0.3 dex.
    predicted = 1.37 * np.log10(measured) - 1.74
    assert abs(predicted - np.log10(LUMINOSITY_LSUN)) < 0.3
    print(
        f"z {redshift}: log L' {np.log10(measured):.3f}, off by {np.log10(LUMINOSITY_LSUN) - predicted:+.3f} dex"
    )

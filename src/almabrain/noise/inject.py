"""Putting the noise into the noiseless dirty cubes: once, in one of three ways."""

import numpy as np
import xarray as xr

from almabrain.config.noise import NoiseSettings
from almabrain.console.errors import UserError
from almabrain.data.continuum import continuum_weights
from almabrain.data.seeds import generator
from almabrain.data.statistics import robust_rms
from almabrain.noise.draw import drawer
from almabrain.noise.model import NoiseModel
from almabrain.response.beam import Beam

REALISATION = {"theoretical": "radiometer", "empirical": "empirical", "mixed": "mixed"}
TO_JY_BEAM = {"jy/beam": 1.0, "mjy/beam": 1e-3, "ujy/beam": 1e-6, "njy/beam": 1e-9}
CARRIED = "frequency_hz channel_width_hz line_free psf pb rms_jy_beam bmaj_arcsec bmin_arcsec bpa_deg".split()


def inject(
    cube: xr.Dataset, settings: NoiseSettings, model: NoiseModel | None, seed: int, name: str
) -> xr.Dataset:
    """The dirty cube (channel, y, x) [Jy/beam] of one spectral window with the noise of `settings.mode`.

    `cube`: a group of the simulate store; `model`: the reference's noise (None in mode theoretical);
    `name` (`sim-000000/spw0`) and the run's `seed` decide the draw. Channels are independent. `noise_rms`
    (channel) [Jy/beam] is measured on the noise itself (MAD), not assumed; so are the attributes
    `continuum_rms` and `radiometer_continuum_rms` of the continuum plane, with this noise and with the
    radiometer's, which a window full of line emission does not have.
    """
    noiseless = cube["dirty_noiseless"].values.astype(np.float64)
    radiometer = cube["dirty"].values - noiseless
    fraction = {"theoretical": 0.0, "empirical": 1.0, "mixed": settings.empirical_fraction}[settings.mode]
    noise = np.zeros_like(noiseless)
    if fraction < 1:
        noise += np.sqrt(1 - fraction) * radiometer
    if fraction > 0:
        if model is None:
            raise UserError(f"noise.mode is {settings.mode}, which needs a noise model; give --model")
        rms = _wanted_rms(cube, settings, model)
        noise += np.sqrt(fraction) * rms[:, None, None] * drawn(cube, model, generator(seed, "noise", name))
    dirty = cube["dirty"].values if fraction == 0 else (noiseless + noise).astype(np.float32)
    made = cube[[key for key in CARRIED if key in cube]].copy()
    made["dirty"] = (("channel", "y", "x"), dirty)
    made["noise_rms"] = ("channel", robust_rms(noise, axis=(1, 2)))
    made.attrs = {
        **cube.attrs,
        "realisation": REALISATION[settings.mode],
        "empirical_fraction": fraction,
    }
    made.attrs |= _continuum_rms(made, {"continuum_rms": noise, "radiometer_continuum_rms": radiometer})
    if fraction > 0:
        made.attrs["noise_reference"] = model.name
    return made


def _continuum_rms(window: xr.Dataset, noises: dict[str, np.ndarray]) -> dict[str, float]:
    """Rms [Jy/beam] of the continuum plane of each noise cube (channel, y, x); none without such a plane."""
    found = {}
    for name, noise in noises.items():
        own = window.assign(noise_rms=("channel", robust_rms(noise, axis=(1, 2))))
        weight = continuum_weights(own)
        if weight.any():
            found[name] = float(robust_rms(np.tensordot(weight / weight.sum(), noise, axes=1)))
    return found


def drawn(cube: xr.Dataset, model: NoiseModel, rng: np.random.Generator) -> np.ndarray:
    """New fields (channel, y, x) of unit variance with the texture of `model` scaled to the cube's beam.

    One filter serves a window, at its middle beam: across a window of 2 GHz the beam changes by about 1 %.
    """
    n_channel, n_y, n_x = cube["dirty_noiseless"].shape
    middle = n_channel // 2
    beam = Beam(*(float(cube[key].values[middle]) for key in ("bmaj_arcsec", "bmin_arcsec", "bpa_deg")))
    draw = drawer(model, (n_y, n_x), cube.attrs["cell_arcsec"], beam)
    return np.stack([draw(rng) for _ in range(n_channel)])


def _wanted_rms(cube: xr.Dataset, settings: NoiseSettings, model: NoiseModel) -> np.ndarray:
    """Rms (channel) [Jy/beam] of the drawn noise."""
    predicted = cube["rms_jy_beam"].values.astype(np.float64)
    if settings.rms == "predicted":
        return predicted
    return np.full_like(predicted, model.rms * _to_jy_beam(model))


def _to_jy_beam(model: NoiseModel) -> float:
    # CASA writes no unit into residual images: theirs is that of the dirty image, Jy/beam.
    unit = model.unit.strip() or "Jy/beam"
    # Some writers shout their units (JY/BEAM), so case says nothing here.
    factor = TO_JY_BEAM.get(unit.lower().replace(" ", ""))
    if factor is None:
        raise UserError(
            f"noise.rms is 'reference', but the reference '{model.name}' is in '{unit}'; give one in "
            "Jy/beam, or set noise.rms to predicted"
        )
    return factor

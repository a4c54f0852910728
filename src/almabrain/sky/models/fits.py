"""A model image or cube of the user's own, put on the pixels of the field with its flux kept."""

from dataclasses import replace

import numpy as np

from almabrain.config.sky import SkySettings
from almabrain.console.errors import UserError
from almabrain.sky.field import Field
from almabrain.sky.fits_model import Model, load
from almabrain.sky.pixels import picture
from almabrain.sky.regrid import resampling
from almabrain.sky.shape import Shape


def draw(field: Field, settings: SkySettings, rng: np.random.Generator) -> list[Shape]:
    """The user's model with its own brightness; nothing is left to chance.

    An image is flat in frequency, or follows `settings.spectral_index` where this is one value, from the
    file's frequency (else the field's reference frequency). A cube gives every channel; where it is moved in
    frequency, it is by a factor, so that its velocities stay. UserError for a file that cannot be used, a
    model that reaches beyond the field, or a cube that misses all windows.
    """
    chosen = settings.fits
    model = load(chosen.path, None if chosen.recentre else (field.ra_deg, field.dec_deg))
    if chosen.peak_jy_pixel is not None:
        model = replace(model, jy_pixel=model.jy_pixel * (chosen.peak_jy_pixel / _peak(model)))
    if not model.is_cube:
        return [_image(model, field, settings.spectral_index)]
    if chosen.shift_frequency:
        middle = field.windows[0].edges_hz[[0, -1]].mean()
        model = replace(model, edges_hz=model.edges_hz * (middle / model.frequency_hz))
    _check_windows(model, field)
    return [_cube(model, field)]


def _image(model: Model, field: Field, spectral_index: tuple[float, float]) -> Shape:
    resample, cell = resampling(model, field)
    pixels = resample(model.jy_pixel[0])
    if abs(pixels.sum()) < 1e-6 * np.abs(pixels).sum():
        raise UserError(f"{model.path} has as much negative as positive flux; give a model with a net flux")
    reference = model.frequency_hz or field.reference_frequency_hz
    low, high = spectral_index
    index = low if low == high else 0.0
    # Pixels of negative flux sum to -1, so that this stays positive.
    flux = float(abs(pixels.sum()))

    def continuum_jy(frequency_hz):
        return flux * (np.asarray(frequency_hz) / reference) ** index

    return picture("fits", pixels, cell, continuum_jy=continuum_jy)


def _cube(model: Model, field: Field) -> Shape:
    resample, cell = resampling(model, field)
    low, high = model.edges_hz[:-1], model.edges_hz[1:]

    def cube_jy(edges_hz):
        made = []
        for bottom, top in zip(edges_hz[:-1], edges_hz[1:]):
            common = np.clip(np.minimum(high, top) - np.maximum(low, bottom), 0, None) / (top - bottom)
            used = common > 0
            made.append(resample(np.tensordot(common[used], model.jy_pixel[used], 1)))
        return np.array(made)

    light = np.abs(model.jy_pixel * (high - low)[:, None, None]).sum(axis=0)
    return picture("fits", resample(light), cell, cube_jy=cube_jy)


def _check_windows(model: Model, field: Field) -> None:
    low, high = model.edges_hz[[0, -1]]
    if all(window.edges_hz[-1] <= low or window.edges_hz[0] >= high for window in field.windows):
        spans = ", ".join(
            f"{window.edges_hz[0] / 1e9:.6g}-{window.edges_hz[-1] / 1e9:.6g}" for window in field.windows
        )
        raise UserError(
            f"{model.path} has frequencies {low / 1e9:.6g}-{high / 1e9:.6g} GHz, outside of all windows "
            f"({spans} GHz); set sky.fits.shift_frequency to true"
        )


def _peak(model: Model) -> float:
    peak = model.jy_pixel.max()
    if not peak > 0:
        raise UserError(
            f"{model.path} has no positive pixel that sky.fits.peak_jy_pixel could be the value of"
        )
    return float(peak)

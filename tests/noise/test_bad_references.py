"""References that cannot be measured end in one sentence that names the file and a remedy."""

import numpy as np
import pytest

from almabrain.config.noise import NoiseSettings
from almabrain.console.errors import UserError
from almabrain.noise.measure import measure
from almabrain.noise.reference import reference_model


def test_not_fits(tmp_path):
    path = tmp_path / "notes.fits"
    path.write_text("no image")
    with pytest.raises(UserError, match="notes.fits is not a whole FITS file"):
        measure(path)


def test_truncated_fits(reference, rng):
    path = reference(rng.standard_normal((128, 128)))
    path.write_bytes(path.read_bytes()[:20_000])
    with pytest.raises(UserError, match="reference.fits is cut short"):
        measure(path)


def test_nan_everywhere(reference):
    with pytest.raises(UserError, match="holds no finite pixel"):
        measure(reference(np.full((64, 64), np.nan)))


def test_one_value_everywhere(reference):
    with pytest.raises(UserError, match="one and the same value"):
        measure(reference(np.ones((64, 64))))


def test_all_source(reference, gaussian_field, rng):
    noise = gaussian_field((108, 108), 2.0, rng)
    rows, columns = ((index + 9) % 18 - 9 for index in np.indices(noise.shape))
    crowd = 300 * np.exp(-(rows**2 + columns**2) / (2 * 2.1**2))
    with pytest.raises(UserError, match="nearly all source.*noise.mask_sources"):
        measure(reference(noise + crowd))


def test_nearly_all_blank(reference, gaussian_field, rng):
    pixels = gaussian_field((256, 256), 2.0, rng)
    pixels[:240] = np.nan
    with pytest.raises(UserError, match="94 % of its pixels are masked or blank"):
        measure(reference(pixels))


def test_too_few_pixels(reference, rng):
    with pytest.raises(UserError, match="16 x 16 pixels, too small"):
        measure(reference(rng.standard_normal((16, 16))))


def test_too_few_beams(reference, gaussian_field, rng):
    with pytest.raises(UserError, match="too small.*beams"):
        measure(reference(gaussian_field((64, 64), 8.0, rng), beam_px=19))


def test_no_beam_anywhere(reference, rng):
    path = reference(rng.standard_normal((128, 128)), beam_px=None)
    with pytest.raises(UserError, match="no beam in its header.*noise.reference_beam"):
        measure(path)
    settings = NoiseSettings(reference_beam=(0.3, 0.3, 0.0))
    assert reference_model(str(path), settings).beam.major_arcsec == 0.3


def test_a_missing_file():
    with pytest.raises(UserError, match="nowhere.fits does not exist"):
        reference_model("nowhere.fits", NoiseSettings())


def test_an_unknown_table():
    with pytest.raises(UserError, match="did you mean 'pisco_band6'"):
        reference_model("pisco_band7", NoiseSettings())

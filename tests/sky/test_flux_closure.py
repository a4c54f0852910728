"""What is in the channels of every model adds up to what the truth says, whatever redshift, pixel or channel."""

from pathlib import Path

import h5py
import numpy as np
import pytest
from astropy.io import fits
from scipy.constants import speed_of_light

from almabrain.sky import models
from almabrain.sky.line_table import transitions

BAR = 0.005
# A line and the redshift that brings it into the two windows about 340 and 344 GHz, or 230 and 234 GHz.
REDSHIFTS = {0.01: "CO(3-2)", 0.5: "CO(3-2)", 2.5: "CO(7-6)", 7.0: "[CII]158"}
FREQUENCY_HZ = {0.01: 342.37, 0.5: 230.53, 2.5: 230.47, 7.0: 237.57}
LINE_MODELS = [
    *(
        "points",
        "gaussians",
        "mixed",
        "disc",
        "diffuse",
        "cloud",
        "galaxy",
        "pictures",
        "tng",
        "rotating_disc",
    )
]
OWN_MODELS = ["cluster", "fits"]


def test_every_model_is_tried_here():
    there = {path.stem for path in Path(models.__file__).parent.glob("[a-z]*.py")}
    assert there == {*LINE_MODELS, *OWN_MODELS, "empty"}


@pytest.fixture
def files(tmp_path):
    """The settings that a model needs beside its name, with its files."""

    def made(model: str) -> dict:
        if model == "pictures":
            y, x = np.mgrid[-40:40, -40:40]
            picture = np.exp(-((x / 12.0) ** 2) - ((y - 8) / 6.0) ** 2)
            fits.writeto(tmp_path / "galaxy.fits", picture.astype("f4"))
            return {"pictures": {"folder": str(tmp_path)}}
        if model == "tng":
            _cutout(tmp_path / "cutout_1.hdf5")
            return {"tng": {"folder": str(tmp_path)}}
        if model == "fits":
            fits.writeto(tmp_path / "model.fits", *_image())
            return {"fits": {"path": str(tmp_path / "model.fits")}, "max_offset_beams": 1000}
        return {}

    return made


@pytest.mark.parametrize("model", LINE_MODELS)
@pytest.mark.parametrize("redshift", REDSHIFTS)
def test_at_any_redshift(model, redshift, draw, row, files):
    _check_closure(draw, row, model, redshift, 16, 0.8, **files(model))


@pytest.mark.parametrize("model", LINE_MODELS)
@pytest.mark.parametrize("channels", [1, 3, 200])
def test_in_channels_of_any_width(model, channels, draw, row, files):
    """Of 2 GHz, broader than any line, down to 10 MHz."""
    _check_closure(draw, row, model, 0.5, channels, 2.0, **files(model))


@pytest.mark.parametrize("model", LINE_MODELS)
@pytest.mark.parametrize("beam_arcsec", [0.03, 4.0])
def test_on_pixels_of_any_size(model, beam_arcsec, draw, row, files):
    _check_closure(draw, row, model, 0.5, 5, beam_arcsec, **files(model))


@pytest.mark.parametrize("profile", ["gaussian", "double_horn", "wings"])
@pytest.mark.parametrize("model", ["mixed", "disc"])
def test_of_any_profile(model, profile, draw, row):
    _check_closure(draw, row, model, 2.5, 40, 0.8, lines={"profile": profile})


@pytest.mark.parametrize("model", LINE_MODELS[3:])
def test_single_precision_keeps_the_flux_of_pictures(model, draw, files):
    made = draw(model=model, channels=3, lines={"names": "none"}, **files(model))
    for _, window in made.windows():
        flux = window["pixel_model_jy"].values.sum(axis=(1, 2), dtype=float)
        assert window["pixel_model_jy"].dtype == np.float32
        assert flux == pytest.approx(made.sources[0].continuum_jy(window["frequency_hz"].values), rel=1e-6)


@pytest.mark.parametrize("brightness", [{"flux_jy": [0.01, 0.1]}, {"luminosity_lsun": [1e12, 1e13]}])
@pytest.mark.parametrize("model", ["mixed", "galaxy", "rotating_disc"])
def test_of_any_brightness(model, brightness, draw, row):
    _check_closure(draw, row, model, 2.5, 40, 0.8, **brightness)


def test_with_absorption(draw, row):
    _check_closure(draw, row, "points", 0.5, 40, 0.8, lines={"absorption": 1.0})


@pytest.mark.parametrize("model", OWN_MODELS)
@pytest.mark.parametrize("channels", [1, 15])
@pytest.mark.parametrize("beam_arcsec", [0.05, 4.0])
def test_models_with_their_own_brightness(model, channels, beam_arcsec, draw, row, files):
    """In the middle channel of a single window, whose centre is the reference frequency."""
    rows = [row([(149.0, 151.0)], band_list=4, s_resolution=beam_arcsec)]
    made = draw(4, rows, model=model, channels=channels, **files(model))
    (_, window), (own,) = next(made.windows()), made.truth
    flux = window["pixel_model_jy"].values.astype(float).sum(axis=(1, 2))
    assert own["reference_frequency"] == pytest.approx(window["frequency_hz"].values[channels // 2])
    assert flux[channels // 2] == pytest.approx(own["flux"], rel=1e-6)
    assert not len(made.lines)


def test_a_negative_model_image_stays_negative(draw, row, tmp_path):
    image, header = _image()
    fits.writeto(tmp_path / "hole.fits", -image, header)
    rows = [row([(149.0, 151.0)], band_list=4)]
    made = draw(rows=rows, model="fits", fits={"path": str(tmp_path / "hole.fits")})
    (_, window), (own,) = next(made.windows()), made.truth
    assert own["flux"] == pytest.approx(-0.1, rel=1e-5) and own["peak_flux"] < 0
    assert window["pixel_model_jy"].values.sum(axis=(1, 2), dtype=float) == pytest.approx(-0.1, rel=1e-5)


@pytest.mark.parametrize("channels", [1, 7, 64])
@pytest.mark.parametrize("beam_arcsec", [0.1, 4.0])
def test_a_model_cube_keeps_its_flux_and_its_line(channels, beam_arcsec, draw, row, tmp_path):
    """A line of 40 MHz on a continuum, in a cube of 1 GHz in the middle of a window of 2 GHz."""
    image, header = _image()
    frequency = 149.5e9 + 10e6 * (np.arange(100) + 0.5)
    spectrum = 1 + 5 * np.exp(-(((frequency - 150.1e9) / 20e6) ** 2))
    header["CTYPE3"], header["CUNIT3"], header["CRPIX3"] = "FREQ", "Hz", 1
    header["CRVAL3"], header["CDELT3"] = frequency[0], 10e6
    fits.writeto(tmp_path / "cube.fits", (spectrum[:, None, None] * image).astype("f4"), header)
    rows = [row([(149.0, 151.0)], band_list=4, s_resolution=beam_arcsec)]
    settings = {"path": str(tmp_path / "cube.fits"), "shift_frequency": False}
    made = draw(rows=rows, model="fits", channels=channels, max_offset_beams=1000, fits=settings)
    (_, window), (own,) = next(made.windows()), made.truth
    flux = window["pixel_model_jy"].values.sum(axis=(1, 2), dtype=float)
    assert flux.mean() == pytest.approx(0.1 * spectrum.mean() / 2, rel=BAR)
    assert own["flux"] == pytest.approx(flux.mean(), rel=1e-4)
    if channels == 64:
        inside = np.abs(window["frequency_hz"].values - 150.1e9) < 30e6
        assert flux.argmax() == np.abs(window["frequency_hz"].values - 150.1e9).argmin()
        assert not window["line_free"].values[inside].any()


def _check_closure(draw, row, model, redshift, channels, beam_arcsec, lines=None, **settings) -> None:
    middle = FREQUENCY_HZ[redshift]
    spans = [(middle - 1, middle + 1), (middle + 3, middle + 5)]
    rows = [row(spans, band_list=6 if middle < 275 else 7, s_resolution=beam_arcsec)]
    name = REDSHIFTS[redshift]
    chosen = {"names": [name], "width_kms": [60.0, 180.0]} | (lines or {})
    settings = {"redshift": [redshift, redshift], "sources": [2, 2], "lines": chosen} | settings
    made = draw(3, rows, model=model, channels=channels, **settings)
    (line,) = made.lines
    assert line["line"] == name
    assert line["frequency"] == pytest.approx(transitions()[name].rest_frequency_hz / (1 + redshift))
    flux, free = _of_first(made)
    own = made.truth[line["source"]]
    total, excess = 0.0, []
    for (frequency, width), light, mask in zip(_channels(made), flux, free):
        if settings.get("luminosity_lsun"):
            continuum = made.sources[0].continuum_jy(frequency)
        else:
            continuum = own["flux"] * (frequency / own["reference_frequency"]) ** own["spectral_index"]
        excess.append(np.abs(light - continuum))
        assert light[mask] == pytest.approx(continuum[mask], rel=0.01)
        total += np.sum((light - continuum) * width) / line["frequency"] * speed_of_light / 1e3
    assert any(mask.any() for mask in free)
    strongest = max(light.max() for light in excess)
    for light, mask in zip(excess, free):
        assert light[mask].max(initial=0) <= 1.001e-3 * strongest
    assert total == pytest.approx(line["flux"], rel=BAR)
    assert own["line_flux"] == line["flux"]
    if settings.get("luminosity_lsun"):
        assert made.sources[0].continuum_jy(own["reference_frequency"]) == pytest.approx(own["flux"])


def _channels(made):
    return [
        (window["frequency_hz"].values, window["channel_width_hz"].values) for _, window in made.windows()
    ]


def _of_first(made):
    """Spectrum of the source that has the line in every window, and the channels free of the line."""
    flux, free = [], []
    for _, window in made.windows():
        if "pixel_model_jy" in window:
            flux.append(window["pixel_model_jy"].values.astype(float).sum(axis=(1, 2)))
        else:
            flux.append(window["component_flux_jy"].values[0])
        free.append(window["line_free"].values)
    return flux, free


def _cutout(path):
    """A turning disc of gas in the units of the public release, at redshift 0.5 of its own."""
    rng = np.random.default_rng(1)
    radius, angle = rng.gamma(2, 2.5, 3000), rng.uniform(0, 2 * np.pi, 3000)
    position = np.c_[radius * np.cos(angle), radius * np.sin(angle), rng.normal(0, 0.1, 3000)]
    velocity = 150 * np.c_[-np.sin(angle), np.cos(angle), 0 * angle]
    with h5py.File(path, "w") as file:
        header = {"Time": 2 / 3, "Redshift": 0.5, "HubbleParam": 0.6774, "BoxSize": 75000.0}
        file.create_group("Header").attrs.update(header)
        file["PartType0/Coordinates"] = 37000 + position * 0.6774 * 1.5
        file["PartType0/Velocities"] = (velocity / np.sqrt(2 / 3)).astype("f4")
        for name, value in (("Masses", 1.0), ("Density", 1e6), ("InternalEnergy", 200.0)):
            file[f"PartType0/{name}"] = np.full(3000, value, "f4")
        file["PartType0/NeutralHydrogenAbundance"] = np.ones(3000, "f4")


def _image():
    """A round source on a background of none, in Jy/pixel, with a full header."""
    y, x = np.mgrid[-32:32, -32:32]
    image = np.exp(-(x**2 + y**2) / 50.0)
    header = fits.Header()
    header["BUNIT"] = "Jy/pixel"
    for axis, kind, value, step in ((1, "RA---SIN", 187.5, -0.2), (2, "DEC--SIN", -40.0, 0.2)):
        header[f"CTYPE{axis}"], header[f"CUNIT{axis}"] = kind, "deg"
        header[f"CRVAL{axis}"], header[f"CRPIX{axis}"], header[f"CDELT{axis}"] = value, 33, step / 3600
    return (0.1 * image / image.sum()).astype("f4"), header

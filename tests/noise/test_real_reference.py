"""The CLEAN residual of a real ALMA band 6 image against draws of its model, by six measures."""

import numpy as np
import pytest
from scipy import stats

from almabrain.data.fits import read_image
from almabrain.noise.draw import drawer
from almabrain.noise.measure import measure
from almabrain.noise.table import from_table
from almabrain.response.beam import Beam

pytestmark = pytest.mark.real_data
PISCO = "images/pisco_cii/Pisco.cii.455kms.{}.fits"


@pytest.fixture(scope="module")
def header_beam(real_data):
    """The beam of the dirty image, which the residual's header lacks."""
    attrs = read_image(real_data / PISCO.format("dirty")).attrs
    return Beam(attrs["bmaj_arcsec"], attrs["bmin_arcsec"], attrs["bpa_deg"])


@pytest.fixture(scope="module")
def model(real_data):
    return measure(real_data / PISCO.format("residual"))


def test_the_numbers_of_the_image(model):
    card = model.card
    lags = dict(zip(card["acf_lag_px"], card["acf_along_x"], strict=True))
    assert 36e-6 <= card["rms_mad"] <= 40e-6
    assert [lags[1], lags[3], lags[6]] == pytest.approx([0.91, 0.51, 0.28], abs=0.015)
    assert card["kurtosis"] == pytest.approx(-0.13, abs=0.04)
    assert card["skewness"] == pytest.approx(-0.04, abs=0.04)
    assert card["masked_fraction"] == 0 and model.local_rms is None


def test_the_core_of_the_acf_is_the_beam(model, header_beam):
    """Natural weights: the noise is correlated like the dirty beam. The residual's header holds no beam."""
    assert model.beam.major_arcsec == pytest.approx(header_beam.major_arcsec, rel=0.05)
    assert model.beam.minor_arcsec == pytest.approx(header_beam.minor_arcsec, rel=0.05)
    assert (model.beam.pa_deg - header_beam.pa_deg + 90) % 180 - 90 == pytest.approx(0, abs=5)


def test_draws_are_like_the_image_and_new(model):
    """ACF within 0.03, KS within 0.02, every ring of the spectrum within 10 % or 2 sd, correlation small."""
    numbers = model.card["comparison"]
    assert numbers["acf_difference"] <= 0.03
    assert numbers["ks"] <= 0.02
    # By chance one ring in twenty is off by 2 sd.
    assert numbers["spectrum_bad_rings"] <= 0.1
    assert numbers["correlation"] <= numbers["correlation_limit"]


def test_single_draws_scatter_about_the_image(model):
    rng = np.random.default_rng(5)
    draws = [drawer(model)(rng) for _ in range(20)]
    assert np.mean([field.std() for field in draws]) == pytest.approx(1, abs=0.02)
    kurtosis = [stats.kurtosis(field, axis=None) for field in draws]
    assert abs(np.mean(kurtosis) - model.card["kurtosis"]) < 2 * np.std(kurtosis)


def test_the_dirty_image_gives_the_same_noise_with_its_source_masked(real_data, model):
    dirty = measure(real_data / PISCO.format("dirty"))
    assert dirty.card["masked_fraction"] > 0.01
    assert dirty.rms == pytest.approx(model.rms, rel=0.1)
    assert dirty.card["acf_along_x"][2] == pytest.approx(model.card["acf_along_x"][2], abs=0.06)


def test_the_table_holds_what_is_measured(model, header_beam):
    """The table's isotropic ACF is the mean over the directions of the image's."""
    table = from_table("pisco_band6")
    assert table.rms == pytest.approx(model.rms, rel=1e-3)
    assert table.card["sha256"] == model.card["sha256"]
    assert table.beam.major_arcsec**2 == pytest.approx(
        header_beam.major_arcsec * header_beam.minor_arcsec, rel=1e-4
    )
    assert np.abs(table.comparison.acf_real[6] - model.comparison.acf_real[6]) < 0.03


@pytest.mark.parametrize(
    ("name", "rms_low", "rms_high"),
    [
        ("j1427-4206_band3", 80e-6, 88e-6),
        ("hd98800_band6", 13.0e-6, 14.5e-6),
        ("atca_g012.9090_17ghz", 26e-6, 78e-6),
    ],
)
def test_images_with_sources_give_their_robust_rms(real_data, name, rms_low, rms_high):
    card = measure(real_data / f"images/{name}.fits").card
    assert rms_low <= card["rms_mad"] <= rms_high
    assert 0 < card["masked_fraction"] < 0.25
    assert card["comparison"]["ks"] <= 0.02
    assert card["comparison"]["acf_difference"] <= 0.04

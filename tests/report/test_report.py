"""The page: whole, valid, offline, accessible; what is missing is said."""

import html.parser
import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from astropy.table import vstack

from almabrain.data.tables import read_table, write_table
from almabrain.instrument import primary_beam
from almabrain.report import (
    build,
    page,
    pictures,
    section_catalogue,
    section_image,
    section_noise,
    section_run,
    section_train,
    style,
)
from almabrain.report.numbers import plain, with_error
from almabrain.report.products import Products
from almabrain.report.truth import apparent_sky
from almabrain.response.beam import Beam

SCRIPT = Path(__file__).parents[2] / "scripts" / "report.py"
VOID = {"img", "meta", "br", "hr", "link", "input"}


class Reader(html.parser.HTMLParser):
    """Collects elements and text, and checks that every element is closed in order."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.text, self._open = [], "", []
        self.feed(text)
        assert not self._open, f"unclosed: {self._open}"

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        self.text += data

    def of(self, tag):
        return [attrs for name, attrs in self.elements if name == tag]


@pytest.fixture(scope="module", autouse=True)
def coarse():
    """Pictures of few pixels: nobody looks at them here."""
    fine = style.SETTINGS["savefig.dpi"]
    style.SETTINGS["savefig.dpi"] = 40
    yield
    style.SETTINGS["savefig.dpi"] = fine


@pytest.fixture(scope="module")
def campaign_page(campaign, synthetic, coarse):
    folder, settings = campaign
    return Reader(build.build(settings, folder, synthetic.DOT))


def test_the_page_needs_nothing_from_elsewhere(campaign_page):
    assert not campaign_page.of("script") and not campaign_page.of("link") and not campaign_page.of("iframe")
    for _, attrs in campaign_page.elements:
        for key in ("src", "href"):
            assert attrs.get(key, "#").startswith(("#", "data:image/png;base64,"))
    style = campaign_page.text
    assert "http://" not in style and "https://" not in style and "url(" not in style


def test_every_picture_says_what_it_shows(campaign_page):
    images = campaign_page.of("img")
    assert len(images) >= 10
    assert all(len(image["alt"]) > 15 for image in images)
    assert all(drawing.get("aria-label") for drawing in campaign_page.of("svg"))
    assert len(campaign_page.of("figcaption")) >= len(images)


def test_links_lead_to_sections(campaign_page):
    targets = {attrs["href"][1:] for attrs in campaign_page.of("a")}
    sections = {attrs["id"] for attrs in campaign_page.of("section")}
    assert targets == sections and {"summary", "images", "sources", "software"} <= sections


def test_what_was_found_is_told(campaign_page):
    text = campaign_page.text
    for part in (
        "2 of 2",
        "1.002",
        "J1222+0413",
        "M <87>",
        "sep on CLEAN, default",
        "numpy",
        "converged",
        "5 × 12m",
        "Share of the data",
        "How the posterior was drawn",
        "r < 2 arcsec",
        "50.0 ± 1.0",
        "with 5 % of the flux scale",
    ):
        assert part in text, part
    assert "<87>" not in {tag for tag, _ in campaign_page.elements}


def test_clean_that_failed_is_told(campaign_page):
    assert "CLEAN: not converged: it diverged." in campaign_page.text


def test_a_run_that_failed_says_so_at_the_top(campaign, tmp_path):
    folder, settings = campaign
    shutil.copytree(folder / "image", tmp_path / "run/image")
    path = tmp_path / "run/image/sim-000001/default/summary.json"
    path.write_text(path.read_text().replace('"converged"', '"not converged: stopped after 3 rounds"'))
    text = Reader(section_run.summary(Products(tmp_path / "run", settings))).text
    assert "1 of 2" in text and "not to be used: sim-000001 (default)." in text


def test_a_run_that_diverged_has_no_numbers(campaign, tmp_path):
    """What a summary cannot know is null there."""
    folder, settings = campaign
    shutil.copytree(folder, tmp_path / "run")
    path = tmp_path / "run/image/sim-000001/default/summary.json"
    told = json.loads(path.read_text()) | {"verdict": "not converged: a sample diverged"}
    told |= {"reduced_chi2": None, "flux_jy": None, "flux_error_jy": None, "noise_factors": {"spw0": None}}
    told["chi2_by_baseline"]["reduced_chi2"] = [None] * 8
    path.write_text(json.dumps(told))
    products = Products(tmp_path / "run", settings)
    assert "1 of 2" in Reader(section_run.summary(products)).text
    assert (
        "a sample diverged. Reduced χ² –, 8 posterior samples."
        in Reader(section_image.section(products)).text
    )


def test_a_large_campaign_is_cut_to_a_readable_page(campaign, tmp_path):
    folder, settings = campaign
    table = read_table(folder / "query/observations.ecsv")
    write_table(tmp_path / "query/observations.ecsv", vstack([table] * 40))
    reader = Reader(section_run.observations(Products(tmp_path, settings)))
    assert len(reader.of("tr")) == 51 and "The first 50 of 80." in reader.text


def test_observations_say_what_the_weights_were_off_by_and_whose_data_they_are(observation, synthetic):
    folder, settings = observation
    text = Reader(build.build(settings, folder, synthetic.DOT)).text
    assert "weights" in text and "2.40" in text and "2.41" in text
    assert "ADS/JAO.ALMA#2011.0.00465.S" in text
    assert "Sources of obs-mine" in text and "largest value of all channels" in text
    for absent in ("Truth", "CLEAN − truth"):
        assert absent not in text
    assert "No network was trained" in text and "nothing can be scored" in text


def test_the_network_is_scored_on_what_it_was_not_trained_on(campaign_page):
    text = campaign_page.text
    assert "Held out from the network's training: sim-000001 (1 of 2 simulations)." in text
    assert text.count("held out: 1") == 2 and text.count("trained on: 1") == 1
    assert "Compare the network with other finders on the held-out simulations" in text
    assert "network on dirty image: 3" in text
    assert text.count("It was trained on this simulation.") == 1


def test_a_network_trained_on_everything_is_told(campaign, tmp_path):
    folder, settings = campaign
    shutil.copytree(folder / "catalogue", tmp_path / "run/catalogue")
    path = tmp_path / "run/catalogue/scores.ecsv"
    scores = read_table(path)
    scores["held_out"] = (scores["finder"] == "sep") | (scores["data"] == "all")
    write_table(path, scores)
    text = Reader(section_catalogue.section(Products(tmp_path / "run", settings))).text
    assert "trained on every simulation of this campaign" in text


def test_an_empty_folder_gives_a_page_of_reasons(tmp_path, synthetic):
    text = Reader(build.build({"run": "empty"}, tmp_path, synthetic.DOT)).text
    for reason in ("no campaign", "Nothing was imaged", "No catalogue", "No noise model", "No network"):
        assert reason in text


@pytest.mark.parametrize(
    "absent, section, sentence",
    [
        ("image/sim-000000/default/clean.fits", section_image, "There is no CLEAN image"),
        ("image/sim-000000/default/summary.json", section_image, "no Bayesian image"),
        ("image/sim-000000/default/mean_beam.fits", section_image, "truth, dirty, CLEAN, posterior std."),
        ("image/sim-000000/default/clean_residual.fits", section_image, "left over"),
        (
            "image/sim-000000/default/resolution.fits",
            section_image,
            "standard deviation, and their ratio. Where",
        ),
        ("image/sim-000000/default/history.ecsv", section_image, "reduced χ² of the posterior"),
        ("image/sim-000000/default/fluxes.ecsv", section_image, "Share of the data"),
        ("visibilities/sim-000000.zarr.zip", section_image, "right: dirty, CLEAN, posterior mean"),
        ("catalogue/matches.ecsv", section_catalogue, "nothing can be scored"),
        ("noise/models/residual.zarr.zip", section_noise, "No noise model was measured"),
        ("train/blobs/history.csv", section_train, "No network was trained"),
    ],
)
def test_one_missing_product_is_no_obstacle(campaign, tmp_path, absent, section, sentence):
    folder, settings = campaign
    shutil.copytree(folder, tmp_path / "run")
    (tmp_path / "run" / absent).unlink()
    for place in ("image", "catalogue"):
        shutil.rmtree(tmp_path / "run" / place / "sim-000001")
    assert sentence in Reader(section.section(Products(tmp_path / "run", settings))).text


def _loaded(folder, settings):
    products = Products(folder, settings)
    windows = products.groups("visibilities/sim-000000.zarr.zip")
    return pictures.load(products, "sim-000000", "default", windows)


def test_truth_dirty_and_posterior_agree_on_where_sources_are(campaign, synthetic):
    folder, settings = campaign
    found = _loaded(folder, settings)
    x = synthetic.N_PIX // 2 - synthetic.SOURCES[0, 0] / synthetic.CELL
    y = synthetic.N_PIX // 2 + synthetic.SOURCES[0, 1] / synthetic.CELL
    for picture in (found.truth, found.dirty, found.mean):
        peak = np.unravel_index(np.nanargmax(picture), picture.shape)
        assert np.hypot(peak[0] - y, peak[1] - x) < 1.5
    # A point's peak in Jy/beam is its flux through the primary beam (0.96 there); pixels miss it a little.
    assert 0.93 * 0.05 < found.truth.max() < 0.05
    assert found.noise_jy == pytest.approx(synthetic.NOISE_JY, rel=0.1)


def test_all_pictures_are_attenuated_alike(campaign):
    folder, settings = campaign
    found = _loaded(folder, settings)
    y, x = np.unravel_index(np.argmax(found.truth), found.truth.shape)
    # The mean on disk is corrected for the primary beam; shown, it must agree with CLEAN and truth.
    assert found.mean[y, x] == pytest.approx(found.truth[y, x], rel=0.02)
    assert found.clean[y, x] == pytest.approx(found.truth[y, x], rel=0.03)


def test_the_field_is_cut_to_what_is_seen_and_keeps_its_centre():
    picture, n = np.zeros((64, 64)), np.zeros((64, 64))
    picture[32 + 3, 32 - 10] = 1.0
    found = pictures.Pictures(0.1, Beam(0.3, 0.2, 0.0), 0.01, None, n, picture, None, None, None, None, None)
    assert found.half_width() == 15, "at least five beams"
    picture[32, 32 + 22] = 1.0
    assert found.half_width() == 29
    small = found.cut(28)
    assert (
        small.clean.shape == (56, 56)
        and small.clean[28 + 3, 28 - 10] == 1.0
        and small.dirty.shape == (56, 56)
    )
    picture[0, 0] = 1.0
    assert found.half_width() == 32
    truth = np.zeros((64, 64))
    truth[32, 32 + 20] = 1.0
    assert replace(found, truth=truth).half_width() == 26, "peaks that are not true do not count"


def test_a_pixel_model_is_seen_through_primary_beam_and_beam():
    model = np.zeros((2, 8, 8))
    model[:, 6, 1] = 2.0, 4.0  # Jy in a pixel 3 cells east and 2 north of the centre
    window = xr.Dataset(
        {
            "frequency_hz": ("channel", np.array([100e9, 300e9])),
            "line_free": ("channel", [True, True]),
            "pixel_model_jy": (("channel", "y", "x"), model, {"pixel_cell_arcsec": 1.0}),
        }
    )
    imaged = {"spw0": (np.array([300e9, 100e9]), np.array([1.0, 3.0]))}
    grid = {"n_pix": 32, "cell_arcsec": 0.5, "ra_deg": 10.0, "dec_deg": 0.0}
    picture = apparent_sky({"spw0": window}, imaged, 12.0, grid, Beam(2.0, 2.0, 0.0))
    assert np.unravel_index(picture.argmax(), picture.shape) == (16 + 4, 16 - 6)
    radius = np.hypot(3, 2) / 206264.806
    low, high = (float(primary_beam.power(radius, f, 12.0)) for f in (100e9, 300e9))
    assert picture.max() == pytest.approx(0.75 * 2.0 * low + 0.25 * 4.0 * high, rel=1e-3)


def test_text_is_escaped_everywhere():
    nasty = '<b>&"'
    parts = [
        page.paragraph(nasty),
        page.heading(nasty),
        page.table(nasty, [nasty], [[nasty]]),
        page.cards([(nasty, nasty, "")]),
        page.preformatted(nasty),
        page.page(nasty, nasty, [(nasty, "")]),
    ]
    for part in parts:
        assert "<b>&" not in part and "&lt;b&gt;&amp;" in part


def test_numbers_read_well():
    assert [plain(value) for value in (0, 1, 0.12345, 12345.6, 1e-7, np.nan, np.ma.masked)] == [
        "0", "1.00", "0.123", "12346", "1.00e-07", "–", "–",
    ]  # fmt: skip


def test_numbers_have_the_digits_of_their_errors():
    assert with_error(141.234, 3.04) == "141.2 ± 3.0"
    assert with_error(0.0123456, 0.00021) == "0.01235 ± 0.00021"
    assert with_error(1234.5, 120.0) == "1234 ± 120"
    assert with_error(1.0, np.nan) == "1.00" and with_error(np.nan, 1.0) == "–"


def test_command_line(campaign, synthetic, tmp_path):
    folder, settings = campaign
    shutil.copytree(folder / "train", tmp_path / "run" / "train")
    (tmp_path / "dag.dot").write_text(synthetic.DOT)
    (tmp_path / "config.json").write_text(json.dumps(settings))
    command = [sys.executable, str(SCRIPT), "--settings", str(tmp_path / "config.json")]
    command += ["--dag", str(tmp_path / "dag.dot"), "--output", str(tmp_path / "report.html"), "--results"]
    done = subprocess.run([*command, str(tmp_path / "run")], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert len(Reader((tmp_path / "report.html").read_text()).of("img")) == 1
    (tmp_path / "report.html").unlink()
    done = subprocess.run([*command, str(tmp_path / "absent")], capture_output=True, text=True)
    assert done.returncode == 2 and "absent is no folder" in done.stderr.strip().splitlines()[-1]
    assert not (tmp_path / "report.html").exists()

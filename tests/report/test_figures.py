"""Figures: what is drawn is where, and as bright as, the arrays say."""

import numpy as np
import pytest
from matplotlib.colors import AsinhNorm

from almabrain.report import figures_fit, figures_image, figures_noise, figures_score
from almabrain.report.figures_image import Grid, Marks, Panel
from almabrain.report.style import PAGE_WIDTH_IN, brightness_unit, data_uri, drawing

GRID = Grid(0.5, (2.0, 1.0, 30.0))


def _point(n=16, x=4, y=11, value=2e-3):
    picture = np.zeros((n, n))
    picture[y, x] = value
    return picture


def _offset_of_peak(image):
    """Offsets (east, north) at which the brightest pixel is drawn."""
    data, (left, right, bottom, top) = np.asarray(image.get_array()), image.get_extent()
    y, x = np.unravel_index(data.argmax(), data.shape)
    return left + (x + 0.5) * (right - left) / data.shape[1], bottom + (y + 0.5) * (
        top - bottom
    ) / data.shape[0]


def test_a_source_is_drawn_at_its_offset_with_east_to_the_left():
    figure = figures_image.sky_row([Panel("truth", _point())], GRID, 1e-4)
    axis = figure.axes[0]
    # Pixel (x, y) = (4, 11) of 16 is 4 cells east and 3 cells north of pixel (8, 8).
    assert _offset_of_peak(axis.images[0]) == pytest.approx((2.0, 1.5))
    assert axis.get_xlim()[0] > axis.get_xlim()[1]
    assert axis.images[0].origin == "lower" or axis.get_ylim()[0] < axis.get_ylim()[1]


@pytest.mark.parametrize("shape", [(16, 16), (10, 14), (15, 9)])
def test_the_reference_pixel_is_at_offset_zero(shape):
    picture = np.zeros(shape)
    picture[shape[0] // 2, shape[1] // 2] = 1
    with drawing():
        figure = figures_image.sky_row([Panel("p", picture)], GRID, 1e-4)
    assert _offset_of_peak(figure.axes[0].images[0]) == pytest.approx((0, 0), abs=1e-12)


def test_shared_panels_are_on_one_scale_and_others_on_their_own():
    panels = [
        Panel("truth", _point()),
        Panel("mean", _point(value=1e-3)),
        Panel("std", _point(value=5e-5), "own"),
    ]
    figure = figures_image.sky_row(panels, GRID, 1e-4)
    pictures = [axis.images[0] for axis in figure.axes if axis.images]
    truth, mean, std = pictures[:3]
    assert truth.norm is mean.norm and isinstance(truth.norm, AsinhNorm)
    assert truth.norm.vmax == pytest.approx(2.0) and truth.get_array().max() == pytest.approx(2.0), "mJy"
    assert mean.get_array().max() == pytest.approx(1.0)
    assert (std.norm.vmin, std.norm.vmax) == (0, pytest.approx(50)), "µJy"
    labels = [axis.get_ylabel() for axis in figure.axes]
    assert labels.count("mJy/beam") == 1 and labels.count("µJy/beam") == 1


def test_signed_panels_share_a_scale_that_is_symmetric_about_zero():
    panels = [Panel("residual", _point(value=value), "signed") for value in (-3e-3, 1e-3)]
    figure = figures_image.sky_row(panels, GRID, 1e-4)
    norm, other = (axis.images[0].norm for axis in figure.axes[:2])
    assert norm.vmin == -norm.vmax and norm is other


def test_blank_pixels_and_ratios_are_drawn():
    picture = _point() + 1e-5
    picture[0, 0] = np.nan
    panels = [Panel("mean", picture, "log", "arcsec²"), Panel("std / mean", 0.5 * picture / picture, "ratio")]
    figure = figures_image.sky_row(panels, GRID, 1e-4)
    mean, ratio = (axis.images[0] for axis in figure.axes[:2])
    assert mean.get_array().mask[0, 0] and mean.norm.vmax == pytest.approx(2.01), "mJy"
    assert ratio.get_array().max() == pytest.approx(0.5)
    assert "mJy/arcsec²" in [axis.get_ylabel() for axis in figure.axes]


def test_the_beam_is_drawn_with_its_axes_and_angle():
    figure = figures_image.sky_row([Panel("truth", _point())], GRID, 1e-4)
    ellipse = figure.axes[0].patches[0]
    assert (ellipse.width, ellipse.height, ellipse.angle) == (2.0, 1.0, 60.0)
    # Position angle north through east: of two directions, the major axis lies on (sin PA, cos PA).
    major = np.array([np.sin(np.radians(30)), np.cos(np.radians(30))])
    edge = ellipse.get_patch_transform().transform(np.array([[1.0, 0.0]]))[0] - ellipse.center
    assert abs(edge @ major) == pytest.approx(1.0)


def test_marks_stand_on_the_sources():
    marks = Marks("found", np.array([2.0]), np.array([1.5]))
    figure = figures_image.marked_sky(Panel("p", _point()), GRID, 1e-4, marks, [marks])
    axis = figure.axes[0]
    for collection in axis.collections:
        assert tuple(collection.get_offsets()[0]) == pytest.approx(_offset_of_peak(axis.images[0]))


def test_uv_points_come_with_their_conjugates():
    figure = figures_fit.uv_coverage({"spw0": np.array([[30.0, 40.0]])})
    drawn = figure.axes[0].lines[0].get_xydata()
    assert sorted(map(tuple, drawn)) == [(-30.0, -40.0), (30.0, 40.0)]
    assert figure.axes[0].get_xlim()[0] > 0, "u grows to the east, to the left"


def test_chi2_is_drawn_between_its_edges():
    edges, chi2 = np.array([0.0, 10, 30]), np.array([0.7, 1.6])
    spectrum = {name: np.array([1.0, 0.1]) for name in ("k", "mean", "low", "high", "learned")}
    figure = figures_fit.fit(edges, chi2, spectrum)
    low, high = figure.axes[0].get_ylim()
    assert low < 0.7 and high > 1.6
    values, drawn_edges, _ = figure.axes[0].patches[-1].get_data()
    assert np.array_equal(values, chi2) and np.array_equal(drawn_edges, edges)
    assert len(figures_fit.fit(edges, chi2, None).axes) == 1


def test_learned_noise_is_drawn_with_its_error():
    noise = {
        name: np.array(values)
        for name, values in (("klambda", [5, 9]), ("factor", [2.0, 1]), ("error", [0.2, 0]))
    }
    axis = figures_fit.fit(np.array([0.0, 10]), np.array([1.0]), None, noise).axes[1]
    assert np.array_equal(axis.lines[-1].get_xydata(), [[5, 2], [9, 1]]) and axis.get_ylim()[1] > 2.4
    assert axis.collections[0].get_paths()[0].get_extents().extents == pytest.approx([5, 1, 9, 2.4])


def test_rounds_of_the_warm_up_stand_apart_from_those_that_count():
    warming = np.array([1.0, 1, 0, 0, 0])
    rounds = {
        name: np.arange(5.0) for name in ("energy", "chi2", "acceptance", "slowest", "worst_acceptance")
    }
    rounds |= {
        "round": np.arange(1.0, 6),
        "warming": warming,
        "disagreement": np.array([np.inf, 2, np.inf, 1.5, 1]),
    }
    figure = figures_fit.history(rounds)
    before, after = figure.axes[0].lines[:2]
    assert list(before.get_xdata()) == [1, 2] and list(after.get_xdata()) == [3, 4, 5]
    assert [list(line.get_xdata()) for line in figure.axes[3].lines[:2]] == [[2], [4, 5]]
    assert {text.get_text() for text in figure.axes[3].get_legend().texts} == {"all", "worst twentieth"}


def test_resolution_has_a_scale_of_lengths_and_the_share_one_from_0_to_1():
    size = np.geomspace(0.2, 1.3, 64).reshape(8, 8)
    figure = figures_image.sky_row([Panel("r", size, "size"), Panel("s", size / 2, "share")], GRID, 1e-4)
    norms = [axis.images[0].norm for axis in figure.axes[:2]]
    assert norms[0].vmin < 0.2 and norms[0].vmax > 1.3 and (norms[1].vmin, norms[1].vmax) == (0, 1)
    labels = {axis.get_ylabel() for axis in figure.axes[2:]}
    assert labels == {"arcsec", "share"}


def test_noise_pictures_share_their_scale():
    rng = np.random.default_rng(0)
    real, drawn = rng.normal(0, 1e-5, (2, 8, 8))
    figure = figures_noise.pictures(real, drawn, np.eye(8, dtype=bool), 0.1, 1e-5)
    limits = [axis.images[0].get_clim() for axis in figure.axes[:2]]
    assert limits[0] == limits[1] == pytest.approx((-40, 40)), "4 rms in µJy"
    assert np.count_nonzero(np.ma.masked_invalid(figure.axes[0].images[0].get_array()).mask) == 8
    assert np.isfinite(figure.axes[1].images[0].get_array()).all()


def test_fluxes_are_drawn_with_their_errors():
    true, flux, error = np.array([1e-3, 2e-3]), np.array([1.1e-3, 1.8e-3]), np.array([1e-4, 1e-4])
    figure = figures_score.recovered_fluxes({"sep": true}, {"sep": flux}, {"sep": error})
    container = figure.axes[0].containers[0]
    assert container.lines[0].get_xydata() == pytest.approx(np.array([[1, 1.1], [2, 1.8]]))
    segment = container.lines[2][0].get_segments()[0]
    assert segment[:, 1] == pytest.approx([1.0, 1.2])
    steps, edges, _ = figure.axes[1].patches[0].get_data()
    assert edges[1:-1] == pytest.approx([-2, 1]) and steps == pytest.approx([0, 0.5, 1])


def test_a_missing_reference_leaves_one_picture():
    figure = figures_noise.pictures(None, np.ones((8, 8)), None, 0.1, 1e-5)
    assert [axis.get_title() for axis in figure.axes if axis.images] == ["Drawn by the model"]


def test_bins_without_sources_are_left_out():
    completeness = np.array([[0.5, np.nan, 1.0], [0.4, np.nan, 0.9], [0.7, np.nan, 1.0]])
    figure = figures_score.by_snr(np.array([5.0, 10, 20, 100]), {"sep": completeness}, {"sep": completeness})
    container = figure.axes[0].containers[0]
    assert container.lines[0].get_ydata() == pytest.approx([0.5, 1.0])
    assert container.lines[2][0].get_segments()[0][:, 1] == pytest.approx([0.4, 0.7])


def test_brightness_units():
    assert brightness_unit(2.0) == (1.0, "Jy")
    assert brightness_unit(2e-3) == (1e3, "mJy")
    assert brightness_unit(-2e-6) == (1e6, "µJy")


def test_the_same_figure_gives_the_same_bytes():
    pair = [data_uri(figures_image.sky_row([Panel("truth", _point())], GRID, 1e-4)) for _ in range(2)]
    assert pair[0] == pair[1] and pair[0][0].startswith("data:image/png;base64,")


def test_a_picture_is_as_wide_on_the_page_as_it_was_drawn():
    with drawing():
        _, width = data_uri(figures_fit.uv_coverage({"spw0": np.ones((2, 2))}))
    assert width == pytest.approx(0.72 * PAGE_WIDTH_IN * 100, rel=0.05)

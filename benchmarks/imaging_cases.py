"""Single fields of known answer for imagers: no source, five Gaussians, two points in one beam, a decrement.

Each case is a scene (see imaging_scenes) and what is measured on posterior draws of it. Draws come as true sky
(sample, y, x) in Jy/arcsec² and as the telescope sees them at the CLEAN beam in Jy/beam.
"""

from collections.abc import Callable
from pathlib import Path

import imaging_scenes
import numpy as np
from imaging_scenes import BANDS, RA_DEG, Scene, components_window, keep, observation_row
from scipy import ndimage

from almabrain.data.constants import ARCSEC
from almabrain.data.coordinates import lm_grid
from almabrain.data.seeds import generator
from almabrain.instrument import configurations, pads, resolution
from almabrain.response import choose, primary_beam
from almabrain.response.beam import Beam, render_components
from almabrain.simulate.coverage import cover
from almabrain.sky.pixels import edge_taper
from almabrain.sky.sunyaev_zeldovich import beta_profile

DEC_DEG = -30.0
# Peak [mJy/arcsec²], FWHM axes [arcsec], offsets east and north [arcsec], position angle [deg].
FIVE = (
    (34.11, 1.5, 1.1, -5.0, 3.0, 30.0),
    (23.31, 2.4, 1.9, 6.0, -5.0, 0.0),
    (16.69, 3.2, 2.6, 3.0, 9.0, 60.0),
    (2.0, 5.0, 3.5, -10.0, -9.0, 120.0),
    (0.8, 6.0, 5.0, 11.0, 4.0, 10.0),
)
FIVE_SNR = 200.0
CORE_ARCSEC, EDGE_ARCSEC, POINT_ARCSEC = 8.0, 45.0, (12.0, 5.0)
_PER_PEAK = np.pi / (4 * np.log(2))  # flux over peak times both FWHM axes


def five_gaussians(folder: Path, snr: float = FIVE_SNR) -> Scene:
    """ALMA cycle 9 configuration 3 at 230 GHz for an hour: 108,360 visibilities, 512² pixels of 0.1 arcsec."""
    components = [
        (1e-3 * peak * _PER_PEAK * major * minor, east, north, major, minor, pa)
        for peak, major, minor, east, north, pa in FIVE
    ]
    options = {"n_pix": 512, "cell_arcsec": 0.1, "time_s": 3600.0, "integration_s": 30.0, "snr": snr}
    name = "five-gaussians" if snr == FIVE_SNR else f"five-gaussians-{snr:g}"
    return _scene(folder, name, "alma.cycle9.3", components, **options)


def empty(folder: Path, seed: int, array: str = "alma.cycle9.3", n_pix: int = 128) -> Scene:
    """Nothing but noise, on the array's own cell."""
    return _scene(folder, f"empty-{array}-{seed}-{n_pix}", array, [], seed=seed, antennas=30, n_pix=n_pix)


def two_points(folder: Path, seed: int, beams: float = 0.5, snr: float = 50.0) -> Scene:
    """Two points of S/N 50 each, half a beam apart along a random angle, somewhere near the centre."""
    rng = generator(seed, "case", "two points")
    name, array = f"two-points-{seed}", "alma.cycle9.3"
    blank = _scene(folder, f"{name}-blank", array, [], seed=seed, antennas=30)
    beam = natural_beam(blank)
    angle = rng.uniform(0, 2 * np.pi)
    towards = np.array([np.sin(angle), np.cos(angle)])
    half = 0.5 * beams * width_along(beam, np.degrees(angle)) * towards
    middle = rng.uniform(-2, 2, 2)
    components = [(1.0, *(middle + sign * half), 0.0, 0.0, 0.0) for sign in (1, -1)]
    flux = snr * blank.facts["sensitivity_jy_beam"]
    seen = [primary_beam.dish(12.0)(c[1] * ARCSEC, c[2] * ARCSEC, BANDS[6]) for c in components]
    components = [(flux / float(power), *c[1:]) for c, power in zip(components, seen)]
    return _scene(folder, name, array, components, seed=seed, antennas=30)


def decrement(folder: Path) -> Scene:
    """A cluster's decrement at 100 GHz in configuration 1, S/N 60 at the natural beam, and a point source in it.

    A beta model of core radius 8 arcsec, a third of the largest recoverable scale, that fades from 0.8 of 45 arcsec on.
    """

    def picture(cell: float) -> tuple[np.ndarray, float]:
        fine = cell / 3
        half = int(np.ceil(EDGE_ARCSEC / fine)) + 1
        l, m = lm_grid(2 * half, fine)
        profile = beta_profile(np.hypot(l, m) / ARCSEC, CORE_ARCSEC, 0.86)
        return -1e-3 * profile * edge_taper(l, m, EDGE_ARCSEC * ARCSEC, 0.8) * fine**2, fine

    options = {"n_pix": 192, "time_s": 3600.0, "antennas": 40, "band": 3, "snr": 60.0, "picture": picture}
    return _scene(folder, "decrement", "alma.cycle9.1", [(6e-3, *POINT_ARCSEC, 0, 0, 0)], **options)


def decrement_bar(scene: Scene, skies: np.ndarray, draws: np.ndarray, beam: Beam) -> dict[str, tuple]:
    """Of posterior draws: value over truth, and its error over truth, of what a decrement must show.

    `centre`: mean brightness of the true sky in a disc as wide as the beam; `point`: how far the embedded point stands
    out from the ring around it, at the beam.
    """
    n_pix, cell = scene.n_pix, scene.cell_arcsec
    north, west = np.mgrid[:n_pix, :n_pix] * cell - n_pix // 2 * cell
    middle = np.hypot(north, west) <= beam.major_arcsec / 2
    away = np.hypot(north - POINT_ARCSEC[1], west + POINT_ARCSEC[0])
    here, ring = away <= 0.3 * beam.major_arcsec, abs(away / beam.major_arcsec - 2) < 0.4
    known = scene.truth.sky(n_pix, cell) / cell**2, scene.truth.at_beam(n_pix, cell, beam)

    def measure(sky, seen):
        return sky[..., middle].mean(-1), seen[..., here].mean(-1) - seen[..., ring].mean(-1)

    found = {}
    for name, drawn, true in zip(("centre", "point"), measure(skies, draws), measure(*known)):
        found[name] = float(drawn.mean() / true), float(drawn.std(ddof=1) / abs(true))
    return found


def _scene(
    folder: Path,
    name: str,
    array: str,
    components: list,
    seed: int = 0,
    n_pix: int = 128,
    cell_arcsec: float | None = None,
    time_s: float = 1800.0,
    integration_s: float = 60.0,
    snr: float | None = None,
    antennas: int | None = None,
    band: int = 6,
    picture: Callable[[float], tuple[np.ndarray, float]] | None = None,
) -> Scene:
    """A scene of given components (flux_jy, east, north, major, minor, pa), made where it is not there yet.

    `picture`, of the cell of the image [arcsec], gives pixels (y, x) in Jy/pixel and their own cell.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / f"{name}.json").exists():
        stations = configurations.antennas(array)
        stations = stations[:: max(1, len(stations) // antennas)][:antennas] if antennas else stations
        row = observation_row(stations, band, DEC_DEG, time_s)
        coverage = cover([row], RA_DEG, DEC_DEG, np.zeros((1, 2)), imaging_scenes.track(integration_s))
        hertz = np.array([BANDS[band] + imaging_scenes.BANDWIDTH_HZ / 2])
        cell = cell_arcsec or choose.cell_arcsec(coverage.uvw_m[~coverage.flag], hertz)
        places = pads.itrf([item.split(":")[0] for item in stations])
        moment = [coverage.time_mjd_s.mean()]
        facts = {
            "kind": "case", "array": array, "seed": seed, "n_pix": n_pix, "cell_arcsec": cell,
            "integration_s": integration_s, "dish_m": 7.0 if array.startswith("aca") else 12.0,
            "beam_arcsec": resolution.resolution_arcsec(places, RA_DEG, DEC_DEG, moment, BANDS[band]),
        }  # fmt: skip
        window = components_window(components, BANDS[band], DEC_DEG)
        if picture:
            pixels, fine = picture(cell)
            attrs = {"pixel_cell_arcsec": fine, "units": "Jy/pixel"}
            window["spw0"]["pixel_model_jy"] = ("channel", "y", "x"), pixels[None].astype(np.float32), attrs
            window["spw0"].attrs["pixel_cell_arcsec"] = fine
        keep(folder, name, row, window, facts, generator(seed, "case", name), snr)
    return imaging_scenes.load(folder, name)


def natural_beam(scene: Scene) -> Beam:
    """The natural beam of a scene, as it was fitted when it was made."""
    return Beam(*(scene.facts[key] for key in ("bmaj_arcsec", "bmin_arcsec", "bpa_deg")))


def width_along(beam: Beam, angle_deg: float) -> float:
    """FWHM of a beam along a direction, north through east [arcsec]."""
    turn = np.radians(angle_deg - beam.pa_deg)
    return float(((np.cos(turn) / beam.major_arcsec) ** 2 + (np.sin(turn) / beam.minor_arcsec) ** 2) ** -0.5)


def five_brightness(sky: np.ndarray, cell_arcsec: float) -> np.ndarray:
    """Brightness (..., 5) in mJy/arcsec² of images (..., y, x) in Jy/arcsec² at the five centres.

    Mean of a box of a third of an arcsec about, which takes 2 % from the narrowest; divide by the truth's own.
    """
    n_pix, half = sky.shape[-1], max(1, round(0.15 / cell_arcsec))
    made = []
    for *_, east, north, _ in FIVE:
        y, x = round(n_pix // 2 + north / cell_arcsec), round(n_pix // 2 - east / cell_arcsec)
        box = sky[..., y - half : y + half + 1, x - half : x + half + 1]
        made.append(1e3 * box.mean(axis=(-1, -2)))
    return np.stack(made, axis=-1)


def five_at_beam(image: np.ndarray, pattern: np.ndarray, cell_arcsec: float, beam: Beam) -> np.ndarray:
    """Brightness (..., 5) in mJy/arcsec² at the five centres of images (..., y, x) in Jy/beam, beam-corrected."""
    return five_brightness(
        image / np.maximum(pattern, 1e-6) / beam.area_pixels(cell_arcsec) / cell_arcsec**2, cell_arcsec
    )


def five_truth(scene: Scene, beam: Beam | None = None) -> np.ndarray:
    """The true brightness (5,) as `five_brightness` measures it; at `beam` if that is given."""
    n_pix, cell = scene.n_pix, scene.cell_arcsec
    if beam is None:
        return five_brightness(scene.truth.sky(n_pix, cell) / cell**2, cell)
    pattern = primary_beam.image(n_pix, cell, BANDS[6], primary_beam.dish(scene.truth.dish_m))
    return five_at_beam(scene.truth.at_beam(n_pix, cell, beam), pattern, cell, beam)


def empty_bar(draws: np.ndarray, noise: float, seen: np.ndarray) -> dict[str, float]:
    """What an empty field must show, in σ of the dirty image and nothing above 1: the highest lower end of a 95 %
    interval of the flux in any beam, and the highest peak of the posterior mean. `draws` in Jy/beam."""
    low = np.quantile(draws, 0.025, axis=0)
    return {
        "low95": float(low[seen].max() / noise),
        "high95": float(np.quantile(draws, 0.975, axis=0)[seen].max() / noise),
        "mean": float(draws.mean(axis=0)[seen].max() / noise),
    }


def pair_fluxes(scene: Scene, images: np.ndarray, beam: Beam) -> np.ndarray:
    """Apparent fluxes (..., 2) of the two points relative to the true: least squares of two beams where they are."""
    flux, l, m = scene.truth.points.T
    power = primary_beam.dish(scene.truth.dish_m)(l, m, scene.truth.frequency_hz)
    nothing = np.zeros(1)
    n_pix, cell = scene.n_pix, scene.cell_arcsec
    shapes = [
        render_components(n_pix, cell, one, *where, nothing, nothing, nothing, beam).ravel()
        for one, *where in zip(flux * power, l, m)
    ]
    design = np.stack(shapes, axis=1)
    used = design.max(axis=1) > 1e-3 * design.max()
    return images.reshape(*images.shape[:-2], -1)[..., used] @ np.linalg.pinv(design[used]).T


def is_split(scene: Scene, mean_sky: np.ndarray) -> bool:
    """Whether the posterior-mean sky (y, x) shows two points where they are.

    The two highest maxima within a beam of their middle lie each within half their distance of one of them, and the
    fainter has at least a fifth of the brighter's height.
    """
    cell, n_pix = scene.cell_arcsec, scene.n_pix
    _, l, m = scene.truth.points.T
    y, x = n_pix // 2 + m / ARCSEC / cell, n_pix // 2 - l / ARCSEC / cell
    apart = np.hypot(y[0] - y[1], x[0] - x[1])
    smooth = ndimage.gaussian_filter(mean_sky, 0.5)
    peaks = np.argwhere((smooth == ndimage.maximum_filter(smooth, 3)) & (smooth > 0))
    near = np.hypot(peaks[:, 0] - y.mean(), peaks[:, 1] - x.mean()) < scene.facts["beam_arcsec"] / cell
    peaks = sorted(peaks[near].tolist(), key=lambda place: -smooth[tuple(place)])[:2]
    if len(peaks) < 2 or smooth[tuple(peaks[1])] < 0.2 * smooth[tuple(peaks[0])]:
        return False
    distance = np.hypot(*(np.array(peaks).T[:, :, None] - np.array([y, x])[:, None, :]))
    return bool(
        max(distance[0, 0], distance[1, 1]) < apart / 2 or max(distance[0, 1], distance[1, 0]) < apart / 2
    )

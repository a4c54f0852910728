"""Fields of known sky for judging imagers: drawn by the stages sky and simulate, in process.

A scene is what the rule `visibilities` would make of one simulation, and the truth about it, on any pixels and at any
beam. Points, discs with rings, diffuse emission, clouds and mixtures, seen by the 12 m configurations 1 to 8 and the
7 m array; sizes go from a beam to about the largest recoverable scale.
"""

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import xarray as xr
from scipy.ndimage import map_coordinates

from almabrain.config.simulate import SimulateSettings
from almabrain.config.sky import SkySettings
from almabrain.data import store
from almabrain.data.constants import ARCSEC, SPEED_OF_LIGHT_M_S
from almabrain.data.coordinates import lm_from_radec, lm_grid, radec_from_lm
from almabrain.data.files import atomic
from almabrain.data.measurement_set import write_measurement_set
from almabrain.data.seeds import generator
from almabrain.image.noise import noise_factor
from almabrain.instrument import configurations, pads, primary_beam, resolution
from almabrain.response import choose
from almabrain.response.beam import Beam, covariance_of, render_components
from almabrain.response.primary_beam import dish
from almabrain.simulate.coverage import cover
from almabrain.simulate.observe import observe
from almabrain.sky import scene as sky_scene

KINDS = ("points", "disc", "diffuse", "cloud", "mixed")
ARRAYS = (*(f"alma.cycle9.{number}" for number in range(1, 9)), "aca.cycle9")
MOST_VISIBILITIES = 30_000
BANDS = {3: 100e9, 4: 145e9, 6: 230e9, 7: 345e9}
BANDWIDTH_HZ = 2e9
RA_DEG, TRANSIT_MJD = 150.0, 58849.29
SIZES = (128, 192, 256)  # pixels that a field may have
# A picture's pixels are deltas to the simulator. So many of them to a beam look like the smooth sky they stand for:
# the longest baselines, at about 0.8 fringes per beam, lose 0.4 % at 16.
PICTURE_CELLS_PER_BEAM = 16


@dataclass(frozen=True)
class Truth:
    """The true sky, flat in frequency: components (component,) and pictures, about the phase centre.

    `components` has the columns flux_jy, l, m (direction cosines), major_arcsec, minor_arcsec (0 for a point), pa_deg;
    `pixels` (y, x) in Jy/pixel of `cell_arcsec`, side even, phase centre on pixel N//2, x to the west.
    """

    components: np.ndarray
    pixels: np.ndarray | None
    cell_arcsec: float
    frequency_hz: float
    dish_m: float

    @property
    def points(self) -> np.ndarray:
        """Points (point, [flux_jy, l, m])."""
        return self.components[self.components[:, 3] == 0][:, :3]

    def sky(self, n_pix: int, cell_arcsec: float) -> np.ndarray:
        """The true sky (y, x) in Jy/pixel, not attenuated: light is in the pixel that it falls into."""
        made = np.zeros((n_pix, n_pix))
        for flux, east, north in self.points:
            y, x = round(north / ARCSEC / cell_arcsec), round(-east / ARCSEC / cell_arcsec)
            if max(abs(y), abs(x)) < n_pix // 2:
                made[n_pix // 2 + y, n_pix // 2 + x] += flux
        for picture, cell in self._pictures(cell_arcsec / 3):
            share = _overlap(n_pix, cell_arcsec, picture.shape[0], cell)
            made += share @ picture @ share.T
        return made

    def at_beam(self, n_pix: int, cell_arcsec: float, beam: Beam, attenuated: bool = True) -> np.ndarray:
        """The true sky (y, x) convolved with `beam`, Jy/beam, behind the primary beam where `attenuated`.

        Points by formula; pictures by their Fourier transform, which knows no pixels of the image.
        """
        made = np.zeros((n_pix, n_pix))
        power = dish(self.dish_m)
        if len(points := self.points):
            flux, east, north = points.T
            seen = flux * power(east, north, self.frequency_hz) if attenuated else flux
            nothing = np.zeros(len(flux))
            made += render_components(n_pix, cell_arcsec, seen, east, north, nothing, nothing, nothing, beam)
        for picture, cell in self._pictures(min(cell_arcsec / 2, beam.minor_arcsec / 12)):
            l, m = lm_grid(picture.shape[0], cell)
            seen = picture * power(l, m, self.frequency_hz) if attenuated else picture
            made += _blurred(seen, cell, n_pix, cell_arcsec, beam)
        return made

    def _pictures(self, finest_arcsec: float):
        """The extended light as pictures in Jy/pixel with their cells, Gaussians at most `finest_arcsec` coarse."""
        if self.pixels is not None:
            yield self.pixels, self.cell_arcsec
        for flux, east, north, major, minor, pa in self.components[self.components[:, 3] > 0]:
            cell = min(finest_arcsec, minor / 5)
            half = int(np.ceil((max(abs(east), abs(north)) / ARCSEC + 2.4 * major) / cell))
            l, m = lm_grid(2 * half, cell)
            inverse = np.linalg.inv(covariance_of(major, minor, pa) * ARCSEC**2)
            dl, dm = l - east, m - north
            form = inverse[0, 0] * dl**2 + 2 * inverse[0, 1] * dl * dm + inverse[1, 1] * dm**2
            light = np.exp(-form / 2)
            yield flux * light / light.sum(), cell


def _overlap(n_pix: int, cell: float, side: int, fine: float) -> np.ndarray:
    """Share (n_pix, side) of each fine pixel's width that lies in each pixel; both have 0 at N//2."""
    edges = (np.arange(n_pix + 1) - n_pix // 2 - 0.5) * cell
    low = (np.arange(side) - side // 2 - 0.5) * fine
    inside = np.clip(edges[:, None], low, low + fine)
    return np.diff(inside, axis=0) / fine


def _blurred(picture: np.ndarray, fine: float, n_pix: int, cell: float, beam: Beam) -> np.ndarray:
    """A picture of deltas convolved with a beam, on other pixels: exact but for what wraps about 2N of them."""
    wave = np.fft.fftfreq(2 * n_pix)  # cycles per pixel
    place = (np.arange(picture.shape[0]) - picture.shape[0] // 2) * fine / cell
    turn = np.exp(-2j * np.pi * np.multiply.outer(wave, place))
    spectrum = turn @ picture @ turn.T
    # (east, north) to (−x, y)
    a, b, c = (covariance_of(beam.major_arcsec, beam.minor_arcsec, beam.pa_deg) / cell**2).ravel()[[0, 1, 3]]
    kx, ky = wave[None, :], wave[:, None]
    spectrum *= np.exp(-2 * np.pi**2 * (a * kx**2 - 2 * b * kx * ky + c * ky**2)) * beam.area_pixels(cell)
    full = np.fft.fftshift(np.fft.ifft2(spectrum).real)
    return full[n_pix // 2 : n_pix // 2 + n_pix, n_pix // 2 : n_pix // 2 + n_pix]


@dataclass(frozen=True)
class Scene:
    """One field: windows as the rule `visibilities` makes them, the truth, the grid it is meant for, and facts."""

    name: str
    windows: dict[str, xr.Dataset]
    truth: Truth
    n_pix: int
    cell_arcsec: float
    facts: dict

    @property
    def extended(self) -> bool:
        """Whether there is more in the field than points."""
        return self.facts["kind"] != "points"


def truth(scene: Scene, n_pix: int, cell_arcsec: float) -> np.ndarray:
    """The true sky (y, x) of a scene in Jy/pixel; its points off the grid are `scene.truth.points`."""
    return scene.truth.sky(n_pix, cell_arcsec)


def names(folder: Path) -> list[str]:
    """The scenes in a folder."""
    return sorted(path.name.removesuffix(".json") for path in Path(folder).glob("*.json"))


def battery(folder: Path, count: int, seed: int) -> list[str]:
    """The names of `count` scenes in `folder`; those that are not there yet are made."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    wanted = [f"s{seed}-{number:03d}-{KINDS[number % len(KINDS)]}" for number in range(count)]
    for number, name in enumerate(wanted):
        if not (folder / f"{name}.json").exists():
            draw(folder, name, KINDS[number % len(KINDS)], ARRAYS[number % len(ARRAYS)], seed)
    return wanted


def load(folder: Path, name: str) -> Scene:
    """A scene of a folder."""
    folder = Path(folder)
    facts = json.loads((folder / f"{name}.json").read_text())
    path = folder / f"{name}.vis.zarr.zip"
    windows = {group: store.read(path, group) for group in store.names(path)}
    with np.load(folder / f"{name}.truth.npz") as held:
        pixels = held["pixels"] if held["pixels"].size else None
        known = Truth(held["components"], pixels, *(float(held[key]) for key in _SCALARS))
    return Scene(name, windows, known, facts["n_pix"], facts["cell_arcsec"], facts)


_SCALARS = ("cell_arcsec", "frequency_hz", "dish_m")


def draw(folder: Path, name: str, kind: str, array: str, seed: int) -> None:
    """Make one scene of a kind and an array."""
    rng = generator(seed, "scene", name)
    row, plan = _observation(array, rng)
    settings = _sky_settings(kind, plan, rng)
    drawn = sky_scene.draw([row], settings, rng, "sim-000000")
    drawn = replace(drawn, sources=tuple(_finer(source, plan["beam_arcsec"]) for source in drawn.sources))
    sky = {window: data.assign_attrs(frame="LSRK") for window, data in drawn.windows()}
    keep(folder, name, row, sky, plan | {"kind": kind, "array": array, "seed": seed}, rng)


def keep(
    folder: Path,
    name: str,
    row: dict,
    sky: dict[str, xr.Dataset],
    facts: dict,
    rng: np.random.Generator,
    snr: float | None = None,
) -> None:
    """Observe a sky of one window and write the scene NAME.vis.zarr.zip, NAME.truth.npz, NAME.ms, and NAME.json last.

    `facts` say at least n_pix, cell_arcsec, integration_s and dish_m. Where `snr` is given, the noise is scaled so that
    the sky's peak behind the primary beam is so many times the noise, both at the natural beam.
    """
    pixels = {"n_pix": facts["n_pix"], "cell_arcsec": facts["cell_arcsec"]}
    simulate = track(facts["integration_s"]).model_copy(update=pixels)
    made = dict(observe([row], sky, simulate, rng))
    window, known = made["spw0"], true_sky(sky["spw0"], facts["dish_m"])
    facts |= {key: float(window[key].mean()) for key in _BEAM}
    if snr:
        beam = Beam(*(facts[key] for key in _BEAM))
        peak = np.abs(known.at_beam(facts["n_pix"], facts["cell_arcsec"], beam)).max()
        _scale_noise(window, float(peak / snr / window["rms_jy_beam"].mean()))
    facts |= {"row": window.sizes["row"], "sensitivity_jy_beam": float(window["rms_jy_beam"].mean())}
    store.write(folder / f"{name}.vis.zarr.zip", {"spw0": as_visibilities(window, made["pointings"], name)})
    with atomic(folder / f"{name}.truth.npz") as temporary:
        pixels = np.empty((0, 0)) if known.pixels is None else known.pixels
        with open(temporary, "wb") as file:
            scalars = {key: getattr(known, key) for key in _SCALARS}
            np.savez_compressed(file, components=known.components, pixels=pixels, **scalars)
    tables = made["antennas"], made["pointings"]
    with atomic(folder / f"{name}.ms") as temporary:
        write_measurement_set(temporary, {"spw0": window}, *tables, "a scene for imagers")
    (folder / f"{name}.json").write_text(json.dumps(facts, indent=1))


def _scale_noise(window: xr.Dataset, factor: float) -> None:
    """Make the noise of a window's visibilities `factor` times what it is."""
    pure = window["visibility_noiseless"]
    window["visibility"] = (pure + factor * (window["visibility"] - pure)).transpose(
        *window["visibility"].dims
    )
    for key in ("sigma_jy", "rms_jy_beam"):
        window[key] = window[key] * factor


def components_window(components, frequency_hz: float, dec_deg: float) -> dict[str, xr.Dataset]:
    """A sky of components (flux_jy, east, north, major, minor [arcsec], pa_deg) in one channel of 2 GHz."""
    table = np.asarray(components, float).reshape(-1, 6)
    ra, dec = radec_from_lm(table[:, 1] * ARCSEC, table[:, 2] * ARCSEC, RA_DEG, dec_deg)
    made = xr.Dataset(
        {
            "frequency_hz": ("channel", [frequency_hz]),
            "channel_width_hz": ("channel", [BANDWIDTH_HZ]),
            "line_free": ("channel", [True]),
            "ra_deg": ("component", ra),
            "dec_deg": ("component", dec),
            "component_flux_jy": (("component", "channel"), table[:, :1]),
            **{key: ("component", table[:, 3 + i]) for i, key in enumerate(_SHAPE)},
        },
        attrs={"simulation": "sim-000000", "ra_deg": RA_DEG, "dec_deg": dec_deg, "frame": "LSRK",
               "bandwidth_hz": BANDWIDTH_HZ},
    )  # fmt: skip
    return {"spw0": made}


_BEAM = ("bmaj_arcsec", "bmin_arcsec", "bpa_deg")
_SHAPE = ("major_arcsec", "minor_arcsec", "pa_deg")


def as_visibilities(window: xr.Dataset, pointings: xr.Dataset, name: str) -> xr.Dataset:
    """A simulated window of one pointing and one kind of dish as the rule `visibilities` makes it."""
    window = window.isel(row=~window.flag.values)
    diameter = float(window.attrs["dish_diameter_m"])
    made = xr.Dataset(
        {
            "uvw_m": (("row", "axis"), window.uvw_m.values.astype(float)),
            **{key: ("row", window[key].values) for key in ("time_mjd_s", "antenna1", "antenna2")},
            "visibility": (("row", "channel"), window.visibility.values.mean(axis=-1).astype(complex)),
            "weight": (("row", "channel"), 2 / window.sigma_jy.values.astype(float) ** 2),
            "frequency_hz": ("channel", window.frequency_hz.values.astype(float)),
            "channel_width_hz": ("channel", window.channel_width_hz.values.astype(float)),
        },
        attrs={
            **{key: float(pointings[key].values[0]) for key in ("ra_deg", "dec_deg")},
            "frame": window.attrs["frame"],
            "dishes_m": [diameter, diameter],
            "noise_group": f"{name}.spw0",
            "telescope": "ALMA",
            "source": name,
            "object": name,
            "simulated": True,
            "field_arcsec": float(window.attrs["cell_arcsec"]) * int(window.attrs["n_pix"]),
        },
    )
    made.attrs["noise_factor"] = noise_factor(made)
    return made


def true_sky(window: xr.Dataset, dish_m: float) -> Truth:
    """The truth about a window of a sky model that is flat in frequency."""
    centre = window.attrs["ra_deg"], window.attrs["dec_deg"]
    l, m = lm_from_radec(window["ra_deg"].values, window["dec_deg"].values, *centre)
    shapes = (window[key].values for key in _SHAPE)
    components = np.stack([window["component_flux_jy"].values.mean(axis=1), l, m, *shapes], axis=1)
    frequency = float(window["frequency_hz"].values.mean())
    if "pixel_model_jy" not in window:
        return Truth(components, None, 0.0, frequency, dish_m)
    pixels = window["pixel_model_jy"].values.mean(axis=0, dtype=float)
    return Truth(components, pixels, window.attrs["pixel_cell_arcsec"], frequency, dish_m)


def observation_row(
    stations: list[str], band: int, dec_deg: float, time_s: float, begin_mjd: float = TRANSIT_MJD
) -> dict:
    """A row of observations.ecsv, of 2 GHz in the middle of what is observed of a band."""
    low, high = (BANDS[band] + sign * BANDWIDTH_HZ / 2 for sign in (-1, 1))
    return {
        "observation": "scene", "target_name": "field", "s_ra": RA_DEG, "s_dec": dec_deg, "band_list": band,
        "t_exptime": time_s, "t_min": begin_mjd, "pwv": 1.0, "antenna_arrays": " ".join(stations),
        "array": "7m" if ":CM" in stations[0] else "12m",
        "frequency_support": f"[{low / 1e9:.4f}..{high / 1e9:.4f}GHz,1000.00kHz, XX YY]",
        "simulation": 0, "pointings": "", "schedule": "",
    }  # fmt: skip


def track(integration_s: float) -> SimulateSettings:
    """How a scene is followed: without breaks."""
    return SimulateSettings(integration_s=integration_s, gap_s=0)


def _observation(array: str, rng: np.random.Generator) -> tuple[dict, dict]:
    """A row of observations.ecsv, and the plan: beam, largest scale, cell, pixels, channels."""
    compact = array.startswith("aca")
    band = int(rng.choice(list(BANDS)))
    stations = configurations.antennas(array)
    count = len(stations) if compact else int(rng.integers(16, min(40, len(stations)) + 1))
    chosen = sorted(rng.choice(len(stations), count, replace=False).tolist())
    channels = int(rng.integers(1, 3))
    pairs = count * (count - 1) // 2
    dumps = int(min(MOST_VISIBILITIES // (pairs * channels), 90))
    integration = float(rng.uniform(60, 90))
    dec = float(rng.uniform(-55, 0))
    begin = TRANSIT_MJD + rng.uniform(-0.06, 0.02)
    row = observation_row([stations[index] for index in chosen], band, dec, dumps * integration, begin)
    coverage = cover([row], RA_DEG, dec, np.zeros((1, 2)), track(integration))
    uvw, hertz = coverage.uvw_m[~coverage.flag], np.array([BANDS[band]])
    places = pads.itrf([item.split(":")[0] for item in row["antenna_arrays"].split()])
    row["s_resolution"] = resolution.resolution_arcsec(
        places, RA_DEG, dec, np.unique(coverage.time_mjd_s), BANDS[band]
    )
    dish_m = 7.0 if compact else 12.0
    cell = choose.cell_arcsec(uvw, hertz + BANDWIDTH_HZ / 2)
    seen = 2 * primary_beam.half_power_width_arcsec(BANDS[band], dish_m)
    fitting = choose.image_size(seen, cell)
    n_pix = max(fitting, SIZES[0]) if fitting <= SIZES[-1] else int(rng.choice(SIZES))
    shortest = np.hypot(*uvw[:, :2].T).min()
    plan = {
        "band": band, "antennas": count, "integrations": dumps, "integration_s": integration,
        "channels": channels, "n_pix": n_pix, "cell_arcsec": cell, "dish_m": dish_m,
        "beam_arcsec": row["s_resolution"], "frequency_hz": BANDS[band],
        "largest_scale_arcsec": 0.6 * SPEED_OF_LIGHT_M_S / BANDS[band] / shortest / ARCSEC,
    }  # fmt: skip
    return row, plan


def _sky_settings(kind: str, plan: dict, rng: np.random.Generator) -> SkySettings:
    """What stands in the field: as large as the array can see, or nearly too large, and inside the picture."""
    beam, scale = plan["beam_arcsec"], plan["largest_scale_arcsec"] / plan["beam_arcsec"]
    edge = 0.44 * plan["n_pix"] * plan["cell_arcsec"] / beam  # of the picture, in beams
    # Radius of what is extended: a third to two thirds of the largest scale, its width being about 1.3 radii.
    radius = float(np.clip(rng.uniform(0.3, 0.7) * scale, 1.5, edge))
    peak = float(np.exp(rng.uniform(*np.log([10, 1000]))))
    common = {
        "channels": plan["channels"], "spectral_index": (0.0, 0.0), "lines": {"names": "none"},
        "min_primary_beam": 0.25,
    }  # fmt: skip
    many = int(rng.integers(5, 31))
    if kind == "points":
        return SkySettings(
            model="points", sources=(many, many), snr=(5, 100), max_offset_beams=edge,
            separation_beams=1.0, **common,
        )  # fmt: skip
    if kind == "mixed" and rng.random() < 0.5:
        widest = max(1.0, min(0.4 * scale, 0.25 * edge))
        return SkySettings(
            model="mixed", sources=(max(4, many // 2),) * 2, size_beams=(0.5, widest), snr=(10, 300),
            max_offset_beams=0.7 * edge, separation_beams=2.0, **common,
        )  # fmt: skip
    model = kind if kind != "mixed" else str(rng.choice(["disc", "diffuse", "cloud"]))
    beside = {}
    if kind == "mixed":
        few = int(rng.integers(2, 9))
        reach = primary_beam.power(edge * beam * ARCSEC, plan["frequency_hz"], plan["dish_m"])
        beside = {"serendipitous": {
            "number": (few, few), "brightness": (max(0.1, 10 / peak), max(1.0, 20 / peak)),
            "extended_fraction": 0.0, "min_primary_beam": float(np.clip(reach, 0.25, 1 - 1e-9)),
        }}  # fmt: skip
    return SkySettings(
        model=model, snr=(peak, peak), max_offset_beams=edge if model == "disc" else radius,
        disc={"radius_beams": (radius, radius)}, cloud={"radius_beams": (radius, radius)},
        diffuse={"log_scatter": float(rng.uniform(0.7, 1.5))}, **common, **beside,
    )  # fmt: skip


def _finer(source, beam_arcsec: float):
    """The source with a picture of finer pixels: cubic between its own, nowhere negative, of the same flux."""
    shape = source.shape
    if shape.pixels is None:
        return source
    factor = int(np.ceil(PICTURE_CELLS_PER_BEAM * shape.cell_arcsec / beam_arcsec))
    side = shape.pixels.shape[0]
    at = np.arange(side * factor) / factor
    finer = map_coordinates(shape.pixels, np.meshgrid(at, at, indexing="ij"), order=3, mode="constant")
    finer = np.maximum(finer, 0)
    finer *= shape.pixels.sum() / finer.sum()
    return replace(source, shape=replace(shape, pixels=finer, cell_arcsec=shape.cell_arcsec / factor))

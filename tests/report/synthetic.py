"""Small products as the stages write them: two simulated fields of three sources, and an observation."""

import json

import numpy as np
import xarray as xr
from astropy import units as u
from astropy.table import Table

from almabrain.data import store
from almabrain.data.constants import ARCSEC
from almabrain.data.coordinates import radec_from_lm
from almabrain.data.fits import write_image
from almabrain.data.tables import write_table
from almabrain.instrument import primary_beam as pattern
from almabrain.response import primary_beam
from almabrain.response.beam import Beam, render_components
from almabrain.response.predict import predict_components

N_PIX, CELL = 64, 0.2
RA, DEC, DISH = 150.0, -20.0, 12.0
BEAM = Beam(1.2, 0.9, 40.0)
FREQUENCY = np.array([229e9, 231e9])
# Offsets east and north [arcsec], flux [Jy], FWHM [arcsec]: asymmetric, so that a mirror image is seen.
SOURCES = np.array([[2.3, 1.1, 0.05, 0.0], [-3.1, -2.2, 0.03, 0.0], [1.0, -3.9, 0.06, 1.5]])
NOISE_JY = 2e-4
IMAGE_SETTINGS = {"recipes": {"default": {"clean": {"robust": 0.5}}}}

DOT = """digraph snakemake_dag {
    graph[bgcolor=white, margin=0];
    node[shape=box, style=rounded, fontname=sans];
0[label = "report", color = "0.33 0.6 0.85", style="rounded"];
1[label = "query", color = "0.1 0.6 0.85", style="rounded"];
2[label = "sky", color = "0.2 0.6 0.85", style="rounded"];
3[label = "image", color = "0.3 0.6 0.85", style="rounded,dashed"];
1 -> 0
1 -> 2
2 -> 3
2 -> 0
3 -> 0
}"""


def sky_window() -> xr.Dataset:
    """The true sky of one window."""
    l, m = SOURCES[:, 0] * ARCSEC, SOURCES[:, 1] * ARCSEC  # noqa: E741
    ra, dec = radec_from_lm(l, m, RA, DEC)
    return xr.Dataset(
        {
            "frequency_hz": ("channel", FREQUENCY),
            "line_free": ("channel", np.array([True, True])),
            "ra_deg": ("component", ra),
            "dec_deg": ("component", dec),
            "major_arcsec": ("component", SOURCES[:, 3]),
            "minor_arcsec": ("component", SOURCES[:, 3]),
            "pa_deg": ("component", np.zeros(3)),
            "component_flux_jy": (("component", "channel"), np.repeat(SOURCES[:, 2:3], 2, axis=1)),
        },
        attrs={"ra_deg": RA, "dec_deg": DEC},
    )


def visibility_window(rng: np.random.Generator) -> xr.Dataset:
    """Noisy visibilities of that sky through the primary beam."""
    angle, radius = rng.uniform(0, 2 * np.pi, 3000), 160 * np.sqrt(rng.uniform(0.01, 1, 3000))
    uvw = np.stack([radius * np.cos(angle), radius * np.sin(angle), np.zeros(3000)], axis=1)
    l, m = SOURCES[:, 0] * ARCSEC, SOURCES[:, 1] * ARCSEC  # noqa: E741
    pb = pattern.power(np.arcsin(np.hypot(l, m))[:, None], FREQUENCY, DISH)
    size = SOURCES[:, 3] * ARCSEC
    seen = predict_components(uvw, FREQUENCY, SOURCES[:, 2:3] * pb, l, m, size, size, np.zeros(3))
    sigma = NOISE_JY * np.sqrt(seen.size)
    noisy = seen + sigma * (rng.standard_normal(seen.shape) + 1j * rng.standard_normal(seen.shape))
    return xr.Dataset(
        {
            "uvw_m": (("row", "axis"), uvw),
            "frequency_hz": ("channel", FREQUENCY),
            "visibility": (("row", "channel"), noisy),
            "weight": (("row", "channel"), np.full(seen.shape, sigma**-2)),
        },
        attrs={"dishes_m": [DISH, DISH], "ra_deg": RA, "dec_deg": DEC, "noise_factor": 2.4},
    )


def _write(path, array, bunit, **attrs) -> None:
    known = {"ra_deg": RA, "dec_deg": DEC, "cell_arcsec": CELL, "bunit": bunit, **attrs}
    write_image(path, xr.DataArray(array, dims=("y", "x"), attrs=known))


def _write_planes(place, seen) -> None:
    """The resolution: 0.4 by 0.3 arcsec, finer in the middle; a share of the data that falls outwards."""
    radius = np.hypot(*(np.mgrid[:N_PIX, :N_PIX] - N_PIX // 2)) / N_PIX
    planes = np.stack([0.4 * (1 + radius), 0.3 * (1 + radius), 0 * radius + 20.0, 1 - radius]) * seen
    attrs = {"ra_deg": RA, "dec_deg": DEC, "cell_arcsec": CELL, "bunit": ""}
    write_image(place / "resolution.fits", xr.DataArray(planes, dims=("channel", "y", "x"), attrs=attrs))


def images(folder, data: str, rng: np.random.Generator) -> None:
    """CLEAN and Bayesian images that differ from the truth by noise."""
    east, north, flux, size = SOURCES.T
    attenuation = primary_beam.image(N_PIX, CELL, FREQUENCY.mean(), primary_beam.dish(DISH))

    def sky(beam):
        return render_components(N_PIX, CELL, flux, east * ARCSEC, north * ARCSEC, size, size, 0.0, beam)

    clean, residual = sky(BEAM) * attenuation, rng.normal(0, NOISE_JY, (N_PIX, N_PIX))
    beam = {"bmaj_arcsec": BEAM.major_arcsec, "bmin_arcsec": BEAM.minor_arcsec, "bpa_deg": BEAM.pa_deg}
    place = folder / "image" / data / "default"
    _write(place / "clean.fits", clean + residual, "Jy/beam", **beam)
    _write(place / "clean_residual.fits", residual, "Jy/beam", **beam)
    _write(place / "dirty.fits", clean + 3 * residual, "Jy/beam", **beam)
    _write(place / "pb.fits", attenuation, "")
    native = Beam(0.4, 0.4, 0.0)
    fine = sky(native) / native.area_pixels(1.0) + 1e-4
    seen = np.where(attenuation > 0.85, 1, np.nan)  # the Bayesian image has no pixels where the beam is low
    for name, factor in (("mean", 1.0), ("std", 0.1)):
        _write(place / f"{name}.fits", factor * fine * seen, "Jy/arcsec2")
        _write(
            place / f"{name}_beam.fits", factor * (clean + NOISE_JY) / attenuation * seen, "Jy/beam", **beam
        )
    k = np.geomspace(0.05, 2.5, 30)
    mean = 1 / (1 + (k / 0.2) ** 3.5)
    write_table(
        place / "power_spectrum.ecsv",
        Table({"k": k, "mean": mean, "low": mean * 0.7, "high": mean * 1.4, "learned": mean}),
    )
    _write_planes(place, seen)
    write_table(
        place / "history.ecsv",
        Table(
            {
                "round": np.arange(1, 7),
                "warming": np.arange(6) < 3,
                "energy": -2000.0 + 50 * rng.standard_normal(6),
                "chi2": 1 + 0.1 / np.arange(1, 7) ** 2,
                "acceptance": np.full(6, 0.7),
                "worst_acceptance": np.full(6, 0.5),
                "disagreement": [np.inf, 1.5, 1.2, np.inf, 1.4, 1.1],
                "slowest": [np.inf, 2.5, 1.9, np.inf, 2.0, 1.5],
            }
        ),
    )
    regions = Table({"region": ["primary beam >= 0.2", "r < 2 arcsec"], "flux_jy": [0.141, 0.05] * u.Jy})
    regions["error_jy"] = 0.02 * regions["flux_jy"]
    regions["p2.5"], regions["p97.5"] = 0.96 * regions["flux_jy"], 1.04 * regions["flux_jy"]
    regions["area_arcsec2"] = [120.0, 12.57] * u.arcsec**2
    regions.meta["flux_scale_error"] = 0.05
    write_table(place / "fluxes.ecsv", regions)
    summary = {
        "verdict": "converged",
        "reduced_chi2": 1.002,
        "flux_jy": 0.141,
        "flux_error_jy": 0.003,
        "flux_region": "primary beam >= 0.2",
        "samples": 8,
        "chi2_by_baseline": {
            "edges_klambda": np.linspace(0, 125, 9).tolist(),
            "reduced_chi2": rng.normal(1, 0.02, 8).tolist(),
        },
        "noise_factors": {"spw0": 2.41},
        "noise_by_baseline": {
            "klambda": [5.0, 30.0, 120.0],
            "factor": [1.3, 1.0, 0.9],
            "error": [0.1, 0.02, 0.05],
        },
    }
    (place / "summary.json").write_text(json.dumps(summary))
    (place / "clean.json").write_text(json.dumps({"verdict": "not converged: it diverged"}))


def catalogue(folder, data: str, recipe: str, finder: str, rng: np.random.Generator) -> None:
    """All three sources found, with errors."""
    ra, dec = radec_from_lm(SOURCES[:, 0] * ARCSEC, SOURCES[:, 1] * ARCSEC, RA, DEC)
    flux = SOURCES[:, 2] + rng.normal(0, NOISE_JY * 3, 3)
    table = Table({"source": [0, 1, 2], "ra": ra * u.deg, "dec": dec * u.deg})
    for name, unit in (("flux", u.Jy), ("peak_flux", u.Jy / u.beam)):
        table[name], table[f"{name}_error"] = flux * unit, np.full(3, NOISE_JY * 3) * unit
    for name in ("major", "minor", "deconvolved_major", "deconvolved_minor"):
        table[name] = SOURCES[:, 3] * u.arcsec
    table["snr"], table["probability"] = flux / NOISE_JY, np.array([0.9, 0.8, 0.99])
    table["flags"], table["finder"] = [1, 1, 0], finder
    table["held_out"] = finder == "sep" or data == "sim-000001"
    write_table(folder / "catalogue" / data / recipe / f"{finder}.ecsv", table)


def campaign(folder) -> dict:
    """A whole campaign of two simulations; returns its settings."""
    rng = np.random.default_rng(3)
    pads = " ".join(f"A{i:03d}:DA{40 + i}" for i in range(5))
    rows = {
        "target_name": ["J1222+0413", "M <87>"], "s_ra": [RA, RA] * u.deg, "s_dec": [DEC, DEC] * u.deg,
        "band_list": [6, 6], "array": ["12m", "12m"], "antenna_arrays": [pads, pads],
        "frequency_support": ["[229..230GHz] U [231..232GHz]"] * 2, "s_resolution": [1.0, 1.1] * u.arcsec,
        "simulation": [0, 1], "pointings": ["", "0,0 9,0 18,0"],
        "t_exptime": [600.0, 900.0] * u.s, "pwv": [1.2, 0.7] * u.mm, "cont_sensitivity": [0.05, 0.04] * u.mJy,
    }  # fmt: skip
    write_table(folder / "query/observations.ecsv", Table(rows))
    simulations = ("sim-000000", "sim-000001")
    store.write(folder / "sky/shard-0000.zarr.zip", {f"{name}/spw0": sky_window() for name in simulations})
    window = sky_window()
    truth = Table({"simulation": np.repeat(simulations, 3), "ra": np.tile(window.ra_deg.values, 2) * u.deg})
    truth["dec"], truth["flux"] = np.tile(window.dec_deg.values, 2) * u.deg, np.tile(SOURCES[:, 2], 2) * u.Jy
    truth["source"] = np.tile([0, 1, 1], 2)
    write_table(folder / "noise/draws/shard-0000.truth.ecsv", truth)
    for name in simulations:
        store.write(folder / f"visibilities/{name}.zarr.zip", {"spw0": visibility_window(rng)})
        images(folder, name, rng)
        catalogue(folder, name, "default", "sep", rng)
        catalogue(folder, name, "dirty", "network", rng)
    _scores(folder, rng)
    _noise_model(folder, rng)
    history = "epoch,train_loss,validation_loss,purity,completeness\n"
    history += "\n".join(
        f"{e},{0.5 / e:.4f},{0.55 / e:.4f},{1 - 0.5 / e:.3f},{1 - 0.4 / e:.3f}" for e in range(1, 13)
    )
    (folder / "train/blobs").mkdir(parents=True)
    (folder / "train/blobs/history.csv").write_text(history + "\n")
    return {"run": "synthetic", "campaign": {"simulations": 2, "shard": 2, "image": True}, "observations": {},
            "noise": {"mode": "empirical"}, "image": IMAGE_SETTINGS}  # fmt: skip


def _scores(folder, rng) -> None:
    true = np.tile(SOURCES[:, 2], 4)
    matches = Table(
        {"finder": np.repeat(["sep", "network"], 6), "recipe": np.repeat(["default", "dirty"], 6)}
    )
    matches["true_flux"] = true * u.Jy
    matches["flux"] = (true + rng.normal(0, NOISE_JY * 3, 12)) * u.Jy
    matches["flux_error"] = np.full(12, NOISE_JY * 3) * u.Jy
    matches["held_out"] = [True] * 9 + [False] * 3
    write_table(folder / "catalogue/matches.ecsv", matches)
    rows = []
    for data in ("sim-000000", "sim-000001", "all", "held out", "trained on"):
        for finder, recipe in (("sep", "default"), ("network", "dirty")):
            if data == "trained on" and finder == "sep":
                continue
            seen = finder == "network" and data in ("sim-000000", "trained on")
            for name in ("total", "5-7", "7-10", "10-1000"):
                rows.append({"held_out": not seen, "images": 2 if (data, finder) == ("all", "sep") else 1,
                             "data": data, "recipe": recipe, "finder": finder, "realisation": "empirical",
                             "snr_bin": name, "true": 6, "found": 5, "completeness": 0.83, "detections": 6,
                             "completeness_low": 0.7, "completeness_high": 0.9, "false": 0, "purity": np.nan,
                             "purity_low": np.nan, "purity_high": np.nan, "flux_ratio_median": 1.01,
                             "flux_ratio_scatter": 0.02, "flux_pull_rms": 1.1})  # fmt: skip
    write_table(folder / "catalogue/scores.ecsv", Table(rows))


def _noise_model(folder, rng) -> None:
    lag, ring, value = np.arange(12) * CELL, np.linspace(0.04, 2, 24), np.linspace(-6, 6, 96)
    curves = {
        "acf": np.exp(-(lag**2)), "spectrum": np.exp(-(ring**2)) + 1e-3,
        "histogram": np.exp(-(value**2) / 2) / 2.5,
    }  # fmt: skip
    dims = {"acf": "lag_arcsec", "spectrum": "frequency_per_beam", "histogram": "value_sigma"}
    data = {}
    for name, curve in curves.items():
        data |= {f"{name}_real": (dims[name], curve * 1.02), f"{name}_drawn": (dims[name], curve)}
        data[f"{name}_drawn_sd"] = (dims[name], 0.1 * curve)
    for name in ("picture_real", "picture_drawn"):
        data[name] = (("y", "x"), rng.normal(0, 4e-5, (96, 96)))
    data["mask"] = (("y", "x"), np.hypot(*(np.mgrid[:96, :96] - 48)) < 8)
    comparison = xr.Dataset(
        data,
        coords={"lag_arcsec": lag, "frequency_per_beam": ring, "value_sigma": value},
        attrs={"acf_difference": 0.02, "ks": 0.01, "correlation": 0.01, "correlation_limit": 0.03},
    )
    model = xr.Dataset(
        attrs={"cell_arcsec": CELL, "rms": 4e-5, "unit": "Jy/beam", "card": '{"file": "residual.fits"}'}
    )
    model["power"] = (("v", "u"), np.ones((4, 4)))
    store.write(folder / "noise/models/residual.zarr.zip", {"model": model, "comparison": comparison})


def observation(folder) -> dict:
    """A run on a user's Measurement Set and on a FITS image; returns its settings."""
    rng = np.random.default_rng(4)
    store.write(folder / "visibilities/obs-disc.zarr.zip", {"spw0": visibility_window(rng)})
    images(folder, "obs-disc", rng)
    catalogue(folder, "obs-disc", "default", "sep", rng)
    cube = rng.normal(0, NOISE_JY, (3, 48, 48))
    cube[:, :4] = np.nan
    attrs = {"ra_deg": RA, "dec_deg": DEC, "cell_arcsec": CELL, "bunit": "Jy/beam"}
    attrs |= {"bmaj_arcsec": 1.0, "bmin_arcsec": 0.8, "bpa_deg": 0.0}
    coords = {"frequency_hz": ("channel", 230e9 + 1e8 * np.arange(3))}
    write_image(folder / "mine.fits", xr.DataArray(cube, coords, ("channel", "y", "x"), attrs=attrs))
    catalogue(folder, "obs-mine", "fits", "sep", rng)
    paths = {
        "disc": {"path": "disc.ms", "credit": "ADS/JAO.ALMA#2011.0.00465.S"},
        "mine": {"path": str(folder / "mine.fits")},
    }
    return {"run": "own", "campaign": None, "observations": paths,
            "image": IMAGE_SETTINGS}  # fmt: skip

"""A field three primary beams wide by both arrays and single dishes, and what feathering makes of the same data."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from imaging_scenes import BANDS, RA_DEG, Truth, components_window, observation_row, true_sky

from almabrain.config.simulate import SimulateSettings, TotalPowerSettings
from almabrain.data import store
from almabrain.data.seeds import generator
from almabrain.instrument import configurations, mosaic
from almabrain.simulate.export import export
from almabrain.simulate.observe import observe

ROOT = Path(__file__).parents[1]
DEC_DEG, WIDTH_ARCSEC, SPACING_ARCSEC = -30.0, 54.0, 13.0
CELL_ARCSEC, N_PIX = 0.35, 320
# flux_jy, east, north, FWHM axes [arcsec], position angle: most of the light is wider than any baseline sees.
COMPONENTS = (
    (3.0, 0.0, 0.0, 30.0, 24.0, 20.0),
    (0.3, 9.0, 6.0, 8.0, 5.0, 70.0),
    (0.2, -12.0, 3.0, 6.0, 4.0, 130.0),
    (0.1, -4.0, -13.0, 3.0, 2.0, 0.0),
    (0.02, 6.0, -7.0, 0.0, 0.0, 0.0),
)
RADIUS_ARCSEC = 20.0  # 80 % of the light
NAME = "joint"
RIVALS = {"flat": "feather", "corrected": "feather, corrected", "clean": "tclean alone"}


def make(folder: Path) -> tuple[Path, Truth]:
    """Visibilities of 12 m and 7 m dishes and the total power map in one file, JOINT.vis.zarr.zip; and the truth.

    Configuration 1 and the compact array at 230 GHz, 19 pointings half a primary beam apart.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path, shard = folder / f"{NAME}.vis.zarr.zip", folder / f"{NAME}.zarr.zip"
    sky = components_window(COMPONENTS, BANDS[6], DEC_DEG)
    if not path.exists():
        pointings = mosaic.text(mosaic.hexagonal(WIDTH_ARCSEC, WIDTH_ARCSEC, SPACING_ARCSEC))
        rows = []
        for array, time_s in (("alma.cycle9.1", 1140.0), ("aca.cycle9", 5700.0)):
            row = observation_row(configurations.antennas(array), 6, DEC_DEG, time_s)
            rows.append(row | {"pointings": pointings, "s_resolution": 1.5})
        settings = SimulateSettings(
            n_pix=N_PIX, cell_arcsec=CELL_ARCSEC, integration_s=60, gap_s=0, total_power=TotalPowerSettings()
        )
        made = dict(observe(rows, sky, settings, generator(0, "case", NAME)))
        store.write(shard, {f"sim-000000/{name}": data for name, data in made.items()})
        export(shard, "sim-000000", "ms", folder / f"{NAME}.ms")
        script = [sys.executable, ROOT / "scripts" / "visibilities.py", "--output", path]
        subprocess.run([*script, "--store", shard, "--simulation", "sim-000000"], check=True)
    return path, true_sky(sky["spw0"], 12.0)


def compare(skies: np.ndarray, known: Truth, cell_arcsec: float) -> dict[str, tuple[float, float]]:
    """Total flux, and mean brightness from 1 to 1.5 source radii, over the truth's; each with its relative error.

    `skies` (sample, y, x) of the true sky in Jy/pixel, the target at pixel N//2.
    """
    n_pix = skies.shape[-1]
    north, west = np.mgrid[:n_pix, :n_pix] * cell_arcsec - n_pix // 2 * cell_arcsec
    radius = np.hypot(north, west)
    # Single dishes and mosaics see out to where pointings end.
    places = {"total": radius < 1.75 * RADIUS_ARCSEC, "disc": radius < RADIUS_ARCSEC}
    places["annulus"] = ~places["disc"] & (radius < 1.5 * RADIUS_ARCSEC)
    true, found = known.sky(n_pix, cell_arcsec), {}
    for name, inside in places.items():
        flux = skies[:, inside].sum(-1) / true[inside].sum()
        found[name] = float(flux.mean()), float(flux.std(ddof=1)) if len(flux) > 1 else 0.0
    return found


def feather(folder: Path, ask: Callable[[str, dict], dict]) -> dict[str, np.ndarray]:
    """CASA's mosaic of both arrays feathered with the total power map: RIVALS (y, x) in Jy/beam, beam-corrected.

    `ask(script, settings)` runs a script of tests/judges in CASA's Python and gives what it found.
    """
    kept = folder / f"{NAME}.feather.npz"
    if not kept.exists():
        window = store.read(folder / f"{NAME}.zarr.zip", "sim-000000/spw0")
        with_map = {
            "vis": str((folder / f"{NAME}.ms").resolve()), "n_pix": N_PIX, "cell_arcsec": CELL_ARCSEC, "niter": 20_000,
            "centre": f"ICRS {RA_DEG!r}deg {DEC_DEG!r}deg", "scales": [0, 5, 15, 45, 90],
            "total_power": window["total_power"].values.mean(0).tolist(),
            "total_power_beam_arcsec": float(window["total_power_beam_arcsec"].mean()),
        }  # fmt: skip
        np.savez_compressed(kept, **ask("casa_feather.py", with_map))
    with np.load(kept) as held:
        return {name: held[name] for name in held.files}

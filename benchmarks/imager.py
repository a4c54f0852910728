"""How right and how fast the stage image is, on fields of known sky, beside WSClean and CASA.

    python benchmarks/imager.py scenes --folder F --count 24 --seed 1    make the fields (seed 1: to tune with)
    python benchmarks/imager.py run --folder F --name NAME --jobs 2      image them, into F/runs/NAME
    python benchmarks/imager.py clean --folder F                         CLEAN them by WSClean and CASA tclean, once
    python benchmarks/imager.py score --folder F --name NAME             the tables
    python benchmarks/imager.py five --folder F                          five Gaussians beside tclean and WSClean
    python benchmarks/imager.py pairs --folder F --count 20              two points half a beam apart
    python benchmarks/imager.py empty --folder F --count 10              no source at all
    python benchmarks/imager.py decrement --folder F                     a cluster's decrement and a point
    python benchmarks/imager.py joint --folder F                         12 m, 7 m and total power, beside feathering
    python benchmarks/imager.py stopped --folder F --jobs 2              verdicts on runs that were stopped early
    python benchmarks/imager.py real --folder F --data SET.ms            noise and held-out data of a real set
    python benchmarks/imager.py calibrate --folder F --count 200         fields of the model's own prior: SBC and TARP
    python benchmarks/imager.py speed --folder F                         time beside tclean's and WSClean's

`run` takes `--settings JSON` (of an imaging recipe) and `--only TEXT` (scenes whose names hold it); scenes that are
imaged already are left alone. CASA is the Python that ALMABRAIN_JUDGE_PYTHON names, or .venv-judge. Every field is
imaged by scripts/image.py, in a process of its own with one thread.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import imaging_calibration
import imaging_cases
import imaging_joint
import imaging_prior
import imaging_real
import imaging_scenes
import imaging_scores as scores
import numpy as np
from astropy.io import fits

from almabrain.data import store
from almabrain.data.constants import ARCSEC
from almabrain.response import grid as gridder
from almabrain.response import primary_beam, weights
from almabrain.response.beam import Beam, convolve, fit_beam

ROOT = Path(__file__).parents[1]
ROBUST = 0.5
SCALES_BEAMS = (0, 1, 3, 6)
SPEED_SNRS = (200.0, 1000.0)
STOPPED = (1, 3, 6, 8)  # rounds: in the warm-up, and before enough of those that count
ENGINES = ("wsclean", "casa")
_ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false",
}


def image(scene_file: Path, output: Path, settings: dict, seed: int = 0, one_thread: bool = True) -> dict:
    """Image a file of visibilities by the pipeline's own script; returns its summary with `wall_s`.

    A failure's last words are in the summary as `failed`.
    """
    command = [sys.executable, ROOT / "scripts" / "image.py", "--settings", json.dumps(settings)]
    command += ["--visibilities", scene_file, "--output-folder", output, "--seed", str(seed)]
    command += ["--threads", str(1 if one_thread else os.cpu_count())]
    free = {key: value for key, value in os.environ.items() if key not in _ONE_THREAD}
    environment = free | (_ONE_THREAD if one_thread else {})
    begun = time.monotonic()
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    wall = time.monotonic() - begun
    if done.returncode:
        return {"failed": done.stderr.strip()[-2000:], "wall_s": wall, "verdict": "failed"}
    return json.loads((output / "summary.json").read_text()) | {"wall_s": wall}


def samples_at_beam(folder: Path, summary: dict, dish_m: float) -> np.ndarray:
    """The posterior samples (sample, y, x) as the telescope sees them at the CLEAN beam, Jy/beam."""
    sky = store.read(folder / "samples.zarr.zip", "samples")["sky"].values.astype(float)
    n_pix, cell = summary["n_pix"], summary["cell_arcsec"]
    pattern = primary_beam.image(n_pix, cell, summary["frequency_hz"], primary_beam.dish(dish_m))
    # Outside the image nothing is known, and products may say so.
    apparent = np.nan_to_num(sky) * pattern * cell**2
    return np.stack([convolve(one, cell, Beam(**summary["beam"])) for one in apparent])


def run(options) -> None:
    """Image the scenes of a folder that have no result yet."""
    folder, into = options.folder, options.folder / "runs" / options.name
    into.mkdir(parents=True, exist_ok=True)
    todo = [name for name in _chosen(options) if not (into / f"{name}.npz").exists()]

    def one(name):
        scene = imaging_scenes.load(folder, name)
        settings = {"n_pix": scene.n_pix, "cell_arcsec": scene.cell_arcsec} | options.settings
        if options.auto_grid:
            settings = dict(options.settings)
        with tempfile.TemporaryDirectory() as made:
            summary = image(folder / f"{name}.vis.zarr.zip", Path(made), settings, options.seed)
            if "failed" not in summary:
                draws = samples_at_beam(Path(made), summary, scene.truth.dish_m)
                np.savez_compressed(into / f"{name}.npz", samples=draws.astype(np.float32))
        (into / f"{name}.json").write_text(json.dumps(summary, indent=1))
        print(f"{name}: {summary['verdict']}, {summary['wall_s']:.1f} s", flush=True)

    with ThreadPoolExecutor(options.jobs) as pool:
        list(pool.map(one, todo))


def _chosen(options) -> list[str]:
    return [name for name in imaging_scenes.names(options.folder) if options.only in name]


def frame_of(scene: imaging_scenes.Scene, n_pix: int, cell_arcsec: float, beam: Beam) -> scores.Frame:
    """What the images of a scene at `beam` are scored against; the noise is that of Briggs' weights."""
    pattern = primary_beam.image(
        n_pix, cell_arcsec, scene.truth.frequency_hz, primary_beam.dish(scene.truth.dish_m)
    )
    noise, _ = noise_and_beam(scene, n_pix, cell_arcsec)
    width = np.sqrt(beam.major_arcsec * beam.minor_arcsec) / cell_arcsec
    truth = scene.truth.at_beam(n_pix, cell_arcsec, beam)
    return scores.Frame(truth, noise, pattern, beam.area_pixels(cell_arcsec), width)


def noise_and_beam(scene: imaging_scenes.Scene, n_pix: int, cell_arcsec: float) -> tuple[float, Beam]:
    """Noise [Jy/beam] and fitted beam of the image with Briggs' weights."""
    squared, total, psf = 0.0, 0.0, np.zeros((n_pix, n_pix))
    for window in scene.windows.values():
        uvw, frequency, own = window.uvw_m.values, window.frequency_hz.values, window.weight.values
        imaging = weights.briggs(uvw, frequency, own, n_pix, cell_arcsec * ARCSEC, ROBUST)
        squared += float((imaging[own > 0] ** 2 / own[own > 0]).sum())
        total += float(imaging.sum())
        psf += imaging.sum() * gridder.psf(uvw, frequency, imaging, n_pix, cell_arcsec * ARCSEC)
    return np.sqrt(squared) / total, fit_beam(psf / total, cell_arcsec)


def clean(options) -> None:
    """CLEAN the scenes of a folder by WSClean and CASA, into F/clean; each once."""
    into = options.folder / "clean"
    into.mkdir(exist_ok=True)
    for name in _chosen(options):
        scene = imaging_scenes.load(options.folder, name)
        _, beam = noise_and_beam(scene, scene.n_pix, scene.cell_arcsec)
        for engine in options.engines:
            if not (into / f"{name}.{engine}.npz").exists():
                path = options.folder / f"{name}.ms"
                made = CLEANERS[engine](path, scene.n_pix, scene.cell_arcsec, beam)
                np.savez_compressed(into / f"{name}.{engine}.npz", **made)
                print(f"{name}: {engine} {float(made['wall_s']):.1f} s", flush=True)


def by_wsclean(path: Path, n_pix: int, cell_arcsec: float, beam: Beam, **changes) -> dict[str, np.ndarray]:
    """Multiscale CLEAN by WSClean, restored with `beam`: `image` (y, x) Jy/beam, its `residual`, `wall_s`."""
    width = np.sqrt(beam.major_arcsec * beam.minor_arcsec) / cell_arcsec
    settings = {
        "scales": [scale * width for scale in SCALES_BEAMS], "auto_mask": 4.0, "auto_threshold": 2.0,
        "threshold_jy": 0.0, "iterations": 100_000, "threads": 1,
    } | changes  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        command = ["wsclean", "-name", "made", "-size", str(n_pix), str(n_pix)]
        command += ["-scale", f"{cell_arcsec!r}asec", "-weight", "briggs", str(ROBUST), "-pol", "I"]
        command += ["-multiscale", "-niter", str(settings["iterations"]), "-mgain", "0.8"]
        command += ["-multiscale-scales", ",".join(f"{scale:.1f}" for scale in settings["scales"])]
        if settings["auto_mask"]:
            command += ["-auto-mask", str(settings["auto_mask"])]
        command += (
            ["-threshold", str(settings["threshold_jy"])]
            if settings["threshold_jy"]
            else ["-auto-threshold", str(settings["auto_threshold"])]
        )
        command += ["-j", str(settings["threads"])]
        command += ["-beam-shape", f"{beam.major_arcsec!r}asec", f"{beam.minor_arcsec!r}asec"]
        command += [f"{beam.pa_deg!r}deg", "-no-update-model-required", str(path.resolve())]
        begun = time.monotonic()
        environment = os.environ | {"OPENBLAS_NUM_THREADS": "1"}
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
        wall = time.monotonic() - begun
        if done.returncode:
            raise RuntimeError(f"wsclean: {done.stdout[-1000:]}{done.stderr[-1000:]}")
        pictures = {
            kind: fits.getdata(Path(folder) / f"made-{kind}.fits").squeeze().astype(float)
            for kind in ("image", "residual")
        }
    return pictures | {"wall_s": np.array(wall)}


def by_casa(path: Path, n_pix: int, cell_arcsec: float, beam: Beam, **changes) -> dict[str, np.ndarray]:
    """Multiscale CLEAN by CASA's tclean, as `by_wsclean`; `wall_s` is the task's own time, without its start."""
    width = np.sqrt(beam.major_arcsec * beam.minor_arcsec) / cell_arcsec
    settings = {
        "vis": str(path.resolve()), "n_pix": n_pix, "cell_arcsec": cell_arcsec, "robust": ROBUST,
        "scales": [round(scale * width) for scale in SCALES_BEAMS], "niter": 100_000, "nsigma": 2.0,
        "threshold": "0mJy", "usemask": "auto-multithresh",
        "beam": [beam.major_arcsec, beam.minor_arcsec, beam.pa_deg],
        "threads": 1, "pblimit": -0.1,
    } | changes  # fmt: skip
    return ask_casa("casa_clean.py", settings)


def ask_casa(script: str, settings: dict) -> dict[str, np.ndarray]:
    """What a script of tests/judges finds in CASA's Python; `threads` of the settings counts."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "settings.json").write_text(json.dumps(settings))
        command = [casa_python(), ROOT / "tests" / "judges" / script]
        home = _casa_home(folder, settings.get("threads", 1))
        done = subprocess.run(command, cwd=folder, env=home, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"{script}: {done.stdout[-1000:]}{done.stderr[-1000:]}")
        with np.load(Path(folder) / "found.npz") as found:
            return {key: found[key] for key in found.files}


CLEANERS = {"wsclean": by_wsclean, "casa": by_casa}


def casa_python() -> str:
    """The Python that has CASA."""
    return os.environ.get("ALMABRAIN_JUDGE_PYTHON") or str(ROOT / ".venv-judge" / "bin" / "python")


def _casa_home(folder: str, threads: int) -> dict[str, str]:
    """An environment in which CASA finds its tables and asks nobody for newer ones."""
    home = Path(folder) / "home"
    (home / ".casa").mkdir(parents=True)
    (home / ".casa" / "config.py").write_text(
        "import casadata\nmeasurespath = casadata.datapath\nmeasures_auto_update = data_auto_update = False\n"
        f"nologger = nogui = True\nlogfile = {str(Path(folder) / 'casa.log')!r}\n"
    )
    environment = os.environ | {"HOME": str(home), "OMP_NUM_THREADS": str(threads)}
    environment.pop("PYTHONPATH", None)
    return environment


@dataclass
class Found:
    """What a run's images are like, scene by scene: see imaging_scores; `rows` are those of the first table."""

    rows: list[list] = field(default_factory=list)
    pixels: list[dict] = field(default_factory=list)
    regions: list[dict] = field(default_factory=list)
    errors: list[dict] = field(default_factory=list)
    biases: dict[str, list[np.ndarray]] = field(default_factory=dict)

    def add(
        self, scene: imaging_scenes.Scene, summary: dict, draws: np.ndarray, others: dict, mirrored: bool
    ):
        """Score one scene's draws (sample, y, x) and the CLEAN images (y, x) by engine."""
        frame = frame_of(scene, summary["n_pix"], summary["cell_arcsec"], Beam(**summary["beam"]))
        others = {engine: image for engine, image in others.items() if image.shape == frame.truth.shape}
        self.pixels.append(scores.pixel_coverage(frame, draws, mirrored))
        self.regions.append(scores.region_coverage(frame, draws, mirrored))
        compared = {"ours": draws.mean(0)} | others
        errors = {who: scores.rms_errors(frame, picture) for who, picture in compared.items()}
        for who, picture in compared.items():
            self.biases.setdefault(who, []).append(scores.source_fluxes(frame, picture))
        best = min((errors[engine]["bright"] for engine in others), default=np.nan)
        ratio = errors["ours"]["bright"] / best
        self.errors.append({"name": scene.name, "extended": scene.extended, "ratio": ratio, **errors})
        total = draws[:, frame.seen].sum(1) / frame.beam_pixels
        wanted = frame.truth[frame.seen].sum() / frame.beam_pixels
        pixel, box = self.pixels[-1], self.regions[-1]["box 3"]
        self.rows.append([
            scene.name, summary["verdict"].split(":")[0], float(summary["reduced_chi2"]),
            *(scores.share([part], f"rank{level}")[0] for part in (pixel, box) for level in (68, 95)),
            float(total.mean() / wanted - 1), float((wanted - total.mean()) / total.std()), ratio,
            float(summary["wall_s"]),
        ])  # fmt: skip


def collect(options) -> Found:
    """Score all scenes of a run that have been imaged."""
    into, found = options.folder / "runs" / options.name, Found()
    for name in _chosen(options):
        if not (into / f"{name}.json").exists():
            continue
        summary = json.loads((into / f"{name}.json").read_text())
        if "failed" in summary:
            found.rows.append([name, "failed", *[np.nan] * 8, summary["wall_s"]])
            print(f"{name} failed: {summary['failed'][-300:]}")
        elif summary["verdict"].startswith("converged") or not options.converged:
            with np.load(into / f"{name}.npz") as held:
                draws = held["samples"].astype(float)
            scene = imaging_scenes.load(options.folder, name)
            found.add(scene, summary, draws, _others(options.folder, name), options.mirrored)
    return found


def score(options) -> None:
    """Print the tables of a run, and write the numbers of every scene to F/runs/NAME/scores.json."""
    found = collect(options)
    header = "scene verdict chi2 pix68 pix95 box68 box95 flux-1 z_flux rms/CLEAN wall_s".split()
    print(scores.table(header, found.rows), "\n")
    print(_coverage_table(found.pixels, found.regions), "\n")
    print(_error_table(found.errors), "\n")
    print(_bias_table(found.biases), "\n")
    times = np.array([row[-1] for row in found.rows], float)
    converged = [row[1] for row in found.rows].count("converged")
    print(
        f"converged {converged} of {len(times)}; wall time median {np.median(times):.1f} s, longest {times.max():.1f} s"
    )
    output = options.folder / "runs" / options.name / "scores.json"
    output.write_text(json.dumps({"scenes": found.rows, "errors": found.errors}, indent=1))


def _others(folder: Path, name: str) -> dict[str, np.ndarray]:
    """The CLEAN images of a scene that there are."""
    found = {}
    for engine in ENGINES:
        path = folder / "clean" / f"{name}.{engine}.npz"
        if path.exists():
            with np.load(path) as held:
                found[engine] = held["image"].astype(float)
    return found


_KEYS = ("rank68", "rank95", "student68", "student95")


def _coverage_table(pixels: list[dict], regions: list[dict]) -> str:
    decades = [*zip(scores.DECADES[:-1], scores.DECADES[1:]), (1, np.inf)]
    lines = [(f"pixels, S/N {low:g}-{high:g}", pixels, low, high) for low, high in decades]
    for kind in regions[0] if regions else ():
        lines.append((f"flux of {kind}", [region[kind] for region in regions], 0, np.inf))
    rows = []
    for title, parts, low, high in lines:
        found = [scores.share(parts, key, low, high) for key in _KEYS]
        rows.append([title, *(f"{value:.3f} ± {error:.3f}" for value, error, _ in found), round(found[0][2])])
    return scores.table(["coverage", *_KEYS, "N_eff"], rows)


def _error_table(errors: list[dict]) -> str:
    rows = []
    for title, extended in (("extended", True), ("points", False)):
        chosen = [one for one in errors if one["extended"] is extended]
        if chosen:
            made = [title, len(chosen), float(np.nanmedian([one["ratio"] for one in chosen]))]
            made.append(float(np.nanmax([one["ratio"] for one in chosen])))
            for where in ("bright", "empty"):
                for who in ("ours", *ENGINES):
                    made.append(float(np.nanmedian([one.get(who, {}).get(where, np.nan) for one in chosen])))
            rows.append(made)
    parts = [f"{who} {where}" for where in (">=3 sigma", "empty") for who in ("ours", *ENGINES)]
    return scores.table(["rms error", "fields", "median ratio", "worst", *parts], rows)


def _bias_table(biases: dict[str, list[np.ndarray]]) -> str:
    rows = []
    for who, parts in biases.items():
        every = np.concatenate(parts)
        rows.append([who, len(every), *scores.median_bias(every)])
    return scores.table(["integrated flux", "sources", "median bias", "its error"], rows)


def imaged(options, name: str) -> tuple[imaging_scenes.Scene, dict, np.ndarray, np.ndarray]:
    """A scene of the folder imaged, once: the scene, summary, true skies [Jy/arcsec²] and apparent ones at the beam."""
    into = options.folder / "runs" / options.name
    into.mkdir(parents=True, exist_ok=True)
    scene = imaging_scenes.load(options.folder, name)
    if not (into / f"{name}.npz").exists():
        settings = {"n_pix": scene.n_pix, "cell_arcsec": scene.cell_arcsec} | options.settings
        with tempfile.TemporaryDirectory() as made:
            summary = image(options.folder / f"{name}.vis.zarr.zip", Path(made), settings, options.seed)
            if "failed" in summary:
                raise RuntimeError(summary["failed"])
            skies = store.read(Path(made) / "samples.zarr.zip", "samples")["sky"].values
            draws = samples_at_beam(Path(made), summary, scene.truth.dish_m)
        np.savez_compressed(into / f"{name}.npz", samples=draws.astype(np.float32), skies=skies)
        (into / f"{name}.json").write_text(json.dumps(summary, indent=1))
    summary = json.loads((into / f"{name}.json").read_text())
    with np.load(into / f"{name}.npz") as held:
        return scene, summary, held["skies"].astype(float), held["samples"].astype(float)


def five(options) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Five Gaussians: the true brightness at their centres, ours and its error, each (10,): at the model's own
    resolution, then at the beam; beside it that of tclean and WSClean."""
    imaging_cases.five_gaussians(options.folder)
    scene, summary, skies, draws = imaged(options, "five-gaussians")
    n_pix, cell, beam = scene.n_pix, scene.cell_arcsec, Beam(**summary["beam"])
    pattern = primary_beam.image(n_pix, cell, scene.truth.frequency_hz, primary_beam.dish(scene.truth.dish_m))
    truth = np.concatenate([imaging_cases.five_truth(scene), imaging_cases.five_truth(scene, beam)])
    drawn = [
        imaging_cases.five_brightness(skies, cell),
        imaging_cases.five_at_beam(draws, pattern, cell, beam),
    ]
    mean, error = (np.concatenate([part(values) for values in drawn]) for part in (_mean, _spread))
    rows = [["truth", *truth], ["ours", *mean], ["its error", *error]]
    rows += [["ours / truth", *(mean / truth)], ["off by errors", *((mean - truth) / error)]]
    options.only = scene.name
    clean(options)
    for engine, picture in _others(options.folder, scene.name).items():
        values = imaging_cases.five_at_beam(picture, pattern, cell, beam)
        rows += [[engine, *[""] * 5, *values], [f"{engine} / truth", *[""] * 5, *(values / truth[5:])]]
    header = [*"12345", *(f"{number} at the beam" for number in "12345")]
    print(scores.table(["mJy/arcsec2", *header], rows))
    print(summary["verdict"], f"{summary['wall_s']:.1f} s")
    return truth, mean, error


def _mean(draws: np.ndarray) -> np.ndarray:
    return draws.mean(axis=0)


def _spread(draws: np.ndarray) -> np.ndarray:
    return draws.std(axis=0, ddof=1)


def pairs(options) -> tuple[list[bool], np.ndarray]:
    """Two points half a beam apart: whether they are split, and the relative errors of their fluxes (seed, 2)."""
    split, errors, rows = [], [], []
    for seed in range(options.count):
        imaging_cases.two_points(options.folder, seed)
        scene, summary, skies, draws = imaged(options, f"two-points-{seed}")
        split.append(imaging_cases.is_split(scene, skies.mean(0)))
        flux = imaging_cases.pair_fluxes(scene, draws, Beam(**summary["beam"]))
        errors.append(flux.mean(0) - 1)
        points = len(summary.get("points", []))
        rows.append(
            [seed, split[-1], points, *errors[-1].tolist(), *flux.std(0, ddof=1).tolist(), summary["verdict"]]
        )
    print(scores.table("seed split points flux1-1 flux2-1 error1 error2 verdict".split(), rows))
    total = np.mean(errors, axis=1)
    print(
        f"split {sum(split)} of {len(split)}; each: median bias {scores.median_bias(np.ravel(errors))}; "
        f"both together: {scores.median_bias(total)}"
    )
    return split, np.array(errors)


def empty(options) -> list[dict[str, float]]:
    """Empty fields: nothing may stand above the noise; see `imaging_cases.empty_bar`."""
    rows, bars = [], []
    for seed in range(options.count):
        array = imaging_scenes.ARRAYS[seed % len(imaging_scenes.ARRAYS)]
        name = imaging_cases.empty(options.folder, seed, array).name
        scene, summary, _, draws = imaged(options, name)
        frame = frame_of(scene, scene.n_pix, scene.cell_arcsec, Beam(**summary["beam"]))
        bar = imaging_cases.empty_bar(draws, scene.facts["sensitivity_jy_beam"], frame.seen)
        rows.append([name, *bar.values(), len(summary.get("points", [])), summary["verdict"]])
        bars.append(bar)
    print(scores.table(["field", "low95", "high95", "mean", "points", "verdict"], rows))
    return bars


def stopped(options) -> list[bool]:
    """Whether the verdict caught each of the runs that were stopped too early."""
    rows = []
    for rounds in STOPPED:
        options.name, options.settings = f"stopped{rounds}", options.settings | {"max_iterations": rounds}
        run(options)
        for name in _chosen(options):
            path = options.folder / "runs" / options.name / f"{name}.json"
            if path.exists():
                rows.append([name, rounds, json.loads(path.read_text())["verdict"][:100]])
    caught = [not row[-1].startswith("converged") for row in rows]
    print(scores.table(["scene", "rounds", "verdict"], rows))
    print(f"stopped runs that the verdict caught: {sum(caught)} of {len(caught)}")
    return caught


def decrement(options) -> dict[str, tuple]:
    """A cluster's decrement with a point source in it; `--settings` has to ask for a signed field."""
    imaging_cases.decrement(options.folder)
    scene, summary, skies, draws = imaged(options, "decrement")
    found = imaging_cases.decrement_bar(scene, skies, draws, Beam(**summary["beam"]))
    print(scores.table(["of the truth", "value", "error"], [[name, *pair] for name, pair in found.items()]))
    print(summary["verdict"], f"{summary['wall_s']:.1f} s")
    return found


def joint(options) -> dict[str, dict]:
    """Both arrays and single dishes on three primary beams: fluxes, and rms errors beside CASA's feather."""
    path, known = imaging_joint.make(options.folder)
    n_pix, cell = imaging_joint.N_PIX, imaging_joint.CELL_ARCSEC
    kept = options.folder / f"joint-{options.name}.npz"
    if not kept.exists():
        settings = {"n_pix": n_pix, "cell_arcsec": cell} | options.settings
        with tempfile.TemporaryDirectory() as made:
            summary = image(path, Path(made), settings, options.seed, options.jobs == 1)
            if "failed" in summary:
                raise RuntimeError(summary["failed"])
            skies = store.read(Path(made) / "samples.zarr.zip", "samples")["sky"].values
        said = f"{summary['verdict']}, {summary['wall_s']:.1f} s"
        np.savez_compressed(kept, skies=np.nan_to_num(skies) * cell**2, said=said)
    with np.load(kept) as held:
        skies, said = held["skies"].astype(float), str(held["said"])
    theirs = imaging_joint.feather(options.folder, ask_casa)
    beam = Beam(*theirs["beam"].tolist())
    truth = known.at_beam(n_pix, cell, beam, attenuated=False)
    ours = convolve(skies.mean(0), cell, beam)
    seen = theirs["pb"] > 0.3
    pictures = {"ours": ours} | {name: theirs[key] for key, name in imaging_joint.RIVALS.items()}
    found = {who: {"rms": float(np.std((picture - truth)[seen]))} for who, picture in pictures.items()}
    found["ours"] |= imaging_joint.compare(skies, known, cell)
    for who in imaging_joint.RIVALS.values():
        sky = np.nan_to_num(pictures[who]) / beam.area_pixels(cell)
        found[who] |= imaging_joint.compare(sky[None], known, cell)
    rows = [
        [who, *(f"{value:.4f} ± {error:.4f}" for value, error in list(one.values())[1:]), one["rms"]]
        for who, one in found.items()
    ]
    print(scores.table(["of the truth", "total", "disc", "annulus", "rms Jy/beam"], rows))
    print(said)
    return found


def real(options) -> list[list]:
    """A real set: learned noise factors against neighbouring samples, and χ² of a tenth that was held out.

    The table's rows, one per window.
    """
    options.folder.mkdir(parents=True, exist_ok=True)
    name = options.data.name.split(".")[0]
    path, part = (options.folder / f"{name}{end}.zarr.zip" for end in ("", "-part"))
    if not path.exists():
        script = [sys.executable, ROOT / "scripts" / "visibilities.py", "--output", path]
        subprocess.run([*script, "--data", options.data], check=True)
    masks = imaging_real.split(path, part, options.seed)
    made, cleaned = (options.folder / f"{name}-{what}" for what in (options.name, f"{options.name}-clean"))
    if not (made / "summary.json").exists():
        summary = image(part, made, options.settings, options.seed)
        if "failed" in summary:
            raise RuntimeError(summary["failed"])
        print(f"{summary['wall_s']:.0f} s")
    summary = json.loads((made / "summary.json").read_text())
    if not (cleaned / "clean.json").exists():
        size = options.settings | {key: summary[key] for key in ("n_pix", "cell_arcsec")}
        script = [sys.executable, ROOT / "scripts" / "clean.py", "--settings", json.dumps(size)]
        subprocess.run([*script, "--visibilities", part, "--output-folder", cleaned], check=True)
    sky = store.read(made / "samples.zarr.zip", "samples")["sky"].values.mean(0)
    chi2 = imaging_real.held_out_chi2(path, masks, sky, summary)
    rows = [
        [window, *pair, pair[0] / pair[1], *chi2[window].values()]
        for window, pair in imaging_real.factors(path, summary).items()
    ]
    header = [
        "window",
        "learned",
        "neighbours",
        "ratio",
        "held-out chi2",
        "weighted",
        "by MAD",
        "1/nu",
        "number",
    ]
    print(scores.table(header, rows))
    number = np.array([row[-1] for row in rows])
    total = [float(np.average([row[column] for row in rows], weights=number)) for column in (4, 5, 6)]
    print(f"{summary['verdict']}; all windows: {total}")
    print(json.dumps(imaging_real.beside_clean(made, cleaned)))
    return rows


def calibrate(options) -> None:
    """Fields of the model's own prior, imaged: ranks of total flux, boxes and parameters; TARP."""
    into = options.folder / "calibration" / options.name
    layout = imaging_prior.Layout.make(options.folder)
    imaging_calibration.calibrate(into, options.count, layout.draw, layout.infer, options.first)
    header = ["statistic", "fields", "p", "mean place", "cover68", "cover95"]
    report = imaging_calibration.report(into, converged=options.converged)
    print(scores.table(header, [[name, *found.values()] for name, found in report.items()]))


def speed(options) -> None:
    """Wall times on the five Gaussians: ours (with and without a warm cache), tclean's and WSClean's.

    The yardstick's threshold of 0.03 mJy is half the noise at a peak S/N of 200, and two to three times it at 1000.
    """
    for snr in SPEED_SNRS:
        print(_race(options, snr), "\n", flush=True)


def _race(options, snr: float) -> str:
    scene = imaging_cases.five_gaussians(options.folder, snr)
    path = options.folder / f"{scene.name}.ms"
    _, beam = noise_and_beam(scene, scene.n_pix, scene.cell_arcsec)
    size = scene.n_pix, scene.cell_arcsec, beam
    threads = os.cpu_count() or 1
    yardstick = {
        "scales": [0, 7, 28],
        "niter": 20_000,
        "threshold": "0.03mJy",
        "nsigma": 0.0,
        "usemask": "user",
    }
    casa = float(by_casa(path, *size, **yardstick, threads=threads)["wall_s"])
    wanted = {"scales": [0, 7, 28], "iterations": 20_000, "auto_mask": 0.0, "threads": threads}
    wanted["threshold_jy"] = 3e-5
    theirs = float(by_wsclean(path, *size, **wanted)["wall_s"])
    rows = [["CASA tclean", casa, 1.0, casa / theirs, ""], ["WSClean", theirs, theirs / casa, 1.0, ""]]
    settings = {"n_pix": scene.n_pix, "cell_arcsec": scene.cell_arcsec} | options.settings
    with tempfile.TemporaryDirectory() as cache:
        for title in ("ours, first call", "ours, compiled before"):
            with tempfile.TemporaryDirectory() as made:
                os.environ["XDG_CACHE_HOME"] = cache
                summary = image(
                    options.folder / f"{scene.name}.vis.zarr.zip", Path(made), settings, options.seed, False
                )
            wall = summary["wall_s"]
            rows.append([title, wall, wall / casa, wall / theirs, summary["verdict"][:60]])
            print(title, json.dumps(summary.get("timings_s", {})))
    return scores.table(
        [f"512 x 512, 108360 visibilities, S/N {snr:g}", "s", "/ tclean", "/ WSClean", "verdict"], rows
    )


def parser() -> argparse.ArgumentParser:
    """The commands and their options."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = made.add_subparsers(required=True)
    for function in (
        scenes,
        run,
        clean,
        score,
        five,
        pairs,
        empty,
        decrement,
        joint,
        stopped,
        real,
        calibrate,
        speed,
    ):
        command = commands.add_parser(function.__name__)
        command.set_defaults(function=function)
        command.add_argument("--folder", type=Path, required=True)
        command.add_argument("--only", default="", help="scenes whose names hold this")
        command.add_argument("--seed", type=int, default=1)
        command.add_argument("--name", default="default", help="of the run")
        command.add_argument("--count", type=int, default=24, help="of scenes or seeds")
        command.add_argument("--jobs", type=int, default=1)
        command.add_argument("--settings", type=json.loads, default={}, help="of the recipe, JSON")
        command.add_argument("--auto-grid", action="store_true", help="let the imager choose its pixels")
        command.add_argument("--data", type=Path, help="calibrated Measurement Set, for real")
        command.add_argument("--first", type=int, default=0, help="number of the first field, for calibrate")
        command.add_argument("--engines", nargs="+", default=ENGINES, choices=ENGINES)
        command.add_argument("--mirrored", action="store_true", help="samples are mirrored pairs")
        command.add_argument("--converged", action="store_true", help="converged runs only")
    return made


def scenes(options) -> None:
    """Make the scenes of a battery."""
    for name in imaging_scenes.battery(options.folder, options.count, options.seed):
        print(name)


if __name__ == "__main__":
    chosen = parser().parse_args()
    chosen.function(chosen)

"""How far the simulator is from its floor: the bare gridder calls that one cube cannot do without.

    python benchmarks/simulator.py            one cube of 256 x 256 x 256, 45 antennas, 75 dumps
    python benchmarks/simulator.py --curves   cost against channels, visibilities and pixels
    python benchmarks/simulator.py --cubes 8  training cubes of one observation, 256 x 256 x 128

The floor is one prediction, one dirty image and one PSF per channel by ducc0, planar, at an accuracy of 1e-4, in
single and in double precision, on the same number of threads, measured in the same run.
"""

import argparse
import resource
import time

import ducc0
import numpy as np
import xarray as xr

from almabrain.config.simulate import SimulateSettings
from almabrain.instrument import configurations, site
from almabrain.response.choose import cell_arcsec
from almabrain.simulate.coverage import cover
from almabrain.simulate.observe import observe
from almabrain.simulate.shared import Shared

ARCSEC = np.pi / 648_000
FIRST_HZ, CHANNEL_HZ = 230e9, 2e6
RA_DEG, DEC_DEG = 150.0, -23.0  # overhead at transit, so that w stays small


def sky(channels: int, n_pix: int, cell: float) -> xr.Dataset:
    """A pixel model without a gap anywhere, so that no shortcut helps."""
    rng = np.random.default_rng(1)
    model = rng.random((n_pix, n_pix)).astype("f4") / n_pix**2
    model = np.broadcast_to(model, (channels, n_pix, n_pix))
    nothing = ("component", np.empty(0))
    return xr.Dataset(
        {
            "pixel_model_jy": (("channel", "y", "x"), model, {"pixel_cell_arcsec": cell}),
            "component_flux_jy": (("component", "channel"), np.empty((0, channels))),
            **{key: nothing for key in ("ra_deg", "dec_deg", "major_arcsec", "minor_arcsec", "pa_deg")},
            "channel_width_hz": ("channel", np.full(channels, CHANNEL_HZ)),
            "frequency_hz": ("channel", FIRST_HZ + CHANNEL_HZ * np.arange(channels)),
            "line_free": ("channel", np.ones(channels, bool)),
        },
        attrs={"simulation": "sim-000000", "ra_deg": RA_DEG, "dec_deg": DEC_DEG, "frame": "BARY"},
    )


def row(antennas: int, dumps: int) -> dict:
    """An execution about transit with so many antennas on the pads of configurations 5 and 4, up to 1.4 km."""
    listed = configurations.antennas("alma.cycle9.5") + configurations.antennas("alma.cycle9.4")
    pads = list(dict.fromkeys(pair.split(":")[0] for pair in listed))[:antennas]
    transit_mjd = site.time_of_hour_angle_mjd_s(RA_DEG, DEC_DEG, 0.0, 60310) / 86400
    return {
        "observation": "benchmark",
        "target_name": "benchmark",
        "band_list": 6,
        "t_exptime": 30.0 * dumps,
        "t_min": transit_mjd - 15.0 * dumps / 86400,
        "pwv": 1.0,
        "antenna_arrays": " ".join(f"{pad}:DV{number}" for number, pad in enumerate(pads)),
        "array": "12m",
        "pointings": "",
        "schedule": "fixed",
    }


def seconds(work) -> float:
    """Time that the call of `work` takes, wall clock."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def floor(uvw_m, frequency_hz, n_pix: int, cell: float, threads: int, dtype) -> None:
    """The gridder calls that a cube cannot do without."""
    image = np.random.default_rng(1).random((n_pix, n_pix)).astype(dtype)
    options = {"pixsize_x": cell * ARCSEC, "pixsize_y": cell * ARCSEC, "epsilon": 1e-4}
    options |= {"uvw": uvw_m, "do_wgridding": False, "nthreads": threads}
    size = {"npix_x": n_pix, "npix_y": n_pix}
    for channel in range(len(frequency_hz)):
        options["freq"] = frequency_hz[channel : channel + 1]
        visibility = ducc0.wgridder.dirty2vis(dirty=image, **options)
        ducc0.wgridder.vis2dirty(vis=visibility, **size, **options)
        ducc0.wgridder.vis2dirty(vis=np.ones_like(visibility), **size, **options)


def settings_of(n_pix: int, cell: float) -> SimulateSettings:
    """No calibrator breaks, no visibilities kept: images only, as for training."""
    return SimulateSettings(integration_s=30, gap_s=0, n_pix=n_pix, cell_arcsec=cell, visibilities=False)


def case(antennas: int, dumps: int, channels: int, n_pix: int):
    """Row, sky model, settings, uvw and frequencies; a finer cell in larger images, so that the field stays."""
    executions = [row(antennas, dumps)]
    aims = np.zeros((1, 2))
    uvw = cover(executions, RA_DEG, DEC_DEG, aims, settings_of(32, 1.0)).uvw_m
    frequency = FIRST_HZ + CHANNEL_HZ * np.arange(channels)
    cell = cell_arcsec(uvw, frequency) * 256 / n_pix
    return executions, sky(channels, n_pix, cell), settings_of(n_pix, cell), uvw, frequency


def compare(antennas: int, dumps: int, channels: int, n_pix: int, threads: int) -> dict[str, float]:
    """Seconds of our cube and of both floors."""
    executions, model, settings, uvw, frequency = case(antennas, dumps, channels, n_pix)
    size = n_pix, settings.cell_arcsec, threads
    rng = np.random.default_rng(2)
    return {
        "rows": len(uvw),
        "floor, single": seconds(lambda: floor(uvw, frequency, *size, np.float32)),
        "floor, double": seconds(lambda: floor(uvw, frequency, *size, np.float64)),
        "cube": seconds(lambda: dict(observe(executions, {"spw0": model}, settings, rng, threads))),
    }


def training(cubes: int, threads: int) -> None:
    """Cubes of one observation, as a shard of a training campaign makes them."""
    executions, model, settings, uvw, frequency = case(45, 75, 128, 256)
    shared, rng = Shared(), np.random.default_rng(3)
    took = [
        seconds(lambda: dict(observe(executions, {"spw0": model}, settings, rng, threads, shared)))
        for _ in range(cubes)
    ]
    bare = seconds(lambda: floor(uvw, frequency, 256, settings.cell_arcsec, threads, np.float32))
    each = float(np.mean(took[1:]))
    print(f"256 x 256 x 128: first cube {took[0]:.2f} s, then {each:.2f} s each, {60 / each:.0f} a minute")
    print(f"prediction, dirty image and PSF by the bare gridder: {bare:.2f} s, {60 / bare:.0f} a minute")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--curves", action="store_true", help="three curves instead of one cube")
    options.add_argument("--cubes", type=int, help="so many training cubes instead of one cube")
    options.add_argument("--threads", type=int, default=1)
    args = options.parse_args()
    compare(45, 1, 1, 256, args.threads)  # reads the tables of pads, receivers and air
    if args.cubes:
        training(args.cubes, args.threads)
        return
    cases = [(45, 75, 256, 256)]
    if args.curves:
        cases = [(45, 75, n, 256) for n in (16, 32, 64, 128)]
        cases += [(45, n, 16, 256) for n in (19, 38, 75, 150)]
        cases += [(45, 75, 16, n) for n in (128, 256, 512, 1024)]
    print("antennas dumps  rows channels n_pix  cube_s  floor32_s floor64_s  to32  to64  ms/channel  GiB")
    for antennas, dumps, channels, n_pix in cases:
        took = compare(antennas, dumps, channels, n_pix, args.threads)
        cube, single, double = took["cube"], took["floor, single"], took["floor, double"]
        gib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(
            f"{antennas:8d} {dumps:5d} {took['rows']:6d} {channels:6d} {n_pix:6d} {cube:8.2f} {single:9.2f} "
            f"{double:9.2f} {cube / single:6.2f} {cube / double:5.2f} {1e3 * cube / channels:9.1f} {gib:7.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main()

"""Gas of an IllustrisTNG subhalo, from a cutout file of the public release, in everyday units."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from almabrain.config.sky_models import TngSettings
from almabrain.console.errors import UserError

# Fields that every tracer needs, and those that one needs besides.
FIELDS = ("Coordinates", "Velocities", "Masses", "Density")
MORE_FIELDS = {
    "mass": (),
    "neutral_hydrogen": ("NeutralHydrogenAbundance",),
    "molecular": ("NeutralHydrogenAbundance", "InternalEnergy"),
}
# Mass fraction of hydrogen where the file has no metals: primordial, as the simulation's own output assumes.
HYDROGEN = 0.76
# Side of the smallest box (TNG50): no subhalo is half as large, so that cells so far apart have been wrapped.
SMALLEST_BOX_CKPC_H = 35000.0
ADIABATIC_INDEX = 5 / 3
# Ratio of molecular to atomic gas = (pressure / this)^exponent (Blitz & Rosolowsky 2006, ApJ 650, 933), K/cm3.
PRESSURE_K_CM3 = 4.3e4
PRESSURE_EXPONENT = 0.92
# 1 M_sun/kpc3 (km/s)2 divided by Boltzmann's constant, in K/cm3.
K_CM3_PER_MSUN_KPC3_KMS2 = 1.98841e30 / 3.0856775815e19**3 * 1e6 / 1.380649e-23 * 1e-6


@dataclass(frozen=True)
class Gas:
    """Cells of gas: `position_kpc` (cell, 3) and `velocity_kms` (cell, 3) about the galaxy's, both physical.

    `mass_msun` (cell,) is that of the tracer, `radius_kpc` (cell,) of a sphere of the cell's volume.
    """

    position_kpc: np.ndarray
    velocity_kms: np.ndarray
    mass_msun: np.ndarray
    radius_kpc: np.ndarray
    redshift: float


def cutouts(folder: str | Path) -> list[Path]:
    """The HDF5 files of a folder by name; UserError where there is none."""
    found = sorted(path for path in Path(folder).glob("*") if path.suffix.lower() in (".hdf5", ".h5"))
    if not found:
        raise UserError(
            f"sky.tng.folder is {folder}, where there is no file *.hdf5 or *.h5; give a folder of gas cutouts"
        )
    return found


def load(path: Path, settings: TngSettings) -> Gas:
    """Gas of one cutout, per www.tng-project.org/data/docs/specifications: units, h and scale factor undone.

    Comoving ckpc/h become kpc, km sqrt(a)/s become km/s, 1e10 M_sun/h become M_sun. UserError for a file
    that is none, that lacks fields, or that holds no gas of the tracer.
    """
    values, header = _read(path, settings.tracer)
    redshift = _redshift(path, header, settings)
    scale, h = 1 / (1 + redshift), float(header.get("HubbleParam", settings.hubble))
    mass = values["Masses"] * 1e10 / h
    density = values["Density"] * 1e10 / h / (scale / h) ** 3
    light = mass * _tracer_share(values, density, settings.tracer)
    if not light.sum() > 0:
        raise UserError(
            f"{path} holds no gas that shines in '{settings.tracer}'; choose another sky.tng.tracer"
        )
    position = _unwrapped(path, values["Coordinates"], header) * scale / h
    velocity = values["Velocities"] * np.sqrt(scale)
    centre = _centre(position, light)
    distance = np.linalg.norm(position - centre, axis=1)
    inner = distance <= radius_of_share(distance, light, 0.5)
    return Gas(
        position_kpc=position - centre,
        velocity_kms=velocity - np.average(velocity[inner], axis=0, weights=light[inner]),
        mass_msun=light,
        radius_kpc=np.cbrt(mass / density * 3 / (4 * np.pi)),
        redshift=redshift,
    )


def _read(path: Path, tracer: str) -> tuple[dict[str, np.ndarray], dict]:
    import h5py

    needed = (*FIELDS, *MORE_FIELDS[tracer])
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise UserError(f"{path} is no whole HDF5 file ({error}); download the cutout again") from None
    with file:
        gas = file.get("PartType0", {})
        missing = [name for name in needed if name not in gas]
        if missing:
            raise UserError(
                f"{path} lacks {', '.join(f'PartType0/{name}' for name in missing)}, which the tracer "
                f"'{tracer}' needs; ask for these gas fields when downloading the cutout"
            )
        values = {name: np.asarray(gas[name], float) for name in needed}
        if "GFM_Metals" in gas:
            values["GFM_Metals"] = np.asarray(gas["GFM_Metals"], float)
        header = dict(file["Header"].attrs) if "Header" in file else {}
    broken = [name for name in needed if not np.isfinite(values[name]).all()]
    if broken or not (values["Density"] > 0).all():
        raise UserError(
            f"{path} has values in PartType0/{(broken or ['Density'])[0]} that are not finite or not positive; "
            "download the cutout again"
        )
    return values, header


def _redshift(path: Path, header: dict, settings: TngSettings) -> float:
    if settings.snapshot_redshift is not None:
        return settings.snapshot_redshift
    if "Redshift" in header:
        return max(float(header["Redshift"]), 0.0)  # the last snapshot's is a rounding error below 0
    if "Time" in header:
        return 1 / float(header["Time"]) - 1
    raise UserError(f"{path} has neither Redshift nor Time in its Header; give sky.tng.snapshot_redshift")


def _tracer_share(values: dict, density_msun_kpc3: np.ndarray, tracer: str) -> np.ndarray:
    """Share of every cell's mass that the tracer is: hydrogen, neutral, and of that the molecular part.

    The file's neutral fraction is taken as it stands, also for gas that forms stars. The molecular part
    follows from the cell's own pressure (Blitz & Rosolowsky 2006), as Duffy et al. (2012, MNRAS 420, 2799)
    and Diemer et al. (2018, ApJS 238, 33) do for simulations.
    """
    if tracer == "mass":
        return np.ones_like(density_msun_kpc3)
    hydrogen = values["GFM_Metals"][:, 0] if "GFM_Metals" in values else HYDROGEN
    neutral = hydrogen * values["NeutralHydrogenAbundance"]
    if tracer == "neutral_hydrogen":
        return neutral
    pressure = (ADIABATIC_INDEX - 1) * density_msun_kpc3 * values["InternalEnergy"] * K_CM3_PER_MSUN_KPC3_KMS2
    ratio = (pressure / PRESSURE_K_CM3) ** PRESSURE_EXPONENT
    return neutral * ratio / (1 + ratio)


def _unwrapped(path: Path, coordinates: np.ndarray, header: dict) -> np.ndarray:
    """Positions on one side of the periodic box's walls, as near as can be to the first cell."""
    offset = coordinates - coordinates[0]
    if "BoxSize" in header:
        box = float(header["BoxSize"])
        return offset - box * np.round(offset / box)
    if np.ptp(offset, axis=0).max() > SMALLEST_BOX_CKPC_H / 2:
        raise UserError(
            f"{path} reaches across the walls of the simulated box, but its Header has no BoxSize; "
            "download the cutout with its whole header"
        )
    return offset


def _centre(position: np.ndarray, light: np.ndarray) -> np.ndarray:
    """Centre of light in a sphere that shrinks upon itself (Power et al. 2003, MNRAS 338, 14, section 2.5)."""
    inside = light > 0
    least = max(100, 0.01 * inside.sum())
    centre = np.average(position, axis=0, weights=light)
    radius = np.linalg.norm(position - centre, axis=1)[inside].max()
    while inside.sum() > least:
        radius *= 0.9
        inside = (light > 0) & (np.linalg.norm(position - centre, axis=1) < radius)
        if not inside.any():
            break
        centre = np.average(position[inside], axis=0, weights=light[inside])
    return centre


def radius_of_share(distance: np.ndarray, light: np.ndarray, share: float) -> float:
    """Distance within which this share of the light lies."""
    order = np.argsort(distance)
    below = np.cumsum(light[order])
    return float(distance[order][np.searchsorted(below, share * below[-1])])

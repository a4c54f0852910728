"""A galaxy of the IllustrisTNG simulations: its gas, seen from any side, with its own velocities."""

import logging

import numpy as np

from almabrain.config.sky import SkySettings
from almabrain.console.errors import UserError
from almabrain.data.coordinates import ARCSEC, pixel_from_lm
from almabrain.sky.field import Field
from almabrain.sky.illustris import Gas, cutouts, load, radius_of_share
from almabrain.sky.particles import Particles, cloud_in_cell, full_width_kms, particles
from almabrain.sky.pixels import edge_taper, half_side, picture
from almabrain.sky.shape import Shape

log = logging.getLogger(__name__)

# Thermal motion inside a cell: neutral gas of 8000 K, which the simulation's cells do not resolve.
DISPERSION_KMS = 8.0
# The picture holds this share of the light; the rest is so far out that it would only coarsen the pixels.
INSIDE = 0.99
# A cell's light fills a sphere this much larger than its volume's, so that neighbours overlap.
SMOOTHING = 2.0
MOST_POINTS = 1_000_000
# The faintest cells, which together hold this share of the light, are left out: hot gas has most cells.
FAINTEST = 1e-3
# Light of one pixel is gathered in steps of velocity far below the dispersion.
VELOCITY_STEP_KMS = 2.0
# Nearer than this a galaxy has no angular size to speak of: redshift is not distance any more.
NEAREST_REDSHIFT = 1e-3
# Of the field's radius: from here on the light fades.
WHOLE = 0.8
NOTICED = 0.01
_GOLDEN_ANGLE = np.pi * (3 - np.sqrt(5))


def draw(field: Field, settings: SkySettings, rng: np.random.Generator) -> list[Shape]:
    """One galaxy at the phase centre, its spin tilted by the drawn inclination, turned any way about it.

    Its angular size is that at the redshift of `settings.redshift` where this is one value, else at the
    snapshot's, in the Planck 2018 cosmology (Planck Collaboration 2020, A&A 641, A6). UserError for a folder
    or file without what is needed.
    """
    paths = cutouts(settings.tng.folder)
    path = paths[rng.integers(len(paths))]
    gas = load(path, settings.tng)
    kpc_per_arcsec = _kpc_per_arcsec(gas.redshift, settings, path)
    cosine = rng.uniform(*np.cos(np.deg2rad(settings.tng.inclination_deg))[::-1])
    receding, azimuth = rng.uniform(0, 2 * np.pi, 2)
    east, north, velocity = seen(gas, np.arccos(cosine), receding, azimuth)
    east, north = east / kpc_per_arcsec, north / kpc_per_arcsec
    reach = radius_of_share(np.hypot(east, north), gas.mass_msun, INSIDE)
    half, cell = half_side(field, min(reach, field.radius_rad / ARCSEC))
    light = gas.mass_msun * edge_taper(east * ARCSEC, north * ARCSEC, field.radius_rad, WHOLE)
    lost = 1 - light.sum() / gas.mass_msun.sum()
    if lost > NOTICED:
        log.warning(
            "%.0f %% of the light of %s lies more than %.3g arcsec out and is left out, the rest has all its flux; "
            "raise sky.max_offset_beams or lower sky.min_primary_beam to see more of it",
            *(100 * lost, path, WHOLE * field.radius_rad / ARCSEC),
        )
    bits = project(half, cell, east, north, velocity, light, gas.radius_kpc / kpc_per_arcsec)

    def line_pixels(edges_kms, width_kms: float) -> np.ndarray:
        return bits.line_pixels(edges_kms, DISPERSION_KMS)

    def extent(width_kms: float) -> tuple[float, float, float]:
        return bits.extent_kms(DISPERSION_KMS)

    lines = {"line_pixels": line_pixels, "line_extent_kms": extent, "line_width_kms": width_kms(bits)}
    return [picture("tng", bits.pixels, cell, **lines)]


def seen(gas: Gas, inclination_rad: float, receding_rad: float, azimuth_rad: float):
    """Offsets east and north, kpc, and receding velocity, km/s, (cell,) from where the spin is so inclined.

    `receding_rad` is the position angle of the receding side of the galaxy's line of nodes, `azimuth_rad`
    turns the galaxy about its spin, the angular momentum of the tracer within twice its half-light radius.
    """
    spin = _spin(gas)
    first = np.cross(spin, np.eye(3)[np.argmin(np.abs(spin))])
    first /= np.linalg.norm(first)
    nodes = np.cos(azimuth_rad) * first + np.sin(azimuth_rad) * np.cross(spin, first)
    # What turns about the spin leaves the observer where the line of nodes has its receding end.
    in_plane = np.cross(spin, nodes)
    observer = np.cos(inclination_rad) * spin - np.sin(inclination_rad) * in_plane
    along, across = gas.position_kpc @ nodes, gas.position_kpc @ np.cross(observer, nodes)
    east = along * np.sin(receding_rad) + across * np.cos(receding_rad)
    north = along * np.cos(receding_rad) - across * np.sin(receding_rad)
    return east, north, -gas.velocity_kms @ observer


def project(
    half: int, cell_arcsec: float, east_arcsec, north_arcsec, velocity_kms, light, radius_arcsec
) -> Particles:
    """Cells of gas on 2 * half pixels a side, each spread over points inside its smoothed disc.

    A cell smaller than a pixel is one point; a larger one has a point per pixel, fewer if the galaxy would
    need more than MOST_POINTS. Points fall to four pixels each, with the light's centroid kept.
    """
    side = 2 * half
    x, y = pixel_from_lm(east_arcsec * ARCSEC, north_arcsec * ARCSEC, side, cell_arcsec)
    radius = SMOOTHING * radius_arcsec / cell_arcsec
    near = (
        (light >= _faintest(light)) & (np.abs(x - half) < half + radius) & (np.abs(y - half) < half + radius)
    )
    x, y, radius, velocity, light = (value[near] for value in (x, y, radius, velocity_kms, light))
    area = np.pi * radius**2
    number = np.maximum(area * min(1.0, MOST_POINTS / area.sum()), 1).astype(int)
    owner = np.repeat(np.arange(number.size), number)
    rank = np.arange(owner.size) - np.repeat(np.cumsum(number) - number, number)
    # A sunflower of points, thinning out as (1 - r²)², which is smooth where one disc ends.
    distance = radius[owner] * np.sqrt(1 - np.cbrt(1 - (rank + 0.5) / number[owner])) * (number[owner] > 1)
    angle = _GOLDEN_ANGLE * (rank + owner)
    pixel, share = cloud_in_cell(
        x[owner] + distance * np.cos(angle), y[owner] + distance * np.sin(angle), side
    )
    share *= (light / number)[owner]
    velocity = np.broadcast_to(velocity[owner], share.shape)
    return _gathered(side, pixel[share > 0], velocity[share > 0], share[share > 0])


def width_kms(bits: Particles) -> float:
    """FWHM of the line of all gas together, km/s."""
    step = DISPERSION_KMS / 8
    edges = np.arange(bits.velocity_kms[0] - step, bits.velocity_kms[-1] + 2 * step, step)
    light = np.histogram(bits.velocity_kms, edges, weights=bits.light)[0]
    return full_width_kms(edges, light, DISPERSION_KMS)


def _gathered(side: int, pixel, velocity_kms, light) -> Particles:
    """One bit for all light of one pixel in one step of velocity: with its mean and its spread."""
    step = np.floor(velocity_kms / VELOCITY_STEP_KMS).astype(int)
    step -= step.min()
    _, bit = np.unique(pixel * (step.max() + 1) + step, return_inverse=True)
    total = np.bincount(bit, light)
    mean = np.bincount(bit, light * velocity_kms) / total
    variance = np.bincount(bit, light * (velocity_kms - mean[bit]) ** 2) / total
    where = np.empty(total.size, int)
    where[bit] = pixel
    return particles(side, where, mean, total, np.sqrt(variance))


def _faintest(light: np.ndarray) -> float:
    """The light of a cell such that all fainter ones together hold at most FAINTEST of the whole."""
    rising = np.sort(light)
    below = np.cumsum(rising)
    return float(rising[np.searchsorted(below, FAINTEST * below[-1], side="right")])


def _spin(gas: Gas) -> np.ndarray:
    """Unit vector of the tracer's angular momentum within twice its half-light radius."""
    distance = np.linalg.norm(gas.position_kpc, axis=1)
    inner = distance <= 2 * radius_of_share(distance, gas.mass_msun, 0.5)
    turning = np.cross(gas.position_kpc[inner], gas.velocity_kms[inner])
    total = (gas.mass_msun[inner, None] * turning).sum(axis=0)
    # Gas that does not turn at all, as one cell alone, may be seen from anywhere.
    return total / np.linalg.norm(total) if total.any() else np.array([0.0, 0.0, 1.0])


def _kpc_per_arcsec(snapshot_redshift: float, settings: SkySettings, path) -> float:
    from astropy.cosmology import Planck18

    low, high = settings.redshift
    redshift = low if low == high else snapshot_redshift
    if redshift < NEAREST_REDSHIFT:
        raise UserError(
            f"{path} is a snapshot of redshift {snapshot_redshift:.3g} and sky.redshift is [{low:g}, {high:g}], "
            "so that the galaxy has no distance; give sky.redshift one value, such as [0.05, 0.05]"
        )
    return float(Planck18.angular_diameter_distance(redshift).to_value("kpc")) * ARCSEC

"""A spiral galaxy made by rule, for when no pictures of real ones are at hand."""

from dataclasses import dataclass, replace

import numpy as np
from scipy.special import erf, gammainc, gammaincinv

from almabrain.config.sky import SkySettings
from almabrain.data.coordinates import ARCSEC
from almabrain.sky.field import Field
from almabrain.sky.inclined import (
    Plane,
    centring_arcsec,
    draw_plane,
    offsets_arcsec,
    over_pixels,
    room_arcsec,
)
from almabrain.sky.pixels import FWHM_PER_SIGMA, edge_taper, half_side, picture
from almabrain.sky.place import count, log_uniform
from almabrain.sky.shape import Shape

# Of the disc, in scale lengths: its light falls to nothing between these, as discs of stars end at about
# four (van der Kruit & Searle 1981, A&A 95, 105).
FADES, ENDS = 3.5, 4.5
# Half-light radius of the bulge in scale lengths of the disc.
BULGE_SIZE = (0.12, 0.3)
SERSIC = 4.0
# The cusp of the bulge, within this many pixels, is summed over finer parts of a pixel.
CUSP_PIX, CUSP_PARTS = 3.0, 64
# Pitch of the arms, as of most spirals between types Sab and Scd (Kennicutt 1981, AJ 86, 1847).
PITCH_DEG = (10.0, 28.0)
# Natural logarithm of the brightness of an arm's crest, and its rise over these scale lengths.
ARM_STRENGTH = (0.35, 0.85)
ARMS_RISE = (0.2, 1.0)
# How far, rms in radians of the arms' phase, their crests wander: in how many waves of ln r, of which
# windings (radians per unit of ln r).
WANDER, WANDERINGS, WANDER_WINDING = 0.5, 3, (1.2, 4.8)
# Patches: waves of random order, winding (per order) and phase, and the rms of their ln brightness together.
PATCHES, PATCH_STRENGTH, PATCH_ORDERS, PATCH_WINDING = 16, 0.35, (1, 14), (0.9, 3.6)
# Clumps: mean share of the disc's light of one and the most of all, FWHM and radius in scale lengths, and
# the ratio of the brightest to the faintest.
CLUMP_SHARE, CLUMPS_SHARE = (0.001, 0.005), 0.5
CLUMP_SIZE, CLUMP_RADIUS, CLUMP_CONTRAST = (0.08, 0.2), (0.4, 3.2), 10.0
# How far they lie from a crest, rms in radians of the arms' phase.
CLUMP_SCATTER = 0.3
# Arms are smooth enough for fewer points of a pixel than the rest.
ARM_PARTS = 4
_RADII, _AZIMUTHS = 200, 720


@dataclass(frozen=True)
class Wave:
    """A pattern strength * cos(order * azimuth + winding * ln(radius) + phase)."""

    order: int
    winding: float
    phase: float
    strength: float

    def __call__(self, log_radius, azimuth):
        """The pattern at ln(radius in scale lengths) and azimuth, radians."""
        return self.strength * np.cos(self.order * azimuth + self.winding * log_radius + self.phase)


@dataclass(frozen=True)
class Clump:
    """A round Gaussian on the sky: offsets and FWHM in arcsec, share of all the galaxy's light."""

    east_arcsec: float
    north_arcsec: float
    width_arcsec: float
    share: float


@dataclass(frozen=True)
class Galaxy:
    """A galaxy: what its parts are, and their shares of the light in the picture (the disc has the rest)."""

    plane: Plane
    scale_arcsec: float
    bulge_arcsec: float
    bulge_share: float
    arms: int
    arm_strength: float
    winding: float
    wander: tuple[Wave, ...]
    patches: tuple[Wave, ...]
    clumps: tuple[Clump, ...]

    def arm_phase(self, log_radius, azimuth) -> np.ndarray:
        """Phase of the arms: a multiple of 2 pi on every crest, a logarithmic spiral that wanders somewhat."""
        wander = sum(wave(log_radius, 0.0) for wave in self.wander)
        return self.arms * azimuth + self.winding * log_radius + wander

    def pattern(self, log_radius, azimuth) -> np.ndarray:
        """Brightness of arms and patches at ln(radius in scale lengths) and azimuth, radians."""
        low, high = ARMS_RISE
        share = np.clip((np.exp(log_radius) - low) / (high - low), 0, 1)
        logarithm = sum(wave(log_radius, azimuth) for wave in self.patches)
        if self.arms:
            phase = self.arm_phase(log_radius, azimuth)
            logarithm = logarithm + self.arm_strength * (np.cos(phase) + np.cos(2 * phase) / 4)
        return np.exp(share**2 * (3 - 2 * share) * logarithm)


def draw(field: Field, settings: SkySettings, rng: np.random.Generator) -> list[Shape]:
    """One galaxy near the phase centre, on pixels; smaller than asked for where the field has no room."""
    galaxy = choose(field, settings, rng)
    half, cell = half_side(field, ENDS * galaxy.scale_arcsec + centring_arcsec(field))
    return [picture("galaxy", render(galaxy, half, cell), cell)]


def choose(field: Field, settings: SkySettings, rng: np.random.Generator) -> Galaxy:
    """The galaxy that `draw` puts on pixels."""
    chosen = settings.galaxy
    scale = log_uniform(rng, chosen.radius_beams) * field.beam_arcsec
    scale = min(scale, room_arcsec(field) / ENDS)
    plane = draw_plane(field, chosen.inclination_deg, rng)
    bulge_share = float(rng.uniform(*chosen.bulge_share))
    arms = count(chosen.arms, rng)
    sense = rng.choice([-1, 1])
    winding = sense * arms / np.tan(np.deg2rad(rng.uniform(*PITCH_DEG)))
    spiral = Galaxy(
        plane=plane,
        scale_arcsec=scale,
        bulge_arcsec=scale * float(rng.uniform(*BULGE_SIZE)),
        bulge_share=bulge_share,
        arms=arms,
        arm_strength=float(rng.uniform(*ARM_STRENGTH)),
        winding=float(winding),
        wander=_waves(rng, WANDERINGS, (0, 0), WANDER_WINDING, sense, WANDER),
        patches=_waves(rng, PATCHES, PATCH_ORDERS, PATCH_WINDING, sense, PATCH_STRENGTH),
        clumps=(),
    )
    number = count(chosen.clumps, rng)
    share = (1 - bulge_share) * min(number * rng.uniform(*CLUMP_SHARE), CLUMPS_SHARE)
    return replace(spiral, clumps=_clumps(spiral, number, share, rng))


def render(galaxy: Galaxy, half: int, cell_arcsec: float) -> np.ndarray:
    """The galaxy's light (y, x), of sum 1, on the pixels of a picture of side 2 * half."""
    east, north = offsets_arcsec(half, cell_arcsec)
    clumps = sum((clump.share * gaussian(clump, east, north, cell_arcsec) for clump in galaxy.clumps), 0.0)
    disc_share = 1 - galaxy.bulge_share - sum(clump.share for clump in galaxy.clumps)
    return (
        galaxy.bulge_share * bulge(galaxy, east, north, cell_arcsec)
        + disc_share * disc(galaxy, east, north, cell_arcsec)
        + clumps
    )


def disc(galaxy: Galaxy, east, north, cell_arcsec: float) -> np.ndarray:
    """Light of sum 1: an exponential disc (Freeman 1970, ApJ 160, 811) with arms that redistribute it.

    Along every circle the arms' mean is 1, so that the profile stays exponential.
    """
    log_radii = np.linspace(np.log(ARMS_RISE[0]), np.log(ENDS), _RADII)
    azimuths = np.linspace(0, 2 * np.pi, _AZIMUTHS, endpoint=False)
    mean = galaxy.pattern(log_radii[:, None], azimuths).mean(axis=1)

    def brightness(east, north):
        radius, azimuth = galaxy.plane.polar(east, north)
        radius = radius / galaxy.scale_arcsec
        log_radius = np.log(np.maximum(radius, ARMS_RISE[0]))
        fading = np.clip((radius - FADES) / (ENDS - FADES), 0, 1)
        smooth = np.exp(-radius) * np.cos(np.pi / 2 * fading) ** 2
        return smooth * galaxy.pattern(log_radius, azimuth) / np.interp(log_radius, log_radii, mean)

    light = over_pixels(brightness, east, north, cell_arcsec, ARM_PARTS)
    return light / light.sum()


def bulge(galaxy: Galaxy, east, north, cell_arcsec: float) -> np.ndarray:
    """Light of sum 1: round, after Sersic's law (Graham & Driver 2005, PASA 22, 118, eq. 1) with index 4."""
    steepness = gammaincinv(2 * SERSIC, 0.5)
    middle = galaxy.plane.east_arcsec, galaxy.plane.north_arcsec

    def brightness(east, north):
        radius = np.hypot(east - middle[0], north - middle[1])
        taper = edge_taper(radius * ARCSEC, 0.0, ENDS * galaxy.scale_arcsec * ARCSEC)
        return np.exp(-steepness * (radius / galaxy.bulge_arcsec) ** (1 / SERSIC)) * taper

    light = over_pixels(brightness, east, north, cell_arcsec)
    cusp = np.hypot(east - middle[0], north - middle[1]) < CUSP_PIX * cell_arcsec
    light[cusp] = over_pixels(brightness, east[cusp], north[cusp], cell_arcsec, CUSP_PARTS)
    return light / light.sum()


def gaussian(clump: Clump, east, north, cell_arcsec: float) -> np.ndarray:
    """A Gaussian's exact integrals over the pixels (y, x); they sum to 1 where all of it is in the picture."""
    scale = np.sqrt(2) * clump.width_arcsec / FWHM_PER_SIGMA

    def share(offset):
        return (erf((offset + cell_arcsec / 2) / scale) - erf((offset - cell_arcsec / 2) / scale)) / 2

    return share(east[:1] - clump.east_arcsec) * share(north[:, :1] - clump.north_arcsec)


def _waves(rng, number: int, orders: tuple[int, int], winding: tuple[float, float], sense: int, rms: float):
    """Waves of random order, phase and winding (per order, in the arms' sense), and their rms together."""
    order = rng.integers(orders[0], orders[1] + 1, number)
    turns = sense * np.maximum(order, 1) * rng.uniform(*winding, number)
    phase = rng.uniform(0, 2 * np.pi, number)
    strength = rms * np.sqrt(2 / number)
    return tuple(Wave(int(m), float(k), float(p), strength) for m, k, p in zip(order, turns, phase))


def _clumps(galaxy: Galaxy, number: int, share: float, rng: np.random.Generator) -> tuple[Clump, ...]:
    """Clumps near the crests of the arms, or anywhere in a disc without arms.

    Their luminosities follow dN/dL ~ L^-2, as regions of star formation do (Kennicutt, Edgar &
    Hodge 1989, ApJ 337, 761).
    """
    # even in the light of the exponential disc within the radius
    radius = gammaincinv(2, rng.uniform(*gammainc(2, CLUMP_RADIUS), number))
    azimuth = rng.uniform(0, 2 * np.pi, number)
    if galaxy.arms:
        arm = rng.integers(galaxy.arms, size=number)
        phase = 2 * np.pi * arm - galaxy.arm_phase(np.log(radius), 0.0) + rng.normal(0, CLUMP_SCATTER, number)
        azimuth = phase / galaxy.arms
    light = 1 / rng.uniform(1 / CLUMP_CONTRAST, 1, number)
    places = zip(*galaxy.plane.sky(radius * galaxy.scale_arcsec, azimuth))
    sizes = galaxy.scale_arcsec * rng.uniform(*CLUMP_SIZE, number)
    return tuple(
        Clump(float(east), float(north), float(size), float(share * part / light.sum()))
        for (east, north), size, part in zip(places, sizes, light)
    )

"""Rows for observations that were never made, as the archive would list them."""

import datetime

import numpy as np
from astropy.table import Table

from almabrain.config.plan import ExecutionSettings, PlanSettings, TargetSettings
from almabrain.console.errors import UserError
from almabrain.instrument import (
    configurations,
    frequency_support,
    mosaic,
    pads,
    primary_beam,
    receivers,
    resolution,
    site,
)
from almabrain.query.arrays import consistent_array

# Centres, GHz, of the windows that most continuum rows of the archive have; each 1.875 GHz wide, which is what
# the correlator's 2 GHz leave after the edges.
CONTINUUM_GHZ = {
    3: (90.5, 92.5, 102.5, 104.5),
    4: (138, 140, 150, 152),
    5: (196, 198, 208, 210),
    6: (224, 226, 240, 242),
    7: (336.5, 338.5, 348.5, 350.5),
    8: (398, 400, 410, 412),
    9: (677, 679, 681, 683),
    10: (866, 868, 870, 872),
}
CONTINUUM_WIDTH_GHZ = 1.875
MJD_EPOCH = datetime.datetime(1858, 11, 17)
_SAMPLES = 25  # of an execution's time


def rows(plan: PlanSettings) -> Table:
    """One row per target and execution; the executions of a target share its `simulation`.

    UserError for windows outside the bands, unknown configurations or pads, targets below the lowest
    elevation, and pointings that lie apart.
    """
    spans = _spans_hz(plan)
    band = _band(spans)
    support = frequency_support.text(spans, plan.channel_width_mhz * 1e6)
    frequency = float(np.mean(spans))
    arrays = [_array(execution, key) for execution, key in _keyed(plan)]
    antennas = [[pair.split(":")[1] for pair in pairs.split()] for pairs, _ in arrays]
    pointings = _pointings(plan, spans, antennas)
    made = []
    for simulation, target in enumerate(plan.targets):
        _check_rises(target)
        for (execution, key), (pairs, array) in zip(_keyed(plan), arrays):
            start_s, exposure_s = _time(execution, target, key)
            times = start_s + np.linspace(0, exposure_s, _SAMPLES)
            _check_elevation(target, times, key)
            itrf = pads.itrf([pair.split(":")[0] for pair in pairs.split()])
            made.append(
                {
                    "simulation": simulation,
                    "target_name": target.name,
                    "s_ra": target.ra_deg,
                    "s_dec": target.dec_deg,
                    "band_list": str(band),
                    "s_resolution": resolution.resolution_arcsec(
                        itrf, target.ra_deg, target.dec_deg, times, frequency
                    ),
                    "t_exptime": exposure_s,
                    "t_min": start_s / 86400,
                    "pwv": execution.pwv_mm,
                    "frequency_support": support,
                    "antenna_arrays": pairs,
                    "array": array,
                    "pointings": pointings,
                    "configuration": execution.configuration or "",
                    "schedule": "fixed",
                }
            )
    return Table(rows=made)


def _keyed(plan: PlanSettings) -> list[tuple[ExecutionSettings, str]]:
    return [(item, f"query.plan.executions.{number}") for number, item in enumerate(plan.executions)]


def _spans_hz(plan: PlanSettings) -> list[tuple[float, float]]:
    if plan.windows_ghz:
        return [(low * 1e9, high * 1e9) for low, high in plan.windows_ghz]
    half = CONTINUUM_WIDTH_GHZ / 2
    return [((centre - half) * 1e9, (centre + half) * 1e9) for centre in CONTINUUM_GHZ[plan.band]]


def _band(spans_hz: list[tuple[float, float]]) -> int:
    """The receiver band that holds all windows."""
    try:
        for span in spans_hz:
            receivers.band_of(*span)
    except UserError as error:
        raise UserError(f"query.plan.windows_ghz has a window that no receiver sees: {error}") from None
    edges = [edge for span in spans_hz for edge in span]
    try:
        return receivers.band_of(*edges).number
    except UserError:
        raise UserError(
            f"query.plan.windows_ghz reaches from {min(edges) / 1e9:g} to {max(edges) / 1e9:g} GHz, over more than "
            "one ALMA band; make one campaign for each band"
        ) from None


def _array(execution: ExecutionSettings, key: str) -> tuple[str, str]:
    """Antennas as `PAD:ANTENNA ...` and the dish sizes among them; UserError naming `key`."""
    try:
        named = execution.configuration
        listed = " ".join(configurations.antennas(named)) if named else execution.antennas
        pairs, array, notes = consistent_array(listed, together=True)
    except UserError as error:
        raise UserError(f"{key}: {error}") from None
    if notes:
        raise UserError(f"{key}.antennas names an antenna or a pad twice ({notes[0]}); correct the list")
    return pairs, array


def _pointings(plan: PlanSettings, spans_hz: list[tuple[float, float]], arrays: list[list[str]]) -> str:
    """The mosaic as text: `spacing` counts in the narrowest beam of all `arrays`, lists of antennas."""
    if plan.mosaic is None:
        return ""
    try:
        if plan.mosaic.offsets_arcsec:
            offsets = np.array(plan.mosaic.offsets_arcsec)
        else:
            largest_m = max(pads.dish_diameter_m(name) for antennas in arrays for name in antennas)
            width = primary_beam.half_power_width_arcsec(float(np.mean(spans_hz)), largest_m)
            sides = plan.mosaic.width_arcsec, plan.mosaic.height_arcsec
            offsets = mosaic.hexagonal(*sides, plan.mosaic.spacing * width)
        mosaic.check(offsets, min(mosaic.reach_arcsec(spans_hz, antennas) for antennas in arrays))
    except UserError as error:
        raise UserError(f"query.plan.mosaic: {error}") from None
    return mosaic.text(offsets)


def _time(execution: ExecutionSettings, target: TargetSettings, key: str) -> tuple[float, float]:
    """Begin, MJD seconds UTC, and time on source, s."""
    if execution.start:
        begin = datetime.datetime.fromisoformat(execution.start) - MJD_EPOCH
        return begin.total_seconds(), execution.exptime_s
    day = (datetime.datetime.fromisoformat(execution.date) - MJD_EPOCH).days
    first, last = (
        site.time_of_hour_angle_mjd_s(target.ra_deg, target.dec_deg, hour * np.pi / 12, day)
        for hour in execution.hour_angle_h
    )
    exposure = execution.exptime_s or last - first
    if exposure > last - first:
        raise UserError(
            f"{key}.exptime_s is {exposure:g}, but hour_angle_h = {list(execution.hour_angle_h)} lasts "
            f"{last - first:.0f} s; widen the range or shorten the time"
        )
    return (first + last - exposure) / 2, exposure


def _check_rises(target: TargetSettings) -> None:
    highest, lowest = np.rad2deg([site.highest_elevation_rad(target.dec_deg), site.LOWEST_ELEVATION_RAD])
    if highest < lowest:
        northmost = np.rad2deg(site.LATITUDE_RAD) + 90 - lowest
        raise UserError(
            f"query.plan.targets: '{target.name}' at declination {target.dec_deg:g} deg never rises above "
            f"{highest:.1f} deg at ALMA, below the lowest elevation of {lowest:g} deg; choose a declination below "
            f"{northmost:.1f} deg"
        )


def _check_elevation(target: TargetSettings, times_mjd_s: np.ndarray, key: str) -> None:
    elevation = site.elevation_rad(target.ra_deg, target.dec_deg, times_mjd_s)
    if elevation.min() < site.LOWEST_ELEVATION_RAD:
        angle = site.hour_angle_rad(target.ra_deg, target.dec_deg, times_mjd_s[elevation.argmin()])
        raise UserError(
            f"{key}: '{target.name}' stands at {np.rad2deg(elevation.min()):.0f} deg elevation at hour angle "
            f"{angle * 12 / np.pi:.1f} h, below the lowest of {np.rad2deg(site.LOWEST_ELEVATION_RAD):g} deg; "
            "observe it nearer to its transit"
        )

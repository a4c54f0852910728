"""A whole sky for one observation: what the telescope will see, and the truth about it."""

import importlib
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import xarray as xr
from astropy.table import Table, vstack

from almabrain.config.sky import NEEDS, SkySettings
from almabrain.console.errors import UserError
from almabrain.data.coordinates import ARCSEC, radec_from_lm
from almabrain.data.naming import window as window_name
from almabrain.sky import sed, serendipitous, truth
from almabrain.sky.channels import line_free, pixel_model, spectrum
from almabrain.sky.field import FRAME, Field, Window, from_rows
from almabrain.sky.light import shine, with_lines
from almabrain.sky.shape import Shape
from almabrain.sky.source import Source
from almabrain.sky.spectral_lines import check_in_windows

log = logging.getLogger(__name__)

# A target of which the primary beam leaves less than this share is outside the field.
_LEAST_SEEN = 1e-3


@dataclass(frozen=True)
class Scene:
    """All sources of one simulation, targets first, and the observation that they are drawn for."""

    simulation: str
    field: Field
    sources: tuple[Source, ...]

    @property
    def truth(self) -> Table:
        """One row per source: see truth.SOURCES."""
        return truth.of_sources(self.sources, self.field, self.simulation)

    @property
    def lines(self) -> Table:
        """One row per line of a source: see truth.LINES."""
        return truth.of_lines(self.sources, self.field, self.simulation)

    def windows(self) -> Iterator[tuple[str, xr.Dataset]]:
        """The sky model of every window, under its name `spw<k>`; made one by one, as cubes are large."""
        free = line_free(self.sources, self.field.windows)
        for index, window in enumerate(self.field.windows):
            yield window_name(index), self._dataset(window, free[index])

    def _dataset(self, window: Window, free: np.ndarray) -> xr.Dataset:
        parts = [source for source in self.sources if source.shape.pixels is None]
        l, m = np.array([(part.shape.l, part.shape.m) for part in parts]).reshape(-1, 2).T
        ra, dec = radec_from_lm(l, m, self.field.ra_deg, self.field.dec_deg)
        flux = np.array([spectrum(part, window) for part in parts])
        sizes = {
            name: ("component", np.array([getattr(part.shape, name) for part in parts], float))
            for name in ("major_arcsec", "minor_arcsec", "pa_deg")
        }
        made = xr.Dataset(
            {
                "channel_width_hz": ("channel", window.channel_width_hz),
                "line_free": ("channel", free),
                "ra_deg": ("component", ra),
                "dec_deg": ("component", dec),
                **sizes,
                "component_flux_jy": (("component", "channel"), flux.reshape(len(parts), free.size)),
            },
            coords={"frequency_hz": ("channel", window.frequency_hz)},
            attrs={
                "simulation": self.simulation,
                "ra_deg": self.field.ra_deg,
                "dec_deg": self.field.dec_deg,
                "frame": FRAME,
                "bandwidth_hz": window.bandwidth_hz,
            },
        )
        for source in self.sources:
            if source.shape.pixels is not None:
                cell = source.shape.cell_arcsec
                attrs = {"pixel_cell_arcsec": cell, "units": "Jy/pixel"}
                made["pixel_model_jy"] = ("channel", "y", "x"), pixel_model(source, window), attrs
                made.attrs["pixel_cell_arcsec"] = cell
        return made


def check(rows: Sequence, settings: SkySettings, simulation: str) -> None:
    """UserError for rows that make no field, windows that none of the lines asked for can fall into, a bad SED."""
    sed.check(settings.sed)
    field = from_rows(rows, settings)
    check_in_windows(settings.lines, settings.redshift, field.windows, simulation)


def draw(rows: Sequence, settings: SkySettings, rng: np.random.Generator, simulation: str = "") -> Scene:
    """Draw a sky for one simulation: its executions' rows of `observations.ecsv` (or mappings).

    The target's brightest source behind the primary beam comes first and has the lines, if there are any;
    serendipitous sources follow. Positions are exact; nothing is put on pixels except what a model made of
    pixels. UserError where the model's light lies outside the field.
    """
    field = from_rows(rows, settings)
    if rng.random() < settings.empty_fraction:
        return Scene(simulation, field, ())
    targets = [shine(shape, field, settings, rng) for shape in _shapes(field, settings, rng)]
    _check_seen(targets, settings)
    targets.sort(key=lambda source: -abs(source.flux_jy * source.seen.flux_jy))
    targets[:1] = [with_lines(source, field, settings, rng) for source in targets[:1]]
    others = serendipitous.draw(field, settings, targets, rng)
    sources = _with_free_channels([*targets, *others], field, settings, simulation)
    return Scene(simulation, field, tuple(sources))


def _shapes(field: Field, settings: SkySettings, rng: np.random.Generator) -> list[Shape]:
    """What the model draws; a mistake in the user's file is told with the key that named it."""
    model = importlib.import_module(f"almabrain.sky.models.{settings.model}")
    try:
        return model.draw(field, settings, rng)
    except UserError as error:
        key = f"sky.{settings.model}.{NEEDS.get(settings.model, '')}".rstrip(".")
        raise error if "sky." in str(error) else UserError(f"{key}: {error}") from None


def together(tables: Sequence[Table]) -> Table:
    """The tables of several scenes as one, with all columns even where every sky is empty."""
    return vstack(list(tables), metadata_conflicts="silent")


def _check_seen(targets: Sequence[Source], settings: SkySettings) -> None:
    if targets and max(abs(source.seen.flux_jy) for source in targets) < _LEAST_SEEN:
        nearest = min(targets, key=lambda source: np.hypot(source.shape.l, source.shape.m)).shape
        raise UserError(
            f"sky.model '{settings.model}' puts its light {np.hypot(nearest.l, nearest.m) / ARCSEC:.4g} arcsec "
            "off the phase centre, where the primary beam leaves less than 0.1 % of it; move the model, or "
            "point at it"
        )


def _with_free_channels(
    sources: list[Source], field: Field, settings: SkySettings, simulation: str
) -> list[Source]:
    """The sources without the last lines that leave, all together, no channel to measure the continuum in.

    UserError where that would take the target a line that the user named.
    """
    left_out = []
    while not any(free.any() for free in line_free(sources, field.windows)):
        lined = [index for index, source in enumerate(sources) if source.lines]
        if not lined:
            break
        last = sources[lined[-1]]
        line = last.lines[-1]
        if isinstance(settings.lines.names, list) and last.role == "target":
            raise UserError(
                f"sky.lines.names holds '{line.name}', which with a width of {line.width_kms:.0f} km/s leaves no "
                f"channel of {simulation} for the continuum, of which images and catalogues are made; give "
                f"sky.channels more than {settings.channels}, narrower sky.lines.width_kms, or fewer lines"
            )
        left_out.append(f"{line.name} of source {lined[-1]}")
        sources[lined[-1]] = replace(last, lines=last.lines[:-1])
    if left_out:
        log.warning(
            "%s: without the lines %s, which would leave no channel for the continuum; sky.channels is %d",
            *(simulation, ", ".join(left_out), settings.channels),
        )
    return sources

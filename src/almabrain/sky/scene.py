"""A whole sky for one observation: what the telescope will see, and the truth about it."""

import importlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from astropy.table import MaskedColumn, Table, vstack

from almabrain.config.sky import SkySettings
from almabrain.data.naming import window as window_name
from almabrain.sky.field import FRAME, Field, Window, from_row
from almabrain.sky.line import Line, choose, free_channels
from almabrain.sky.source import Source

UNITS = {
    "ra": "deg",
    "dec": "deg",
    "flux": "Jy",
    "reference_frequency": "Hz",
    "major": "arcsec",
    "minor": "arcsec",
    "pa": "deg",
    "line_frequency": "Hz",
    "line_flux": "Jy km / s",
    "line_width": "km / s",
    "apparent_flux": "Jy",
}
# A source without a line has no value here.
OF_A_LINE = ("line_frequency", "line_flux", "line_width", "redshift")


@dataclass(frozen=True)
class Scene:
    """`windows`: sky model under every `spw<k>`; `truth`: one row per component (see `UNITS`)."""

    windows: dict[str, xr.Dataset]
    truth: Table
    field: Field
    sources: list[Source]
    line: Line | None


def draw(row, settings: SkySettings, rng: np.random.Generator, simulation: str = "") -> Scene:
    """Draw a sky for one row of `observations.ecsv` (or a mapping with its columns).

    The brightest source behind the primary beam comes first and has the line, if there is one. Positions
    are exact; nothing is put on pixels except what a pixel model made of pixels.
    """
    field = from_row(row, settings)
    empty = rng.random() < settings.empty_fraction
    model = importlib.import_module(f"almabrain.sky.models.{'empty' if empty else settings.model}")
    sources = sorted(model.draw(field, settings, rng), key=lambda source: -source.apparent_flux_jy)
    line = choose(field, sources[0], settings, rng) if sources else None
    attrs = {
        "simulation": simulation,
        "ra_deg": field.ra_deg,
        "dec_deg": field.dec_deg,
        "frame": FRAME,
        "dish_diameter_m": field.diameter_m,
    }
    free = free_channels(line, field.windows)
    windows = {
        window_name(index): _dataset(window, free[index], sources, line, field, attrs)
        for index, window in enumerate(field.windows)
    }
    return Scene(windows, _truth(sources, line, field, simulation), field, sources, line)


def truth_of(scenes: Sequence[Scene]) -> Table:
    """The truth tables of several scenes as one, with all columns even where every sky is empty."""
    return vstack([scene.truth for scene in scenes], metadata_conflicts="silent")


def spectrum(source: Source, line: Line | None, window: Window, reference_frequency_hz: float) -> np.ndarray:
    """Flux density, Jy, of a source in every channel: a power law at the centre, the line's mean."""
    continuum = source.flux_jy * (window.frequency_hz / reference_frequency_hz) ** source.spectral_index
    return continuum + (line.flux_density(window) if line else 0.0)


def _dataset(window: Window, free, sources, line, field: Field, attrs: dict) -> xr.Dataset:
    spectra = {
        id(source): spectrum(
            source, line if source is sources[0] else None, window, field.reference_frequency_hz
        )
        for source in sources
    }
    parts = [source for source in sources if source.pixels_jy is None]

    def of_each(name: str):
        return "component", np.array([getattr(source, name) for source in parts], float)

    flux = np.array([spectra[id(source)] for source in parts]).reshape(len(parts), window.frequency_hz.size)
    made = xr.Dataset(
        {
            "channel_width_hz": ("channel", window.channel_width_hz),
            "line_free": ("channel", free),
            **{
                name: of_each(name)
                for name in ("ra_deg", "dec_deg", "major_arcsec", "minor_arcsec", "pa_deg")
            },
            "component_flux_jy": (("component", "channel"), flux),
        },
        coords={"frequency_hz": ("channel", window.frequency_hz)},
        attrs=attrs | {"bandwidth_hz": window.bandwidth_hz},
    )
    for source in sources:
        if source.pixels_jy is not None:
            colour = spectra[id(source)] / source.flux_jy
            cell = {"pixel_cell_arcsec": source.pixel_cell_arcsec, "units": "Jy/pixel"}
            made["pixel_model_jy"] = (
                ("channel", "y", "x"),
                (colour[:, None, None] * source.pixels_jy).astype("f4"),
                cell,
            )
            made.attrs["pixel_cell_arcsec"] = source.pixel_cell_arcsec
    return made


def _truth(sources: list[Source], line: Line | None, field: Field, simulation: str) -> Table:
    lined = [line if index == 0 else None for index in range(len(sources))]

    def column(name: str) -> np.ndarray:
        return np.array([getattr(source, name) for source in sources], float)

    def line_column(name: str) -> MaskedColumn:
        values = [getattr(item, name) if item else 0.0 for item in lined]
        return MaskedColumn(np.array(values, float), mask=[item is None for item in lined])

    number = len(sources)
    table = Table(
        {
            "simulation": np.full(number, simulation, f"U{max(len(simulation), 1)}"),
            "source": np.arange(number),
            "component": np.zeros(number, int),
            "kind": np.array([source.kind for source in sources], "U16"),
            "ra": column("ra_deg"),
            "dec": column("dec_deg"),
            "flux": column("flux_jy"),
            "reference_frequency": np.full(number, field.reference_frequency_hz),
            "spectral_index": column("spectral_index"),
            "major": column("major_arcsec"),
            "minor": column("minor_arcsec"),
            "pa": column("pa_deg"),
            "line": np.array([item.name if item else "" for item in lined], "U24"),
            "line_frequency": line_column("frequency_hz"),
            "line_flux": line_column("flux_jy_kms"),
            "line_width": line_column("width_kms"),
            "redshift": line_column("redshift"),
            "pb": column("primary_beam"),
            "apparent_flux": column("apparent_flux_jy"),
            "predicted_snr": column("predicted_snr"),
        }
    )
    for name, unit in UNITS.items():
        table[name].unit = unit
    return table

"""What lies in the folder of a run. A product that is not there is None: the report says so and goes on."""

import csv
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr
from astropy.table import Table, vstack

from almabrain.data import naming, store
from almabrain.data.fits import read_image
from almabrain.data.tables import read_table


@dataclass(frozen=True)
class Products:
    """The products of one run, by the layout that the workflow gives them."""

    folder: Path
    settings: dict

    def table(self, name: str) -> Table | None:
        """A table of the run, `catalogue/scores.ecsv`."""
        path = self.folder / name
        return read_table(path) if path.exists() else None

    def image(self, name: str) -> xr.DataArray | None:
        """A FITS image of the run."""
        path = self.folder / name
        return read_image(path) if path.exists() else None

    def group(self, name: str, group: str) -> xr.Dataset | None:
        """One group of a store of the run."""
        path = self.folder / name
        return store.read(path, group) if path.exists() and group in store.names(path) else None

    def groups(self, name: str, prefix: str = "") -> dict[str, xr.Dataset]:
        """All groups below `prefix` of a store of the run, by the rest of their names."""
        path = self.folder / name
        names = [group for group in store.names(path) if group.startswith(prefix)] if path.exists() else []
        return {group.removeprefix(prefix): store.read(path, group) for group in names}

    def summary(self, data: str, recipe: str) -> dict | None:
        """What the Bayesian imaging said of itself."""
        return self._words(f"image/{data}/{recipe}/summary.json")

    def clean_summary(self, data: str, recipe: str) -> dict | None:
        """What CLEAN said of itself."""
        return self._words(f"image/{data}/{recipe}/clean.json")

    def _words(self, name: str) -> dict | None:
        path = self.folder / name
        return json.loads(path.read_text()) if path.exists() else None

    def imaged(self) -> list[tuple[str, str]]:
        """Every (data, recipe) of which there are images; simulations first."""
        found = [
            (item.parent.parent.name, item.parent.name) for item in self.folder.glob("image/*/*/clean.fits")
        ]
        summaries = [
            (item.parent.parent.name, item.parent.name) for item in self.folder.glob("image/*/*/summary.json")
        ]
        return sorted({*found, *summaries}, key=lambda item: (not naming.is_simulation(item[0]), item))

    def catalogues(self) -> dict[tuple[str, str, str], Path]:
        """The catalogue files by (data, recipe, finder)."""
        paths = sorted(self.folder.glob("catalogue/*/*/*.ecsv"))
        return {(path.parent.parent.name, path.parent.name, path.stem): path for path in paths}

    def truth(self) -> Table | None:
        """The true sources of all simulations, with measured SNR where the noise is drawn."""
        paths = sorted(self.folder.glob("noise/draws/*.truth.ecsv")) or sorted(
            self.folder.glob("sky/*.truth.ecsv")
        )
        tables = [read_table(path) for path in paths]
        return vstack(tables, metadata_conflicts="silent") if tables else None

    def noise_models(self) -> list[str]:
        """Names of the noise models measured."""
        return [
            path.name.removesuffix(".zarr.zip")
            for path in sorted(self.folder.glob("noise/models/*.zarr.zip"))
        ]

    def histories(self) -> dict[str, dict[str, np.ndarray]]:
        """The training history of every model, column by column."""
        found = {}
        for path in sorted(self.folder.glob("train/*/history.csv")):
            with open(path, newline="") as stream:
                rows = list(csv.DictReader(stream))
            if rows:
                found[path.parent.name] = {
                    key: np.array([float(row[key]) for row in rows]) for key in rows[0]
                }
        return found

    def shard(self, data: str) -> str:
        """Name of the shard that holds a simulation."""
        return naming.shard_of(data, (self.settings.get("campaign") or {}).get("shard", 1))

    def credit(self, data: str) -> str:
        """The acknowledgement that the configuration gives for an observation."""
        return self._observation(data).get("credit", "")

    def source(self, data: str) -> str:
        """The path of an observation's data, or several with commas."""
        path = self._observation(data).get("path", "")
        return path if isinstance(path, str) else ", ".join(path)

    def _observation(self, data: str) -> dict:
        return (self.settings.get("observations") or {}).get(data.removeprefix("obs-"), {})

"""The measured noise of one reference image, and its file."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import xarray as xr

from almabrain.console.errors import UserError
from almabrain.data import store
from almabrain.noise.warp import Warp
from almabrain.response.beam import Beam


def beam_root(beam: Beam) -> np.ndarray:
    """Symmetric 2x2 matrix [arcsec] in (l east, m north) that takes a disc of diameter 1 to the FWHM ellipse.

    The symmetric root has no jump where a nearly round beam changes its position angle.
    """
    angle = np.deg2rad(beam.pa_deg)
    axes = np.array([[np.sin(angle), np.cos(angle)], [np.cos(angle), -np.sin(angle)]])
    return axes @ np.diag([beam.major_arcsec, beam.minor_arcsec]) @ axes.T


def mean_beam_px(beam: Beam, cell_arcsec: float) -> float:
    """Geometric mean of a beam's axes in pixels."""
    return float(np.sqrt(beam.major_arcsec * beam.minor_arcsec) / cell_arcsec)


@dataclasses.dataclass(frozen=True)
class NoiseModel:
    """Noise of a reference: spectrum, marginal, amplitude, and where they come from.

    `power`: spectrum on the padded grid (2 n_y, 2 n_x), FFT order, mean 1 (a field of unit variance);
    `warp`: from a Gaussian field to one with the reference's pixel distribution;
    `rms`: standard deviation of the reference in `unit`; `local_rms`: (n_y, n_x), factor to it of quadratic
    mean 1, or None where the noise is stationary; `card`: the numbers of the measurement and its source;
    `comparison`: real against drawn (see noise.compare), None for a model made of a table.
    """

    name: str
    power: np.ndarray
    cell_arcsec: float
    beam: Beam
    rms: float
    unit: str
    warp: Warp
    local_rms: np.ndarray | None = None
    card: dict = dataclasses.field(default_factory=dict)
    comparison: xr.Dataset | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """Pixels (n_y, n_x) of the reference image."""
        return self.power.shape[0] // 2, self.power.shape[1] // 2

    @property
    def acf(self) -> np.ndarray:
        """Autocorrelation on the padded grid (2 n_y, 2 n_x), FFT order, 1 at lag zero."""
        return np.fft.ifft2(self.power).real


def save(path: str | Path, model: NoiseModel) -> None:
    """Write a model as one Zarr zip: group `model`, and `comparison` where there is one."""
    data = {
        "power": (("v", "u"), model.power),
        "warp_score": ("node", model.warp.score),
        "warp_value": ("node", model.warp.value),
    }
    if model.local_rms is not None:
        data["local_rms"] = (("y", "x"), model.local_rms)
    attrs = {
        "name": model.name,
        "cell_arcsec": float(model.cell_arcsec),
        "beam": [float(value) for value in dataclasses.astuple(model.beam)],
        "rms": float(model.rms),
        "unit": model.unit,
        "card": json.dumps(model.card),
    }
    groups = {"model": xr.Dataset(data, attrs=attrs)}
    if model.comparison is not None:
        groups["comparison"] = model.comparison
    store.write(path, groups)


def load(path: str | Path) -> NoiseModel:
    """Read a model that `save` wrote."""
    groups = store.names(path)
    if "model" not in groups:
        raise UserError(f"{path} is not a noise model; make one with the rule noise_model")
    data = store.read(path, "model")
    return NoiseModel(
        name=data.attrs["name"],
        power=data["power"].values,
        cell_arcsec=data.attrs["cell_arcsec"],
        beam=Beam(*data.attrs["beam"]),
        rms=data.attrs["rms"],
        unit=data.attrs["unit"],
        warp=Warp(data["warp_score"].values, data["warp_value"].values),
        local_rms=data["local_rms"].values if "local_rms" in data else None,
        card=json.loads(data.attrs["card"]),
        comparison=store.read(path, "comparison") if "comparison" in groups else None,
    )

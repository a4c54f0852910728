"""Fields of the imaging model's own prior: a sky drawn as the model draws it, seen by one array, with its noise."""

from dataclasses import dataclass
from pathlib import Path

import imaging_cases
import numpy as np
import xarray as xr
from imaging_calibration import Drawn, Posterior

from almabrain.config.image import Recipe
from almabrain.data.constants import ARCSEC
from almabrain.data.seeds import generator
from almabrain.image import field, inference
from almabrain.image import grid as grids
from almabrain.image import model as sky_model
from almabrain.response import predict

N_PIX = 64
SAMPLES = 32  # 16 mirrored pairs, one of each is used
NAMES = ("ln_std", "ln_k0", "slope")


@dataclass(frozen=True)
class Layout:
    """What all fields of the prior share: windows without data, and the grid."""

    windows: dict[str, xr.Dataset]
    grid: grids.Grid

    @classmethod
    def make(cls, folder: Path) -> "Layout":
        """Configuration 3, 30 antennas, half an hour, 64² pixels: a dozen beams a side."""
        scene = imaging_cases.empty(folder, 0, n_pix=N_PIX)
        recipe = Recipe(n_pix=N_PIX, cell_arcsec=scene.cell_arcsec, samples=SAMPLES)
        return cls(scene.windows, grids.choose_grid(scene.windows, recipe))

    def draw(self, seed: int) -> Drawn:
        """One field: hyperparameters, sky and noise."""
        rng = generator(seed, "prior", "field")
        spectrum = field.Spectrum(field.START + field.HYPER_STD * rng.standard_normal(3), N_PIX)
        weight = sum(float(window.weight.sum()) for window in self.windows.values())
        offset = field.prior_offset(weight**-0.5, self.grid.natural_beam_arcsec2)
        modes = rng.standard_normal((N_PIX, N_PIX))
        true = np.asarray(field.sky(modes, spectrum.amplitude(), offset, self.grid.cell_arcsec**2))
        seen = true * self.grid.primary_beam
        windows = {name: self._observed(window, seen, rng) for name, window in self.windows.items()}
        return Drawn(windows, seen, dict(zip(NAMES, spectrum.parameters)))

    def _observed(self, window: xr.Dataset, seen: np.ndarray, rng: np.random.Generator) -> xr.Dataset:
        uvw, frequency = window.uvw_m.values, window.frequency_hz.values
        signal = predict.predict_image(uvw, frequency, seen, self.grid.cell_arcsec * ARCSEC, 1e-9)
        noise = rng.standard_normal((2, *signal.shape)) / np.sqrt(window.weight.values)
        return window.assign(visibility=(window.visibility.dims, signal + noise[0] + 1j * noise[1]))

    def infer(self, windows: dict[str, xr.Dataset], seed: int) -> Posterior:
        """Independent posterior draws: one of each mirrored pair."""
        state = inference.infer(windows, self.grid, SAMPLES, 30, seed, f"prior{seed}")
        drawn = inference.excitations(state)[::2]
        skies = np.stack([np.asarray(sky_model.sky(state.model, vector)) for vector in drawn])
        rested = inference.at_rest(state.history[-1])
        return Posterior(skies * self.grid.primary_beam, {}, "converged" if rested else "not converged")

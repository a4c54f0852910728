"""Fields of the imaging model's own prior: a sky drawn as the model draws it, seen by one array, with its noise."""

from dataclasses import dataclass
from pathlib import Path

import imaging_cases
import jax.numpy as jnp
import numpy as np
import xarray as xr
from imaging_calibration import Drawn, Posterior

from almabrain.config.image import Recipe
from almabrain.data.constants import ARCSEC
from almabrain.data.seeds import generator
from almabrain.image import field, inference, likelihood
from almabrain.image import grid as grids
from almabrain.image import model as sky_model
from almabrain.response import predict

N_PIX = 64
SAMPLES = 31  # ranks 0 to 31 fall into bins of four


@dataclass(frozen=True)
class Layout:
    """What all fields of the prior share: windows without data, and the grid."""

    windows: dict[str, xr.Dataset]
    grid: grids.Grid

    @classmethod
    def make(cls, folder: Path) -> "Layout":
        """Configuration 3, 30 antennas, half an hour, 64² pixels: a dozen beams a side."""
        scene = imaging_cases.empty(folder, 0, n_pix=N_PIX)
        recipe = Recipe(n_pix=N_PIX, cell_arcsec=scene.cell_arcsec)
        return cls(scene.windows, grids.choose_grid(scene.windows, recipe))

    def draw(self, seed: int) -> Drawn:
        """One field: spectrum, sky and noise. It has no points, of which the model's prior names no number."""
        rng = generator(seed, "prior", "field")
        parameters = np.asarray(field.parameters(rng.standard_normal(field.EXCITATIONS)))
        modes = field.modes(N_PIX)
        amplitude = jnp.exp(field.log_amplitude(jnp.asarray(parameters), modes)[modes.index])
        rms = likelihood.rms(likelihood.build(self.windows, self.grid))
        offset = field.prior_offset(rms, self.grid.natural_beam_arcsec2)
        excitation = jnp.asarray(rng.standard_normal((N_PIX, N_PIX)))
        true = np.asarray(field.sky(excitation, amplitude, offset, self.grid.cell_arcsec**2)[0])
        seen = true * self.grid.primary_beam
        windows = {name: self._observed(window, seen, rng) for name, window in self.windows.items()}
        return Drawn(windows, seen, dict(zip(field.PARAMETERS, parameters)))

    def _observed(self, window: xr.Dataset, seen: np.ndarray, rng: np.random.Generator) -> xr.Dataset:
        uvw, frequency = window.uvw_m.values, window.frequency_hz.values
        signal = predict.predict_image(uvw, frequency, seen, self.grid.cell_arcsec * ARCSEC, 1e-9)
        noise = rng.standard_normal((2, *signal.shape)) / np.sqrt(window.weight.values)
        return window.assign(visibility=(window.visibility.dims, signal + noise[0] + 1j * noise[1]))

    def infer(self, windows: dict[str, xr.Dataset], seed: int) -> Posterior:
        """Draws by the default recipe, as many as are wanted, as far apart along the chains as there are."""
        most = Recipe().max_iterations
        state = inference.infer(windows, self.grid, most, seed, f"prior{seed}")
        chosen = [state.draws[i] for i in np.linspace(0, len(state.draws) - 1, SAMPLES).astype(int)]
        skies = np.stack([np.asarray(sky_model.sky(state.model, vector)) for vector in chosen])
        spectra = [sky_model.split(vector, N_PIX)[2] for vector in chosen]
        parameters = np.array([field.parameters(spectrum) for spectrum in spectra]).T
        verdict = "converged" if len(state.history) < most else "not converged"
        return Posterior(skies * self.grid.primary_beam, dict(zip(field.PARAMETERS, parameters)), verdict)

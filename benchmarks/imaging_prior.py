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
from almabrain.image import field, inference, likelihood, refine, verdict
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
        modes = field.modes(N_PIX)
        prior, spectrum = field.prior(modes), jnp.asarray(rng.standard_normal(field.EXCITATIONS))
        parameters = np.asarray(field.parameters(spectrum, prior))
        amplitude = jnp.exp(field.log_amplitude(spectrum, modes, prior)[modes.index])
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
        recipe = Recipe()
        data = inference.Data(windows)
        state = inference.infer(data, self.grid, recipe.max_iterations, seed, f"prior{seed}")
        chosen = refine.thinned(state.draws or state.vectors, SAMPLES)
        skies = np.stack([np.asarray(sky_model.sky(state.model, vector)) for vector in chosen])
        spectra = [sky_model.split(vector, N_PIX)[2] for vector in chosen]
        parameters = np.array([field.parameters(spectrum, state.model.prior) for spectrum in spectra]).T
        said = self._judge(state, skies.mean(0))
        return Posterior(skies * self.grid.primary_beam, dict(zip(field.PARAMETERS, parameters)), said)

    def _judge(self, state: inference.State, mean: np.ndarray) -> str:
        """The first words of the verdict on a state whose mean sky (N, N) is `mean` Jy/pixel."""
        now, data = state.model.likelihood, state.data.now
        octiles, _ = likelihood.chi2_by_baseline(data, likelihood.residuals(data, mean, self.grid))
        left = np.abs(likelihood.in_sigma(likelihood.left_over(now, mean), now))
        error = likelihood.delta_log_likelihood(now, data, mean, state.grid)
        peak = float(left[self.grid.primary_beam >= grids.SEEN_WELL].max())
        return verdict.judge(state.history, octiles, peak, error, now.n_data)[0].split(":")[0]

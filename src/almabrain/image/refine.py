"""From the grid that inference ran on to the grid of the images, which is finer."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from almabrain.data import seeds
from almabrain.image import field, points
from almabrain.image import model as sky_model


@dataclass(frozen=True)
class Samples:
    """Draws of the posterior on some grid: the model, and excitations (vectors)."""

    model: sky_model.Model
    vectors: list[jax.Array]

    @property
    def n_pix(self) -> int:
        """Pixels along a side."""
        return self.model.amplitude.shape[0]


def thinned(vectors: list[jax.Array], count: int) -> list[jax.Array]:
    """So many of the draws, as far apart as they come."""
    chosen = np.linspace(0, len(vectors) - 1, min(count, len(vectors))).round().astype(int)
    return [vectors[index] for index in chosen]


def refine(samples: Samples, n_pix: int, seed: int, name: str) -> Samples:
    """The samples on n_pix x n_pix pixels of the same field.

    Modes keep their place and amplitude; finer ones, which the data do not see, are draws of the prior with each
    sample's own spectrum.
    """
    if n_pix == samples.n_pix:
        return samples
    old, new = field.modes(samples.n_pix), field.modes(n_pix)
    kept = np.fft.fftfreq(samples.n_pix, 1 / samples.n_pix).astype(int) % n_pix
    rng = seeds.generator(seed, "image", f"{name}/refine")
    scale, vectors = n_pix / samples.n_pix, []
    for vector in samples.vectors:
        modes, point_part, spectrum = sky_model.split(vector, samples.n_pix)
        deviation = jnp.exp(field.log_amplitude(field.parameters(spectrum), old, new.length))
        white = rng.standard_normal((n_pix, n_pix))
        finer = (deviation[new.index] * white).at[np.ix_(kept, kept)].set(samples.model.amplitude * modes)
        # Shifts are counted in pixels, which are smaller now.
        shift = jnp.ones(points.EXCITATIONS).at[points.SLOTS :].set(scale)
        vectors.append(sky_model.join(finer, point_part * shift, spectrum))
    places = samples.model.points
    model = samples.model._replace(
        amplitude=jnp.ones((n_pix, n_pix)),
        pixel_area=samples.model.pixel_area / scale**2,
        points=places._replace(x=places.x * scale, y=places.y * scale),
    )
    return Samples(model, vectors)


def skies(samples: Samples) -> tuple[np.ndarray, np.ndarray]:
    """The samples' true skies (sample, y, x) in Jy/pixel: exact for any beam, and drawn for the eye.

    They differ in the points only, see `points.draw` and `points.deposit`.
    """
    exact, shown = [], []
    for vector in samples.vectors:
        _, point_part, _ = sky_model.split(vector, samples.n_pix)
        diffuse = np.asarray(sky_model.field_sky(samples.model, vector)[0])
        exact.append(diffuse + np.asarray(points.draw(samples.model.points, point_part, samples.n_pix)))
        shown.append(diffuse + np.asarray(points.deposit(samples.model.points, point_part, samples.n_pix)))
    return np.stack(exact), np.stack(shown)

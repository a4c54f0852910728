"""From the grid that inference ran on to the grid of the images, which is finer."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from almabrain.image import model as sky_model
from almabrain.image import points

_ROUNDS = 3
_LARGEST_GAIN = 10.0


@dataclass(frozen=True)
class Samples:
    """Draws of the posterior on some grid: the model, and excitations (vectors).

    `gains` (sample, [C,] N, N) multiply the field; None where there is nothing to put right.
    """

    model: sky_model.Model
    vectors: list[jax.Array]
    gains: np.ndarray | None = None

    @property
    def n_pix(self) -> int:
        """Pixels along a side."""
        return self.model.amplitude.shape[0]


def thinned(vectors: list[jax.Array], count: int) -> list[jax.Array]:
    """So many of the draws, as far apart as they come."""
    chosen = np.linspace(0, len(vectors) - 1, min(count, len(vectors))).round().astype(int)
    return [vectors[index] for index in chosen]


def refine(samples: Samples, n_pix: int) -> Samples:
    """The samples on n_pix x n_pix pixels of the same field.

    τ is interpolated: its modes keep their place and amplitude, and there are no finer ones, as in the model that was
    inferred. Where τ is rough e^τ between the old pixels is not what the data saw, so that it gets a gain which
    keeps the flux in every neighbourhood of an old pixel.
    """
    if n_pix == samples.n_pix:
        return samples
    kept = np.fft.fftfreq(samples.n_pix, 1 / samples.n_pix).astype(int) % n_pix
    scale, vectors = n_pix / samples.n_pix, []
    for vector in samples.vectors:
        modes, point_part, spectrum = sky_model.split(vector, samples.n_pix)
        finer = jnp.zeros((*modes.shape[:-2], n_pix, n_pix))
        finer = finer.at[..., kept[:, None], kept].set(samples.model.amplitude * modes)
        # Shifts are counted in pixels, which are smaller now.
        shift = jnp.ones(points.EXCITATIONS).at[points.SLOTS :].set(scale)
        vectors.append(sky_model.join(finer, point_part * shift, spectrum))
    places = samples.model.points
    model = samples.model._replace(
        amplitude=jnp.ones((n_pix, n_pix)),
        pixel_area=samples.model.pixel_area / scale**2,
        points=places._replace(x=places.x * scale, y=places.y * scale),
    )
    pairs = zip(samples.vectors, vectors, strict=True)
    return Samples(model, vectors, np.stack([_gain(samples.model, old, model, new) for old, new in pairs]))


def _gain(model: sky_model.Model, old: jax.Array, finer: sky_model.Model, new: jax.Array) -> np.ndarray:
    """What the finer field of a draw must be multiplied with ([C,] N, N), so that flux stays where it was."""
    wanted = np.asarray(sky_model.field_sky(model, old)[0])
    given = np.asarray(sky_model.field_sky(finer, new)[0])
    coarse, fine = wanted.shape[-1], given.shape[-1]
    target, gain = _blurred(wanted, coarse, fine), np.ones_like(given)
    for _ in range(_ROUNDS):
        now = _blurred(gain * given, coarse, fine)
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.where(target * now > 0, target / now, 1.0)
        gain = np.clip(gain * ratio, 1 / _LARGEST_GAIN, _LARGEST_GAIN)
    return gain


def _blurred(sky: np.ndarray, coarse: int, fine: int) -> np.ndarray:
    """A sky, in any pixels, seen through a Gaussian whose deviation is a coarse pixel, on the fine grid (Jy/pixel)."""
    kept = np.fft.fftfreq(coarse, 1 / coarse).astype(int)
    fall = np.exp(-2 * (np.pi * kept / coarse) ** 2)
    transform = np.fft.fft2(sky)[..., kept[:, None], kept] * np.outer(fall, fall)
    padded = np.zeros((*sky.shape[:-2], fine, fine), complex)
    padded[..., kept[:, None], kept] = transform
    return np.fft.ifft2(padded).real


def skies(samples: Samples) -> tuple[np.ndarray, np.ndarray]:
    """The samples' true skies (sample, [channel,] y, x) in Jy/pixel: exact for any beam, and drawn for the eye.

    They differ in the points only, see `points.draw` and `points.deposit`.
    """
    exact, shown = [], []
    for number, vector in enumerate(samples.vectors):
        _, point_part, _ = sky_model.split(vector, samples.n_pix)
        diffuse = np.asarray(sky_model.field_sky(samples.model, vector)[0])
        if samples.gains is not None:
            diffuse = diffuse * samples.gains[number]
        exact.append(diffuse + np.asarray(points.draw(samples.model.points, point_part, samples.n_pix)))
        shown.append(diffuse + np.asarray(points.deposit(samples.model.points, point_part, samples.n_pix)))
    return np.stack(exact), np.stack(shown)

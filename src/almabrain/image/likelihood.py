"""The likelihood of all visibilities as convolutions: R†N⁻¹R behind each primary beam, by a zero-padded FFT.

With w left out of the model, the noise-weighted response R†N⁻¹R of a pixel sky depends only on pixel
differences. A kernel of 2n x 2n pixels then holds the likelihood of a field of n x n exactly (up to a
constant), however many visibilities there are: the idea of Roth et al. (2024), A&A 690, A387, without its
approximations of the kernel. The data vector j = R†N⁻¹d is gridded with w, so that only the smearing between
pixels of one source is approximated.

The sky is the true one, in Jy/pixel. What one pointing and one kind of baseline see of it is a patch C s behind
their primary beam A, so that −ln L = Σ ½ (A C s)†K (A C s) − j†A C s over all such groups, up to a constant.
A patch far from the tangent point is still flat: there w acts like more of u and v, which the kernel takes in,
and only the sky's curvature within the patch, φ, is left.

Two things make the response more than one beam and one kernel: w to first order in w φ, and a beam that changes
with frequency. Both are a few windows B_i on the patch, between which all kernels act: Σ_ij B_i K_ij B_j.
"""

from dataclasses import replace
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from almabrain.data.constants import SPEED_OF_LIGHT_M_S
from almabrain.image import patches, single_dish
from almabrain.image.grid import Approximation, Grid, Windows
from almabrain.response import grid as gridder
from almabrain.response import predict

jax.config.update("jax_enable_x64", True)

_LEAST_BEAM = 1e-3  # of the largest response: beyond, there is no image


class Part(NamedTuple):
    """Groups of data whose patches are of one size, n x n.

    `transfer` (group, i, j, n+1, 2n) are the kernels' transforms, real and symmetric in i and j, between the
    windows `beam` (group, node, n, n), the primary beam at each node, and `sagging` (group, node, n, n), φ
    times them, None where w is left out; these go in times 1j and out times −1j, as their kernels are odd.
    `corner` (group, 2) is the patch's first pixel (y, x) in the image.
    """

    transfer: jax.Array
    beam: jax.Array
    corner: jax.Array
    sagging: jax.Array | None = None


class Gridded(NamedTuple):
    """A window whose w no kernel holds: the gridder itself, thousands of times slower.

    `uvw_m` (row, 3) about the grid's centre, `frequency_hz` (channel,), `weight` (row, channel); `beam`
    (node, N, N), and `share` (node, channel) what each node's beam counts in a channel.
    """

    uvw_m: jax.Array
    frequency_hz: jax.Array
    weight: jax.Array
    beam: jax.Array
    share: jax.Array
    cell_rad: float


class Apart(NamedTuple):
    """Parts of each channel, where those of one are not like those of another: other pointings, other patches."""

    channels: tuple[tuple, ...]


class Likelihood(NamedTuple):
    """What the inference needs to know of the data: arrays and numbers only, for JAX.

    `information` (N, N) is Σ C†A j; `diagonal` (N, N) Σ w A², the curvature's diagonal, so that 1/√diagonal is
    the noise of the natural image in Jy; `attenuation` (N, N) √(Σ w A² / Σ w); `periodic` (N, N) the sum of the
    kernels' transforms for the N x N torus (never negative; a preconditioner's approximation); `data_energy`
    Σ w |V|²; `n_data` the number of real numbers measured, which is what χ² should be. `rough` stands for `parts`
    where 2 % is exact enough, None where nothing is cheaper. A total power map is in all of them but `diagonal`
    and `attenuation`. For a grid with channels all arrays have these as their first axis, skies are (C, N, N),
    and the two numbers are those of all data.
    """

    parts: tuple[Part | Gridded | single_dish.Mapped, ...]
    rough: tuple[Part | Gridded | single_dish.Mapped, ...] | None
    information: jax.Array
    diagonal: jax.Array
    attenuation: jax.Array
    periodic: jax.Array
    data_energy: float
    n_data: float


def rms(likelihood: Likelihood) -> float:
    """The noise [Jy/beam] of the natural image where it is lowest."""
    return float(1 / np.sqrt(likelihood.diagonal.max()))


def expected_chi2(window: xr.Dataset) -> float:
    """χ² per datum of a perfect model: 1, but for the calibrated weights of noise with tails."""
    return float(window.attrs.get("expected_chi2", 1.0))


def build(
    windows: Windows, grid: Grid, total_power: xr.Dataset | None = None, threads: int = 1
) -> Likelihood:
    """The likelihood of windows whose `weight` is already what the noise really is, and of a total power map."""
    if grid.channels is not None:
        one = replace(grid, channels=None)
        return _stacked([build(part, one, threads=threads) for part in grid.channels.split(windows)])
    information, diagonal = np.zeros((2, grid.n_pix, grid.n_pix))
    total = 0.0
    for eye in patches.eyes(windows, grid, grid.approximation, threads):
        eye.patch.cut(information)[:] += eye.information()
        eye.patch.cut(diagonal)[:] += eye.group.weight * eye.beams(1)[0][0] ** 2
        total += eye.group.weight
    parts, lags = _parts(windows, grid, grid.approximation, threads)
    rough = None
    if grid.metric != grid.approximation:
        rough, _ = _parts(windows, grid, grid.metric, threads)
    periodic = np.clip(np.fft.fft2(np.fft.ifftshift(lags)).real, 0, None)
    energy = sum(float((w.weight.values * np.abs(w.visibility.values) ** 2).sum()) for w in windows.values())
    n_data = sum(2 * expected_chi2(w) * np.count_nonzero(w.weight.values) for w in windows.values())
    if total_power is not None:
        part = single_dish.build(total_power, grid)
        information += part.information
        periodic += single_dish.periodic(part)
        energy, n_data = energy + part.energy, n_data + part.n_data
        part = jax.tree.map(jnp.asarray, part)
        parts, rough = (*parts, part), None if rough is None else (*rough, part)
    return Likelihood(
        parts=parts,
        rough=rough,
        information=jnp.asarray(information),
        diagonal=jnp.asarray(diagonal),
        attenuation=jnp.asarray(np.sqrt(diagonal / max(total, 1e-300))),
        periodic=jnp.asarray(periodic),
        data_energy=energy,
        n_data=float(n_data),
    )


def _stacked(each: list[Likelihood]) -> Likelihood:
    """The likelihoods of channels as one."""
    energy, n_data = (sum(getattr(one, name) for one in each) for name in ("data_energy", "n_data"))
    parts, rough = (_alike([getattr(one, name) for one in each]) for name in ("parts", "rough"))
    images = [one._replace(parts=(), rough=None) for one in each]
    stacked = jax.tree.map(lambda *arrays: jnp.stack(arrays), *images)
    return stacked._replace(parts=parts, rough=rough, data_energy=energy, n_data=n_data)


def _alike(parts: list[tuple | None]) -> tuple | Apart | None:
    """The parts of channels as one, for one compiled function, where they are alike."""
    kinds = {str((jax.tree.structure(own), [item.shape for item in jax.tree.leaves(own)])) for own in parts}
    return jax.tree.map(lambda *arrays: jnp.stack(arrays), *parts) if len(kinds) == 1 else Apart(tuple(parts))


def _unstacked(likelihood: Likelihood) -> list[Likelihood]:
    """The inverse of `_stacked`, but that each channel has its share of all data."""
    number = len(likelihood.information)
    share = {name: getattr(likelihood, name) / number for name in ("data_energy", "n_data")}
    arrays = likelihood._replace(data_energy=(), n_data=(), parts=(), rough=None)

    def own(parts, k):
        """Those of channel k."""
        return parts.channels[k] if isinstance(parts, Apart) else jax.tree.map(lambda array: array[k], parts)

    each = [jax.tree.map(lambda array, k=k: array[k], arrays) for k in range(number)]
    parts = [{name: own(getattr(likelihood, name), k) for name in ("parts", "rough")} for k in range(number)]
    return [one._replace(**share, **more) for one, more in zip(each, parts, strict=True)]


def _parts(windows, grid, approximation, threads) -> tuple[tuple[Part | Gridded, ...], np.ndarray]:
    """All groups, and the kernel (N, N) of all data with no beam."""
    lags = np.zeros((grid.n_pix, grid.n_pix))
    parts: dict[tuple, list[Part]] = {}
    gridded: list[Gridded] = []
    for eye in patches.eyes(windows, grid, approximation, threads):
        if approximation.order > 1:
            kernel = eye.kernel(eye.group.nodes(1)[1])
            gridded += _gridded(eye)
        else:
            part, kernel = _part(eye, approximation)
            parts.setdefault(part.beam.shape, []).append(part)
        lags += _resized(kernel, grid.n_pix)
    stacked = (jax.tree.map(lambda *each: jnp.stack(each), *alike) for alike in parts.values())
    return (*stacked, *(jax.tree.map(jnp.asarray, part) for part in gridded)), lags


def _part(eye: patches.Eye, approximation: Approximation) -> tuple[Part, np.ndarray]:
    """One group's kernels and windows, and the kernel (2n, 2n) of all its data with no beam.

    The beam of any channel is the sum of those at the nodes times their shares, so between two nodes' beams the
    weights are those times both shares. exp(2πi w(φ − φ')) ≈ 1 + 2πi w(φ − φ') under Σ w exp(2πi u·Δ) makes
    A K₀ A + φA K₁ A − A K₁ φA with the odd kernel K₁, whose transform is imaginary.
    """
    beams, shares = eye.beams(approximation.nodes)
    count, odd = len(beams), approximation.order > 0
    size, n_pix = count * (1 + odd), eye.patch.n_pix
    transfer = np.zeros((size, size, n_pix + 1, 2 * n_pix))
    plain = np.zeros((2 * n_pix, 2 * n_pix))
    for i in range(count):
        for j in range(i, count):
            both = {name: share[i] * share[j] for name, share in shares.items()}
            even = eye.kernel(both)
            plain += even if i == j else 2 * even  # all shares of a channel add up to 1
            transfer[i, j] = transfer[j, i] = _transform(even).real.T
            if odd:
                minus = -_transform(eye.kernel(both, odd=True)).imag.T
                transfer[i, count + j] = transfer[count + j, i] = minus
                transfer[j, count + i] = transfer[count + i, j] = minus
    sagging = eye.patch.sag() * beams if odd else None
    return Part(transfer, beams, np.array(eye.patch.corner), sagging), plain


def _gridded(eye: patches.Eye) -> list[Gridded]:
    beams, shares = eye.beams()
    return [
        Gridded(
            eye.uvw_m[name],
            eye.group.frequencies_hz[name],
            eye.windows[name].weight.values,
            beams,
            share,
            eye.patch.cell_rad,
        )
        for name, share in shares.items()
    ]


def _transform(kernel: np.ndarray) -> np.ndarray:
    return np.fft.rfft2(np.fft.ifftshift(kernel))


def _resized(kernel: np.ndarray, n_pix: int) -> np.ndarray:
    """The middle n_pix x n_pix lags of a kernel, with zeros where it knows none."""
    half, own = n_pix // 2, len(kernel) // 2
    if own >= half:
        return kernel[own - half : own - half + n_pix, own - half : own - half + n_pix]
    lead = half - own
    return np.pad(kernel, (lead, n_pix - 2 * own - lead))


def curvature(likelihood: Likelihood, sky: jax.Array) -> jax.Array:
    """Σ C†A K A C s: what the data make of a true sky (N, N) in Jy/pixel."""
    return _all(likelihood.parts, sky)


def metric(likelihood: Likelihood, sky: jax.Array) -> jax.Array:
    """The `curvature` to 2 %: what posterior covariances and Newton's steps need, at a fraction of the cost."""
    return _all(likelihood.parts if likelihood.rough is None else likelihood.rough, sky)


def one_beam(likelihood: Likelihood) -> bool:
    """True where all data are of one kind of baselines and one pointing."""
    parts = () if isinstance(likelihood.parts, Apart) else likelihood.parts
    return len(parts) == 1 and isinstance(parts[0], Part) and parts[0].beam.shape[-4] == 1


def on_torus(likelihood: Likelihood, sky: jax.Array) -> jax.Array:
    """The `metric` with images that go on at the opposite edge: for preconditioners, with a quarter of the transforms.

    It is the same for what lies within half the field. Several pointings or kinds of baselines have no one beam to
    put around one kernel: for them it is the `metric` itself.
    """
    if not one_beam(likelihood):
        return metric(likelihood, sky)
    half = sky.shape[-1] // 2 + 1
    spectrum = jnp.fft.rfft2(likelihood.attenuation * sky) * likelihood.periodic[..., :half]
    return likelihood.attenuation * jnp.fft.irfft2(spectrum, s=sky.shape[-2:])


def _all(parts, sky):
    if isinstance(parts, Apart):
        return jnp.stack([_all(own, image) for own, image in zip(parts.channels, sky, strict=True)])
    if sky.ndim == 3:
        return jax.lax.map(lambda channel: _all(*channel), (parts, sky))
    kinds = {Part: _curvature, Gridded: _by_gridder, single_dish.Mapped: single_dish.curvature}
    return sum(kinds[type(part)](part, sky) for part in parts)


def _by_gridder(part: Gridded, sky: jax.Array) -> jax.Array:
    apparent = part.beam * sky
    shape = jax.ShapeDtypeStruct(apparent.shape, apparent.dtype)
    answer = jax.pure_callback(_there_and_back, shape, apparent, *part, vmap_method="sequential")
    return (part.beam * answer).sum(0).astype(sky.dtype)


def in_precision(precision, tree):
    """A tree of arrays, with floating-point numbers of a precision, but for baselines, whose phases would be lost."""

    def one(item):
        if isinstance(item, Gridded):
            return item
        return item.astype(precision) if item.dtype == jnp.float64 else item

    return jax.tree.map(one, tree, is_leaf=lambda item: isinstance(item, Gridded))


def _there_and_back(apparent, uvw_m, frequency_hz, weight, _, share, cell_rad) -> np.ndarray:
    """R†N⁻¹R of apparent skies (node, N, N), by the gridder with w, in numpy."""
    apparent, uvw_m, frequency_hz, weight, share = map(
        np.asarray, (apparent, uvw_m, frequency_hz, weight, share)
    )
    grid = float(cell_rad), patches.EPSILON
    visibility = sum(
        own * predict.predict_image(uvw_m, frequency_hz, sky, *grid)
        for own, sky in zip(share, apparent, strict=True)
    )
    n_pix = apparent.shape[-1]
    return np.stack(
        [gridder.adjoint(uvw_m, frequency_hz, weight * own * visibility, n_pix, *grid) for own in share]
    )


def _curvature(part: Part, sky: jax.Array) -> jax.Array:
    if part.beam.shape[0] == 1 and part.beam.shape[2:] == sky.shape:  # one patch, which is the whole image
        return _seen(jax.tree.map(lambda each: each[0], part), sky)

    def add(image, group):
        """The image with what a group of data makes of the sky."""
        shape = group.beam.shape[1:]
        answer = _seen(group, jax.lax.dynamic_slice(sky, group.corner, shape))
        before = jax.lax.dynamic_slice(image, group.corner, shape)
        return jax.lax.dynamic_update_slice(image, before + answer, group.corner), None

    return jax.lax.scan(add, jnp.zeros_like(sky), part)[0]


def _seen(group: Part, patch: jax.Array) -> jax.Array:
    """Σ B_i K_ij B_j of one group's patch (n, n) of sky."""
    windows = [(1, beam) for beam in group.beam]
    if group.sagging is not None:
        windows += [(1j, beam) for beam in group.sagging]
    forward = [turn * _forward(beam * patch) for turn, beam in windows]
    answers = [sum(k * image for k, image in zip(row, forward, strict=True)) for row in group.transfer]
    return sum(
        beam * _back(turn.conjugate() * answer) for (turn, beam), answer in zip(windows, answers, strict=True)
    )


def _forward(image: jax.Array) -> jax.Array:
    """The transform (n+1, 2n) of an image (n, n), zero-padded so that nothing wraps; x first.

    Axis by axis, or half of the work would be rows of zeros.
    """
    padded = 2 * image.shape[0]
    return jnp.fft.fft(jnp.fft.rfft(image, n=padded).T, n=padded)


def _back(transform: jax.Array) -> jax.Array:
    """The image (n, n) of a transform as `_forward` gives it, without what the padding held."""
    n_pix = transform.shape[1] // 2
    return jnp.fft.irfft(jnp.fft.ifft(transform)[:, :n_pix].T, n=2 * n_pix)[:, :n_pix]


def left_over(likelihood: Likelihood, sky: jax.Array) -> jax.Array:
    """j − K s: the residual image (N, N) of a true sky, the gradient of its ln L."""
    return likelihood.information - curvature(likelihood, sky)


def in_sigma(image: np.ndarray, likelihood: Likelihood) -> np.ndarray:
    """An image like `left_over` in units of its noise; 0 where no primary beam lets anything through."""
    noise = np.sqrt(np.asarray(likelihood.diagonal))
    return np.where(noise > _LEAST_BEAM * noise.max(), np.asarray(image) / np.maximum(noise, 1e-300), 0.0)


def energy(likelihood: Likelihood, sky: jax.Array) -> jax.Array:
    """−ln L = ½ sᵀKs − jᵀs of a true sky (N, N) in Jy/pixel, up to the constant ½ Σ w |V|²."""
    return 0.5 * jnp.vdot(sky, curvature(likelihood, sky)) - jnp.vdot(likelihood.information, sky)


def reduced_chi2(likelihood: Likelihood, sky: np.ndarray) -> float:
    """χ² of a true sky in Jy/pixel over the number of real data."""
    value = energy(likelihood, jnp.asarray(sky))
    return (2 * float(value) + likelihood.data_energy) / likelihood.n_data


def model_visibilities(
    windows: Windows, sky: np.ndarray, grid: Grid, threads: int = 1
) -> dict[str, np.ndarray]:
    """What every window sees (row, channel) in Jy of a true sky ([C,] N, N) in Jy/pixel: exact, by the gridder."""
    if grid.channels is not None:
        one = replace(grid, channels=None)
        seen = zip(grid.channels.split(windows), sky, strict=True)
        return grid.channels.join([model_visibilities(part, own, one, threads) for part, own in seen])
    model = {}
    for eye in patches.eyes(windows, grid, Approximation(least_beam=0.0), threads):
        model |= eye.predict(sky)
    return model


def residuals(windows: Windows, sky: np.ndarray, grid: Grid, threads: int = 1) -> dict[str, np.ndarray]:
    """Data minus model of every window (row, channel) in Jy, of a true sky (N, N) in Jy/pixel."""
    model = model_visibilities(windows, sky, grid, threads)
    return {name: window.visibility.values - model[name] for name, window in windows.items()}


def about(
    likelihood: Likelihood, windows: Windows, grid: Grid, sky: np.ndarray, threads: int = 1
) -> Likelihood:
    """The `metric`'s likelihood, made exact at a true sky s₀ (N, N) in Jy/pixel: value and slope are the gridder's.

    −ln L = ½ (s − s₀)ᵀ K̃ (s − s₀) − (R†N⁻¹(d − R s₀))ᵀ (s − s₀) + const. What is left of the error of K̃ is of second
    order in s − s₀: where s₀ is the posterior's mean, per cents of what its samples differ by. It is the major cycle
    of CLEAN, and of Roth et al. (2024).
    """
    if grid.channels is not None:
        one = replace(grid, channels=None)
        seen = zip(_unstacked(likelihood), grid.channels.split(windows), sky, strict=True)
        return _stacked([about(own, part, one, image, threads) for own, part, image in seen])
    sky = jnp.asarray(sky)
    cheap = likelihood._replace(
        parts=likelihood.parts if likelihood.rough is None else likelihood.rough, rough=None
    )
    left, chi2 = np.zeros(sky.shape), 0.0
    for eye in patches.eyes(windows, grid, Approximation(least_beam=0.0), threads):
        residual = {name: windows[name].visibility.values - model for name, model in eye.predict(sky).items()}
        chi2 += sum(float((windows[k].weight.values * np.abs(r) ** 2).sum()) for k, r in residual.items())
        left += eye.to_sky({name: windows[name].weight.values * one for name, one in residual.items()})
    if (part := mapped(likelihood)) is not None:
        left += np.asarray(part.information - single_dish.curvature(part, sky))
        chi2 += single_dish.chi2(part, sky) * float(part.n_data)
    response = curvature(cheap, sky)
    information = jnp.asarray(left) + response
    constant = chi2 - float(jnp.vdot(sky, response - 2 * information))
    return cheap._replace(information=information, data_energy=constant)


def mapped(likelihood: Likelihood) -> single_dish.Mapped | None:
    """The total power map's part, if there is one."""
    return next((part for part in likelihood.parts if isinstance(part, single_dish.Mapped)), None)


def visibilities_only(likelihood: Likelihood) -> Likelihood:
    """The likelihood without its total power map."""
    if (part := mapped(likelihood)) is None:
        return likelihood
    parts, rough = (
        None if own is None else tuple(one for one in own if not isinstance(one, single_dish.Mapped))
        for own in (likelihood.parts, likelihood.rough)
    )
    return likelihood._replace(
        parts=parts,
        rough=rough,
        information=likelihood.information - part.information,
        data_energy=likelihood.data_energy - part.energy,
        n_data=likelihood.n_data - part.n_data,
    )


def delta_log_likelihood(likelihood: Likelihood, windows: Windows, sky: np.ndarray, grid: Grid) -> float:
    """ln L by the kernel minus ln L by the gridder with w, for one true sky: the kernel's error."""
    likelihood = visibilities_only(likelihood)
    exact = sum(
        float((windows[name].weight.values * np.abs(residual) ** 2).sum())
        for name, residual in residuals(windows, sky, grid).items()
    )
    value = 2 * float(energy(likelihood, jnp.asarray(sky))) + likelihood.data_energy
    return 0.5 * (exact - value)


def chi2_by_baseline(
    windows: Windows, residual: dict[str, np.ndarray], bins: int = 8
) -> tuple[np.ndarray, np.ndarray]:
    """Reduced χ² in `bins` bins of baseline length with equally many data, and the bins' edges [wavelengths]."""
    length, term = [], []
    for name, window in windows.items():
        weight = window.weight.values
        scale = window.frequency_hz.values / SPEED_OF_LIGHT_M_S
        baseline = np.multiply.outer(np.hypot(*window.uvw_m.values[:, :2].T), scale)
        length.append(baseline[weight > 0])
        term.append((weight * np.abs(residual[name]) ** 2)[weight > 0] / expected_chi2(window))
    length, term = np.concatenate(length), np.concatenate(term)
    edges = np.quantile(length, np.linspace(0, 1, bins + 1))
    index = np.clip(np.searchsorted(edges, length, side="right") - 1, 0, bins - 1)
    count = np.maximum(np.bincount(index, minlength=bins), 1)
    return np.bincount(index, term, bins) / (2 * count), edges


def chi2_by_channel(
    windows: Windows, residual: dict[str, np.ndarray], of: dict[str, np.ndarray], count: int
) -> tuple[np.ndarray, np.ndarray]:
    """Reduced χ² (C,) in each of `count` channels, NaN without data, and how many real data each has.

    `of` has by window the image's channel that each of the window's channels belongs to.
    """
    term, held = np.zeros(count), np.zeros(count)
    for name, window in windows.items():
        weight = window.weight.values
        squared = np.where(weight > 0, weight * np.abs(residual[name]) ** 2, 0.0).sum(0)
        term += np.bincount(of[name], squared / expected_chi2(window), count)
        held += 2 * np.bincount(of[name], np.count_nonzero(weight, axis=0), count)
    return np.divide(term, held, out=np.full(count, np.nan), where=held > 0), held


def noise_information(
    windows: Windows, grid: Grid, rng: np.random.Generator, likelihood: Likelihood | None = None
) -> np.ndarray:
    """Σ A R†N^-½ of complex white noise: a random image (y, x) whose covariance is the `metric`.

    Drawn per visibility, so that with the same generator it belongs to the same noise on any grid; `likelihood`
    adds the noise of its total power map, if it has one.
    """
    noise = {}
    for name, window in windows.items():
        parts = rng.standard_normal((2, *window.weight.shape))
        noise[name] = np.sqrt(window.weight.values) * (parts[0] + 1j * parts[1])
    image = np.zeros((grid.n_pix, grid.n_pix))
    nodes = grid.metric.nodes if grid.metric.order < 2 else None
    for eye in patches.eyes(windows, grid, grid.metric):
        eye.patch.cut(image)[:] += eye.adjoint(noise, nodes, flat=grid.metric.order == 0)
    part = mapped(likelihood) if likelihood else None
    return image if part is None else image + single_dish.noise_information(part, rng)

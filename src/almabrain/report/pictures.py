"""The pictures of one data set at one resolution: truth, dirty, CLEAN and posterior, all in Jy/beam."""

from dataclasses import dataclass, fields, replace

import numpy as np
import xarray as xr

from almabrain.data import naming
from almabrain.data.statistics import robust_rms
from almabrain.report.products import Products
from almabrain.report.truth import apparent_sky
from almabrain.response.beam import Beam

Windows = dict[str, xr.Dataset]
_BRIGHT_SIGMA, _MARGIN, _SMALLEST_BEAMS = 5.0, 1.3, 5


@dataclass(frozen=True)
class Pictures:
    """Pictures (y, x) in Jy/beam at the CLEAN beam, as attenuated by the primary beam; None where absent.

    `native_mean` and `native_std` are the posterior's own, in Jy/arcsec² of the true sky; `resolution` is the effective
    one there (geometric mean of the axes, arcsec), `share` how much of it the data decide. Of a cube they are of the
    mean of its channels, which has no standard deviations here.
    """

    cell_arcsec: float
    beam: Beam
    noise_jy: float
    truth: np.ndarray | None
    dirty: np.ndarray | None
    clean: np.ndarray
    residual: np.ndarray | None
    mean: np.ndarray | None
    std: np.ndarray | None
    native_mean: np.ndarray | None
    native_std: np.ndarray | None
    resolution: np.ndarray | None = None
    share: np.ndarray | None = None

    def half_width(self) -> int:
        """Pixels from the centre within which all lies, with a margin, that rises above 5 sigma.

        All that is true where the truth is known: CLEAN of few data has peaks of noise anywhere. Else all
        that either image shows.
        """
        shown = [self.truth] if self.truth is not None else [self.clean, self.mean]
        half = self.clean.shape[-1] // 2
        reach = 0
        for picture in (picture for picture in shown if picture is not None):
            y, x = np.nonzero(picture > _BRIGHT_SIGMA * self.noise_jy)
            reach = max(reach, np.max(np.abs([y - half, x - half]), initial=0))
        least = _SMALLEST_BEAMS * self.beam.major_arcsec / self.cell_arcsec
        return int(np.rint(np.clip(_MARGIN * reach, min(least, half), half)))

    def cut(self, half: int) -> "Pictures":
        """The same pictures up to `half` pixels from the centre."""
        middle = self.clean.shape[-1] // 2
        inner = slice(middle - half, middle + half)
        arrays = {item.name: getattr(self, item.name) for item in fields(self)}
        arrays = {key: value[inner, inner] for key, value in arrays.items() if isinstance(value, np.ndarray)}
        return replace(self, **arrays)


def load(products: Products, data: str, recipe: str, windows: Windows) -> Pictures | None:
    """The pictures of `data` with `recipe`; None where CLEAN has not run, whose beam is the common one.

    `windows` are the visibilities that were imaged.
    """
    clean = _flat(products.image(f"image/{data}/{recipe}/clean.fits"))
    if clean is None or "bmaj_arcsec" not in clean.attrs:
        return None
    beam = Beam(clean.attrs["bmaj_arcsec"], clean.attrs["bmin_arcsec"], clean.attrs["bpa_deg"])

    def deviation(name: str, factor=1.0) -> np.ndarray | None:
        image = products.image(f"image/{data}/{recipe}/{name}.fits")
        # Channels share their errors: those of their mean are not the mean of theirs.
        return None if image is None or image.ndim == 3 else image.values * factor

    def values(name: str, factor=1.0) -> np.ndarray | None:
        image = _flat(products.image(f"image/{data}/{recipe}/{name}.fits"))
        return None if image is None else image.values * factor

    # Major axis, minor axis, position angle and share of the data, one plane each.
    planes = products.image(f"image/{data}/{recipe}/resolution.fits")
    attenuation = values("pb")
    attenuation = 1.0 if attenuation is None else attenuation
    residual = values("clean_residual")
    return Pictures(
        cell_arcsec=clean.attrs["cell_arcsec"],
        beam=beam,
        noise_jy=robust_rms(clean.values if residual is None else residual),
        truth=_truth(products, data, clean, beam, windows),
        dirty=values("dirty"),
        clean=clean.values,
        residual=residual,
        mean=values("mean_beam", attenuation),
        std=deviation("std_beam", attenuation),
        native_mean=values("mean"),
        native_std=deviation("std"),
        resolution=None if planes is None else np.sqrt(planes.values[0] * planes.values[1]),
        share=None if planes is None else planes.values[3],
    )


def _flat(image: xr.DataArray | None) -> xr.DataArray | None:
    """An image as it is, of a cube the mean of its channels."""
    if image is None or image.ndim == 2:
        return image
    return image.mean("channel", skipna=True, keep_attrs=True)


def _truth(products: Products, data: str, clean: xr.DataArray, beam: Beam, windows: Windows):
    """The true sky seen by the windows that were imaged, weighted as their visibilities are."""
    if not naming.is_simulation(data):
        return None
    sky = products.groups(f"sky/{products.shard(data)}.zarr.zip", f"{data}/")
    if not windows or not set(windows) <= set(sky):
        return None
    channels = {
        name: (window["frequency_hz"].values, window["weight"].values.sum(axis=0))
        for name, window in windows.items()
    }
    grid = {
        "n_pix": clean.shape[-1],
        **{key: clean.attrs[key] for key in ("cell_arcsec", "ra_deg", "dec_deg")},
    }
    # Windows named as those of the sky are of one pointing and dishes of one size.
    return apparent_sky(sky, channels, next(iter(windows.values())).attrs["dishes_m"][0], grid, beam)

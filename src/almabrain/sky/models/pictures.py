"""Pictures of real things from a folder: galaxies, nebulae, or whatever lies there."""

import logging
import warnings
from pathlib import Path

import numpy as np
from scipy.sparse import csr_array

from almabrain.config.sky import SkySettings
from almabrain.console.errors import UserError
from almabrain.data.coordinates import ARCSEC, lm_grid
from almabrain.data.fits import first_image
from almabrain.sky.field import Field
from almabrain.sky.pixels import edge_taper, half_side, picture
from almabrain.sky.place import log_uniform
from almabrain.sky.shape import Shape

log = logging.getLogger(__name__)

FITS = (".fits", ".fit", ".fits.gz", ".fits.fz")
PHOTOGRAPHS = (".png", ".jpg", ".jpeg")
# Luminance of linear red, green and blue light (ITU-R BT.709).
LUMINANCE = (0.2126, 0.7152, 0.0722)


def draw(field: Field, settings: SkySettings, rng: np.random.Generator) -> list[Shape]:
    """One picture in the middle of the field, as it stands: its upper edge north, its left edge east.

    What lies in the circle of the picture's shorter side counts, and falls off smoothly to the circle's
    edge. Smaller than asked for where the field has no room. UserError as of `listing` and `read_light`,
    and for a picture without light.
    """
    chosen = settings.pictures
    paths = listing(chosen.folder)
    path = paths[int(rng.integers(len(paths)))]
    log.info("the picture is %s", path)
    radius = min(log_uniform(rng, chosen.size_beams) * field.beam_arcsec / 2, field.radius_rad / ARCSEC)
    half, cell = half_side(field, radius)
    light = above_background(middle_square(read_light(path)), chosen.background_percentile)
    taper = edge_taper(*lm_grid(2 * half, cell), radius * ARCSEC)
    pixels = resample(light, 2 * half, 2 * radius / cell) * taper
    if not pixels.sum() > 0:
        raise UserError(
            f"{path} holds no light in its middle above the {chosen.background_percentile:g}th percentile of "
            "its brightness; remove it from the folder, or lower sky.pictures.background_percentile"
        )
    return [picture("picture", pixels, cell)]


def listing(folder: str) -> list[Path]:
    """The pictures of a folder, sorted by name. UserError where there is no such folder or none in it."""
    allowed = ", ".join(f"*{ending}" for ending in FITS + PHOTOGRAPHS)
    if not Path(folder).is_dir():
        raise UserError(
            f"sky.pictures.folder is '{folder}', which is no folder; give the path of one with pictures "
            f"({allowed})"
        )
    found = [
        path
        for path in Path(folder).iterdir()
        if path.name.lower().endswith(FITS + PHOTOGRAPHS) and not path.name.startswith(".")
    ]
    if not found:
        raise UserError(
            f"sky.pictures.folder '{folder}' holds no picture; looked for {allowed} in it, not in folders "
            "below it; put pictures there or give another folder"
        )
    return sorted(found)


def read_light(path: Path) -> np.ndarray:
    """Brightness (y, x) of a picture, in any unit, y upwards; NaN where nothing is known.

    UserError for a file that is no whole picture.
    """
    return _read_fits(path) if path.name.lower().endswith(FITS) else _read_photograph(path)


def middle_square(light: np.ndarray) -> np.ndarray:
    """The largest square in the middle of a picture (y, x)."""
    side = min(light.shape)
    y, x = ((length - side) // 2 for length in light.shape)
    return light[y : y + side, x : x + side]


def above_background(light: np.ndarray, percentile: float) -> np.ndarray:
    """Light (y, x) above its percentile; 0 below that and where it is not finite."""
    known = np.isfinite(light)
    if not known.any():
        return np.zeros(light.shape)
    return np.where(known, np.maximum(light - np.percentile(light[known], percentile), 0), 0.0)


def resample(light: np.ndarray, side: int, width: float) -> np.ndarray:
    """A square picture (y, x) on side x side pixels, `width` of them wide and centred on pixel side // 2.

    Flux is kept: the sum after is the sum before. Every old pixel's light is shared among the new ones by
    the area of theirs that it covers; where old pixels are larger than new ones, each first spreads as a
    tent over itself and its neighbours, so that no steps are seen. Light beyond the edges goes to them.
    """
    shares = csr_array(_shares(light.shape[0], side, width))
    return (shares @ (shares @ light).T).T


def _shares(old: int, new: int, width: float) -> np.ndarray:
    """Of every old pixel the share that each new one gets, along one axis (new, old); columns sum to 1."""
    size = width / old
    edges = np.arange(new + 1) - 0.5 - new // 2
    offset = (edges[:, None] - ((np.arange(old) + 0.5) * size - width / 2)) / size
    if size < 1:
        below = np.clip(offset + 0.5, 0, 1)
    else:
        below = 0.5 + np.clip(offset, -1, 1) * (1 - np.abs(np.clip(offset, -1, 1)) / 2)
    below[0], below[-1] = 0, 1
    return np.diff(below, axis=0)


def _read_fits(path: Path) -> np.ndarray:
    """The first image of a FITS file; of a cube the sum over all other axes."""
    try:
        values, _ = first_image(path)
    except ValueError as error:
        raise _no_picture(path, f"it {error}") from None
    planes = values.reshape(-1, *values.shape[-2:])
    known = np.isfinite(planes)
    return np.where(known.any(axis=0), np.where(known, planes, 0).sum(axis=0), np.nan)


def _read_photograph(path: Path) -> np.ndarray:
    """Luminance of a PNG or JPEG; of transparent parts only what would be seen before black.

    Of 8 bits a colour, values are taken as sRGB (IEC 61966-2-1) and made linear, so that light adds up as
    on a screen; what the picture's maker did to the brightness before, no file tells. Greater depths
    (16 bits or more of one grey) are taken as linear. A camera's note on which side is up is followed.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        try:
            with Image.open(path) as opened:
                image = ImageOps.exif_transpose(opened)
                image.load()
        except UnidentifiedImageError:
            raise _no_picture(path, "its content is that of no known kind of picture") from None
        except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
            raise _no_picture(path, str(error)) from None
    if image.mode[0] in "IF":
        return np.asarray(image, float)[::-1]
    colours = np.asarray(image.convert("RGBA"))[::-1]
    value = np.arange(256, dtype=np.float32) / 255
    linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    light = sum(share * linear[colours[..., index]] for index, share in enumerate(LUMINANCE))
    return light * value[colours[..., 3]]


def _no_picture(path: Path, reason: str) -> UserError:
    return UserError(
        f"{path} is no picture that can be read ({reason}); replace it, or remove it from the folder"
    )

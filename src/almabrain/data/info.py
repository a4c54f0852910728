"""What a file of the user's holds, told in words: visibilities, or a FITS image or cube."""

from pathlib import Path

import numpy as np

from almabrain.console.errors import UserError
from almabrain.data.kinds import kind
from almabrain.data.statistics import robust_rms
from almabrain.data.text import lay_out, sexagesimal, suggested


def describe(path: str | Path) -> str:
    """Text on what `path` holds, and the lines of a configuration that use it.

    Reads only. Raises UserError for anything but a Measurement Set (a folder), uvfits, npz or a FITS image.
    """
    path = Path(path)
    if not path.exists():
        raise UserError(f"{path} does not exist; give the path of a Measurement Set or of a FITS image")
    if path.is_dir():
        from almabrain.data.info_ms import describe_measurement_set

        return describe_measurement_set(path)
    if (found := kind(path)) != "fits":
        from almabrain.data.info_visibilities import describe_npz, describe_uvfits

        return describe_npz(path) if found == "npz" else describe_uvfits(path)
    with open(path, "rb") as stream:
        if stream.read(9) != b"SIMPLE  =":
            raise UserError(
                f"{path} is neither FITS (it does not begin with SIMPLE) nor a Measurement Set (a folder); "
                "give one of these"
            )
    return describe_fits(path)


def describe_fits(path: Path) -> str:
    """Text on the axes, units, beam, pixel, frequency and noise of a FITS image or cube, and its use."""
    from almabrain.data.fits import read_image

    image = read_image(path)
    attrs, values = image.attrs, image.values
    rms = robust_rms(values)
    rows = [("object", attrs.get("object", "not said")), ("axes", _axes(path))]
    rows.append(("pixel", f'{attrs["cell_arcsec"]:.5g}" ({_extent(image)} across)'))
    rows.append(("centre", f"{sexagesimal(attrs['ra_deg'], attrs['dec_deg'])} (pixel n/2)"))
    rows.append(("unit", attrs["bunit"] or "not said (no BUNIT)"))
    rows.append(("beam", _beam(attrs)))
    rows.append(("frequency", _frequency(image)))
    rows.append(("values", f"{np.nanmin(values):.4g} to {np.nanmax(values):.4g}"))
    rows.append(
        ("robust rms", f"{rms:.4g} {attrs['bunit']}".strip() + " (1.4826 x median absolute deviation)")
    )
    blank = np.count_nonzero(~np.isfinite(values))
    rows.append(("blank pixels", f"{blank} of {values.size}"))
    uses, keys = _uses(image)
    rows.append(("use", "\n".join(uses)))
    text = f"{path}: FITS {'cube' if image.ndim == 3 else 'image'}\n{lay_out(rows)}"
    return text if keys is None else f"{text}\n\n{suggested(path, path.stem, keys)}"


def _axes(path: Path) -> str:
    from astropy.io import fits

    with fits.open(path) as hdus:
        header = next(hdu.header for hdu in hdus if hdu.is_image and hdu.header.get("NAXIS", 0) >= 2)
    axes = range(1, header["NAXIS"] + 1)
    return " x ".join(f"{header[f'NAXIS{i}']} {header.get(f'CTYPE{i}', '?').strip()}" for i in axes)


def _extent(image) -> str:
    n_y, n_x = image.shape[-2:]
    cell = image.attrs["cell_arcsec"]
    return f'{n_x * cell:.4g}" x {n_y * cell:.4g}"'


def _beam(attrs: dict) -> str:
    if "bmaj_arcsec" not in attrs:
        return "not said (no BMAJ, BMIN)"
    minor = attrs.get("bmin_arcsec", attrs["bmaj_arcsec"])
    pixels = minor / attrs["cell_arcsec"]
    return (
        f'{attrs["bmaj_arcsec"]:.4g}" x {minor:.4g}" at {attrs["bpa_deg"]:.1f} deg '
        f"({pixels:.1f} pixels across its minor axis)"
    )


def _frequency(image) -> str:
    if "frequency_hz" in image.coords:
        ghz = image.coords["frequency_hz"].values / 1e9
        return f"{ghz.min():.6f} to {ghz.max():.6f} GHz in {ghz.size} channels"
    if "frequency_hz" in image.attrs:
        return f"{image.attrs['frequency_hz'] / 1e9:.6f} GHz"
    return "not said"


def _uses(image) -> tuple[list[str], list[str] | None]:
    """What the workflow can do with this picture, and the further keys for it (None: nothing)."""
    attrs, peak = image.attrs, np.nanmax(image.values)
    unit = attrs["bunit"].lower().replace(" ", "")
    if unit in ("jy/pixel", "jy/pix"):
        return ["a model in Jy/pixel: not an observed picture, nothing to find in it"], None
    if np.isclose(peak, 1, rtol=1e-4) and unit in ("", "1"):
        return ["a PSF or a primary beam (its peak is 1): not a picture of the sky"], None
    uses = []
    if image.ndim == 2 and min(image.shape) >= 128:
        uses.append("noise reference (key noise.reference): best a residual without PB correction")
    if unit != "jy/beam" or "bmaj_arcsec" not in attrs:
        uses.append(
            "no observation yet: a catalogue needs BUNIT = Jy/beam and a beam (BMAJ, BMIN, BPA in degrees); "
            "add them to the header if you know them"
        )
        return uses, None
    return ["observation: catalogue and report (Bayesian imaging needs visibilities)", *uses], []

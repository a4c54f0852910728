"""What uvfits and npz files of visibilities hold, told in words."""

import zipfile
from pathlib import Path

import numpy as np

from almabrain.console.errors import UserError
from almabrain.data.text import lay_out, suggested


def describe_uvfits(path: Path) -> str:
    """Text on axes, sources, IFs and unflagged visibilities of uvfits, and the lines that use it."""
    from astropy.io import fits

    try:
        with fits.open(path, memmap=False) as hdus:
            header, groups = hdus[0].header, hdus[0].data
            tables = {hdu.name: hdu.data for hdu in hdus[1:]}
            good = int(np.count_nonzero((groups.data[..., 2] > 0).any(axis=-1)))
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise UserError(f"{path} cannot be read as uvfits ({error}); write it again") from None
    axes = range(2, header["NAXIS"] + 1)
    names = {header.get(f"CTYPE{axis}", "?").strip(): axis for axis in axes}
    frequency = names.get("FREQ", 0)
    sources = [str(name).strip() for name in tables["AIPS SU"]["SOURCE"]] if "AIPS SU" in tables else []
    sources = sources or [str(header.get("OBJECT", "not said")).strip()]
    antennas = tables.get("AIPS AN")
    known = antennas is not None and "DIAMETER" in antennas.names and (antennas["DIAMETER"] > 0).all()
    rows = [
        ("telescope", str(header.get("TELESCOP", "not said")).strip()),
        ("axes", " x ".join(f"{header[f'NAXIS{axis}']} {name}" for name, axis in names.items())),
        ("frequency", f"{header.get(f'CRVAL{frequency}', np.nan) / 1e9:.6f} GHz at its reference"),
        ("visibilities", f"{good} unflagged (row x channel, any polarisation) in {len(groups)} rows"),
        (f"sources ({len(sources)})", "\n".join(sources)),
        (
            "dishes",
            "sizes are told" if known else "of ALMA's names, or of the size that dish_diameter_m gives",
        ),
    ]
    text = f"{path}: uvfits\n{lay_out(rows)}"
    return f"{text}\n\n{suggested(path, path.stem, ['fields: []'])}" if good else text


def describe_npz(path: Path) -> str:
    """Text on the arrays of an npz file, and the lines that use it as visibilities."""
    try:
        with np.load(path, allow_pickle=False) as found:
            arrays = {name: found[name] for name in found.files}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise UserError(f"{path} cannot be read as npz ({error}); write it with numpy.savez") from None
    rows = [
        (name, f"{'x'.join(map(str, array.shape)) or 'one number'} {array.dtype}")
        for name, array in arrays.items()
    ]
    text = f"{path}: npz\n{lay_out(rows)}"
    if not {"u", "v"} <= set(arrays):
        return text
    longest = np.hypot(arrays["u"], arrays["v"]).max(initial=0.0)
    keys = ["ra_deg: ", "dec_deg: ", "frequency_ghz: ", "dish_diameter_m: "]
    return f"{text}\n  uv reach {longest:.4g} wavelengths\n\n{suggested(path, path.stem, keys)}"

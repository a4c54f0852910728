"""Compare the arrays of two results folders: `python tests/compare_results.py results/native results/slurm`.

The same pipeline run natively, in containers and on a cluster must give the same numbers. Files are not the
same bytes (dates, locks, run times), so arrays are compared: zarr stores, tables, FITS images, network
weights and Measurement Sets. A difference is judged against the largest magnitude in its array, since the
last-bit differences of a threaded gridder or FFT scale with that and not with each element.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

# What is computed in one pass differs in the last bits of float32 at most.
DIRECT = 1e-6
# Inference iterates: optimisers and training amplify last bits, stopping rules may tip over by one step.
# A tenth of a per cent is far below the posterior's own standard deviation and Monte Carlo error.
INFERRED = 1e-3
INFERRED_FOLDERS = ("image", "train", "catalogue")


def main() -> None:
    """Print every file with its largest relative difference; exit with 1 where one is too large."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("first", type=Path)
    parser.add_argument("second", type=Path)
    args = parser.parse_args()
    found, other = products(args.first), products(args.second)
    wrong = [f"{name} is in one folder only" for name in sorted(found ^ other)]
    if not found & other:
        wrong.append(f"there is nothing to compare in {args.first} and {args.second}")
    for name in sorted(found & other):
        difference, array = largest_difference(args.first / name, args.second / name)
        allowed = INFERRED if Path(name).parts[1] in INFERRED_FOLDERS else DIRECT
        print(f"{difference:8.1e}  {name}")
        if not difference <= allowed:
            wrong.append(f"{name}: {array} differs by {difference:.1e}, allowed is {allowed:.0e}")
    if wrong:
        sys.exit("error: " + "\nerror: ".join(wrong))


def products(folder: Path) -> set[str]:
    """The files (and Measurement Sets) of a results folder whose arrays can be compared."""
    names = {str(file.relative_to(folder)) for kind in READERS for file in folder.rglob(f"*{kind}")}
    return {name for name in names if not any(part.startswith(".") for part in Path(name).parts)}


def largest_difference(first: Path, second: Path) -> tuple[float, str]:
    """The largest difference between the arrays of two files, relative to each array's largest magnitude."""
    reader = next(reader for kind, reader in READERS.items() if first.name.endswith(kind))
    arrays, others = dict(reader(first)), dict(reader(second))
    if arrays.keys() != others.keys():
        return np.inf, f"the set of arrays ({', '.join(sorted(arrays.keys() ^ others.keys()))})"
    found = [(relative_difference(np.asarray(arrays[key]), np.asarray(others[key])), key) for key in arrays]
    return max(found, default=(np.inf, "nothing in it"))


def relative_difference(a: np.ndarray, b: np.ndarray) -> float:
    """max |a - b| / max |a|; infinite where shape, kind, text or the places of NaN differ."""
    if a.shape != b.shape or a.dtype.kind != b.dtype.kind:
        return np.inf
    if a.dtype.kind not in "fciu":
        return 0.0 if np.array_equal(a, b) else np.inf
    if not np.array_equal(np.isfinite(a), np.isfinite(b)):
        return np.inf
    finite = np.isfinite(a)
    a, b = a[finite].astype(complex), b[finite].astype(complex)
    scale = np.abs(a).max(initial=0) or 1.0
    return float(np.abs(a - b).max(initial=0) / scale)


def zarr_arrays(path: Path) -> Iterator[tuple[str, np.ndarray]]:
    import zarr

    with zarr.storage.ZipStore(path, mode="r") as store:
        for name, item in zarr.open_group(store, mode="r").members(max_depth=None):
            if isinstance(item, zarr.Array):
                yield name, item[...]


def table_columns(path: Path) -> Iterator[tuple[str, np.ndarray]]:
    from astropy.table import Table

    table = Table.read(path, format="ascii.ecsv" if path.suffix == ".ecsv" else "ascii.csv")
    for name in table.colnames:
        column = table[name]
        if hasattr(column, "mask"):
            yield f"mask of {name}", column.mask
            column = column[~column.mask]
        yield name, np.asarray(column)


def fits_images(path: Path) -> Iterator[tuple[str, np.ndarray]]:
    from astropy.io import fits

    with fits.open(path) as hdus:
        for number, hdu in enumerate(hdus):
            if hdu.is_image and hdu.data is not None:
                yield f"extension {number}", hdu.data.astype(float)


def weights(path: Path) -> Iterator[tuple[str, np.ndarray]]:
    from safetensors.numpy import load_file

    yield from load_file(path).items()


def measurement_set(path: Path) -> Iterator[tuple[str, np.ndarray]]:
    from casacore.tables import table

    with table(str(path), ack=False) as main:
        for name in ("UVW", "TIME", "ANTENNA1", "ANTENNA2", "DATA", "SIGMA"):
            yield name, main.getcol(name)


READERS = {
    ".zarr.zip": zarr_arrays,
    ".ecsv": table_columns,
    ".csv": table_columns,
    ".fits": fits_images,
    ".safetensors": weights,
    ".ms": measurement_set,
}


if __name__ == "__main__":
    main()

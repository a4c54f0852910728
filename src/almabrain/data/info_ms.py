"""What a Measurement Set holds, read through python-casacore without writing anything."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from almabrain.console.errors import UserError
from almabrain.data.constants import SPEED_OF_LIGHT_M_S
from almabrain.data.text import lay_out, sexagesimal, suggested

IMAGED_COLUMNS = ("CORRECTED_DATA", "DATA")  # the first one that is there is suggested
DATA_COLUMNS = (*IMAGED_COLUMNS, "MODEL_DATA", "FLOAT_DATA")
# Codes of MEAS_FREQ_REF and CORR_TYPE: CASA memo 229, and casacore's MFrequency and Stokes.
FRAMES = "REST LSRK LSRD BARY GEO TOPO GALACTO LGROUP CMB".split()
CORRELATIONS = "? I Q U V RR RL LR LL XX XY YX YY".split()
# One pass over the main table per field and data description. Antennas with themselves are no baselines.
_CENSUS = """
select FIELD_ID, DATA_DESC_ID, gcount() as N_ROW, gsum(ntrue(anys(not FLAG, 1))) as N_GOOD,
  gsum(iif(sum(WEIGHT) <= 0, ntrue(anys(not FLAG, 1)), 0)) as N_WEIGHTLESS,
  gmin(iif(ANTENNA1 != ANTENNA2 and nfalse(FLAG) > 0, sqrt(UVW[0]**2 + UVW[1]**2), 1e30)) as SHORTEST,
  gmax(iif(nfalse(FLAG) > 0, sqrt(UVW[0]**2 + UVW[1]**2), 0.0)) as LONGEST
from $main where not FLAG_ROW groupby FIELD_ID, DATA_DESC_ID
"""


@dataclass(frozen=True)
class Census:
    """Rows, unflagged samples and baselines [m] of one field and data description."""

    field: int
    description: int
    rows: int
    good: int
    weightless: int
    shortest_m: float
    longest_m: float


def describe_measurement_set(path: Path) -> str:
    """Text on fields, windows, columns, antennas, times, baselines and unflagged visibilities of a set."""
    main = _open(path)
    census = _census(main)
    used = sum(item.good for item in census)
    fields, windows = _fields(path, census), _windows(path, census)
    columns = [name for name in DATA_COLUMNS if name in main.colnames()]
    rows = [
        ("telescope", ", ".join(sorted(set(_column(path, "OBSERVATION", "TELESCOPE_NAME"))))),
        ("time", _times(main)),
        ("antennas", _antennas(path, main)),
        ("polarisations", _polarisations(path)),
        ("data columns", ", ".join(columns) or "none: there are no visibilities to image"),
        (
            "other columns",
            ", ".join(
                name for name in ("WEIGHT", "WEIGHT_SPECTRUM", "SIGMA", "MODEL") if name in main.colnames()
            ),
        ),
        ("visibilities", f"{used} unflagged (row x channel, any polarisation) in {main.nrows()} rows"),
    ]
    weightless = sum(item.weightless for item in census)
    if weightless:
        rows.append(("", f"{weightless} of them have weight 0 and do not count in an image"))
    if used:
        rows.append(("baselines", _baselines(census)))
    else:
        rows.append(("baselines", "none: every visibility is flagged"))
    rows.append((f"fields ({len(fields)})", "\n".join(fields)))
    rows.append((f"windows ({len(windows)})", "\n".join(windows)))
    text = f"{path}: Measurement Set\n{lay_out(rows)}"
    imaged = [name for name in columns if name in IMAGED_COLUMNS]
    if not imaged or not used:
        return text
    return f"{text}\n\n{suggested(path, path.stem, _keys(census, path, imaged))}"


def _open(path: Path, sub: str = ""):
    from casacore.tables import table

    try:
        return table(str(path / sub) if sub else str(path), readonly=True, ack=False)
    except RuntimeError:
        what = f"has no readable subtable {sub}" if sub else "is a folder but no Measurement Set"
        raise UserError(f"{path} {what}; give a whole Measurement Set or a FITS image") from None


def _column(path: Path, sub: str, name: str):
    return _open(path, sub).getcol(name)


def _census(main) -> list[Census]:
    from casacore.tables import taql

    missing = {"FIELD_ID", "DATA_DESC_ID", "FLAG", "FLAG_ROW", "WEIGHT", "UVW"} - set(main.colnames())
    if missing:
        raise UserError(f"{main.name()} has no column {sorted(missing)[0]}; give a whole Measurement Set")
    found = taql(_CENSUS)
    names = ("FIELD_ID", "DATA_DESC_ID", "N_ROW", "N_GOOD", "N_WEIGHTLESS", "SHORTEST", "LONGEST")
    if not found.nrows():
        return []
    columns = [found.getcol(name) for name in names]
    return [Census(*(value.item() for value in row)) for row in zip(*columns)]


def _times(main) -> str:
    from astropy.time import Time

    if not main.nrows():
        return "no rows"
    # Windows of one integration may differ by milliseconds: to a tenth of a second they are one.
    times = np.unique(np.round(main.getcol("TIME"), 1))
    first, last = (Time(value / 86400, format="mjd").iso[:19] for value in times[[0, -1]])
    text = f"{first} to {last} UTC, {times.size} time stamps"
    if times.size > 1:
        text += f", usually {np.median(np.diff(times)):.3g} s apart"
    return f"{text}; integration {np.median(main.getcol('INTERVAL')):.3g} s as the column INTERVAL says"


def _antennas(path: Path, main) -> str:
    diameters = _column(path, "ANTENNA", "DISH_DIAMETER")
    stations = _column(path, "ANTENNA", "STATION")
    present = np.union1d(np.unique(main.getcol("ANTENNA1")), np.unique(main.getcol("ANTENNA2")))
    sizes, counts = np.unique(diameters[present], return_counts=True)
    dishes = ", ".join(f"{count} of {size:g} m" for size, count in zip(sizes, counts))
    return f"{dishes}\n{' '.join(np.asarray(stations)[present])}"


def _polarisations(path: Path) -> str:
    sub = _open(path, "POLARIZATION")
    kinds = {tuple(np.ravel(sub.getcell("CORR_TYPE", i))) for i in range(sub.nrows())}
    return " or ".join(sorted(", ".join(_named(CORRELATIONS, code) for code in kind) for kind in kinds))


def _named(names: list[str], code: int) -> str:
    return names[code] if 0 <= code < len(names) else f"code {code}"


def _baselines(census: list[Census]) -> str:
    shortest = min(item.shortest_m for item in census if item.good)
    return f"{shortest:.1f} to {max(item.longest_m for item in census):.1f} m (projected, unflagged)"


def _fields(path: Path, census: list[Census]) -> list[str]:
    sub = _open(path, "FIELD")
    lines = []
    for i in range(sub.nrows()):
        ra, dec = np.degrees(np.asarray(sub.getcell("PHASE_DIR", i))[0])
        good = sum(item.good for item in census if item.field == i)
        lines.append(f"{i}  {sub.getcell('NAME', i)}  {sexagesimal(ra % 360, dec)}  {good} visibilities")
    return lines


def _windows(path: Path, census: list[Census]) -> list[str]:
    """One line per window; resolution and scales from λ/B, field from 1.13 λ/D (ALMA Technical Handbook)."""
    sub = _open(path, "SPECTRAL_WINDOW")
    of_description = _column(path, "DATA_DESCRIPTION", "SPECTRAL_WINDOW_ID")
    dish_m = float(np.min(_column(path, "ANTENNA", "DISH_DIAMETER")))
    lines = []
    for i in range(sub.nrows()):
        frequency, width = sub.getcell("CHAN_FREQ", i), np.abs(sub.getcell("CHAN_WIDTH", i))
        mine = [item for item in census if of_description[item.description] == i and item.good]
        frame = _named(FRAMES, sub.getcell("MEAS_FREQ_REF", i))
        span = f"{frequency.min() / 1e9:.6f}"
        span += f" to {frequency.max() / 1e9:.6f}" if frequency.size > 1 else ""
        line = f"{i}  {span} GHz {frame}, {frequency.size} x {np.median(width) / 1e6:.6g} MHz"
        if mine:
            wave_arcsec_m = np.degrees(SPEED_OF_LIGHT_M_S / np.mean(frequency)) * 3600
            finest = wave_arcsec_m / max(item.longest_m for item in mine)
            largest = wave_arcsec_m / min(item.shortest_m for item in mine)
            line += f", {sum(item.good for item in mine)} visibilities"
            line += f', resolves ~{finest:.2g}" up to ~{largest:.2g}"'
            line += f', primary beam {1.13 * wave_arcsec_m / dish_m:.3g}"'
        lines.append(line if mine else f"{line}, nothing unflagged")
    return lines


def _keys(census: list[Census], path: Path, columns: list[str]) -> list[str]:
    of_description = _column(path, "DATA_DESCRIPTION", "SPECTRAL_WINDOW_ID")
    fields = sorted({item.field for item in census if item.good})
    windows = sorted({int(of_description[item.description]) for item in census if item.good})
    keys = [f"fields: [{fields[0]}]"]
    if len(fields) > 1:
        keys[0] += f"  # of {len(fields)}; list those of one mosaic, or [] for all"
    return [*keys, f"spectral_windows: {windows}", f"data_column: {columns[0]}"]

"""Visibilities as a Measurement Set, version 2 (Kemball & Wieringa 2000, CASA memo 229)."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import xarray as xr

from almabrain.console.errors import UserError

# Codes of casacore's Stokes and MFrequency enumerations.
_XX, _YY = 9, 12
_FRAMES = {"REST": 0, "LSRK": 1, "LSRD": 2, "BARY": 3, "GEO": 4, "TOPO": 5}


def write_measurement_set(
    path: Path,
    windows: Mapping[str, xr.Dataset],
    antennas: xr.Dataset,
    pointings: xr.Dataset,
    history: str,
) -> None:
    """Write all windows of one observation as a Measurement Set at `path`, which must not exist.

    `windows`, `antennas` and `pointings` as the stage simulate makes them, with visibilities; flags (row,) or
    (row, channel). Columns: DATA (XX, YY, with noise), SIGMA, WEIGHT = 1/SIGMA², WEIGHT_SPECTRUM, FLAG, UVW of
    antenna 1 − antenna 2; a field for every pointing, an observation and an array number for every execution.
    `history` goes to HISTORY. Raises UserError where the visibilities were not kept.
    """
    from casacore import tables

    for name, window in windows.items():
        if "visibility" not in window:
            raise UserError(
                f"window {name} has no visibilities to export; set simulate.visibilities to true and run "
                "the stage simulate again"
            )
    columns = [
        tables.makearrcoldesc("DATA", 0j, ndim=2, valuetype="complex", comment="XX and YY [Jy]"),
        tables.makearrcoldesc("WEIGHT_SPECTRUM", 0.0, ndim=2, valuetype="float", comment="1/Jy^2"),
    ]
    main = tables.default_ms(str(path), tables.maketabdesc(columns))
    source = tables.default_ms_subtable(
        "SOURCE", str(path / "SOURCE"), tables.maketabdesc(_line_columns(tables))
    )
    main.putkeyword("SOURCE", source)
    source.close()
    with tables.table(f"{path}::SPECTRAL_WINDOW", readonly=False, ack=False) as table:
        table.addcols(tables.maketabdesc([tables.makescacoldesc("BBC_NO", 0, comment="Baseband")]))
    main.putcolkeyword("UVW", "MEASINFO", {"type": "uvw", "Ref": "ICRS"})
    for number, window in enumerate(windows.values()):
        _main_rows(main, number, window)
    main.close()
    for name, columns in _subtables(windows, antennas, pointings, history).items():
        with tables.table(f"{path}::{name}", readonly=False, ack=False) as table:
            table.addrows(len(next(iter(columns.values()))))
            for column, cells in columns.items():
                for row, cell in enumerate(cells):
                    table.putcell(column, row, cell)
            for column in ("DELAY_DIR", "PHASE_DIR", "REFERENCE_DIR", "DIRECTION", "TARGET"):
                if column in columns:
                    table.putcolkeyword(column, "MEASINFO", {"type": "direction", "Ref": "ICRS"})


def _line_columns(tables) -> list[dict]:
    """Columns of SOURCE that version 2 leaves free, and that readers of ALMA's sets expect."""
    frequency = {"QuantumUnits": ["Hz"], "MEASINFO": {"type": "frequency", "Ref": "REST"}}
    velocity = {"QuantumUnits": ["m/s"], "MEASINFO": {"type": "radialvelocity", "Ref": "BARY"}}
    return [
        tables.makearrcoldesc("REST_FREQUENCY", 0.0, ndim=1, keywords=frequency),
        tables.makearrcoldesc("SYSVEL", 0.0, ndim=1, keywords=velocity),
        tables.makearrcoldesc("TRANSITION", "", ndim=1),
    ]


def _main_rows(main, number: int, window: xr.Dataset) -> None:
    count, start = window.sizes["row"], main.nrows()
    main.addrows(count)
    sigma = window["sigma_jy"].values
    row_sigma = 1 / np.sqrt((1 / sigma**2).mean(axis=1))
    pair = np.ones(2, np.float32)
    weight = np.multiply.outer(1 / sigma**2, pair).astype(np.float32)
    exposure = window["integration_s"].values
    time = window["time_mjd_s"].values
    flagged = window["flag"].values.reshape(count, -1)
    columns = {
        "DATA": window["visibility"].values,
        "FLAG": np.broadcast_to(flagged[:, :, None], weight.shape),
        "FLAG_ROW": flagged.all(axis=1),
        "WEIGHT_SPECTRUM": weight,
        "SIGMA": np.multiply.outer(row_sigma, pair).astype(np.float32),
        "WEIGHT": np.multiply.outer(1 / row_sigma**2, pair).astype(np.float32),
        "UVW": window["uvw_m"].values,
        "TIME": time,
        "TIME_CENTROID": time,
        "INTERVAL": exposure,
        "EXPOSURE": exposure,
        "ANTENNA1": window["antenna1"].values,
        "ANTENNA2": window["antenna2"].values,
        "DATA_DESC_ID": np.full(count, number),
        "FIELD_ID": window["pointing"].values,
        "OBSERVATION_ID": window["execution"].values,
        # Two executions at one time are two arrays: their antennas were never correlated.
        "ARRAY_ID": window["execution"].values,
        "SCAN_NUMBER": window["scan"].values,
    }
    # One processor, state and feed: all have number 0.
    columns |= {name: np.zeros(count, int) for name in ("PROCESSOR_ID", "STATE_ID", "FEED1", "FEED2")}
    for name, values in columns.items():
        main.putcol(name, values, start, count)


def _subtables(windows, antennas: xr.Dataset, pointings: xr.Dataset, history: str) -> dict[str, dict]:
    """Columns of every subtable, each a list with a cell per row."""
    first = next(iter(windows.values()))
    span = _span(first)
    target = np.radians([first.attrs["ra_deg"], first.attrs["dec_deg"]])
    directions = np.radians(np.stack([pointings["ra_deg"].values, pointings["dec_deg"].values], axis=-1))
    name = first.attrs["target_name"]
    return {
        "ANTENNA": _antenna_columns(antennas),
        "FEED": _feed_columns(antennas.sizes["antenna"], span),
        "POINTING": _pointing_columns(first, antennas, name, directions),
        "SPECTRAL_WINDOW": _window_columns(windows),
        "DATA_DESCRIPTION": {
            "SPECTRAL_WINDOW_ID": list(range(len(windows))),
            "POLARIZATION_ID": [0] * len(windows),
            "FLAG_ROW": [False] * len(windows),
        },
        **_sky_tables(name, target, directions, span, windows),
        **_mode_tables(),
        **_record_tables(first, span, history),
    }


def _span(window: xr.Dataset, rows=slice(None)) -> tuple[float, float]:
    """First and last moment of rows, MJD s."""
    time, half = window["time_mjd_s"].values[rows], window["integration_s"].values[rows] / 2
    return float((time - half).min()), float((time + half).max())


def _during(span: tuple[float, float], count: int) -> dict[str, list]:
    """Middle and length of the observation in `count` rows."""
    return {"TIME": [(span[0] + span[1]) / 2] * count, "INTERVAL": [span[1] - span[0]] * count}


def _sky_tables(name: str, target, directions: np.ndarray, span, windows) -> dict[str, dict[str, list]]:
    """Fields (one for each pointing, all of one name, as ALMA's mosaics have them) and their one source.

    The source has a row for each window, whose rest frequency is the window's middle: velocities count from it.
    """
    count, n_windows = len(directions), len(windows)
    middle = [np.array([window["frequency_hz"].values.mean()]) for window in windows.values()]
    each = [direction[None] for direction in directions]
    return {
        "FIELD": {
            "NAME": [name] * count,
            "CODE": [""] * count,
            "TIME": _during(span, count)["TIME"],
            "NUM_POLY": [0] * count,
            "DELAY_DIR": each,
            "PHASE_DIR": each,
            "REFERENCE_DIR": each,
            "SOURCE_ID": [0] * count,
            "FLAG_ROW": [False] * count,
        },
        "SOURCE": {
            **_during(span, n_windows),
            "SOURCE_ID": [0] * n_windows,
            "SPECTRAL_WINDOW_ID": list(range(n_windows)),
            "NUM_LINES": [1] * n_windows,
            "NAME": [name] * n_windows,
            "CODE": [""] * n_windows,
            "CALIBRATION_GROUP": [0] * n_windows,
            "DIRECTION": [target] * n_windows,
            "PROPER_MOTION": [np.zeros(2)] * n_windows,
            "REST_FREQUENCY": middle,
            "SYSVEL": [np.zeros(1)] * n_windows,
            "TRANSITION": [["middle of the window"]] * n_windows,
        },
    }


def _mode_tables() -> dict[str, dict[str, list]]:
    """How the correlator ran: two parallel polarisations, always on the source."""
    return {
        "POLARIZATION": {
            "NUM_CORR": [2],
            "CORR_TYPE": [np.array([_XX, _YY])],
            "CORR_PRODUCT": [np.array([[0, 0], [1, 1]])],
            "FLAG_ROW": [False],
        },
        "STATE": {
            "SIG": [True],
            "REF": [False],
            "CAL": [0.0],
            "LOAD": [0.0],
            "SUB_SCAN": [1],
            "OBS_MODE": ["OBSERVE_TARGET#ON_SOURCE"],
            "FLAG_ROW": [False],
        },
        "PROCESSOR": {
            "TYPE": ["CORRELATOR"],
            "SUB_TYPE": ["ALMA"],
            "TYPE_ID": [-1],
            "MODE_ID": [-1],
            "FLAG_ROW": [False],
        },
    }


def _record_tables(window: xr.Dataset, span, history: str) -> dict[str, dict[str, list]]:
    attrs, execution = window.attrs, window["execution"].values
    spans = [_span(window, execution == number) for number in range(execution.max() + 1)]
    count = len(spans)
    return {
        "OBSERVATION": {
            "TELESCOPE_NAME": [attrs["telescope"]] * count,
            "TIME_RANGE": [np.array(limits) for limits in spans],
            "OBSERVER": ["almabrain"] * count,
            "LOG": [["simulated"]] * count,
            "SCHEDULE_TYPE": ["ALMA"] * count,
            "SCHEDULE": [[attrs["observation"]]] * count,
            "PROJECT": [attrs["simulation"]] * count,
            "RELEASE_DATE": [span[1]] * count,
            "FLAG_ROW": [False] * count,
        },
        "HISTORY": {
            "TIME": [span[1]],
            "OBSERVATION_ID": [0],
            "MESSAGE": [history],
            "PRIORITY": ["INFO"],
            "ORIGIN": ["almabrain"],
            "OBJECT_ID": [0],
            "APPLICATION": ["almabrain"],
            "CLI_COMMAND": [[""]],
            "APP_PARAMS": [[""]],
        },
    }


def _pointing_columns(window, antennas, name: str, directions: np.ndarray) -> dict[str, list]:
    """Where every antenna pointed: one row for each stretch of its execution on one pointing."""
    execution, pointing, time = (window[key].values for key in ("execution", "pointing", "time_mjd_s"))
    columns: dict[str, list] = {key: [] for key in ("ANTENNA_ID", "TIME", "INTERVAL", "DIRECTION")}
    for number in range(execution.max() + 1):
        rows = np.flatnonzero(execution == number)
        rows = rows[np.argsort(time[rows], kind="stable")]
        starts = np.flatnonzero(np.diff(pointing[rows], prepend=-1))
        for stretch in np.split(rows, starts[1:]):
            middle = _during(_span(window, stretch), 1)
            for antenna in np.flatnonzero(antennas["execution"].values == number):
                columns["ANTENNA_ID"].append(int(antenna))
                columns["TIME"] += middle["TIME"]
                columns["INTERVAL"] += middle["INTERVAL"]
                columns["DIRECTION"].append(directions[pointing[stretch[0]]][None])
    count = len(columns["TIME"])
    return columns | {
        "NAME": [name] * count,
        "NUM_POLY": [0] * count,
        "TIME_ORIGIN": columns["TIME"],
        "TARGET": columns["DIRECTION"],
        "TRACKING": [True] * count,
    }


def _antenna_columns(antennas: xr.Dataset) -> dict[str, list]:
    count = antennas.sizes["antenna"]
    return {
        "NAME": [str(name) for name in antennas["name"].values],
        "STATION": [str(pad) for pad in antennas["pad"].values],
        "TYPE": ["GROUND-BASED"] * count,
        "MOUNT": ["ALT-AZ"] * count,
        "POSITION": list(antennas["itrf_m"].values),
        "OFFSET": [np.zeros(3)] * count,
        "DISH_DIAMETER": list(antennas["diameter_m"].values),
        "FLAG_ROW": [False] * count,
    }


def _feed_columns(count: int, span) -> dict[str, list]:
    return {
        **_during(span, count),
        "ANTENNA_ID": list(range(count)),
        "FEED_ID": [0] * count,
        "SPECTRAL_WINDOW_ID": [-1] * count,
        "NUM_RECEPTORS": [2] * count,
        "BEAM_ID": [-1] * count,
        "BEAM_OFFSET": [np.zeros((2, 2))] * count,
        "POLARIZATION_TYPE": [["X", "Y"]] * count,
        "POL_RESPONSE": [np.eye(2, dtype=np.complex64)] * count,
        "POSITION": [np.zeros(3)] * count,
        "RECEPTOR_ANGLE": [np.zeros(2)] * count,
    }


def _window_columns(windows) -> dict[str, list]:
    count = len(windows)
    frequency = [window["frequency_hz"].values for window in windows.values()]
    width = [window["channel_width_hz"].values for window in windows.values()]
    positive = [np.abs(values) for values in width]
    return {
        "NAME": list(windows),
        "NUM_CHAN": [len(values) for values in frequency],
        "CHAN_FREQ": frequency,
        "CHAN_WIDTH": width,
        "EFFECTIVE_BW": positive,
        "RESOLUTION": positive,
        "REF_FREQUENCY": [values[0] for values in frequency],
        "TOTAL_BANDWIDTH": [values.sum() for values in positive],
        "MEAS_FREQ_REF": [_FRAMES[window.attrs["frame"]] for window in windows.values()],
        "NET_SIDEBAND": [0] * count,
        "FREQ_GROUP": [0] * count,
        "FREQ_GROUP_NAME": [""] * count,
        "IF_CONV_CHAIN": [0] * count,
        "BBC_NO": list(range(1, count + 1)),
        "FLAG_ROW": [False] * count,
    }

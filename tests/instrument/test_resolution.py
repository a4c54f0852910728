import csv

import numpy as np
import pytest
from scipy.constants import speed_of_light

from almabrain.console.errors import UserError
from almabrain.instrument import configurations, frequency_support, pads, primary_beam, resolution, site


def overhead_s(dec_deg: float) -> float:
    return site.time_of_hour_angle_mjd_s(150.0, dec_deg, 0.0, 60000)


def itrf_of(name: str) -> np.ndarray:
    return pads.itrf([pair.split(":")[0] for pair in configurations.antennas(name)])


def test_baselines_seen_from_the_zenith_have_their_full_length():
    places = itrf_of("alma.cycle9.3")
    dec = float(np.rad2deg(site.LATITUDE_RAD))
    seen = resolution.projected_baselines_m(places, 150.0, dec, [overhead_s(dec)])[:, 0]
    first, second = np.triu_indices(len(places), 1)
    full = np.linalg.norm(places[first] - places[second], axis=1)
    # Pads differ in height by metres, and precession moves the source by 0.4 deg.
    assert np.abs(seen / full - 1).max() < 0.01


def test_a_low_source_shortens_north_south_baselines_and_no_others():
    east = np.array([-np.sin(site.LONGITUDE_RAD), np.cos(site.LONGITUDE_RAD), 0])
    lat, lon = site.LATITUDE_RAD, site.LONGITUDE_RAD
    north = np.array([-np.sin(lat) * np.cos(lon), -np.sin(lat) * np.sin(lon), np.cos(lat)])
    places = np.array([0 * east, 100 * east, 100 * north])
    dec = float(np.rad2deg(lat) + 60)
    seen = resolution.projected_baselines_m(places, 150.0, dec, [overhead_s(dec)])[:, 0]
    assert seen[0] == pytest.approx(100, rel=0.01)  # first and second: east
    assert seen[1] == pytest.approx(50, rel=0.02)  # 60 deg from the zenith


# Resolution at 100 GHz, arcsec, that the ALMA Proposer's Guide gives for C-1 to C-10 (from imaged simulations).
PUBLISHED_ARCSEC = (3.38, 2.30, 1.42, 0.92, 0.545, 0.306, 0.211, 0.096, 0.057, 0.042)


@pytest.mark.parametrize("number", range(1, 11))
def test_resolution_is_near_the_published_one(number):
    """The formula and the images differ by 0.96 to 1.07, configuration by configuration."""
    dec = float(np.rad2deg(site.LATITUDE_RAD))
    times = overhead_s(dec) + np.linspace(-3600, 3600, 9)
    found = resolution.resolution_arcsec(itrf_of(f"alma.cycle9.{number}"), 150.0, dec, times, 100e9)
    assert found == pytest.approx(PUBLISHED_ARCSEC[number - 1], rel=0.08)


@pytest.mark.real_data
def test_beam_and_field_of_view_of_every_band_are_the_archives(real_data):
    """Rows of a single configuration: no antenna at two pads, no pad with two antennas, dishes of one size."""
    by_band: dict[str, list] = {}
    with open(real_data / "archive" / "alma_observations.csv") as file:
        for row in csv.DictReader(file):
            pairs = [pair.split(":") for pair in row["antenna_arrays"].split()]
            stations, antennas = ({pair[i] for pair in pairs} for i in (0, 1))
            try:
                sizes = {pads.dish_diameter_m(name) for name in antennas}
                places = pads.itrf([pad for pad, _ in pairs])
            except (UserError, IndexError):
                continue
            if not len(stations) == len(antennas) == len(pairs) or len(sizes) != 1:
                continue
            windows = frequency_support.parse(row["Freq.sup."])
            frequency = np.mean([window.centre_hz for window in windows])
            times = float(row["Total.Time"]) * 86400 + np.linspace(0, float(row["Int.Time"]), 9)
            beam = resolution.resolution_arcsec(places, float(row["RA"]), float(row["Dec"]), times, frequency)
            field = np.rad2deg(primary_beam.half_power_width_rad(frequency, sizes.pop()))
            ratios = beam / float(row["Ang.res."]), field / float(row["FOV"])
            by_band.setdefault(row["Band"], []).append(ratios)
    assert sum(map(len, by_band.values())) > 1100
    single = {band: values for band, values in by_band.items() if " " not in band}
    assert {"3", "4", "5", "6", "7", "8", "9", "10"} <= set(single)
    for band, values in single.items():
        beam, field = np.median(values, axis=0)
        print(f"band {band}: {len(values)} rows, beam {beam:.3f}, field of view {field:.3f} of the archive's")
        assert 0.90 < beam < 1.10 and 0.90 < field < 1.10, band


def test_wavelength_and_baseline_scale_the_resolution():
    places = itrf_of("alma.cycle9.5")
    time = [overhead_s(-23.0)]
    at_100 = resolution.resolution_arcsec(places, 150.0, -23.0, time, 100e9)
    assert resolution.resolution_arcsec(places, 150.0, -23.0, time, 200e9) == pytest.approx(at_100 / 2)
    l80 = np.percentile(resolution.projected_baselines_m(places, 150.0, -23.0, time), 80)
    assert np.deg2rad(at_100 / 3600) * l80 == pytest.approx(0.574 * speed_of_light / 100e9)

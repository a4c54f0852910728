"""What one simulation can see: of several executions, of unlike dishes, of mosaics."""

import numpy as np
import pytest

from almabrain.config.base import check
from almabrain.config.sky import SkySettings
from almabrain.data.coordinates import ARCSEC
from almabrain.instrument import noise, primary_beam, site
from almabrain.sky.field import from_rows


def field(*rows, **settings):
    return from_rows(rows, check(SkySettings, settings, "sky"))


def antennas(**numbers) -> str:
    """Rows' antennas: so many of every kind (DV, CM)."""
    names = [f"{kind}{index:02d}" for kind, number in numbers.items() for index in range(1, number + 1)]
    return " ".join(f"A{index:03d}:{name}" for index, name in enumerate(names))


def test_executions_add_up_by_their_weight(row):
    long, short = row(t_exptime=1200.0, s_resolution=0.2), row(t_exptime=300.0, s_resolution=1.0)
    apart = [field(one) for one in (long, short)]
    both = field(long, short)
    weight = np.array([one.sensitivity_jy**-2 for one in apart])
    assert both.sensitivity_jy == pytest.approx(weight.sum() ** -0.5)
    # The mean square of the baselines' lengths, each the inverse of a beam.
    assert both.beam_arcsec == pytest.approx((weight @ [25, 1] / weight.sum()) ** -0.5)


def test_noise_of_unlike_dishes_is_that_of_all_pairs(row):
    """Against a sum over every pair of antennas, with the radiometer's noise of each."""
    mixed = row([(342.0, 344.0)], antenna_arrays=antennas(DV=5, CM=4), array="12m+7m")
    elevation = site.elevation_rad(mixed["s_ra"], mixed["s_dec"], mixed["t_min"] * 86400 + 450)
    sizes = [12.0] * 5 + [7.0] * 4
    single = {
        size: noise.visibility_sigma(343e9, 2e9, 900, size, 0.7, elevation, band=7) for size in (12.0, 7.0)
    }
    weight = 0.0
    for first in range(9):
        for second in range(first + 1, 9):
            # Two polarisations, and a noise that is the geometric mean of both dishes'.
            weight += 2 / (single[sizes[first]] * single[sizes[second]])
    assert field(mixed).sensitivity_jy == pytest.approx(weight**-0.5)


def test_a_single_field_reaches_as_far_as_its_beam(row):
    made = field(row(), max_offset_beams=1000, min_primary_beam=0.2)
    assert primary_beam.power(made.radius_rad, made.reference_frequency_hz, 12) == pytest.approx(
        0.2, abs=2e-3
    )
    assert field(row(), max_offset_beams=3).radius_rad == pytest.approx(3 * 0.8 * ARCSEC)


def test_a_mosaic_reaches_beyond_its_outer_pointings(row):
    single, mosaic = (
        field(row(), max_offset_beams=1000),
        field(row(pointings="-20,0 0,0 20,0"), max_offset_beams=1000),
    )
    assert mosaic.radius_rad / ARCSEC == pytest.approx(20 + single.radius_rad / ARCSEC, rel=0.06)
    assert mosaic.primary_beam(20 * ARCSEC, 0.0) > 0.9
    assert mosaic.solid_angle_sr(0.3) > 2 * single.solid_angle_sr(0.3)


def test_noise_of_a_mosaic_is_that_of_its_pointings_time(row):
    """Far apart, each of two pointings has half of the time; at one place they are one field."""
    single = field(row()).sensitivity_jy
    assert field(row(pointings="-60,0 60,0")).sensitivity_jy == pytest.approx(np.sqrt(2) * single, rel=2e-3)
    assert field(row(pointings="0,0 0,0")).sensitivity_jy == pytest.approx(single)


def test_sources_of_a_mosaic_lie_in_its_beam(draw, row):
    made = draw(
        rows=[row(pointings="-20,0 0,0 20,0")],
        model="points",
        sources=[300, 300],
        separation_beams=0,
        max_offset_beams=1000,
        lines={"names": "none"},
    )
    assert 0.3 <= made.truth["pb"].min() < 0.4
    east = (made.truth["ra"] - 187.5) * 3600 * np.cos(np.deg2rad(40))
    north = (made.truth["dec"] + 40.0) * 3600
    assert east.min() < -22 and east.max() > 22 and np.abs(north).max() < 12

import numpy as np
import pytest

from almabrain.console.errors import UserError
from almabrain.data.coordinates import sphere_axes
from almabrain.instrument import pads, site


def test_pads_stand_on_the_ground_at_chajnantor():
    from astropy.coordinates import EarthLocation

    x, y, z = pads.itrf(["A001", "J503", "T701", "P401", "W201", "S301"]).T
    location = EarthLocation.from_geocentric(x, y, z, unit="m")
    assert np.allclose(location.lat.deg, -23.03, atol=0.08)
    assert np.allclose(location.lon.deg, -67.75, atol=0.08)
    assert np.all((location.height.value > 4600) & (location.height.value < 5200))


def test_origin_of_the_table_is_the_site_that_the_code_names(place):
    offset = sphere_axes(site.LONGITUDE_RAD, site.LATITUDE_RAD) @ (
        pads.itrf(["A001"])[0] - [c.to_value("m") for c in place.geocentric]
    )
    # alma.all.cfg says: 5.606 m east, 7.647 m north, 2.088 m below
    assert np.allclose(offset, [5.606, 7.647, -2.088], atol=2e-3)


def test_order_and_shape_follow_the_names():
    assert pads.itrf([]).shape == (0, 3)
    forth, back = pads.itrf(["A001", "A075"]), pads.itrf(["A075", "A001"])
    assert np.array_equal(forth, back[::-1]) and not np.array_equal(forth, back)


def test_unknown_pad_is_one_sentence_with_the_nearest_name():
    with pytest.raises(UserError, match="'A01' is not in the pad table; did you mean 'A"):
        pads.itrf(["A002", "A01"])
    assert pads.unknown(["A001", "APP01"]) == ["APP01"]


def test_dish_diameter_by_antenna_name():
    assert [pads.dish_diameter_m(name) for name in ("DA41", "DV10", "PM01", "CM02")] == [12, 12, 12, 7]
    with pytest.raises(UserError, match="'XX01'"):
        pads.dish_diameter_m("XX01")


@pytest.mark.real_data
@pytest.mark.parametrize("name", ["antennae_north_mosaic", "hd142527_co65"])
def test_baselines_agree_with_the_antenna_table_of_real_measurement_sets(real_data, name):
    tables = pytest.importorskip("casacore.tables")
    with tables.table(str(real_data / "visibilities" / f"{name}.ms" / "ANTENNA"), ack=False) as table:
        stations, positions = table.getcol("STATION"), table.getcol("POSITION")
    here = [i for i, pad in enumerate(stations) if not pads.unknown([pad])]
    assert len(here) >= 15
    difference = (positions[here] - pads.itrf([stations[i] for i in here])) @ sphere_axes(
        site.LONGITUDE_RAD, site.LATITUDE_RAD
    ).T
    difference -= np.median(difference, axis=0)
    assert np.abs(difference[:, :2]).max() < 0.08
    # One pad of the 2012 set stands 4.6 m too low in that set, against all others.
    assert np.sort(np.abs(difference[:, 2]))[-2] < 0.6

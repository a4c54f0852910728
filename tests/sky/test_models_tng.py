import logging

import h5py
import numpy as np
import pytest
from astropy.cosmology import Planck18

from almabrain.config.base import check
from almabrain.config.sky import SkySettings
from almabrain.console.errors import UserError
from almabrain.data.coordinates import ARCSEC, lm_grid
from almabrain.sky.illustris import Gas, load
from almabrain.sky.models.tng import DISPERSION_KMS, draw, project, seen

from .conftest import make_field

FIELD = make_field()
# TNG100 at redshift 1: half the size in comoving units, and velocities by the root of the scale factor.
HEADER = {"Time": 0.5, "Redshift": 1.0, "HubbleParam": 0.7, "BoxSize": 75000.0}


def write(path, header=HEADER, **fields):
    """A cutout as the public release lays it out; fields in its units."""
    number = len(fields["Coordinates"])
    given = {
        "Velocities": np.zeros((number, 3)),
        "Masses": np.ones(number),
        "Density": np.full(number, 1e6),
        "NeutralHydrogenAbundance": np.ones(number),
        "InternalEnergy": np.full(number, 200.0),
    } | fields
    with h5py.File(path, "w") as file:
        file.create_group("Header").attrs.update(header)
        for name, value in given.items():
            if value is not None:
                file[f"PartType0/{name}"] = np.asarray(value, "f8" if name == "Coordinates" else "f4")
    return path


def settings(folder, redshift=(1.0, 1.0), **section):
    given = {"model": "tng", "redshift": redshift, "tng": {"folder": str(folder)} | section}
    return check(SkySettings, given, "sky")


def galaxy(number=4000, seed=1, centre=(37000.0, 37000.0, 37000.0)):
    """Coordinates and velocities, in the files' units, of a disc of 5 kpc turning with 200 km/s about z."""
    rng = np.random.default_rng(seed)
    radius, angle = rng.gamma(2, 5 / 2, number), rng.uniform(0, 2 * np.pi, number)
    position = np.c_[radius * np.cos(angle), radius * np.sin(angle), rng.normal(0, 0.1, number)]
    velocity = 200 * np.c_[-np.sin(angle), np.cos(angle), 0 * angle]
    return (position * 0.7 / 0.5 + centre) % 75000.0, velocity / np.sqrt(0.5)


def test_units_by_hand(tmp_path):
    # Cell B: 14 ckpc/h from A along x, that is 14 * 0.5 / 0.7 = 10 kpc; 100 km sqrt(a)/s are 70.71 km/s.
    path = write(
        tmp_path / "two.hdf5",
        Coordinates=[[1000, 1000, 1000], [1014, 1000, 1000]],
        Velocities=[[0, 0, 0], [0, 100, 0]],
        Masses=[3, 1],
        Density=[1e6, 2e-3],
        NeutralHydrogenAbundance=[1.0, 0.5],
    )
    gas = load(path, settings(tmp_path, tracer="mass").tng)
    assert gas.redshift == 1
    assert np.allclose(gas.position_kpc, [[-2.5, 0, 0], [7.5, 0, 0]], atol=1e-9)
    assert np.allclose(gas.velocity_kms, [[0, 0, 0], [0, 70.7107, 0]], atol=1e-4)
    assert np.allclose(gas.mass_msun, [3e10 / 0.7, 1e10 / 0.7])
    # Density: 2e-3 * 1e10 M_sun/h / (ckpc/h)³ = 2e7 * 0.7² / 0.5³ M_sun/kpc³, so a sphere of this radius:
    assert gas.radius_kpc[1] == pytest.approx(
        (1e10 / 0.7 / (2e7 * 0.49 / 0.125) * 3 / (4 * np.pi)) ** (1 / 3)
    )
    neutral = load(path, settings(tmp_path).tng)
    assert np.allclose(neutral.mass_msun, [0.76 * 3e10 / 0.7, 0.76 * 0.5e10 / 0.7])


def test_molecular_share_by_hand(tmp_path):
    # rho = 1e-2 * 1e10 * 0.49 / 0.125 = 3.92e8 M_sun/kpc3 = 2.653e-20 kg/m3; P = 2/3 rho 200e6 m2/s2 =
    # 3.537e-12 Pa = 2.562e5 K/cm3, 5.958 times the reference; R = 5.958^0.92 = 5.165, share 0.8378.
    metals = [[0.7, 0.28, 0.02], [0.7, 0.28, 0.02]]
    path = write(
        tmp_path / "two.hdf5",
        Coordinates=[[0, 0, 0], [1, 0, 0]],
        Density=[1e-2, 1e-9],
        GFM_Metals=metals,
    )
    gas = load(path, settings(tmp_path, tracer="molecular").tng)
    assert gas.mass_msun[0] == pytest.approx(0.7 * 0.8378 * 1e10 / 0.7, rel=2e-3)
    assert gas.mass_msun[1] < 1e-5 * gas.mass_msun[0]


def test_a_cell_lands_in_its_voxel_with_its_mass_and_velocity():
    # 3 pixels west and 5 north of the centre of 20 x 20 pixels, receding with 37 km/s, a quarter of the light.
    one = np.array([1.0])
    bits = project(
        10,
        0.1,
        np.array([0.0, -0.3]),
        np.array([0.0, 0.5]),
        np.array([0.0, 37.0]),
        np.array([3.0, 1.0]),
        np.array([1e-3, 1e-3]),
    )
    cube = bits.line_pixels(np.array([-60, 20, 36.0, 38.0, 60.0]), 0.1)
    assert cube[2, 15, 13] == pytest.approx(0.25, abs=1e-6) and cube[0, 10, 10] == pytest.approx(
        0.75, abs=1e-6
    )
    assert cube.sum() == pytest.approx(1, abs=1e-6) and np.count_nonzero(cube > 1e-6) == 2
    # Between four pixels the light is shared, and a large cell is spread about its place.
    between = project(10, 0.1, -0.35 * one, 0.42 * one, 0 * one, one, 1e-3 * one).pixels
    assert between[14, 13] == pytest.approx(0.5 * 0.8) and between.sum() == pytest.approx(1)
    large = project(30, 0.1, -0.35 * one, 0.42 * one, 0 * one, one, 0.5 * one).pixels
    l, m = lm_grid(60, 0.1)
    assert (large * l).sum() / ARCSEC == pytest.approx(-0.35, abs=0.01)
    assert (large * m).sum() / ARCSEC == pytest.approx(0.42, abs=0.01)
    # <r²> of (1 - r²/R²)² is R²/4; the four pixels add a sixth of a pixel's area along each axis.
    spread = (large * ((l / ARCSEC + 0.35) ** 2 + (m / ARCSEC - 0.42) ** 2)).sum()
    assert spread == pytest.approx(1.0**2 / 4 + 2 / 6 * 0.01, rel=0.02)


def test_the_whole_way_by_hand(tmp_path):
    # A (3/4 of the mass) at rest and B 10 kpc from it, moving across with 70.71 km/s. Edge-on, whatever the
    # turn: B is seen along the line of nodes at x = 10 kpc cos(t), receding with 70.71 km/s cos(t).
    write(
        tmp_path / "two.hdf5",
        Coordinates=[[74999, 1000, 1000], [13, 1000, 1000]],  # through the wall of the box
        Velocities=[[50, 60, 70], [50, 160, 70]],
        Masses=[3, 1],
    )
    kpc_per_arcsec = Planck18.angular_diameter_distance(1.0).to_value("kpc") * ARCSEC
    assert kpc_per_arcsec == pytest.approx(8.23, abs=0.01)
    for seed in range(4):
        shape = draw(FIELD, settings(tmp_path, inclination_deg=[90, 90]), np.random.default_rng(seed))[0]
        l, m = lm_grid(len(shape.pixels), shape.cell_arcsec)
        edges = np.linspace(-150, 150, 601)
        cube = shape.line_pixels(edges, 300.0).astype(float)
        middle = (edges[1:] + edges[:-1]) / 2
        # The centre of light is the phase centre, and B's part lies three times as far from it as A's.
        assert np.hypot(shape.l, shape.m) < 1e-9 * ARCSEC + 1e-12
        spread = np.sqrt((shape.pixels * (l**2 + m**2)).sum()) / ARCSEC * kpc_per_arcsec
        along = spread / np.sqrt(3) * 4  # <x²> = 3/4 (x/4)² + 1/4 (3x/4)² = 3 x²/16
        velocity = (cube.sum(axis=(1, 2)) * middle).sum() / 0.25
        blurred = 0.13 * kpc_per_arcsec  # two points shared among pixels of 0.125 arcsec
        assert abs(velocity) / 70.7107 * 10 == pytest.approx(along, abs=blurred)
        assert cube.sum() == pytest.approx(1, abs=1e-6)


def test_the_receding_side_lies_at_its_position_angle_and_the_spin_is_tilted():
    coordinates, velocities = galaxy()
    gas = Gas((coordinates - 37000) / 1.4, velocities * np.sqrt(0.5), np.ones(4000), np.ones(4000), 1.0)
    for inclination, receding, azimuth in [(60, 30, 0), (60, 200, 130), (30, 290, 50)]:
        east, north, velocity = seen(gas, *np.deg2rad([inclination, receding, azimuth]))
        angle = np.rad2deg(np.arctan2((velocity * east).sum(), (velocity * north).sum()))
        assert (angle - receding + 180) % 360 - 180 == pytest.approx(0, abs=3)
        assert np.abs(velocity).max() == pytest.approx(200 * np.sin(np.deg2rad(inclination)), rel=0.02)
        sine, cosine = np.sin(np.deg2rad(receding)), np.cos(np.deg2rad(receding))
        across, along = (east * cosine - north * sine), (east * sine + north * cosine)
        assert across.std() / along.std() == pytest.approx(np.cos(np.deg2rad(inclination)), rel=0.05)


def test_seen_is_no_mirror_image():
    # Three cells that make an L in the plane of the spin, seen face-on, from where it turns anticlockwise
    # with north up and east left; then B, 90 degrees ahead of A, stands to the east if A stands north.
    position = np.array([[0.0, 4.0, 0.0], [-4.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    velocity = np.array([[-100.0, 0.0, 0.0], [0.0, -100.0, 0.0], [0.0, 0.0, 0.0]])
    gas = Gas(position, velocity, np.ones(3), np.ones(3), 1.0)
    east, north, _ = seen(gas, 0.0, 0.0, 0.0)
    ahead = np.rad2deg(np.arctan2(east[1], north[1]) - np.arctan2(east[0], north[0])) % 360
    assert ahead == pytest.approx(90)
    # Anticlockwise on the sky is from north to east, that is with rising position angle.
    turned = seen(gas, 0.0, np.pi / 2, 0.0)[:2]
    assert np.allclose(turned, [north, -east])


def test_a_galaxy_on_the_wall_of_the_box_is_whole(tmp_path):
    inside, velocities = galaxy()
    across = galaxy(centre=(74999.0, 3.0, 0.0))[0]
    assert np.ptp(across, axis=0).max() > 70000
    gas = [
        load(
            write(tmp_path / f"{name}.hdf5", Coordinates=places, Velocities=velocities),
            settings(tmp_path).tng,
        )
        for name, places in (("inside", inside), ("across", across))
    ]
    assert np.allclose(gas[0].position_kpc, gas[1].position_kpc, atol=1e-3)
    assert np.linalg.norm(np.median(gas[1].position_kpc, axis=0)) < 0.5


def test_the_centre_is_the_galaxy_not_the_mean_of_its_surroundings(tmp_path):
    coordinates, velocities = galaxy()
    companion = galaxy(seed=2, number=600)[0] + [150, 0, 0]
    path = write(
        tmp_path / "pair.hdf5",
        Coordinates=np.r_[coordinates, companion],
        Velocities=np.r_[velocities, np.full((600, 3), 400.0)],
    )
    gas = load(path, settings(tmp_path).tng)
    assert np.linalg.norm(gas.position_kpc[:4000].mean(axis=0)) < 1.0
    assert np.linalg.norm(gas.velocity_kms[:4000].mean(axis=0)) < 10.0


def test_line_and_continuum_hold_all_light_and_the_width_is_the_galaxys_own(tmp_path):
    coordinates, velocities = galaxy()
    write(tmp_path / "one.hdf5", Coordinates=coordinates, Velocities=velocities, Density=np.full(4000, 1e-3))
    shape = draw(FIELD, settings(tmp_path, inclination_deg=[60, 60]), np.random.default_rng(3))[0]
    assert shape.pixels.sum() == pytest.approx(1, abs=1e-9) and shape.pixels.min() >= 0
    edges = np.linspace(-400, 400, 401)
    cube = shape.line_pixels(edges, 100.0).astype(float)
    assert cube.sum() == pytest.approx(1, abs=1e-6)
    assert np.allclose(cube.sum(axis=0), shape.pixels, atol=1e-8)
    line, middle = cube.sum(axis=(1, 2)), (edges[1:] + edges[:-1]) / 2
    above = middle[line > line.max() / 2]
    assert shape.line_width_kms == pytest.approx(above[-1] - above[0], abs=4)
    # A flat curve: the horns stand at v sin i, less than a dispersion inside the half power points.
    horns = 2 * 200 * np.sin(np.deg2rad(60))
    assert horns < shape.line_width_kms < horns + 3 * DISPERSION_KMS


def test_larger_in_the_sky_at_the_redshift_that_is_given(tmp_path):
    coordinates, velocities = galaxy()
    write(tmp_path / "one.hdf5", Coordinates=coordinates, Velocities=velocities)
    face_on = {"inclination_deg": [0, 0]}
    sizes = [
        draw(FIELD, settings(tmp_path, redshift, **face_on), np.random.default_rng(3))[0].major_arcsec
        for redshift in ([1.0, 1.0], [0.0, 7.0], [4.0, 4.0])
    ]
    distances = Planck18.angular_diameter_distance([1.0, 4.0]).value
    assert sizes[1] == sizes[0]  # a range: the snapshot's own
    assert sizes[2] / sizes[0] == pytest.approx(distances[0] / distances[1], rel=0.01)


def test_a_galaxy_larger_than_the_field_fades_at_its_edge_and_says_so(tmp_path, caplog):
    coordinates, velocities = galaxy()
    write(tmp_path / "one.hdf5", Coordinates=coordinates, Velocities=velocities)
    with caplog.at_level(logging.INFO):
        shape = draw(FIELD, settings(tmp_path, [0.03, 0.03]), np.random.default_rng(3))[0]
    assert "% of the light of" in caplog.text
    l, m = lm_grid(len(shape.pixels), shape.cell_arcsec)
    assert np.hypot(l, m)[shape.pixels > 0].max() < FIELD.radius_rad + 1.5 * shape.cell_arcsec * ARCSEC
    assert shape.pixels.sum() == pytest.approx(1)


def sentence(call, *parts):
    with pytest.raises(UserError) as caught:
        call()
    text = str(caught.value)
    assert all(part in text for part in parts), text
    assert text.count(". ") == 0 and "\n" not in text


def test_mistakes_are_told_in_one_sentence(tmp_path):
    rng = np.random.default_rng(1)
    sentence(lambda: draw(FIELD, settings(tmp_path), rng), "sky.tng.folder", str(tmp_path))
    path = tmp_path / "a.hdf5"
    two = [[1.0, 1, 1], [2, 1, 1]]

    def read(**section):
        return lambda: load(path, settings(tmp_path, **section).tng)

    path.write_text("no HDF5")
    sentence(read(), "a.hdf5", "no whole HDF5 file")
    write(path, Coordinates=two, Density=None, NeutralHydrogenAbundance=None)
    sentence(read(), "a.hdf5", "PartType0/Density, PartType0/NeutralHydrogenAbundance")
    sentence(read(tracer="mass"), "lacks PartType0/Density, which")
    write(path, Coordinates=two, InternalEnergy=None)
    sentence(read(tracer="molecular"), "PartType0/InternalEnergy")
    assert read()().mass_msun.sum() > 0
    write(path, Coordinates=two, NeutralHydrogenAbundance=[0, 0])
    sentence(read(), "holds no gas", "sky.tng.tracer")
    write(path, Coordinates=two, Masses=[1, np.nan])
    sentence(read(), "PartType0/Masses", "not finite")
    write(path, header={"HubbleParam": 0.7, "BoxSize": 75000.0}, Coordinates=two)
    sentence(read(), "neither Redshift nor Time", "sky.tng.snapshot_redshift")
    assert read(snapshot_redshift=2.0)().redshift == 2
    write(path, header={"Time": 0.5}, Coordinates=[[10.0, 1, 1], [74990, 1, 1]])
    sentence(read(), "no BoxSize")
    with h5py.File(path, "w") as file:
        file.create_group("Header")
    sentence(read(), "lacks PartType0/Coordinates")
    write(path, header=HEADER | {"Time": 1.0, "Redshift": 2e-16}, Coordinates=two)
    sentence(lambda: draw(FIELD, settings(tmp_path, [0, 7]), rng), "sky.redshift", "[0.05, 0.05]")


def test_the_hubble_constant_of_the_settings_serves_a_header_without_one(tmp_path):
    path = write(tmp_path / "a.hdf5", {"Time": 0.5}, Coordinates=[[0.0, 0, 0], [10, 0, 0]])
    for hubble in (0.6774, 0.5):
        gas = load(path, settings(tmp_path, hubble=hubble).tng)
        assert np.ptp(gas.position_kpc[:, 0]) == pytest.approx(5 / hubble)

"""Sources beside the target: where, how many, how bright, and that they leave the target as it is."""

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from scipy.special import gamma, gammaincc
from scipy.stats import kstest

from almabrain.config.base import check
from almabrain.config.sky import SkySettings
from almabrain.console.errors import UserError
from almabrain.instrument import primary_beam
from almabrain.sky import counts
from almabrain.sky.field import from_rows
from almabrain.sky.line_table import transitions

LIMITS_JY = (1e-4, 1e-2)


def others(made):
    return made.truth[made.truth["role"] == "serendipitous"]


def test_the_target_is_as_it_was(draw):
    alone, beside = draw(sources=[3, 3]), draw(sources=[3, 3], serendipitous={"number": [5, 5]})
    assert len(alone.truth) == 3 and len(beside.truth) == 8
    assert beside.truth["role"].tolist() == ["target"] * 3 + ["serendipitous"] * 5
    for name in alone.truth.colnames:
        assert list(alone.truth[name]) == list(beside.truth[name][:3])
    for (_, without), (_, within) in zip(alone.windows(), beside.windows()):
        assert np.array_equal(without["component_flux_jy"], within["component_flux_jy"][:3])


def test_a_picture_keeps_its_pixels_beside_them(draw):
    settings = {"model": "diffuse", "lines": {"names": "none"}}
    (_, alone), *_ = draw(**settings).windows()
    (_, beside), *_ = draw(**settings, serendipitous={"number": [4, 4]}).windows()
    assert np.array_equal(alone["pixel_model_jy"], beside["pixel_model_jy"])
    assert beside.sizes["component"] == 4


def test_even_over_the_sky_out_to_a_tenth_of_the_primary_beam(draw, row):
    made = draw(max_offset_beams=3, serendipitous={"number": [1500, 1500]}, lines={"names": "none"})
    found = others(made)
    centre = SkyCoord(row()["s_ra"], row()["s_dec"], unit="deg")
    positions = SkyCoord(found["ra"], found["dec"], unit="deg")
    offset = centre.separation(positions).to_value(u.rad)
    pb = primary_beam.power(offset, found["reference_frequency"][0], 12)
    assert np.allclose(found["pb"], pb, rtol=1e-6)
    assert 0.0998 < pb.min() < 0.11  # their own limit, not max_offset_beams of the target
    assert made.truth["pb"][0] > 0.9
    edge = offset.max() / np.sqrt(1 - 1 / len(found))
    assert kstest((offset / edge) ** 2, "uniform").pvalue > 0.01
    angle = centre.position_angle(positions).to_value(u.rad)
    assert kstest(angle / (2 * np.pi), "uniform").pvalue > 0.01


def test_each_has_its_own_redshift_and_lines(draw):
    made = draw(sources=[1, 1], channels=64, serendipitous={"number": [12, 12]})
    found = others(made)
    lined = found[found["line"] != ""]
    assert len(lined) > 6 and len(set(lined["redshift"])) == len(lined)
    assert len(set(lined["line"])) > 3
    for one in lined:
        rest = transitions()[one["line"]].rest_frequency_hz
        assert one["line_frequency"] * (1 + one["redshift"]) == pytest.approx(rest)
        assert 342e9 < one["line_frequency"] < 358e9


def test_their_fluxes_are_a_ratio_to_the_targets(draw):
    made = draw(sources=[1, 1], serendipitous={"number": [300, 300], "brightness": [0.2, 0.5]})
    ratio = others(made)["flux"] / made.truth["flux"][0]
    assert 0.2 <= ratio.min() < 0.21 and 0.48 < ratio.max() <= 0.5
    assert np.median(ratio) == pytest.approx(np.sqrt(0.2 * 0.5), rel=0.1)  # even in the logarithm


def test_beside_a_picture_they_are_compared_with_its_peak(draw):
    made = draw(model="cloud", serendipitous={"number": [50, 50], "brightness": [0.5, 0.5]})
    assert np.allclose(others(made)["flux"], 0.5 * made.truth["peak_flux"][0])


def test_their_luminosities_are_a_ratio_to_the_targets(draw):
    settings = {"luminosity_lsun": [1e12, 1e13], "redshift": [0.5, 6.0], "sources": [1, 1]}
    made = draw(**settings, serendipitous={"number": [20, 20], "brightness": [0.2, 0.5]})
    ratio = others(made)["luminosity"] / made.truth["luminosity"][0]
    assert 0.2 <= ratio.min() < 0.3 and 0.4 < ratio.max() <= 0.5
    assert len(set(others(made)["redshift"])) == 20


def test_points_and_gaussians_by_their_share(draw):
    for share in (0.0, 0.3, 1.0):
        made = draw(serendipitous={"number": [400, 400], "extended_fraction": share}, lines={"names": "none"})
        assert np.mean(others(made)["kind"] == "gaussian") == pytest.approx(share, abs=0.07)


def cumulative_per_sr(flux_jy):
    """Sources brighter than a flux, per steradian: the integral in closed form, not by quadrature.

    φ Γ(α + 1, S/S*), the upper incomplete gamma function of a negative order by its recursion.
    """
    x = np.asarray(flux_jy) / 2.35e-3

    def upper(order):
        if order > 0:
            return gamma(order) * gammaincc(order, x)
        return (upper(order + 1) - x**order * np.exp(-x)) / order

    return 1.54e3 * (180 / np.pi) ** 2 * upper(-1.12)


def test_the_number_is_poisson_about_the_integral_of_the_counts():
    area = 3e-7
    expected = area * (cumulative_per_sr(LIMITS_JY[0]) - cumulative_per_sr(LIMITS_JY[1]))
    assert counts.number_per_sr(*LIMITS_JY) * area == pytest.approx(expected, rel=1e-6)
    numbers = [counts.draw(area, LIMITS_JY, np.random.default_rng(seed)).size for seed in range(400)]
    assert np.mean(numbers) == pytest.approx(expected, abs=3 * np.sqrt(expected / 400))
    assert np.var(numbers) == pytest.approx(expected, rel=0.25)


def test_fluxes_are_spread_as_the_counts():
    fluxes = counts.draw(1e-4, LIMITS_JY, np.random.default_rng(4))
    assert len(fluxes) > 3000
    whole = cumulative_per_sr(LIMITS_JY[0]) - cumulative_per_sr(LIMITS_JY[1])
    assert (
        kstest(fluxes, lambda s: (cumulative_per_sr(LIMITS_JY[0]) - cumulative_per_sr(s)) / whole).pvalue
        > 0.01
    )
    assert fluxes.min() >= LIMITS_JY[0] and fluxes.max() <= LIMITS_JY[1]


def test_counts_at_one_millijansky():
    """About 1400 a square degree are brighter than 1 mJy at 1.2 mm."""
    assert counts.number_per_sr(1e-3, 1.0) * np.deg2rad(1) ** 2 == pytest.approx(1420, rel=0.01)


def test_the_dust_carries_fluxes_to_other_frequencies():
    assert counts.dust_spectrum(counts.FREQUENCY_HZ, 2.0) == pytest.approx(1)
    low = counts.dust_spectrum(np.array([1e9, 2e9]), 0.0)
    assert np.log2(low[1] / low[0]) == pytest.approx(3.8, abs=0.01)  # Rayleigh-Jeans: 2 + beta
    # The peak of a modified blackbody of 35 K lies beyond 1 THz at redshift 0 and is redshifted by 1 + z.
    frequency = np.geomspace(1e11, 1e13, 4000)
    peaks = [frequency[counts.dust_spectrum(frequency, z).argmax()] for z in (0.0, 3.0)]
    assert peaks[0] / peaks[1] == pytest.approx(4, rel=0.01) and peaks[0] > 1e12


def test_a_field_holds_as_many_as_its_area_has(draw, row):
    settings = {"counts": True, "counts_flux_jy": [5e-5, 1e-2], "min_primary_beam": 0.1}
    field = from_rows([row()], check(SkySettings, {}, "sky"))
    offset = np.linspace(0, 2e-4, 200001)
    edge = offset[primary_beam.power(offset, field.reference_frequency_hz, 12) >= 0.1].max()
    area = np.pi * edge**2
    assert field.solid_angle_sr(0.1) == pytest.approx(area, rel=3e-3)
    expected = area * (cumulative_per_sr(5e-5) - cumulative_per_sr(1e-2))
    made = [draw(seed, model="empty", serendipitous=settings, lines={"names": "none"}) for seed in range(300)]
    number = sum(len(one.truth) for one in made)
    assert number == pytest.approx(300 * expected, abs=3 * np.sqrt(300 * expected))


def test_fluxes_of_counts_are_those_of_their_dust(draw):
    settings = {"counts": True, "counts_flux_jy": [3e-5, 1e-2]}
    made = draw(7, sources=[1, 1], serendipitous=settings)
    found = others(made)
    assert len(found) > 5
    for one in found:
        reference = one["reference_frequency"]
        at_counts = one["flux"] / counts.dust_spectrum(reference, one["redshift"])
        assert 3e-5 <= at_counts <= 1e-2
        step = np.array([0.999, 1.001]) * reference
        slope = np.diff(np.log(counts.dust_spectrum(step, one["redshift"]))) / np.diff(np.log(step))
        assert one["spectral_index"] == pytest.approx(slope[0], rel=1e-4)


def test_redshifts_of_a_blank_field_are_those_of_galaxies_and_not_of_the_windows(draw, row):
    """In the windows of band 7 and, for the same seeds, in others: the same redshifts, log-normal in 1 + z."""
    settings = {"counts": True, "counts_flux_jy": [1e-5, 1e-2]}
    other = row(((85.0, 87.0), (97.0, 99.0)), band_list=3, s_fov=60.0)
    at = [others(draw(seed, model="empty", serendipitous=settings)) for seed in range(12)]
    redshift = np.concatenate([np.asarray(one["redshift"]) for one in at])
    assert len(redshift) > 150
    assert kstest(np.log1p(redshift), "norm", args=(np.log(3.2), 0.25)).pvalue > 0.01
    wide = np.asarray(others(draw(1, [other], model="empty", serendipitous=settings))["redshift"])
    assert kstest(np.log1p(wide), "norm", args=(np.log(3.2), 0.25)).pvalue > 0.01


def test_lines_of_a_blank_field_are_those_that_happen_to_fall_in(draw):
    """CO alone: windows of 8 GHz hold one of its rungs, 115 GHz / (1 + z) apart, as often as geometry says."""
    settings = {"counts": True, "counts_flux_jy": [1e-5, 1e-2]}
    names = [f"CO({j}-{j - 1})" for j in range(1, 14)]
    lines = {"names": names, "number": None, "width_kms": [100, 100], "scatter": False}
    made = [draw(seed, model="empty", channels=64, lines=lines, serendipitous=settings) for seed in range(12)]
    total = expected = 0
    for one in made:
        found = others(one)
        total += len(found)
        for redshift in found["redshift"]:
            at = np.array([transitions()[name].rest_frequency_hz for name in names]) / (1 + redshift) / 1e9
            expected += ((at > 342) & (at < 346) | (at > 354) & (at < 358)).sum()
        for line in one.lines:
            own = found[found["source"] == line["source"]][0]
            ratio = 10 ** transitions()[line["line"]].log_ratio
            assert line["luminosity"] == pytest.approx(own["luminosity"] * ratio)
    number = sum(len(one.lines) for one in made)
    assert 0.1 * total < number < 0.4 * total
    assert number == pytest.approx(expected, rel=0.1)  # a line's wing may reach into a window


def test_lines_of_unknown_strength_are_no_error_beside_a_target(draw):
    lines = {"names": ["OH+(972)", "CO(3-2)"], "number": None}
    made = draw(2, sources=[1, 1], channels=64, lines=lines, serendipitous={"counts": True})
    assert set(made.lines["line"][made.lines["source"] > 0]) <= {"CO(3-2)"}


def test_a_mosaic_without_a_beam_at_the_target_is_refused(draw, row):
    far = row(pointings="40,0 44,0")
    with pytest.raises(
        UserError, match="sky.min_primary_beam is 0.3, but the primary beam .* nowhere so strong"
    ):
        draw(rows=[far], max_offset_beams=5)

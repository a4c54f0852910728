import math

import pytest

from almabrain.console.errors import UserError
from almabrain.instrument import frequency_support

TEXT = (
    "[85.41..85.87GHz,294.68kHz,5mJy/beam@10km/s,387.2uJy/beam@native, XX YY] U "
    "[97.51..98.45GHz,31.25MHz,4.5mJy/beam@10km/s,1Jy/beam@native, XX XY YX YY]"
)


def test_windows_with_units():
    first, second = frequency_support.parse(TEXT)
    assert (first.low_hz, first.high_hz) == pytest.approx((85.41e9, 85.87e9))
    assert first.channel_width_hz == pytest.approx(294680)
    assert first.sensitivity_10kms_jy == pytest.approx(5e-3)
    assert first.sensitivity_native_jy == pytest.approx(387.2e-6)
    assert first.polarisations == ("XX", "YY")
    assert second.channel_width_hz == pytest.approx(31.25e6)
    assert second.sensitivity_native_jy == 1
    assert second.polarisations == ("XX", "XY", "YX", "YY")
    assert second.bandwidth_hz == pytest.approx(0.94e9) and second.centre_hz == pytest.approx(97.98e9)


def test_early_rows_have_no_sensitivities():
    (window,) = frequency_support.parse("[100.63..101.57GHz,488.28kHz, XX YY]")
    assert window.channel_width_hz == pytest.approx(488280) and window.polarisations == ("XX", "YY")
    assert math.isnan(window.sensitivity_10kms_jy) and math.isnan(window.sensitivity_native_jy)


@pytest.mark.parametrize("text", ["", "nan", "[1..2GHz]", TEXT.replace("97.51..98.45", "98.45..97.51")])
def test_unreadable_windows_are_one_sentence(text):
    with pytest.raises(UserError, match="it must read like"):
        frequency_support.parse(text)


@pytest.mark.real_data
def test_every_real_row_is_read(real_data):
    import csv

    with open(real_data / "archive" / "alma_observations.csv") as file:
        counts = [len(frequency_support.parse(row["Freq.sup."])) for row in csv.DictReader(file)]
    assert len(counts) > 1200 and min(counts) >= 1 and max(counts) > 4

import numpy as np
import pytest

from almabrain.console.errors import UserError
from almabrain.instrument import configurations, pads


def baselines_m(name: str) -> np.ndarray:
    places = pads.itrf([pair.split(":")[0] for pair in configurations.antennas(name)])
    first, second = np.triu_indices(len(places), 1)
    return np.linalg.norm(places[first] - places[second], axis=1)


# Shortest and longest baseline, m, as the ALMA Technical Handbook and Proposer's Guide give them since cycle 5
# (Cycle 10 Handbook, chapter on configurations), to the digits printed there.
@pytest.mark.parametrize(
    ("name", "shortest", "longest"),
    [
        ("aca.cycle9", 8.9, 45.0),
        ("alma.cycle9.1", 15.1, 160.7),
        ("alma.cycle10.2", 15.1, 313.7),
        ("alma.cycle9.3", 15.1, 500.2),
        ("alma.cycle11.4", 15.1, 783.5),
        ("alma.cycle9.5", 15.1, 1397.9),
        ("alma.cycle12.6", 15.1, 2516.9),
        ("alma.cycle9.7", 64.1, 3637.8),
        ("alma.cycle9.8", 113.0, 8547.8),
        ("alma.cycle5.9", 375.5, 13894.8),
        ("alma.cycle9.10", 256.1, 16196.6),
    ],
)
def test_baselines_are_the_published_ones(name, shortest, longest):
    lengths = baselines_m(name)
    assert lengths.min() == pytest.approx(shortest, abs=0.06)
    assert lengths.max() == pytest.approx(longest, abs=0.2)


def test_every_cycle_has_its_configurations_and_every_pad_a_place():
    names = configurations.names()
    assert {int(name.split(".")[1].removeprefix("cycle")) for name in names} == set(range(13))
    for cycle in range(5, 13):
        assert {f"alma.cycle{cycle}.{number}" for number in range(1, 11)} <= set(names)
        assert f"aca.cycle{cycle}" in names
    for name in names:
        pairs = [pair.split(":") for pair in configurations.antennas(name)]
        assert not pads.unknown([pad for pad, _ in pairs])
        assert len({pad for pad, _ in pairs}) == len({antenna for _, antenna in pairs}) == len(pairs) >= 9


def test_antennas_tell_their_dish_size():
    for name, diameter in (("alma.cycle9.3", 12), ("aca.cycle9", 7)):
        sizes = [pads.dish_diameter_m(pair.split(":")[1]) for pair in configurations.antennas(name)]
        assert set(sizes) == {diameter}
    both = configurations.antennas("alma.cycle9.1+aca.cycle9")
    assert len(both) == 53 and {pair.split(":")[1][:2] for pair in both} == {"DV", "CM"}
    assert both[0] == "A001:DV01" and both[43] == "J501:CM01"


def test_unknown_configurations_are_one_sentence_with_the_nearest():
    with pytest.raises(UserError, match="'alma.cycle9.33' is unknown; did you mean 'alma.cycle9.3'"):
        configurations.antennas("alma.cycle9.33")
    with pytest.raises(UserError, match="joins two of 12m dishes"):
        configurations.antennas("alma.cycle9.1+alma.cycle9.2")


@pytest.mark.real_data
def test_distances_between_pads_are_those_of_the_published_files(real_data):
    """The files lie on tangent planes of their own; distances do not depend on that."""
    files = [f for f in (real_data / "instrument").glob("*.cycle*.cfg") if f.stem in configurations.names()]
    assert len(files) == 44
    for file in files:
        rows = [line.split() for line in file.read_text().splitlines() if line and line[0] != "#"]
        pairs = configurations.antennas(file.stem)
        assert {row[4] for row in rows} == {pair.split(":")[0] for pair in pairs}
        sizes = {float(row[3]) for row in rows}
        assert sizes == {pads.dish_diameter_m(pair.split(":")[1]) for pair in pairs}
        local = np.array([row[:3] for row in rows], float)
        ours = pads.itrf([row[4] for row in rows])
        apart, expected = (np.linalg.norm(x[:, None] - x, axis=-1) for x in (ours, local))
        assert np.abs(apart - expected).max() < 0.02, file.name

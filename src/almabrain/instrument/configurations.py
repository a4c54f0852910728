"""The array's published configurations, as lists of antennas at their pads."""

from functools import cache

from almabrain.console.errors import UserError, nearest
from almabrain.data import resources
from almabrain.data.tables import read_table

# Which dish stood on which pad changes from night to night, so the names are made up; their first two letters
# say how large the dish is (pads.dish_diameter_m).
PREFIX = {"12m": "DV", "7m": "CM"}


@cache
def _configurations() -> dict[str, tuple[str, list[str]]]:
    table = read_table(resources.path("configurations.ecsv"))
    return {str(name): (str(array), str(pads).split()) for name, array, pads in table.iterrows()}


def names() -> list[str]:
    """Names of all configurations, such as `alma.cycle9.3`. Source: resources/configurations.ecsv."""
    return list(_configurations())


def antennas(name: str) -> list[str]:
    """`PAD:ANTENNA` of every antenna of a configuration; of two joined by `+`, all of both.

    UserError for an unknown name, and for two configurations of one dish size.
    """
    made, sizes = [], set()
    for part in name.split("+"):
        if part not in names():
            raise UserError(
                f"configuration '{part}' is unknown{nearest(part, names())}; named ones read like "
                "alma.cycle9.3 (cycles 0 to 12) and aca.cycle9, and resources/configurations.ecsv lists all"
            )
        array, pads = _configurations()[part]
        if array in sizes:
            raise UserError(
                f"configuration '{name}' joins two of {array} dishes; join one of 12m and one of 7m"
            )
        sizes.add(array)
        made += [f"{pad}:{PREFIX[array]}{number:02d}" for number, pad in enumerate(pads, 1)]
    return made

"""What simulations have in common and need to be worked out but once."""

from collections.abc import Callable, Hashable
from typing import TypeVar

T = TypeVar("T")


class Shared:
    """The last result of each name, kept for as long as the same key is asked for.

    Simulations of one archive row share tracks, PSFs and primary beams; one result of each name bounds the memory.
    """

    def __init__(self):
        self._kept: dict[str, tuple[Hashable, object]] = {}

    def get(self, name: str, key: Hashable, make: Callable[[], T]) -> T:
        """What `make()` gives, or gave when `name` was last asked for with this `key`."""
        if name not in self._kept or self._kept[name][0] != key:
            self._kept[name] = key, make()
        return self._kept[name][1]

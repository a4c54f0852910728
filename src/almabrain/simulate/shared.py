"""What simulations have in common and need to be worked out but once."""

from collections.abc import Callable, Hashable
from typing import TypeVar

T = TypeVar("T")


class Shared:
    """Results for one set of executions, kept for as long as the same executions are observed again.

    Simulations of one archive row share tracks, PSFs and primary beams. Other executions begin anew, which
    bounds the memory.
    """

    def __init__(self):
        self._executions: Hashable = None
        self._kept: dict[str, tuple[Hashable, object]] = {}

    def begin(self, executions: Hashable) -> None:
        """Forget everything unless `executions` are those of last time."""
        if executions != self._executions:
            self._executions, self._kept = executions, {}

    def get(self, name: str, key: Hashable, make: Callable[[], T]) -> T:
        """What `make()` gives, or gave when `name` was last asked for with this `key`."""
        if name not in self._kept or self._kept[name][0] != key:
            self._kept[name] = key, make()
        return self._kept[name][1]

"""Progress of long work: one line every few seconds with the time that is left."""

import sys
import time
from collections.abc import Iterable, Iterator


class Progress:
    """Prints `[label] 12/50 24% loss=0.31, 40 s left` to standard error, at most every `every_s` seconds."""

    def __init__(self, label: str, total: int, every_s: float = 2.0):
        self.label, self.total, self.every_s = label, max(int(total), 1), every_s
        self.done = 0
        self._start = self._last = time.monotonic()

    def step(self, note: str = "", steps: int = 1) -> None:
        """Count `steps` more as done; `note` says where the work stands (iteration, loss)."""
        self.done += steps
        now = time.monotonic()
        finished = self.done >= self.total
        if not finished and now - self._last < self.every_s:
            return
        self._last = now
        elapsed = now - self._start
        left = elapsed / self.done * (self.total - self.done)
        when = f"took {elapsed:.0f} s" if finished else f"{left:.0f} s left"
        note = f" {note}," if note else ""
        percent = 100 * self.done // self.total
        line = f"[{self.label}] {self.done}/{self.total} {percent}%{note} {when}"
        print(line, file=sys.stderr, flush=True)


def track(items: Iterable, label: str) -> Iterator:
    """Yield the items of a sized iterable while reporting progress under `label`."""
    items = list(items)
    progress = Progress(label, len(items))
    for item in items:
        yield item
        progress.step()

"""A histogram that costs next to nothing to feed: it is laid out for readers of metrics only when somebody asks.

The metrics library's own takes a lock and walks its buckets for every value, and the writer observes three values for
every commit. Fed from one thread.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence


class Distribution:
    """How often values fell below each of the `bounds` (ascending; beyond the last is one more)."""

    def __init__(self, name: str, text: str, bounds: Sequence[float]) -> None:
        self.name = name
        self.text = text
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float) -> None:
        """Count a value."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self.sum += value

    def buckets(self) -> list[tuple[str, float]]:
        """Return what readers of metrics expect: (bound, count), each count with those of all buckets below."""
        buckets: list[tuple[str, float]] = []
        below = 0
        for bound, count in zip([*map(str, map(float, self._bounds)), "+Inf"], self._counts, strict=True):
            below += count
            buckets.append((bound, float(below)))
        return buckets

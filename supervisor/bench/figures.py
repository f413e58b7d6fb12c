"""What a measurement gives: figures for the table, points for the picture."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

import attrs


@attrs.frozen
class Figure:
    """One measured value. A figure without a value says why there is none."""

    name: str
    """The goal's name where there is one for it."""
    value: float | None
    unit: str
    what: str = ""
    """In words, for a figure that no goal tells about."""
    ratio: float | None = None
    peer: str = ""
    """What `ratio` compares with."""
    tasks: int | None = None
    """How many tasks there were, where the goal depends on it."""
    note: str = ""


@attrs.frozen
class Point:
    """One point of the picture."""

    chart: str
    series: str
    x: float
    y: float


@attrs.frozen
class Answer:
    """What one question gave."""

    figures: tuple[Figure, ...] = ()
    points: tuple[Point, ...] = ()

    def __add__(self, other: Answer) -> Answer:
        """Return both together."""
        return Answer(self.figures + other.figures, self.points + other.points)


def median_ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Return the median over the rounds of ours / theirs: what slows a round down slows both down."""
    return statistics.median(mine / other for mine, other in zip(ours, theirs, strict=True))


def percentile(ordered: Sequence[float], percent: float) -> float:
    """Return the value that `percent` of the ascending values do not exceed; raises ValueError without values."""
    if not ordered:
        raise ValueError("no values, no percentile")
    # Nearest rank: always a value that was measured.
    rank = -(-len(ordered) * percent // 100)
    return ordered[max(0, min(len(ordered), int(rank)) - 1)]

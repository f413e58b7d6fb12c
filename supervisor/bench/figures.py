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
    rounds: tuple[float, ...] = ()
    """What each round gave, in their order; `value` is their median."""
    ratios: tuple[float, ...] = ()
    """The ratio in each round; `ratio` is their median."""

    @property
    def spread(self) -> tuple[float, float] | None:
        """The lowest and the highest that a round gave: of the ratios where there are some. None with one round."""
        taken = self.ratios or self.rounds
        return (min(taken), max(taken)) if len(taken) > 1 else None


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


def taken(name: str, rounds: Sequence[float], unit: str, what: str = "", *, note: str = "") -> Figure:
    """Return the figure of several rounds: their median."""
    return Figure(name, statistics.median(rounds), unit, what, note=note, rounds=tuple(rounds))


def compared(figure: Figure, theirs: Sequence[float], peer: str) -> Figure:
    """Return the figure with its ratio to a peer: the median of the rounds' own, for what slows one slows both."""
    ratios = tuple(mine / other for mine, other in zip(figure.rounds, theirs, strict=True))
    return attrs.evolve(figure, ratio=statistics.median(ratios), peer=peer, ratios=ratios)


def percentile(ordered: Sequence[float], percent: float) -> float:
    """Return the value that `percent` of the ascending values do not exceed; raises ValueError without values."""
    if not ordered:
        raise ValueError("no values, no percentile")
    # Nearest rank: always a value that was measured.
    rank = -(-len(ordered) * percent // 100)
    return ordered[max(0, min(len(ordered), int(rank)) - 1)]

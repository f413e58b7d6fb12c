"""The goals as a table, and the verdict on each: pure."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import Final

import attrs

from supervisor.bench.figures import Figure

SAME_WITHIN: Final = 1.3
"""Two costs are the same when neither is a third more than the other: medians of one machine's runs differ so much."""


class Verdict(Enum):
    """What became of a goal."""

    STRETCH = "stretch reached"
    REACHED = "reached"
    MISSED = "not reached"
    UNJUDGED = "not judged"
    """Measured at fewer tasks than the goal names, without its peer, or in a quick look only."""
    UNMEASURED = "not measured"


@attrs.frozen
class Goal:
    """One goal. `least` and `most` bound the figure's ratio where `of_ratio`, else its value."""

    name: str
    question: str
    """Who measures it."""
    what: str
    unit: str
    of_ratio: bool = False
    least: float | None = None
    most: float | None = None
    stretch: float | None = None
    tasks: int | None = None
    """The least number of tasks at which it counts."""

    @property
    def bound(self) -> str:
        """The goal in words."""
        sign, limit = ("≥", self.least) if self.least is not None else ("≤", self.most)
        unit = "x" if self.of_ratio else self.unit
        stretch = "" if self.stretch is None else f" ({self.stretch:g})"
        return f"{sign} {limit:g} {unit}{stretch}"

    def holds(self, figure: float, limit: float | None) -> bool:
        """Whether `figure` is on the good side of `limit`."""
        if limit is None:
            return False
        return figure >= limit if self.least is not None else figure <= limit


@attrs.frozen
class Judged:
    """A goal, its figure if there is one, and the verdict."""

    goal: Goal
    figure: Figure | None
    verdict: Verdict


GOALS: Final = (
    Goal(
        "clients",
        "throughput",
        "acknowledged task.create/s, 64 clients × 1 in flight, to PostgreSQL's inserts/s",
        "/s",
        of_ratio=True,
        least=1.25,
        stretch=1.75,
    ),
    Goal(
        "pipelined",
        "throughput",
        "the same, 16 connections × 32 in flight, to Redis with appendfsync always",
        "/s",
        of_ratio=True,
        least=0.35,
        stretch=0.5,
    ),
    Goal(
        "single",
        "throughput",
        "the same, one client, one in flight, to raw append + fdatasync",
        "/s",
        of_ratio=True,
        least=0.4,
        stretch=0.6,
    ),
    Goal(
        "growth",
        "growth",
        "cost of a command, the dearest to the cheapest of 1 000, 100 000 and 1 000 000 tasks",
        "ms",
        of_ratio=True,
        most=SAME_WITHIN,
        tasks=1_000_000,
    ),
    Goal(
        "growth-cpu",
        "growth",
        "the same in processor time, which a busy machine does not change",
        "µs",
        of_ratio=True,
        most=SAME_WITHIN,
        tasks=1_000_000,
    ),
    Goal("stall", "snapshot", "longest extra wait caused by a snapshot", "ms", most=5, tasks=100_000),
    Goal(
        "restart-10k",
        "restart",
        "SIGKILL of the runtime to the first acknowledged command, standby, 10 000 tasks",
        "ms",
        most=150,
        tasks=10_000,
    ),
    Goal("restart-100k", "restart", "the same at 100 000 tasks", "ms", most=500, tasks=100_000),
    Goal("cold", "recovery", "cold start to the first acknowledged command", "ms", most=800, tasks=100_000),
    Goal("actor", "restart", "crash of an actor other than the writer to the next answer", "ms", most=20),
    Goal("writer", "restart", "crash of the writer to the next answer", "ms", most=200, tasks=10_000),
    Goal("task-memory", "memory", "memory per 600-byte task", "kB", most=2, tasks=100_000),
    Goal("idle-memory", "memory", "memory of an idle runtime", "MB", most=60),
    Goal("status", "startup", "perdure status from the shell", "ms", most=150),
    Goal(
        "session",
        "session",
        "appending message 100 001 to a session, to message 1",
        "ms",
        of_ratio=True,
        most=SAME_WITHIN,
        tasks=100_000,
    ),
)


def judged(figures: Iterable[Figure], questions: Iterable[str], *, quick: bool = False) -> list[Judged]:
    """Return the verdict on each goal of the questions asked, in the order of the table; a quick look judges none."""
    by_name = {figure.name: figure for figure in figures}
    asked = set(questions)
    return [
        Judged(goal, by_name.get(goal.name), verdict(goal, by_name.get(goal.name), quick=quick))
        for goal in GOALS
        if goal.question in asked
    ]


def verdict(goal: Goal, figure: Figure | None, *, quick: bool = False) -> Verdict:
    """Return what became of one goal."""
    if figure is None or figure.value is None:
        return Verdict.UNMEASURED
    measured = figure.ratio if goal.of_ratio else figure.value
    if quick or measured is None or (goal.tasks is not None and (figure.tasks or 0) < goal.tasks):
        return Verdict.UNJUDGED
    if goal.holds(measured, goal.stretch):
        return Verdict.STRETCH
    reached = goal.holds(measured, goal.least if goal.least is not None else goal.most)
    return Verdict.REACHED if reached else Verdict.MISSED

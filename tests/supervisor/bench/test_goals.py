"""supervisor/bench/goals.py: the table of goals, and the verdict on each."""

from __future__ import annotations

import pytest

from supervisor.bench.figures import Figure
from supervisor.bench.goals import GOALS, Goal, Verdict, judged, verdict
from supervisor.bench.questions import QUESTIONS

RATIO = Goal("fast", "throughput", "how fast", "/s", of_ratio=True, least=0.4, stretch=0.6)
VALUE = Goal("wait", "snapshot", "how long", "ms", most=5, tasks=1000)


def of_ratio(ratio: float | None) -> Figure:
    return Figure("fast", 1000.0, "/s", ratio=ratio, peer="raw")


@pytest.mark.parametrize(
    ("ratio", "expected"),
    [
        (0.39, Verdict.MISSED),
        (0.4, Verdict.REACHED),
        (0.59, Verdict.REACHED),
        (0.6, Verdict.STRETCH),
        (None, Verdict.UNJUDGED),
    ],
)
def test_a_goal_of_a_ratio_is_judged_by_it_and_not_by_the_figure(ratio: float | None, expected: Verdict) -> None:
    assert verdict(RATIO, of_ratio(ratio)) is expected


@pytest.mark.parametrize(
    ("value", "tasks", "expected"),
    [
        (5.0, 1000, Verdict.REACHED),
        (5.1, 1000, Verdict.MISSED),
        (1.0, 999, Verdict.UNJUDGED),
        (1.0, None, Verdict.UNJUDGED),
        (None, 1000, Verdict.UNMEASURED),
    ],
)
def test_a_goal_of_a_size_is_judged_only_where_that_size_was_measured(
    value: float | None, tasks: int | None, expected: Verdict
) -> None:
    assert verdict(VALUE, Figure("wait", value, "ms", tasks=tasks)) is expected


def test_a_goal_without_a_figure_was_not_measured() -> None:
    assert verdict(VALUE, None) is Verdict.UNMEASURED


def test_a_quick_look_judges_nothing() -> None:
    assert verdict(RATIO, of_ratio(1.0), quick=True) is Verdict.UNJUDGED


def test_only_the_goals_of_the_questions_asked_are_told_in_the_order_of_the_table() -> None:
    rows = judged([Figure("writer", 150.0, "ms", tasks=10_000)], ["restart", "startup"])
    assert [row.goal.name for row in rows] == ["restart-10k", "restart-100k", "actor", "writer", "status"]
    assert [row.verdict for row in rows if row.figure is not None] == [Verdict.REACHED]


def test_every_goal_has_one_bound_and_somebody_who_measures_it() -> None:
    assert len({goal.name for goal in GOALS}) == len(GOALS)
    for goal in GOALS:
        assert (goal.least is None) != (goal.most is None), goal.name
        assert goal.question in QUESTIONS


@pytest.mark.parametrize(("goal", "words"), [(RATIO, "≥ 0.4 x (0.6)"), (VALUE, "≤ 5 ms")])
def test_a_goal_says_its_bound_in_words(goal: Goal, words: str) -> None:
    assert goal.bound == words

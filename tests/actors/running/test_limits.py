"""Deadlines of one run."""

from __future__ import annotations

import pytest

from actors.running.limits import Watch
from actors.running.tools import Limits


@pytest.mark.parametrize(
    ("limits", "reported_s", "now_s", "expected"),
    [
        (Limits(linger_s=None), None, 1e9, None),
        (Limits(wall_s=10), None, 9.9, None),
        (Limits(wall_s=10), None, 10, "wall_time"),
        (Limits(silence_s=3), None, 7.9, None),
        (Limits(silence_s=3), None, 8, "silence"),
        (Limits(silence_s=3), 5.0, 20, None),
        (Limits(linger_s=2), 6.0, 7.9, None),
        (Limits(linger_s=2), 6.0, 8, "linger"),
        (Limits(linger_s=2), None, 1e9, None),
        (Limits(wall_s=7, linger_s=2), 6.0, 8, "wall_time"),
        (Limits(wall_s=6, silence_s=3), None, 9, "wall_time"),
    ],
)
def test_the_earliest_deadline_that_has_passed_is_told(
    limits: Limits, reported_s: float | None, now_s: float, expected: str | None
) -> None:
    watch = Watch(limits=limits, begun_s=0.0, heard_s=5.0, reported_s=reported_s)
    assert watch.overdue(now_s) == expected
    assert (watch.due_s() <= now_s) == (expected is not None)

"""actors/model/task.py: what may follow what, and how it is told when something may not."""

from __future__ import annotations

import pytest

from actors.model.errors import InvalidTransition
from actors.model.task import STATUSES, TRANSITIONS, next_status

HAPPENINGS = sorted({happening for _, happening in TRANSITIONS})


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("happening", HAPPENINGS)
def test_what_the_table_does_not_hold_is_refused(status: str, happening: str) -> None:
    if (status, happening) in TRANSITIONS:
        assert next_status("t1", status, happening) == TRANSITIONS[status, happening]
        return
    with pytest.raises(InvalidTransition, match=f"task t1 is {status}: it cannot be "):
        next_status("t1", status, happening)


@pytest.mark.parametrize(
    ("status", "hint"),
    [
        ("pending", "a pending task can be cancelled, claimed or started"),
        ("failed", "a failed task can be reopened"),
    ],
)
def test_a_refusal_says_what_can_be_done_instead(status: str, hint: str) -> None:
    with pytest.raises(InvalidTransition) as caught:
        next_status("t1", status, "complete")
    assert caught.value.message == f"task t1 is {status}: it cannot be completed"
    assert caught.value.hint == hint

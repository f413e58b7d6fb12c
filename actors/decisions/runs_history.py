"""What a task's earlier runs say about its next one: how often it was interrupted, and whether resuming helps."""

from __future__ import annotations

from itertools import pairwise

from actors.model.draft import Draft
from actors.model.run import Run
from actors.model.tables import RunRow, decode_run


def interruptions(draft: Draft, run: Run) -> int:
    """Return how many runs of the task in a row, up to and without this one, were interrupted."""
    number = 0
    for row in reversed(earlier_runs(draft, run)):
        if row.status != "interrupted":
            break
        number += 1
    return number


def was_resumed(draft: Draft, run: Run) -> bool:
    """Return whether a run took up the conversation of the one before it."""
    before = earlier_runs(draft, run)
    if run.vendor_session_id is None or not before:
        return False
    return decode_run(before[-1].encoded).vendor_session_id == run.vendor_session_id


def resuming_failed(draft: Draft, run: Run) -> bool:
    """Return whether an earlier run of the task took up a conversation and failed."""
    rows = [decode_run(row.encoded) for row in earlier_runs(draft, run)]
    return any(
        later.vendor_session_id is not None
        and later.vendor_session_id == earlier.vendor_session_id
        and later.status in {"exited", "timed_out", "failed_to_start"}
        and later.error is not None
        for earlier, later in pairwise(rows)
    )


def earlier_runs(draft: Draft, run: Run) -> list[RunRow]:
    """Return the task's earlier runs, the oldest first: ids grow with time."""
    of_task = draft.tables.runs.of_task(run.task_id) if run.task_id is not None else []
    return [row for row in of_task if row.is_own and row.id < run.id]

"""A run: one attempt of an agent process at a task (SPEC section 4)."""

from __future__ import annotations

from typing import Any, Final, Literal

import attrs

Status = Literal["queued", "starting", "running", "exited", "interrupted", "cancelled", "timed_out", "failed_to_start"]

LIVE: Final = frozenset({"queued", "starting", "running"})


# Not slotted: the members are written in the order given here, and msgspec takes that order from __dict__.
@attrs.frozen(kw_only=True, slots=False)
class Stream:
    """What a run wrote to one of its two streams: how much, and the file that holds it."""

    bytes: int = 0
    path: str | None = None


@attrs.frozen(kw_only=True, slots=False)
class Run:
    """A run's row."""

    id: str
    task_id: str | None = None
    session_id: str | None = None
    tool: str | None = None
    attempt: int = 1
    argv: tuple[str, ...] = ()
    cwd: str | None = None
    pid: int | None = None
    pid_started: str | None = None
    status: Status = "queued"
    exit_code: int | None = None
    signal: int | None = None
    started_at: str | None = None
    ended_at: str | None = None
    vendor_session_id: str | None = None
    result: Any = None
    error: Any = None
    stdout: Stream = Stream()
    stderr: Stream = Stream()
    rev: int = 1

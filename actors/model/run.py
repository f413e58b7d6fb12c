"""A run: one attempt of an agent process at a task, and the table of what may follow what (SPEC sections 4 and 8).

`exited`, `interrupted`, `cancelled`, `timed_out` and `failed_to_start` are ends: whatever is tried after them is a run
of its own. Runs that somebody else carries out (`run.put`) are not judged by the table: their carrier knows best.
"""

from __future__ import annotations

from typing import Any, Final, Literal

import attrs

from actors.model.errors import InvalidTransition

Status = Literal["queued", "starting", "running", "exited", "interrupted", "cancelled", "timed_out", "failed_to_start"]

LIVE: Final = frozenset({"queued", "starting", "running"})
ACTIVE: Final = frozenset({"starting", "running"})
"""These have a process, or an order for one is under way."""


def output_path(run_id: str, stream: str) -> str:
    """Return where Perdure keeps what an agent of its own prints, below the state directory."""
    return f"logs/run_{run_id}.{stream}.log"


TRANSITIONS: Final[dict[tuple[str, str], Status]] = {
    ("queued", "order"): "starting",
    ("queued", "cancel"): "cancelled",
    ("queued", "refuse"): "failed_to_start",
    ("starting", "start"): "running",
    ("starting", "refuse"): "failed_to_start",
    ("starting", "exit"): "exited",
    ("starting", "interrupt"): "interrupted",
    ("starting", "cancel"): "cancelled",
    ("starting", "time_out"): "timed_out",
    ("running", "exit"): "exited",
    ("running", "interrupt"): "interrupted",
    ("running", "cancel"): "cancelled",
    ("running", "time_out"): "timed_out",
}
"""(status, what happens) → the next status. From `starting` too a run may end: that it had begun was not told yet."""


def next_status(run_id: str, status: str, happening: str) -> Status:
    """Return the status that follows; raise InvalidTransition naming what would be allowed."""
    following = TRANSITIONS.get((status, happening))
    if following is None:
        allowed = sorted(what for (origin, what) in TRANSITIONS if origin == status)
        raise InvalidTransition(
            f"run {run_id} is {status}: it cannot {happening}",
            hint=f"a {status} run can {' or '.join(allowed)}" if allowed else "this run is over",
            status=status,
        )
    return following


# Not slotted: the members are written in the order given here, and msgspec takes that order from __dict__.
@attrs.frozen(kw_only=True, slots=False)
class Stream:
    """What a run wrote to one of its two streams: how much, and the file that holds it."""

    bytes: int = 0
    """How many it wrote; those beyond the tool's limit are counted and not stored."""
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
    """{kind, message}. While the run is active: why Perdure ends it, which decides what its end means."""
    stdout: Stream = Stream()
    stderr: Stream = Stream()
    rev: int = 1

    @property
    def is_own(self) -> bool:
        """Whether Perdure itself carries it out: nobody else's run may name our file for its output."""
        return self.stdout.path == output_path(self.id, "stdout")

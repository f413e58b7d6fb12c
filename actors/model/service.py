"""A service: a long-lived agent server that is kept running; and the table of what may follow what (SPEC section 8).

The row is codexd's record of a managed child, and what supervision adds to it. Its configured part is refreshed from
the configuration whenever Perdure comes up. Every life of a service is a run of its own, whose output is kept as any
run's; `run_id` names the present one, or the last.

What `wanted` and `status` say together decides what is to be done, whoever died in between:

    wanted, starting       a life is to begin, or has begun and its process is not known yet
    wanted, running        its process is there
    wanted, stopped        a life ended, and its supervisor has not judged that yet
    wanted, backing_off    it was judged: another life begins after a delay
    wanted, failed         its supervisor has given up: only a command starts it again
    not wanted, stopped    a command stopped it, or it left and is not to be restarted
"""

from __future__ import annotations

from typing import Any, Final, Literal

import attrs

from actors.model.errors import InvalidTransition

Status = Literal["stopped", "starting", "running", "backing_off", "failed"]
Restart = Literal["permanent", "transient", "temporary"]

TRANSITIONS: Final[dict[tuple[str, str], Status]] = {
    ("stopped", "begin"): "starting",
    ("backing_off", "begin"): "starting",
    ("failed", "begin"): "starting",
    ("starting", "begin"): "starting",
    ("running", "begin"): "starting",
    ("starting", "run"): "running",
    ("starting", "exit"): "stopped",
    ("running", "exit"): "stopped",
    ("stopped", "back_off"): "backing_off",
    ("stopped", "fail"): "failed",
    ("stopped", "rest"): "stopped",
    ("starting", "rest"): "stopped",
    ("backing_off", "rest"): "stopped",
    ("failed", "rest"): "stopped",
}
"""(status, what happens) → the next status. From `running` another begins when that one was told to leave already."""


def next_status(name: str, status: str, happening: str) -> Status:
    """Return the status that follows; raise InvalidTransition naming what would be allowed."""
    following = TRANSITIONS.get((status, happening))
    if following is None:
        allowed = sorted(what for (origin, what) in TRANSITIONS if origin == status)
        raise InvalidTransition(
            f"service {name} is {status}: it cannot {happening}",
            hint=f"a {status} service can {' or '.join(allowed)}",
            status=status,
        )
    return following


TOOL_PREFIX: Final = "service:"


def tool_of(name: str) -> str:
    """Return what stands as `tool` in the runs that are a service's lives."""
    return f"{TOOL_PREFIX}{name}"


# Not slotted: the members are written in the order given here, and msgspec takes that order from __dict__.
@attrs.frozen(kw_only=True, slots=False)
class Service:
    """A service's row."""

    id: str
    """As `name`: every row has an id."""
    name: str
    strategy: str = "managed"
    mode: str = "stdio"
    endpoint: str | None = None
    status: Status = "stopped"
    command: str
    args: tuple[str, ...] = ()
    cwd: str | None = None
    restart: Restart = "permanent"
    pid: int | None = None
    pid_started: str | None = None
    started_at: str | None = None
    """When its present life began, or the last."""
    exited_at: str | None = None
    exit_code: int | None = None
    signal: int | None = None
    last_error: Any = None
    """{kind, message}: why its last life ended, when that was not in order, or why it is given up."""
    restarts: int = 0
    """How often its supervisor restarted it, since a command or Perdure's own start began it."""
    run_id: str | None = None
    lives: int = 0
    """How many it has had; the `attempt` of the run that is the latest."""
    wanted: bool = True
    up_at: str | None = None
    """When the Perdure came up that wanted it last: what was stopped by command is started again by the next one."""
    rev: int = 1

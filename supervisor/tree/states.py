"""
The states of a child and the ways between them, as a table. A way that is not in it raises and changes nothing.

::

    WAITING ──────> STARTING ──> RUNNING ──> STOPPING ──> KILLING ──> STUCK
       ^  ^            └───────────┴──── any of them may leave ─────────┘
       │  │                                    v
       │  └──────────────────────────────── STOPPED ──> REMOVED | FAILED
    BACKING_OFF <──────────────────────────────┘
"""

from enum import StrEnum


class ChildState(StrEnum):
    """Where a child is in its life."""

    WAITING = "waiting"
    """It is to be started as soon as those before it are ready."""
    BACKING_OFF = "backing_off"
    """It is to be started when its delay is over."""
    STARTING = "starting"
    """Its task runs and is not ready yet."""
    RUNNING = "running"
    """It said that it is ready."""
    STOPPING = "stopping"
    """It was asked to leave and has its grace."""
    KILLING = "killing"
    """It was cancelled and is not gone yet."""
    STUCK = "stuck"
    """It was cancelled long ago and does not leave: only the end of the process can end it."""
    STOPPED = "stopped"
    """It is gone; its place is kept, and it can be started again."""
    REMOVED = "removed"
    """It was temporary and is gone for good."""
    FAILED = "failed"
    """Its death is what made the supervisor give up."""


class IllegalTransition(RuntimeError):
    """A bug of the supervisor: it wanted a child to go a way that the table does not know."""


_S = ChildState
TRANSITIONS: dict[ChildState, frozenset[ChildState]] = {
    _S.WAITING: frozenset({_S.STARTING, _S.BACKING_OFF, _S.STOPPED}),
    _S.BACKING_OFF: frozenset({_S.WAITING, _S.BACKING_OFF, _S.STOPPED}),
    _S.STARTING: frozenset({_S.RUNNING, _S.STOPPING, _S.KILLING, _S.STOPPED}),
    _S.RUNNING: frozenset({_S.STOPPING, _S.KILLING, _S.STOPPED}),
    _S.STOPPING: frozenset({_S.KILLING, _S.STOPPED}),
    _S.KILLING: frozenset({_S.STUCK, _S.STOPPED}),
    _S.STUCK: frozenset({_S.STOPPED}),
    _S.STOPPED: frozenset({_S.WAITING, _S.BACKING_OFF, _S.REMOVED, _S.FAILED}),
    _S.REMOVED: frozenset(),
    _S.FAILED: frozenset(),
}

ALIVE = frozenset({_S.STARTING, _S.RUNNING, _S.STOPPING, _S.KILLING, _S.STUCK})
"""The states in which a child's task exists."""

SETTLED = frozenset({_S.RUNNING, _S.STOPPED, _S.REMOVED, _S.FAILED})
"""The states that do not make those who come after wait."""


def check_transition(path: str, now: ChildState, then: ChildState) -> None:
    """Raise `IllegalTransition` unless a child in state `now` may go to `then`."""
    if then not in TRANSITIONS[now]:
        raise IllegalTransition(f"{path}: no way from {now} to {then}")

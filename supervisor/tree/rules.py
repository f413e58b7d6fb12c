"""OTP's rules as tables: when a child is started again, who goes with it, what becomes of one that left by itself."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum


class ExitKind(StrEnum):
    """How a child left."""

    NORMAL = "normal"
    """It returned."""
    SHUTDOWN = "shutdown"
    """It raised `Shutdown`: it left on purpose, and says why."""
    ABNORMAL = "abnormal"
    """Anything else: an exception, a cancellation that nobody here ordered, a hang."""


class Restart(StrEnum):
    """When a child that left is started again."""

    PERMANENT = "permanent"
    TRANSIENT = "transient"
    TEMPORARY = "temporary"


class Strategy(StrEnum):
    """Who is stopped and started again together with a child that is restarted."""

    ONE_FOR_ONE = "one_for_one"
    ONE_FOR_ALL = "one_for_all"
    REST_FOR_ONE = "rest_for_one"


class Fate(StrEnum):
    """What becomes of a child that left by itself."""

    RESTART = "restart"
    KEEP = "keep"
    """Not started again by its own exit; its place is kept for a manual restart or a sibling's group restart."""
    REMOVE = "remove"


class ChildKind(StrEnum):
    """Whether a child has children of its own."""

    WORKER = "worker"
    SUPERVISOR = "supervisor"


FATES: dict[tuple[Restart, ExitKind], Fate] = {
    (Restart.PERMANENT, ExitKind.NORMAL): Fate.RESTART,
    (Restart.PERMANENT, ExitKind.SHUTDOWN): Fate.RESTART,
    (Restart.PERMANENT, ExitKind.ABNORMAL): Fate.RESTART,
    (Restart.TRANSIENT, ExitKind.NORMAL): Fate.KEEP,
    (Restart.TRANSIENT, ExitKind.SHUTDOWN): Fate.KEEP,
    (Restart.TRANSIENT, ExitKind.ABNORMAL): Fate.RESTART,
    (Restart.TEMPORARY, ExitKind.NORMAL): Fate.REMOVE,
    (Restart.TEMPORARY, ExitKind.SHUTDOWN): Fate.REMOVE,
    (Restart.TEMPORARY, ExitKind.ABNORMAL): Fate.REMOVE,
}

AFFECTED: dict[Strategy, Callable[[int, int], range]] = {
    Strategy.ONE_FOR_ONE: lambda failed, _count: range(failed, failed + 1),
    Strategy.ONE_FOR_ALL: lambda _failed, count: range(count),
    Strategy.REST_FOR_ONE: range,
}
"""(index of the child that failed, number of children) -> indices of those who are stopped and started with it."""

"""What a supervisor tells its `on_event` hook: frozen facts for logs and metrics, the only vocabulary outwards."""

from collections.abc import Mapping

from attrs import frozen

from supervisor.tree.report import CrashReport
from supervisor.tree.rules import ExitKind


@frozen(kw_only=True)
class ChildStarted:
    """A new incarnation's task began."""

    path: str
    incarnation: int


@frozen(kw_only=True)
class ChildReady:
    """It said that it is ready, `took_s` seconds after its start."""

    path: str
    incarnation: int
    took_s: float
    details: Mapping[str, object]


@frozen(kw_only=True)
class ChildExited:
    """It is gone. `expected`: the supervisor wanted it so, nothing follows from it."""

    path: str
    incarnation: int
    kind: ExitKind
    reason: str
    expected: bool
    report: CrashReport | None


@frozen(kw_only=True)
class ChildRestarting:
    """It will be started again in `delay_s` seconds; `with_it` are the paths that its strategy takes along."""

    path: str
    delay_s: float
    reason: str
    restarts: int
    exhausted: bool
    """The intensity is used up, and the specification says to go on slowly instead of giving up."""
    with_it: tuple[str, ...]


@frozen(kw_only=True)
class ChildStuck:
    """
    It was cancelled `waited_s` seconds ago and does not leave: a shield or a system call holds it.

    trio cannot abandon a task, so no restart, stop or escalation gets past it. The bound is this event: whoever owns
    the process ends it.
    """

    path: str
    incarnation: int
    waited_s: float


@frozen(kw_only=True)
class Escalated:
    """The supervisor gives up: it stops its children and then tells its parent, or its owner."""

    path: str
    child: str
    message: str
    reports: tuple[CrashReport, ...]


@frozen(kw_only=True)
class SupervisorStopped:
    """All its children are gone and so is it. `reason` is what the stop was called with, or why it gave up."""

    path: str
    reason: str


TreeEvent = ChildStarted | ChildReady | ChildExited | ChildRestarting | ChildStuck | Escalated | SupervisorStopped

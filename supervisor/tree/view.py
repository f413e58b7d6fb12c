"""What a supervisor shows of itself: frozen, taken at once, whatever is going on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from attrs import frozen

from supervisor.tree.crew import Crew
from supervisor.tree.report import CrashReport
from supervisor.tree.roster import Phase
from supervisor.tree.rules import ChildKind
from supervisor.tree.slot import Slot
from supervisor.tree.states import ChildState

_STATES = {
    Phase.STARTING: ChildState.STARTING,
    Phase.RUNNING: ChildState.RUNNING,
    Phase.STOPPING: ChildState.STOPPING,
}


@frozen(kw_only=True)
class ChildView:
    """One child, or the supervisor at the top, at one moment. Monotonic times are of trio's clock."""

    name: str
    path: str
    """Names from the top down, joined by slashes."""
    kind: ChildKind
    state: ChildState
    restarts: int = 0
    incarnation: int = 1
    started_at_s: float | None
    """Monotonic; None while it is not alive."""
    uptime_s: float | None
    last_crash: CrashReport | None = None
    backoff_until_s: float | None = None
    """Monotonic; None unless it waits for its backoff."""
    details: Mapping[str, object] = {}
    """What the child gave to `ready()`."""
    children: tuple[ChildView, ...] = ()

    def walk(self) -> Iterator[ChildView]:
        """This view and all those below it, parents first."""
        yield self
        for child in self.children:
            yield from child.walk()

    def find(self, path: str) -> ChildView:
        """The view with this path; raises `KeyError`."""
        for view in self.walk():
            if view.path == path:
                return view
        raise KeyError(path)


def view_of_crew(crew: Crew, now_s: float) -> ChildView:
    """Show the supervisor at the top and everything below it."""
    state = _STATES[crew.roster.phase]
    if crew.ended:
        state = ChildState.FAILED if crew.roster.failure else ChildState.STOPPED
    elif crew.started_at_s is None:
        state = ChildState.WAITING
    since_s = None if crew.ended else crew.started_at_s
    return ChildView(
        name=crew.spec.name,
        path=crew.path,
        kind=crew.spec.kind,
        state=state,
        started_at_s=since_s,
        uptime_s=None if since_s is None else now_s - since_s,
        children=_children_of(crew, now_s),
    )


def _children_of(crew: Crew, now_s: float) -> tuple[ChildView, ...]:
    return tuple(_view_of(slot, crew.inner.get(slot), now_s) for slot in crew.roster.slots)


def _view_of(slot: Slot, inner: Crew | None, now_s: float) -> ChildView:
    return ChildView(
        name=slot.spec.name,
        path=slot.path,
        kind=slot.spec.kind,
        state=slot.state,
        restarts=slot.history.restarts,
        incarnation=slot.history.incarnation,
        started_at_s=slot.started_at_s if slot.alive else None,
        uptime_s=now_s - slot.started_at_s if slot.alive else None,
        last_crash=slot.history.last_crash,
        backoff_until_s=slot.deadline_s if slot.state is ChildState.BACKING_OFF else None,
        details=slot.details,
        children=() if inner is None else _children_of(inner, now_s),
    )

"""
A supervisor as others see it: run it, stop it, look at it, give orders about single children.

::

    supervisor = Supervisor(SupervisorSpec(name="runtime", children=(writer, gateway)))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(supervisor.run)
        if await supervisor.wait_ready():
            ...
        supervisor.stop("SIGTERM")

Where a child is meant (`ref`), its path or a name that only one child has will do. What happens inside is `crew`'s
(tasks and time) and `roster`'s (decisions).
"""

from functools import partial

import trio

from supervisor.tree.chaos import Harm, inflict
from supervisor.tree.crew import Crew
from supervisor.tree.errors import ChildDown, NotRestartable, UnknownChild
from supervisor.tree.hooks import Hooks
from supervisor.tree.rules import Restart
from supervisor.tree.slot import Slot
from supervisor.tree.spec import SupervisorSpec, refuse_bad
from supervisor.tree.states import ChildState
from supervisor.tree.view import ChildView, view_of_crew

_AWAY = frozenset({ChildState.STOPPED, ChildState.REMOVED, ChildState.FAILED, ChildState.STUCK})


class Supervisor:
    """Runs the children of a specification by OTP's rules, once. Raises `BadSpec` when anything in it is wrong."""

    def __init__(self, spec: SupervisorSpec, hooks: Hooks | None = None) -> None:
        refuse_bad(spec)
        self._crew = Crew(spec, spec.name, hooks or Hooks(), histories={})

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """
        Start the children in order, then keep them alive until `stop` is called; returns when all are gone.

        Raises `IntensityExceeded` or `StartFailed`, after having stopped everybody. Cancelling it cancels all children
        at once, in no order. `task_status.started()` is called when all are ready for the first time; `wait_ready`
        tells the same and, unlike `nursery.start`, cannot wait for a supervisor that has ended.
        """
        await self._crew.run(task_status.started)

    def stop(self, reason: str = "stopped") -> None:
        """Have the children stopped in reverse order, each with its own deadline; from any task, at any time."""
        self._crew.stop(reason)

    async def wait_ready(self) -> bool:
        """Wait until all children are ready for the first time; False when it was stopped, or gave up, before."""
        return await self._crew.first_ready()

    def tree(self) -> ChildView:
        """Everything below and including this supervisor, as it is now; at once, from any task of the trio run."""
        return view_of_crew(self._crew, trio.current_time())

    async def restart_child(self, ref: str) -> ChildView:
        """
        Stop a child, and whoever its strategy restarts with it, in order and start them again; not counted.

        Returns when it is ready. Raises `ChildDown` when it failed and waits for its backoff, was stopped meanwhile, or
        is stuck; `NotRestartable` for a temporary child; `UnknownChild`; `NotSupervising`.
        """
        crew, slot = self._locate(ref)
        if slot.spec.restart is Restart.TEMPORARY:
            raise NotRestartable(f"{slot.path} is temporary: it is never started again")
        before = slot.history.incarnation
        await crew.perform(partial(crew.roster.restart, slot))
        await crew.until(lambda: slot.state in _AWAY or _came_to_rest_since(slot, before))
        if slot.state is not ChildState.RUNNING:
            raise ChildDown(slot.path, slot.state, slot.history.last_crash)
        return self.tree().find(slot.path)

    async def terminate_child(self, ref: str) -> None:
        """
        Stop a child by its own deadline; it stays stopped until `restart_child` or a group restart by its strategy.

        A temporary child is removed. Raises `ChildDown` when it is stuck; `UnknownChild`, `NotSupervising`.
        """
        crew, slot = self._locate(ref)
        before = slot.history.incarnation
        await crew.perform(lambda _now_s: crew.roster.terminate(slot))
        await crew.until(lambda: slot.state in _AWAY or slot.history.incarnation > before)
        if slot.state is ChildState.STUCK:
            raise ChildDown(slot.path, slot.state, slot.history.last_crash)

    def crash_child(self, ref: str, harm: Harm) -> None:
        """Make a child fail, for chaos; raises `ChildDown` when it is not alive, `UnknownChild`."""
        crew, slot = self._locate(ref)
        if slot not in crew.lives:
            raise ChildDown(slot.path, slot.state, slot.history.last_crash)
        inflict(crew.lives[slot], harm)

    def _locate(self, ref: str) -> tuple[Crew, Slot]:
        everybody = list(self._crew.everybody())
        found = [place for place in everybody if place[1].path == ref]
        found = found or [place for place in everybody if place[1].spec.name == ref]
        if len(found) == 1:
            return found[0]
        if found:
            raise UnknownChild(f"{ref!r} may be {' or '.join(slot.path for _, slot in found)}: give the path")
        raise UnknownChild(f"no child is called {ref!r}; there are {', '.join(slot.path for _, slot in everybody)}")


def _came_to_rest_since(slot: Slot, incarnation: int) -> bool:
    """Whether an incarnation after this one is ready, or has failed and waits."""
    resting = slot.state in (ChildState.RUNNING, ChildState.BACKING_OFF)
    return resting and slot.history.incarnation > incarnation

"""Children that do what a test tells them, a log of what happened to them, and a supervisor run around a test."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from random import Random
from typing import Any, TypeVar

import pytest
import trio
import trio.abc
import trio.testing
from attrs import define, field

from supervisor.tree.context import ChildContext
from supervisor.tree.errors import GaveUp
from supervisor.tree.events import TreeEvent
from supervisor.tree.hooks import Hooks
from supervisor.tree.policy import Backoff, Intensity
from supervisor.tree.spec import Child, ChildSpec, SupervisorSpec
from supervisor.tree.states import ChildState
from supervisor.tree.supervisor import Supervisor
from supervisor.tree.view import ChildView

PATIENT = Intensity(restarts_max=1000, within_s=1)
"""An intensity that never escalates, for tests of something else."""
AT_ONCE = Backoff(base_s=0, max_s=0)
"""No delays, for tests of something else."""

A_WEEK_S = 604_800
"""What waits for ever under the virtual clock fails at once."""

E = TypeVar("E")
Act = Callable[[ChildContext], Awaitable[None]]


@define
class Cast:
    """The children of one test. `log` holds `start`, `ready`, `asked` and `gone`, each with the child's name."""

    log: list[str] = field(factory=list)
    lives: dict[str, int] = field(factory=dict)
    contexts: dict[str, ChildContext] = field(factory=dict)
    alive: set[str] = field(factory=set)
    _orders: dict[str, trio.MemorySendChannel[BaseException | None]] = field(factory=dict)

    def child(self, name: str, act: Act | None = None, **options: Any) -> ChildSpec:
        """A child that serves until it is asked to leave or told to crash; `act` replaces what it does."""

        async def run(context: ChildContext) -> None:
            assert name not in self.alive, f"{name} is alive twice"
            self.alive.add(name)
            self.lives[name] = self.lives.get(name, 0) + 1
            self.contexts[name] = context
            self.log.append(f"start {name}")
            try:
                await (act or self.serve)(context)
            finally:
                self.alive.remove(name)
                self.log.append(f"gone {name}")

        return ChildSpec(name=name, run=run, **options)

    async def serve(self, context: ChildContext) -> None:
        """Be ready at once, then leave as ordered or when asked."""
        self.ready(context)
        await self.until_told(context)

    def ready(self, context: ChildContext) -> None:
        """Be ready, and say so in the log."""
        self.log.append(f"ready {context.name}")
        context.ready()

    async def until_told(self, context: ChildContext) -> None:
        """Wait for the supervisor's or the test's order and follow it."""
        self._orders[context.name], inbox = trio.open_memory_channel[BaseException | None](1)
        order: BaseException | None = None
        async with trio.open_nursery() as nursery:

            async def leave_when_asked() -> None:
                await context.stopping.wait()
                self.log.append(f"asked {context.name}")
                nursery.cancel_scope.cancel()

            nursery.start_soon(leave_when_asked)
            order = await inbox.receive()
            nursery.cancel_scope.cancel()
        if order is not None:
            raise order

    def tell(self, name: str, order: BaseException | None) -> None:
        """Make a serving child raise this, or return."""
        self._orders[name].send_nowait(order)

    async def crash(self, *names: str) -> None:
        """Make these crash in the same moment and wait until everything that follows at once has happened."""
        for name in names:
            self.tell(name, ValueError(f"{name} crashed"))
        await quiet()

    def of(self, *verbs: str) -> list[str]:
        """The part of the log that is about these verbs."""
        return [line for line in self.log if line.split()[0] in verbs]


@define
class Show:
    """A supervisor that runs, its events and how it ended."""

    supervisor: Supervisor
    events: list[TreeEvent]
    failure: GaveUp | None = None
    ended: trio.Event = field(factory=trio.Event)

    def view(self, name: str) -> ChildView:
        """The view of the child with this name."""
        (found,) = [view for view in self.supervisor.tree().walk() if view.name == name]
        return found

    def state(self, name: str) -> ChildState:
        """The state of the child with this name."""
        return self.view(name).state

    def seen(self, kind: type[E]) -> list[E]:
        """The events of this kind."""
        return [event for event in self.events if isinstance(event, kind)]


def tree(*children: Child, **options: Any) -> SupervisorSpec:
    """A supervisor called `top` that restarts at once and without end, unless told otherwise."""
    return SupervisorSpec(**{"name": "top", "intensity": PATIENT, "backoff": AT_ONCE, "children": children, **options})


@asynccontextmanager
async def running(spec: SupervisorSpec, *, wait: bool = True) -> AsyncIterator[Show]:
    """Run a supervisor around the body, ready unless `wait` is False; stopped at the end if it still runs."""
    events: list[TreeEvent] = []
    show = Show(Supervisor(spec, Hooks(on_event=events.append, rng=Random(1))), events)

    async def run() -> None:
        try:
            await show.supervisor.run()
        except GaveUp as failure:
            show.failure = failure
        finally:
            show.ended.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(run)
        if wait:
            assert await show.supervisor.wait_ready()
        else:
            await quiet()
        yield show
        show.supervisor.stop("the test is over")


async def quiet() -> None:
    """Wait until nothing more happens without time passing."""
    await trio.testing.wait_all_tasks_blocked()


def _run_in_virtual_time(
    test: Callable[[], Awaitable[None]],
    clock: trio.abc.Clock | None = None,
    instruments: Sequence[trio.abc.Instrument] = (),
) -> None:
    async def bounded() -> None:
        with trio.fail_after(A_WEEK_S):
            await test()

    trio.run(bounded, clock=clock or trio.testing.MockClock(autojump_threshold=0), instruments=instruments)


in_virtual_time = pytest.mark.trio(run=_run_in_virtual_time)
"""Time passes only when nothing else can happen, and then at once: for tests without threads and processes."""

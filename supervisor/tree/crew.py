"""
The roster's hands under trio: one control loop, one guarded task per living child, deadlines by `move_on_at`.

Nothing but the control loop touches the roster. Children's tasks and callers leave a note and wake the loop, so a note
takes effect a moment later, in one place, and never inside somebody else's decision: the `on_event` hook may itself
order a stop.

What trio makes impossible: a task that shields itself, or sits in an uncancellable thread call, cannot be abandoned.
Such a child becomes `stuck` after `stuck_after_s`, a `ChildStuck` event says so, its siblings are stopped without
waiting for it, and `run` cannot return before it leaves. Whoever owns the process decides whether to end it.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from functools import partial

import trio

from supervisor.tree.backoff import Delays
from supervisor.tree.condemned import Condemned
from supervisor.tree.context import ChildContext
from supervisor.tree.errors import NotSupervising
from supervisor.tree.events import ChildStarted, SupervisorStopped, TreeEvent
from supervisor.tree.hooks import Hooks
from supervisor.tree.life import Life
from supervisor.tree.report import Exit
from supervisor.tree.roster import Hands, Phase, Roster
from supervisor.tree.slot import History, Slot
from supervisor.tree.spec import ChildSpec, SupervisorSpec
from supervisor.tree.states import ChildState

LATE_S = 1.0
"""Woken this much too late, the whole loop stood still (a blocking call, SIGSTOP): nobody could beat; nobody hung."""

_logger = logging.getLogger(__name__)


class Crew:
    """The children of one supervisor while it runs, which is once. Nested supervisors are crews in `inner`."""

    def __init__(self, spec: SupervisorSpec, path: str, hooks: Hooks, histories: dict[str, History]) -> None:
        self.spec = spec
        self.path = path
        self.lives: dict[Slot, Life] = {}
        """The incarnations that exist now."""
        self.inner: dict[Slot, Crew] = {}
        """The nested supervisors, also those that have ended and are not replaced yet."""
        self.started_at_s: float | None = None
        self.ended = False
        self._hooks = hooks
        self._histories = histories
        hands = Hands(start=self._start, ask=self._ask, kill=self._kill, emit=self._emit)
        self.roster = Roster(path, spec, [self._slot(index) for index in range(len(spec.children))], hands)
        self._notes: deque[Callable[[float], None]] = deque()
        self._exits: list[tuple[Slot, Exit]] = []
        self._nursery: trio.Nursery | None = None
        self._why_stopped = ""
        self._wakeup = trio.Event()
        self._turned = trio.Event()

    async def run(self, on_ready: Callable[[], None]) -> None:
        """Start everybody and stay until stopped; raises what the roster gave up with."""
        if self.started_at_s is not None:
            raise NotSupervising(f"{self.path} ran already")
        self.started_at_s = trio.current_time()
        try:
            async with trio.open_nursery() as self._nursery:
                await self._control(on_ready)
        finally:
            self._close()
        if self.roster.failure is not None:
            raise self.roster.failure

    def stop(self, reason: str) -> None:
        """Order a stop of everybody in reverse order, after which `run` returns; the first reason stands."""
        self._why_stopped = self._why_stopped or reason
        self._note(lambda _now_s: self.roster.stop())

    async def perform(self, order: Callable[[float], None]) -> None:
        """Have the control loop carry out an order, and wait until it has; raises `NotSupervising`."""
        done = trio.Event()

        def note(now_s: float) -> None:
            order(now_s)
            done.set()

        self._note(note)
        await self.until(done.is_set)

    async def until(self, happened: Callable[[], bool]) -> None:
        """Wait for a turn of the control loop after which this is true; raises `NotSupervising` when it ends before."""
        while not happened():
            if self.ended or self.started_at_s is None:
                raise NotSupervising(f"{self.path} is not running")
            await self._turned.wait()

    async def first_ready(self) -> bool:
        """Wait until everybody was ready once; False when the supervisor was told to stop, or gave up, before."""
        while self.roster.phase is Phase.STARTING and not self.ended:
            await self._turned.wait()
        return self.roster.phase is Phase.RUNNING

    def everybody(self) -> Iterator[tuple[Crew, Slot]]:
        """Every slot of this supervisor and of those below it, with the crew it belongs to."""
        for slot in self.roster.slots:
            yield self, slot
            if slot in self.inner:
                yield from self.inner[slot].everybody()

    # The control loop.

    async def _control(self, on_ready: Callable[[], None]) -> None:
        while True:
            was_starting = self.roster.phase is Phase.STARTING
            self._take_turn(trio.current_time())
            if was_starting and self.roster.phase is Phase.RUNNING:
                on_ready()
            if self.roster.over:
                return
            due_at_s = self.roster.due_at_s()
            with trio.move_on_at(due_at_s):
                await self._wakeup.wait()
            self._wakeup = trio.Event()
            if trio.current_time() - due_at_s > LATE_S:
                self.roster.watch_anew(trio.current_time())

    def _take_turn(self, now_s: float) -> None:
        while self._notes:
            self._notes.popleft()(now_s)
        # Of several deaths at once the first in start order speaks for those after it, whichever task trio ran first.
        exits, self._exits = sorted(self._exits, key=lambda note: note[0].index), []
        for slot, left in exits:
            del self.lives[slot]
            self.roster.child_exited(slot, left, now_s)
        self.roster.advance(now_s)
        turned, self._turned = self._turned, trio.Event()
        turned.set()

    def _note(self, note: Callable[[float], None]) -> None:
        self._notes.append(note)
        self._wakeup.set()

    def _close(self) -> None:
        self.ended = True
        for slot in self.lives:  # there are some only after a cancellation or an interrupt, which the roster never saw
            slot.enter(ChildState.STOPPED)
        self.lives.clear()
        self._turned.set()
        reason = str(self.roster.failure or self._why_stopped or "cancelled")
        self._emit(SupervisorStopped(path=self.path, reason=reason))

    # The roster's hands.

    def _slot(self, index: int) -> Slot:
        spec = self.spec.children[index]
        path = f"{self.path}/{spec.name}"
        history = self._histories.setdefault(path, History())
        delays = Delays(self.spec.backoff, self._hooks.rng)
        return Slot(spec=spec, path=path, index=index, delays=delays, history=history)

    def _start(self, slot: Slot) -> None:
        context = ChildContext(
            name=slot.spec.name,
            path=slot.path,
            incarnation=slot.history.incarnation,
            last_crash=slot.history.last_crash,
            on_ready=partial(self._on_ready, slot, slot.history.incarnation),
            on_beat=partial(_on_beat, slot, slot.history.incarnation),
        )
        if isinstance(slot.spec, ChildSpec):
            run = slot.spec.run
        else:
            self.inner[slot] = Crew(slot.spec, slot.path, self._hooks, self._histories)
            run = self.inner[slot].run_as_child
        self.lives[slot] = life = Life(slot, context, run, self._hooks)
        self._emit(ChildStarted(path=slot.path, incarnation=context.incarnation))
        if self._nursery is None:
            raise NotSupervising(self.path)
        self._nursery.start_soon(self._host, slot, life, name=slot.path)

    async def _host(self, slot: Slot, life: Life) -> None:
        left = await life.live()
        self._exits.append((slot, left))
        self._wakeup.set()

    async def run_as_child(self, context: ChildContext) -> None:
        """Run below another supervisor; ready when all children are."""
        await self.run(context.ready)

    def _ask(self, slot: Slot) -> None:
        self.lives[slot].context.stopping.set()
        if slot in self.inner:
            self.inner[slot].stop(f"{self.path} stops it")

    def _kill(self, slot: Slot, why: Condemned) -> None:
        self.lives[slot].condemn(why)

    def _on_ready(self, slot: Slot, incarnation: int, details: Mapping[str, object]) -> None:
        def note(now_s: float) -> None:
            if slot.history.incarnation == incarnation and slot.state is ChildState.STARTING:
                slot.details = details
                self.roster.child_ready(slot, now_s)

        self._note(note)

    def _emit(self, event: TreeEvent) -> None:
        try:
            self._hooks.on_event(event)
        except Exception:
            _logger.exception("the on_event hook failed; supervision goes on without it", extra={"event": event})


def _on_beat(slot: Slot, incarnation: int) -> None:
    if slot.history.incarnation == incarnation:
        slot.beat_at_s = trio.current_time()

"""Tidings of the tree: what the supervisors tell becomes metrics, log lines and events, each in its time.

    crash ─► hear ─► counts                                  at once: alerts are decided by them
               │
               ├──► the actor is started again, and answers
               │
               └──► TOLD_AFTER_S ─► log lines ─► events      a thread; then the loop

Told at once, a crash would stand in its own way. Its traceback needs source files that nobody has read yet; its line
wakes the process that keeps the log; its events are commits, and the restarted actor begins only when all that is on
its way to the disk is durable. Measured: half of the time between a crash and the next answer, two commits of three.

The lines are written by a thread, so that they come although the restarted actor blocks the loop: that is when they are
needed most. What waits is told when the runtime stops (`told`) and when it ends in any other way (`close`).
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import trio

from actors.kernel.io_thread import IoThread, Job
from actors.messages.proposal import Live
from supervisor.runtime.tree_rows import crash_as_json
from supervisor.tree.events import ChildExited, ChildReady, ChildRestarting, Escalated, TreeEvent
from supervisor.tree.report import CrashReport

TOLD_AFTER_S: Final = 0.05
"""Several times what an actor takes until it answers again, and no time for who follows the log or the events."""

TOLD_WITHIN_S: Final = 1.0
"""How long an end waits for the lines: it is a matter of reading source files and of a pipe, which may be full."""

Say = Callable[[], None]


class Tidings:
    """See the module's text. `tell` leaves an event with the events actor, `restarted` counts for the alerts."""

    def __init__(
        self, tell: Callable[[Live], None], restarts: Counter[str], restarted: Callable[[], None], log: Any
    ) -> None:
        self._tell = tell
        self._restarts = restarts
        self._restarted = restarted
        self._log = log
        self._thread = IoThread("tidings")
        self._hurry = threading.Event()

    def hear(self, event: TreeEvent) -> None:
        """Take what a supervisor tells; never waits. Only inside the trio run."""
        match event:
            case ChildExited(expected=False) as gone:
                self._left(gone)
            case ChildRestarting() as again:
                self._restarts[again.path] += 1
                self._restarted()
                values = {"actor": again.path, "delay_s": again.delay_s, "with_it": again.with_it}
                self._later(partial(self._log.warning, "an actor is restarted", **values))
            case ChildReady(incarnation=incarnation) as ready if incarnation > 1:
                told = {"actor": ready.path, "incarnation": incarnation}
                self._later(_nothing, Live("actor:restarted", told, recorded=True))
            case Escalated() as escalated:
                values = {"supervisor": escalated.path, "problem": escalated.message}
                self._later(partial(self._log.error, "a supervisor gives up", **values))

    async def told(self) -> None:
        """Tell what waits, and from now on everything at once: as long as there is somebody to record it."""
        self._hurry.set()
        with trio.move_on_after(TOLD_WITHIN_S):
            await self._thread.call(_nothing)

    def close(self) -> None:
        """Write the lines that wait, and end the thread; blocks, for TOLD_WITHIN_S at most. Nothing is heard after."""
        self._hurry.set()
        self._thread.close()
        self._thread.joined(TOLD_WITHIN_S)

    def _left(self, gone: ChildExited) -> None:
        crash = {} if gone.report is None else crash_as_json(gone.report)
        told = {"actor": gone.path, "reason": gone.reason, **crash}
        say = partial(self._say_left, actor=gone.path, reason=gone.reason, crash=crash, report=gone.report)
        self._later(say, Live("actor:crashed", told, recorded=True))

    def _say_left(self, *, report: CrashReport | None, **values: Any) -> None:
        traceback = None if report is None else report.traceback
        self._log.error("an actor left", **values, traceback=traceback)

    def _later(self, say: Say, live: Live | None = None) -> None:
        """Have the thread say this when it is time, and the loop then tell the event; in the order of the calls."""

        def then(_job: Job) -> None:
            if live is not None:
                self._tell(live)

        self._thread.submit(partial(self._say_at, time.monotonic() + TOLD_AFTER_S, say), then)

    def _say_at(self, due_at_s: float, say: Say) -> None:
        self._hurry.wait(max(0.0, due_at_s - time.monotonic()))
        say()


def _nothing() -> None:
    """Say nothing: the event says it all."""

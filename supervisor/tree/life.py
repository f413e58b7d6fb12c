"""
One incarnation of a child: its task's guard, its cancel scope, and what its end counts as.

A nursery isolates nothing, so every child runs under a guard that turns its exceptions into an `Exit`. The guard takes
only what is the child's: `Cancelled` of somebody else's scope, `KeyboardInterrupt` and `SystemExit` go on, also out of
a group that holds an error beside them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import trio
from attrs import define, field

from supervisor.tree.condemned import CancelledFromOutside, Condemned
from supervisor.tree.context import ChildContext
from supervisor.tree.errors import Shutdown
from supervisor.tree.hooks import Hooks
from supervisor.tree.report import CrashReport, Exit, leaves, message_of, separate, utc_stamp
from supervisor.tree.rules import ExitKind
from supervisor.tree.trace import Stack, Trace, stacks_of

if TYPE_CHECKING:
    from supervisor.tree.slot import Slot


@define(eq=False)
class Life:
    """One incarnation: runs once."""

    slot: Slot
    context: ChildContext
    _run: Callable[[ChildContext], Awaitable[None]]
    _hooks: Hooks
    scope: trio.CancelScope = field(factory=trio.CancelScope, init=False)
    _condemned: Condemned | None = field(default=None, init=False)
    _stacks: list[Stack] = field(factory=list, init=False)
    _task: trio.lowlevel.Task | None = field(default=None, init=False)
    _started_at_s: float = field(factory=trio.current_time, init=False)

    async def live(self) -> Exit:
        """Run the child to its end; raises only what is not the child's, which ends the supervisor too."""
        self._task = trio.lowlevel.current_task()
        error: Exception | None = None
        with self.scope:
            try:
                await self._run(self.context)
            except BaseException as thrown:  # noqa: BLE001  what is not the child's is raised again
                error, going_on = separate(thrown)
                if going_on is not None:
                    raise going_on  # noqa: B904  it is a part of what was thrown, not its consequence
        return self._judge(error)

    def condemn(self, why: Condemned) -> None:
        """Cancel the child for a reason that its exit will be counted by; the first reason stands."""
        if self._condemned is None:
            self._condemned = why
            self._stacks = stacks_of(self._task) if self._task else []
        self.scope.cancel(reason=f"{why.reason}: {why}")

    def _judge(self, error: Exception | None) -> Exit:
        why = self._condemned
        if why is None and error is None and self.scope.cancelled_caught:
            why = CancelledFromOutside("its scope was cancelled by somebody else than its supervisor")
        if why is not None:
            why.__cause__ = error
            return self._exit(why.kind, why.reason, why)
        if error is None:
            return self._exit(ExitKind.NORMAL, "returned", None)
        if all(isinstance(leaf, Shutdown) for leaf in leaves(error)):
            return self._exit(ExitKind.SHUTDOWN, message_of(error) or "shutdown", error)
        return self._exit(ExitKind.ABNORMAL, "crashed", error)

    def _exit(self, kind: ExitKind, reason: str, error: Exception | None) -> Exit:
        report = None
        if kind is ExitKind.ABNORMAL and error is not None:
            report = CrashReport(
                id=f"{self._hooks.rng.getrandbits(48):012x}",
                path=self.slot.path,
                incarnation=self.context.incarnation,
                reason=reason,
                exception_type=type(error).__name__,
                message=message_of(error),
                trace=Trace(error, self._stacks),
                uptime_s=trio.current_time() - self._started_at_s,
                at=utc_stamp(self._hooks.utc_now()),
            )
        return Exit(kind=kind, reason=reason, error=error, report=report, excused=self.context.excused)

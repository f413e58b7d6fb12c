"""One service as a child of its supervisor: it lives as long as the service's process, and leaves as that one did.

How the life ended            how the child leaves
exit code 0                   returns
any other, a signal           raises `LifeEnded`
no process could be made      raises, and never was ready: a first start that fails so is given up, as in OTP
the agent host went down      raises, excused: nobody blames the service; it uses up no intensity and waits for nothing
Perdure ended it              waits to be told to leave, or, where it is to run again (`service.restart`), begins anew

The child is ready when the process is there. Told to leave, it has the life ended (SIGTERM, grace, SIGKILL) and leaves
after it. If it is cancelled, or its runtime dies, the life goes on, and the next incarnation adopts it.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from typing import TypeVar

import trio

from actors.messages.services import LifeBegin, LifeEnd
from actors.model.errors import Conflict, NotFound
from actors.model.ids import new_id
from actors.model.run import LIVE, Run
from actors.running.services import ServiceSpec
from supervisor.runtime.services.records import Records
from supervisor.tree.context import ChildContext

T = TypeVar("T")


class LifeEnded(Exception):
    """A service's life ended, and not in order; the message says how."""


class ServiceLife:
    """See the module's text. It outlives the child's incarnations."""

    def __init__(self, spec: ServiceSpec, records: Records) -> None:
        self.run_id = ""
        """The life that is, or was the last."""
        self.grace_max_s = math.inf
        """When everything stops, there is not more time than this between SIGTERM and SIGKILL."""
        self._spec = spec
        self._records = records

    async def run(self, context: ChildContext) -> None:
        """Be the child, for one incarnation."""
        is_again = context.incarnation > 1
        run = await self._live(context, is_judged=is_again, is_restart=is_again)
        while run is not None and run.status == "cancelled" and not context.stopping.is_set():
            run = await self._live(context, is_judged=True, is_restart=False)
        if run is None or run.status == "cancelled":
            await context.stopping.wait()
            return
        self._leave_as(run, context)

    async def _live(self, context: ChildContext, *, is_judged: bool, is_restart: bool) -> Run | None:
        """Have a life, from its beginning to its end; None when there is to be none."""
        begin = LifeBegin(name=self._spec.name, run_id=new_id(), is_judged=is_judged, is_restart=is_restart)
        try:
            answer = await _unless(context.stopping, lambda: self._records.note("service.begin", begin))
        except (Conflict, NotFound):
            return None  # somebody has stopped it meanwhile
        if answer is None:
            return None
        self.run_id = answer["id"]
        if await _unless(context.stopping, lambda: self._records.until(self._begun)):
            context.ready()
        run = await _unless(context.stopping, lambda: self._records.until(self._over))
        return run if run is not None else await self._end()

    async def _end(self) -> Run:
        """Have the life ended, and wait until it is over."""
        grace_s = min(self._spec.stop_grace_s, self.grace_max_s)
        await self._records.note("service.end", LifeEnd(name=self._spec.name, run_id=self.run_id, grace_s=grace_s))
        return await self._records.until(self._over)

    def _begun(self) -> bool | None:
        """Whether there was a process (or its host went down, which is no failed start); None while nobody knows."""
        run = self._records.run(self.run_id)
        if run is None or run.pid is not None or run.status == "interrupted":
            return True
        return None if run.status in LIVE else False

    def _over(self) -> Run | None:
        run = self._records.run(self.run_id)
        return None if run is None or run.status in LIVE else run

    def _leave_as(self, run: Run, context: ChildContext) -> None:
        if run.status == "exited" and run.exit_code == 0:
            return
        if run.status == "interrupted":
            context.excuse()
        error = run.error if isinstance(run.error, dict) else {}
        raise LifeEnded(str(error.get("message") or run.status))


async def _unless(stopping: trio.Event, wait: Callable[[], Awaitable[T]]) -> T | None:
    """Return what is waited for, None when the event came first."""
    found: list[T] = []
    failed: list[Exception] = []  # raised below: a nursery would wrap it
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_cancel_at, stopping, nursery.cancel_scope)
        try:
            found.append(await wait())
        except Exception as error:  # noqa: BLE001  whatever it is, it is raised again
            failed.append(error)
        nursery.cancel_scope.cancel()
    if failed:
        raise failed[0]
    return found[0] if found else None


async def _cancel_at(event: trio.Event, scope: trio.CancelScope) -> None:
    await event.wait()
    scope.cancel()

"""The runs actor's part in services: their rows as configured, and lives that are to begin.

A service's lives are runs, so the runs actor owns both rows: one line tells of a run and of its service. When a life is
to begin, and whether another follows it, is decided by the service's supervisor in the runtime
(`supervisor.runtime.services`), which asks here. A life begins only while a host is attached, as any run does; who asks
before that is kept in the `Hall` and waits.
"""

from __future__ import annotations

from typing import Final

import trio

from actors.decisions import services, services_life
from actors.decisions.decision import At, Handler
from actors.kernel.ref import Ref
from actors.messages.request import Request
from actors.messages.services import LifeBegin
from actors.model.draft import Draft
from actors.own_work import OwnWork
from actors.running.link import Host

HANDLERS: Final[dict[type, Handler]] = {**services.HANDLERS, **services_life.HANDLERS}


CONFIGURED_WITHIN_S: Final = 2.0
"""A disk that does not take the rows in this time takes them later; until then services are shown as they were."""


class ServiceLives:
    """See the module's text. It belongs to one incarnation."""

    def __init__(self, home: Ref, waiting: list[Request], ordered_by: dict[str, Host], own: OwnWork) -> None:
        self._home = home
        self._waiting = waiting
        self._ordered_by = ordered_by
        self._own = own

    async def begin(self, draft: Draft, at: At) -> None:
        """Bring the rows up to the configuration: before anybody reads them, unless the disk takes its time."""
        if not services.configured(draft, at).facts:
            return
        self._own.add("services", "service.configure", services.configured)
        self._own.push()
        with trio.move_on_after(CONFIGURED_WITHIN_S):
            await self._own.until_done("services")

    def may_begin(self, request: Request, asked: LifeBegin, host: Host | None) -> bool:
        """Return whether a life can begin now; where not, it is asked again once a host is attached."""
        if host is None:
            self._waiting.append(request)
            return False
        self._ordered_by[asked.run_id] = host
        return True

    def tick(self, host: Host | None) -> None:
        """Let those go on that waited for a host."""
        if host is not None and self._waiting:
            self._home.take_back(tuple(self._waiting))
            self._waiting.clear()

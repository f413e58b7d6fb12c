"""`service.start`, `service.stop`, `service.restart`: what is wanted becomes a fact; answered when it has come about.

The fact carries the idempotency key, so that a repeat changes nothing; it waits as the first one does. Nobody waits for
ever: a service that takes too long is answered as it stands, and goes on.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import attrs
import trio

from actors.messages.request import Request
from actors.model.errors import NotFound
from actors.model.service import Service
from supervisor.runtime.services.records import Records

SETTLED_WITHIN_S: Final = 45.0
"""Clients wait a minute for an answer; a server that needs longer to stop than this is shown as it then is."""

Answer = Callable[[Request], Awaitable[Any]]


def service_methods(records: Records) -> Mapping[str, Answer]:
    """Return method name → what answers it."""

    def answering(has_settled: Callable[[Service], bool]) -> Answer:
        async def answer(request: Request) -> dict[str, Any]:
            await records.ask(request.method, request.params, like=request)
            name = request.params.name
            with trio.move_on_after(SETTLED_WITHIN_S):
                await records.until(lambda: _settled(records.service(name), has_settled))
            row = records.service(name)
            if row is None:
                raise NotFound(f"the service {name} was removed meanwhile", hint="service.list", name=name)
            return attrs.asdict(row)

        return answer

    return {
        "service.start": answering(_is_begun),
        "service.stop": answering(_is_stopped),
        "service.restart": answering(_is_begun),
    }


def _settled(row: Service | None, has_settled: Callable[[Service], bool]) -> bool | None:
    return True if row is None or has_settled(row) else None


def _is_begun(row: Service) -> bool:
    """It runs, or is given up, or nobody wants it any more: it has left in order, or was stopped."""
    return row.status in {"running", "failed"} or not row.wanted


def _is_stopped(row: Service) -> bool:
    """It is over, or somebody wants it again."""
    return row.status in {"stopped", "failed"} or row.wanted

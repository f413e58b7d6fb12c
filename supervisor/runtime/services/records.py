"""The rows of services and of their lives as they are durable, and the way to have them changed: the runs actor."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any, Final, TypeVar

import msgspec
import trio

from actors.kernel.ref import RETRY_AFTER_S, Ref
from actors.ledger import Ledger
from actors.messages.request import Done, Outcome, Request
from actors.model.errors import Overloaded, PerdureError
from actors.model.run import Run
from actors.model.service import Service
from actors.model.tables import decode_run, decode_service

RETRY_S: Final = 1.0
"""How often a disk that refuses is tried."""

T = TypeVar("T")


class Records:
    """See the module's text. All of it belongs to the trio thread; `changed` is called when rows changed."""

    def __init__(self, ledger: Ledger, runs: Ref) -> None:
        self._ledger = ledger
        self._runs = runs
        self._change = trio.Event()

    def service(self, name: str) -> Service | None:
        """Return a service's row."""
        row = self._ledger.tables.services.get(name)
        return None if row is None else decode_service(row.encoded)

    def run(self, run_id: str) -> Run | None:
        """Return a run's row."""
        row = self._ledger.tables.runs.get(run_id)
        return None if row is None else decode_run(row.encoded)

    def changed(self) -> None:
        """Have everybody look again who waits for something here."""
        change, self._change = self._change, trio.Event()
        change.set()

    async def next_change(self) -> None:
        """Wait until something changed."""
        await self._change.wait()

    async def until(self, look: Callable[[], T | None]) -> T:
        """Wait until this gives something, and return it."""
        while (found := look()) is None:
            await self._change.wait()
        return found

    async def ask(self, method: str, params: Any, like: Request | None = None) -> Any:
        """Have something decided; return the decoded answer when it is durable, or raise the error that it is.

        `like` is the client's request that is carried out so: it gives its key, and its name in the journal.
        """
        outcomes: list[Outcome] = []
        answered = trio.Event()

        def reply(outcome: Outcome) -> None:
            outcomes.append(outcome)
            answered.set()

        if like is None:
            request = Request(method, params, reply, f"service-{secrets.token_hex(8)}")
        else:
            request = Request(method, params, reply, like.ref, like.key, like.digest)
        if not self._runs.offer([request]):
            raise Overloaded("too much waits for the runs actor", retry_after_s=RETRY_AFTER_S)
        await answered.wait()
        if isinstance(outcomes[0], Done):
            return msgspec.json.decode(outcomes[0].result)
        raise outcomes[0].error

    async def note(self, method: str, params: Any) -> Any:
        """Ask until it is durable; raises only what asking again does not change, such as NotFound and Conflict."""
        while True:
            try:
                return await self.ask(method, params)
            except PerdureError as error:
                if not error.retryable:
                    raise
            await trio.sleep(RETRY_S)

"""From the connections to the actors: what may leave, and what must wait for what.

A command leaves when its connection's order rule lets it, when no other command with its idempotency key is under way,
and when its actor's mailbox is not full. Until then it stays at the head of its connection; here is only noted which
connections to `touch` when a key comes free or a mailbox has room. Requests gather until `offer` hands them over, one
list for each actor.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

from actors.messages.request import Request
from supervisor.gateway.connection import LOCAL, Command, Connection
from supervisor.wire.methods import METHODS

LocalHandler = Callable[[Request], None]


class Recipient(Protocol):
    """What the gateway needs of an actor's Ref."""

    def offer(self, letters: Sequence[Any]) -> int:
        """Take as many as fit, from the front; return how many."""
        ...

    def room_for(self, number: int) -> Awaitable[None]:
        """Wait until so many fit."""
        ...


class Outbox:
    """See the module's text.

    `filled` is called when an actor's mailbox takes no more: whoever drives the gateway then runs `room_in` for it.
    """

    def __init__(
        self,
        *,
        actors: Mapping[str, Recipient],
        local: Mapping[str, LocalHandler],
        touch: Callable[[Connection], None],
    ) -> None:
        """Raise ValueError when the table of methods needs an actor or a handler that is not given."""
        missing = sorted(
            {row.actor for row in METHODS.values() if row.actor != LOCAL and row.actor not in actors}
            | {row.name for row in METHODS.values() if row.actor == LOCAL and row.name not in local}
        )
        if missing:
            raise ValueError(f"nobody carries out {', '.join(missing)}")
        self.filled: Callable[[str], None] = _nobody_drives
        self.full: dict[str, set[Connection]] = {}
        """Actor whose mailbox is full → connections that wait for room in it."""
        self.under_way = 0
        """Commands that have left and are not answered."""
        self._actors = actors
        self._local = local
        self._touch = touch
        self._gathered: dict[str, list[Request]] = {}
        self._keys: dict[str, list[Connection]] = {}
        """Key that is under way → connections whose next command has the same one."""

    def may_go(self, pending: Command) -> bool:
        """Return whether the command may leave; if not, its connection is touched when that may have changed."""
        connection = pending.connection
        if not connection.may_go(pending.row):
            return False
        if pending.key is not None and pending.key in self._keys:
            if connection.waits_for_key != pending.key:
                connection.waits_for_key = pending.key
                self._keys[pending.key].append(connection)
            return False
        if self.full and pending.row.actor in self.full:
            self.full[pending.row.actor].add(connection)
            connection.blocked = True
            return False
        return True

    def send_on(self, pending: Command, request: Request) -> None:
        """Let the command leave. A method that is answered here is answered here; its handler's errors pass through."""
        row = pending.row
        pending.connection.went(row)
        pending.left_at = time.monotonic()
        self.under_way += 1
        if pending.key is not None:
            self._keys[pending.key] = []
        if row.actor == LOCAL:
            self._local[row.name](request)
        else:
            self._gathered.setdefault(row.actor, []).append(request)

    def came_back(self, pending: Command) -> None:
        """Note that a command is answered; one that has not left changes nothing here."""
        if pending.left_at is None:
            return
        self.under_way -= 1
        pending.connection.came_back(pending.row)
        if pending.key is not None:
            for connection in self._keys.pop(pending.key, ()):
                connection.waits_for_key = None
                self._touch(connection)

    def offer(self) -> None:
        """Hand over what has gathered. What does not fit stays first in line, and its actor is noted as full."""
        for actor, requests in self._gathered.items():
            if not requests:
                continue
            # Emptied first: a mailbox that is closed answers while it is offered to.
            self._gathered[actor] = []
            taken = self._actors[actor].offer(requests)
            if taken < len(requests):
                self._gathered[actor] = requests[taken:]
                if actor not in self.full:
                    self.full[actor] = set()
                    self.filled(actor)

    async def room_in(self, actor: str) -> None:
        """Wait until a full mailbox takes requests again; then let those go on that wait for it."""
        await self._actors[actor].room_for(1)
        waiting = self.full.pop(actor, set())
        self.offer()
        for connection in waiting:
            connection.blocked = False
            self._touch(connection)

    def forget(self, connection: Connection) -> None:
        """Drop a connection that is closed."""
        for waiting in self.full.values():
            waiting.discard(connection)


def _nobody_drives(_actor: str) -> None:
    """Stand in until somebody drives: what is full is found when it begins."""

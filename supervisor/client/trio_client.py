"""The client for trio: one connection, any number of calls in flight.

One task keeps the connection: it connects, sends what waits, hands replies to their calls, and when the connection is
lost begins again and sends everything that is not answered once more, in the order in which it was asked for.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import attrs
import trio

from actors.model.errors import PerdureError
from supervisor.client import exchange
from supervisor.client.address import socket_path
from supervisor.client.exchange import TIMEOUT_S, WAIT_S, Command, Inbox, Request, not_running, outcome
from supervisor.client.subscription import Subscription
from supervisor.client.trio_output import OutputFollower
from supervisor.wire.faults import from_object

_READ_BYTES: Final = 256 * 1024


@attrs.define(eq=False)
class _Asked:
    """A request that is not answered completely."""

    request: Request
    replies: dict[int, dict[str, Any]] = attrs.field(factory=dict)
    error: PerdureError | None = None
    sent: bool = False
    over: trio.Event = attrs.field(factory=trio.Event)

    def fail(self, error: PerdureError) -> None:
        self.error = error
        self.over.set()


@asynccontextmanager
async def connect_trio(
    path: str | os.PathLike[str], *, timeout_s: float = TIMEOUT_S, wait_s: float = WAIT_S
) -> AsyncIterator[TrioClient]:
    """Connect to the Perdure of a state directory (or to a socket) for the time of the block.

    `timeout_s` bounds each call, reconnecting included; `wait_s` is how long the first connection waits for a Perdure
    that is just starting. Raises NotRunning when nobody listens there.
    """
    client = TrioClient(path, timeout_s=timeout_s, wait_s=wait_s)
    stream = await client.connect(wait_s)
    failure: Exception | None = None
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.keep_connected, stream)
        try:
            yield client
        except Exception as error:  # noqa: BLE001 - raised again below, without the nursery's group around it
            failure = error
        nursery.cancel_scope.cancel()
    if failure is not None:
        raise failure


class TrioClient:
    """See the module's text; made by `connect_trio`. Errors are raised as by the blocking Client."""

    def __init__(self, path: str | os.PathLike[str], *, timeout_s: float, wait_s: float) -> None:
        self.timeout_s = timeout_s
        self._path = path
        self._wait_s = wait_s
        self._connected = False
        self._asked: dict[int, _Asked] = {}
        """By every id that a reply may come under; a batch is in here once for each of its calls."""
        self._outgoing: list[_Asked] = []
        self._something_to_send = trio.Event()

    async def call(self, method: str, /, **params: Any) -> Any:
        """Carry out one command or query, and return its result."""
        (reply,) = await self._exchange(exchange.call(method, params))
        return outcome(reply)

    async def batch(self, commands: Iterable[Command]) -> list[Any]:
        """Carry out commands (method, params) in one frame; return their results, an error in the place of its command.

        They are independent of each other: `batch.apply` is what carries out all or none.
        """
        replies = await self._exchange(exchange.batch(commands))
        return [from_object(reply["error"]) if "error" in reply else reply.get("result") for reply in replies]

    def notify(self, method: str, /, **params: Any) -> None:
        """Send a command and want no answer: nobody tells whether it took effect. Never waits."""
        self._send(_Asked(exchange.notification(method, params)))

    def subscribe(self, after_seq: int | None = None, kinds: Sequence[str] | None = None) -> Subscription:
        """Follow the journal, on a connection of its own: `async with client.subscribe(…) as lines: async for … `."""
        return Subscription(self._path, after_seq=after_seq, kinds=kinds, timeout_s=self.timeout_s, wait_s=self._wait_s)

    def follow_output(self, run_id: str, offsets: Mapping[str, int]) -> OutputFollower:
        """Follow what a run prints: `async with client.follow_output(id, {"stdout": 0}) as pieces: async for … `."""
        return OutputFollower(self._path, run_id, offsets=offsets, timeout_s=self.timeout_s, wait_s=self._wait_s)

    # --- underneath

    async def connect(self, patience_s: float) -> trio.SocketStream:
        """Return a new connection; raises NotRunning when there is none within `patience_s`."""
        deadline = trio.current_time() + patience_s
        for pause_s in exchange.pauses_s():
            path = socket_path(self._path)
            try:
                return await trio.open_unix_socket(path)
            except OSError as error:
                if trio.current_time() + pause_s >= deadline:
                    raise not_running(path, error) from error
                await trio.sleep(pause_s)
        raise AssertionError("the pauses never end")

    async def keep_connected(self, stream: trio.SocketStream) -> None:
        """Serve the calls over `stream`, and over those that follow when it is lost; runs until cancelled."""
        pauses_s = exchange.pauses_s()
        while True:
            async with stream:
                if await self._live(stream):
                    pauses_s = exchange.pauses_s()
            # Calls come back below; a notification that never left is only here.
            self._outgoing = [asked for asked in self._outgoing if not asked.request.ids]
            for asked in list(dict.fromkeys(self._asked.values())):
                self._after_loss(asked)
            await trio.sleep(next(pauses_s))
            stream = await self.connect(float("inf"))

    async def _exchange(self, request: Request) -> list[dict[str, Any]]:
        asked = _Asked(request)
        self._asked.update(dict.fromkeys(request.ids, asked))
        self._send(asked)
        try:
            with trio.move_on_after(self.timeout_s):
                await asked.over.wait()
            if asked.error is not None:
                raise asked.error
            if not asked.over.is_set():
                raise request.late(self.timeout_s)
        finally:
            for call_id in request.ids:
                self._asked.pop(call_id, None)
        return [asked.replies[call_id] for call_id in request.ids]

    def _send(self, asked: _Asked) -> None:
        self._outgoing.append(asked)
        self._something_to_send.set()

    def _after_loss(self, asked: _Asked) -> None:
        if asked.sent and not asked.request.repeatable:
            asked.fail(asked.request.lost(ConnectionResetError("the other side has closed the connection")))
        else:
            self._send(asked)

    async def _live(self, stream: trio.SocketStream) -> bool:
        """Serve over one connection until it is lost; return whether anything came over it."""
        anything = False
        inbox = Inbox()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._send_what_waits, stream)
            # A connection that breaks is lost, as one that ends is.
            with contextlib.suppress(trio.BrokenResourceError, OSError):
                while data := await stream.receive_some(_READ_BYTES):
                    anything = True
                    for message in inbox.feed(data):
                        self._take(message)
            nursery.cancel_scope.cancel()
        return anything

    async def _send_what_waits(self, stream: trio.SocketStream) -> None:
        while True:
            self._something_to_send = trio.Event()
            outgoing, self._outgoing = self._outgoing, []
            if not outgoing:
                await self._something_to_send.wait()
                continue
            for asked in outgoing:
                asked.sent = True
            try:
                await stream.send_all(b"".join(asked.request.line for asked in outgoing))
            except trio.BrokenResourceError:
                return  # whoever reads finds out, and what the server said before it closed

    def _take(self, message: dict[str, Any]) -> None:
        call_id = message.get("id")
        if call_id is None:
            if "error" in message:
                # Not even a request, or this connection is not served: nobody can tell whose it is.
                for asked in list(dict.fromkeys(self._asked.values())):
                    asked.fail(from_object(message["error"]))
            return
        found = self._asked.get(call_id) if isinstance(call_id, int) else None
        if found is not None:
            found.replies[call_id] = message
            if len(found.replies) == len(found.request.ids):
                found.over.set()

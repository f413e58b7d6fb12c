"""
The runtime's end of the way to the agent host.

The root hands connections with the host through the *doors* socket: one whenever there is a new host, and another when
one has closed. The latest counts; the link tells of each with `Reachable`. Then the runs actor attaches, the host says
`Attached`, and so on as `actors.messages.agents` has it: news go to `heard`, which must not wait, and orders never wait
either. What the host may send without being answered is bounded by its windows, so what `heard` collects is, too.

What is said between a new connection and its `attach` is dropped, as without one: it was meant for the one before, and
a host takes nothing before it.

A host that breaks the protocol loses the connection, after a pause: the root makes the next one at once.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec
import trio

from actors.messages.agents import News, NotStarted, Offsets, Order, Spawn, Stream
from actors.running.link import Reachable
from supervisor.agents.frames import Frames, ProtocolBroken, Unsendable, encode
from supervisor.agents.protocol import TO_RUNTIME, VERSION, Acknowledge, Attach, Refused

UNSENT_BYTES_MAX: Final = 16 << 20
"""A host that leaves so much unread is hung; the root's watchdog ends it, and what was dropped is decided anew."""
BROKEN_PAUSE_S: Final = 1.0
_CHUNK_BYTES: Final = 1 << 16


class AgentsLink:
    """
    See the module's text; it is an `actors.running.link.Link`. All of it belongs to the trio thread.

    The object outlives a crash of its task: `run` may be called again and goes on with the next connection.
    """

    def __init__(self, doors: socket.socket, heard: Callable[[News | Reachable], None], log: Any) -> None:
        self._doors = doors
        self._heard = heard
        self._log = log
        self._conversation: Conversation | None = None
        doors.settimeout(0)

    @property
    def is_reachable(self) -> bool:
        """Whether there is a connection."""
        return self._conversation is not None

    def attach(self, offsets: Mapping[str, Offsets]) -> None:
        """Begin, or begin anew; `Attached` answers."""
        if self._conversation is not None:
            self._conversation.is_attached = True
        self._post(Attach(version=VERSION, runs=dict(offsets)))

    def send(self, order: Order) -> None:
        """Pass an order on; one that cannot be expressed is answered by `NotStarted`."""
        try:
            self._post(order)
        except Unsendable as error:
            self._log.error("an order cannot be sent to the agent host", run_id=order.run_id, problem=str(error))
            if isinstance(order, Spawn):
                self._heard(NotStarted(run_id=order.run_id, reason=str(error), code="E2BIG"))

    def acknowledge(self, run_id: str, stream: Stream, offset: int) -> None:
        """Tell the host that the stream's bytes before `offset` are safely written."""
        self._post(Acknowledge(run_id=run_id, stream=stream, offset=offset))

    async def run(self) -> None:
        """Carry what is said both ways, for ever."""
        async with trio.open_nursery() as nursery:
            while (door := await self._next_door()) is not None:
                if self._conversation is not None:
                    self._conversation.scope.cancel(reason="there is a newer connection")
                self._conversation = Conversation(door)
                nursery.start_soon(self._converse, self._conversation)
            self._log.warning("the root has closed the way to the agent host")
            await trio.sleep_forever()

    def _post(self, message: msgspec.Struct) -> None:
        conversation = self._conversation
        if conversation is None or not conversation.is_attached:
            return
        if not conversation.post(encode(message)):
            self._log.error("the agent host does not read; the connection is given up")
            conversation.scope.cancel(reason="the host does not read")
            self._conversation = None

    async def _next_door(self) -> socket.socket | None:
        """Wait for the next connection; None when no more will come."""
        while True:
            await trio.lowlevel.wait_readable(self._doors)
            try:
                data, descriptors, _, _ = socket.recv_fds(self._doors, 1, 1)
            except BlockingIOError:
                continue
            except OSError:
                return None
            if descriptors:
                os.set_inheritable(descriptors[0], False)  # noqa: FBT003
                return socket.socket(fileno=descriptors[0])
            if not data:
                return None

    async def _converse(self, conversation: Conversation) -> None:
        try:
            with conversation.scope:
                self._heard(Reachable())
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(conversation.run_sender)
                    await self._listen(conversation)
                    nursery.cancel_scope.cancel(reason="the host has closed the connection")
        finally:
            conversation.close()
            if self._conversation is conversation:
                self._conversation = None

    async def _listen(self, conversation: Conversation) -> None:
        frames = Frames()
        try:
            while data := await conversation.receive():
                frames.feed(data)
                for news in frames.messages(TO_RUNTIME):
                    if isinstance(news, Refused):
                        raise ProtocolBroken(f"the host speaks version {news.version}, this is {VERSION}")
                    self._heard(news)
        except ProtocolBroken as error:
            self._log.error("the agent host broke the protocol", problem=str(error))
            await trio.sleep(BROKEN_PAUSE_S)


class Conversation:
    """One connection with a host."""

    def __init__(self, door: socket.socket) -> None:
        self.scope = trio.CancelScope()
        self.is_attached = False
        """Whether `Attach` was said, before which nothing else may be."""
        self._stream = trio.SocketStream(trio.socket.from_stdlib_socket(door))
        self._unsent: list[bytes] = []
        self._unsent_bytes = 0
        self._posted = trio.Event()

    def post(self, frame: bytes) -> bool:
        """Queue a frame; False when the host leaves too much unread."""
        if self._unsent_bytes + len(frame) > UNSENT_BYTES_MAX:
            return False
        self._unsent.append(frame)
        self._unsent_bytes += len(frame)
        self._posted.set()
        return True

    async def run_sender(self) -> None:
        """Send what is posted, until the host is gone."""
        while True:
            await self._posted.wait()
            self._posted = trio.Event()
            data = b"".join(self._unsent)
            self._unsent.clear()
            try:
                await self._stream.send_all(data)
            except trio.BrokenResourceError:
                return  # the end of file tells
            self._unsent_bytes -= len(data)

    async def receive(self) -> bytes:
        """Return what has come; nothing at the end."""
        try:
            return bytes(await self._stream.receive_some(_CHUNK_BYTES))
        except trio.BrokenResourceError:
            return b""

    def close(self) -> None:
        """Close it."""
        self._stream.socket.close()

"""
`perdure up --stdio`: one client on standard input and output, relayed to the runtime over its own socket.

The relay is a client like any other, and the root knows no more of its lines than what `conversation` must know to send
them again. So a runtime's death shows on standard output as latency only. It passes lines on as they are, where the
typed calls of `supervisor.client` would decode and encode every reply; the rules of repeating are the client
library's (keys, `ONCE`, pauses).

The end of input is the client's way to say that it needs us no more: what it has asked is answered, then everything
stops. So does an output that nobody reads any more, and a frame that breaks the framing (too long, or cut off by the
end of input): it is answered, and nothing after it can be trusted.

Bounds: at most one piece of input, one of output, and `UNANSWERED_BYTES_MAX` of requests are held; beyond that input is
not read (back-pressure, not loss).
"""

import contextlib
from collections.abc import Callable
from typing import Final

import trio

from supervisor.client.exchange import REPLY_BYTES_MAX, pauses_s
from supervisor.logs import get_logger
from supervisor.root.conversation import Conversation
from supervisor.root.stdio import Reader, Stdio, Writer
from supervisor.wire import jsonrpc
from supervisor.wire.framing import LineSplitter
from supervisor.wire.jsonrpc import NULL_ID

UNANSWERED_BYTES_MAX: Final = 64 << 20
"""Four frames of the greatest length: enough to keep a runtime busy, a bound while there is none."""
LAST_WORDS_S: Final = 1.0
"""At the end an output that is read takes no time, and one that is not read must not keep us."""
_READ_BYTES: Final = 256 * 1024

_log: Final = get_logger("supervision:relay")


class StdioRelay:
    """One client's way to the runtime. Made inside a trio run; `run` it once."""

    def __init__(self, stdio: Stdio, address: str, frame_bytes_max: int) -> None:
        """`address` is the root's own socket, as `Listener.address` tells it."""
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._conversation = Conversation()
        self._requests = LineSplitter(frame_bytes_max)
        self._reader = Reader(stdio.reader_fd)
        self._writer = Writer(stdio.writer_fd)
        self._listening = trio.CancelScope()
        """To the client; over when it is."""
        self._something_to_send = trio.Event()
        self._moved = trio.Event()

    async def run(self, patience_s: float) -> str:
        """
        Relay until the client is done; return why. After its last word, answers are waited for `patience_s` at most.

        Whoever still waits when this ends, also by cancellation, is answered `shutting_down`.
        """
        why = "nobody reads standard output"
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._keep_connected)
                with self._listening:
                    why = await self._take_requests()
                with trio.move_on_after(patience_s):
                    await self._until(lambda: self._conversation.over or self._writer.broken)
                nursery.cancel_scope.cancel(reason="the client is done")
        finally:
            with trio.move_on_after(LAST_WORDS_S, shield=True):
                await self._writer.send(b"".join(line + b"\n" for line in self._conversation.give_up()))
        return why

    # The client's side.

    async def _take_requests(self) -> str:
        while True:
            data = await self._reader.receive()
            if data:
                for line in self._requests.feed(data, 0.0):
                    self._conversation.take_request(line)
                self._something_to_send.set()
            else:
                self._requests.finish()
            if self._requests.failure is not None:
                _log.warning("standard input broke the framing", error=self._requests.failure.message)
                await self._answer(jsonrpc.failure(NULL_ID, self._requests.failure))
                return "standard input broke the framing"
            if not data:
                return "end of standard input"
            await self._until(lambda: self._conversation.unanswered_bytes <= UNANSWERED_BYTES_MAX)

    async def _answer(self, *lines: bytes) -> None:
        if lines:
            await self._writer.send(b"".join(line + b"\n" for line in lines))
        if self._writer.broken:
            self._listening.cancel(reason="nobody reads standard output")

    async def _until(self, happened: Callable[[], bool]) -> None:
        while not happened():
            await self._moved.wait()

    def _note_progress(self) -> None:
        moved, self._moved = self._moved, trio.Event()
        moved.set()

    # The runtime's side.

    async def _keep_connected(self) -> None:
        waits_s = pauses_s()
        while True:
            await trio.sleep(next(waits_s))
            try:
                stream = await trio.open_unix_socket(self._address)
            except OSError as error:
                _log.warning("the relay cannot connect to the socket", error=str(error))
                continue
            async with stream:
                if await self._live(stream):
                    waits_s = pauses_s()
            await self._answer(*self._conversation.lost())

    async def _live(self, stream: trio.SocketStream) -> bool:
        """Relay over one connection until it is lost; whether anything came over it."""
        self._conversation.connected()
        replies = LineSplitter(REPLY_BYTES_MAX)
        anything = False
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._send, stream)
            with contextlib.suppress(trio.BrokenResourceError):
                while data := await stream.receive_some(_READ_BYTES):
                    anything = True
                    passed = (self._conversation.take_reply(line) for line in replies.feed(data, 0.0))
                    await self._answer(*(line for line in passed if line is not None))
                    self._note_progress()
            nursery.cancel_scope.cancel(reason="the connection is lost")
        return anything

    async def _send(self, stream: trio.SocketStream) -> None:
        with contextlib.suppress(trio.BrokenResourceError):  # whoever receives finds out
            while True:
                self._something_to_send = trio.Event()
                data = self._conversation.to_send()
                if data:
                    await stream.send_all(data)
                    self._note_progress()
                else:
                    await self._something_to_send.wait()

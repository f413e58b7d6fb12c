"""Following the journal under trio: a connection of its own, resumed after every loss from the last line seen."""

from __future__ import annotations

import contextlib
import os
from collections import deque
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Final, Self

import trio

from supervisor.client import exchange
from supervisor.client.address import socket_path
from supervisor.client.exchange import Inbox, not_running, outcome

_READ_BYTES: Final = 256 * 1024


class Subscription:
    """Iterate to get `{subscription, seq, ts, events}` for each line of the journal, in order and without a gap.

    `after_seq` None begins now: with the first line after the block was entered. Reconnecting takes `timeout_s` at
    most; then NotRunning is raised.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        after_seq: int | None,
        kinds: Sequence[str] | None,
        timeout_s: float,
        wait_s: float,
    ) -> None:
        self._path = path
        self._after_seq = after_seq
        self._kinds = kinds
        self._timeout_s = timeout_s
        self._wait_s = wait_s
        self._stream: trio.SocketStream | None = None
        self._inbox = Inbox()
        self._messages: deque[dict[str, Any]] = deque()

    async def __aenter__(self) -> Self:
        """Subscribe."""
        await self._begin(self._wait_s)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the connection, and with it the subscription."""
        if self._stream is not None:
            await self._stream.aclose()

    def __aiter__(self) -> Self:
        """Return the subscription: it is its own iterator."""
        return self

    async def __anext__(self) -> dict[str, Any]:
        """Return the next line; waits for ever when nothing happens."""
        while True:
            message = await self._next()
            if message is None or message.get("method") == "event.gap":
                # Lost, or too slow: the journal still has what was missed.
                await self._begin(self._timeout_s)
            elif message.get("method") == "event":
                line: dict[str, Any] = message["params"]
                if line.get("seq") is not None:
                    self._after_seq = line["seq"]
                return line

    async def _begin(self, patience_s: float) -> None:
        deadline = trio.current_time() + patience_s
        params: dict[str, Any] = {} if self._kinds is None else {"kinds": list(self._kinds)}
        if self._after_seq is not None:
            params["after_seq"] = self._after_seq
        for pause_s in exchange.pauses_s():
            await self._connect(deadline)
            reply = await self._ask("event.subscribe", params)
            if reply is not None:
                begun = outcome(reply)
                if self._after_seq is None:
                    self._after_seq = begun["seq"]
                return
            await trio.sleep(pause_s)

    async def _connect(self, deadline: float) -> None:
        if self._stream is not None:
            await self._stream.aclose()
        self._inbox = Inbox()
        self._messages.clear()
        for pause_s in exchange.pauses_s():
            path = socket_path(self._path)
            try:
                self._stream = await trio.open_unix_socket(path)
            except OSError as error:
                if trio.current_time() + pause_s >= deadline:
                    raise not_running(path, error) from error
                await trio.sleep(pause_s)
            else:
                return

    async def _ask(self, method: str, params: dict[str, Any]) -> dict[str, Any] | None:
        """Return the reply; None when the connection is lost before it. What else comes stays for `__anext__`."""
        request = exchange.call(method, params)
        (call_id,) = request.ids
        before: list[dict[str, Any]] = []
        # A broken stream is no reason to stop here: the server may have said why before it closed.
        with contextlib.suppress(trio.BrokenResourceError):
            if self._stream is not None:
                await self._stream.send_all(request.line)
        while (message := await self._next()) is not None:
            if message.get("id") == call_id or ("error" in message and message.get("id") is None):
                self._messages.extendleft(reversed(before))
                return message
            before.append(message)
        return None

    async def _next(self) -> dict[str, Any] | None:
        while not self._messages:
            try:
                data = await self._stream.receive_some(_READ_BYTES) if self._stream is not None else b""
                self._messages.extend(self._inbox.feed(data))
            except (trio.BrokenResourceError, OSError):
                return None
            if not data:
                return None
        return self._messages.popleft()

"""One connection under trio for whoever follows something: questions and their replies, and notifications between."""

from __future__ import annotations

import contextlib
import os
from collections import deque
from collections.abc import Mapping
from typing import Any, Final

import trio

from supervisor.client import exchange
from supervisor.client.address import socket_path
from supervisor.client.exchange import Inbox, not_running

_READ_BYTES: Final = 256 * 1024


class FollowingConnection:
    """Made anew by `connect` after every loss; a loss is told as None, never raised."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = path
        self._stream: trio.SocketStream | None = None
        self._inbox = Inbox()
        self._messages: deque[dict[str, Any]] = deque()

    async def connect(self, deadline: float) -> None:
        """Close the connection, if there is one, and make a new one; raises NotRunning at the deadline."""
        await self.aclose()
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

    async def ask(self, method: str, params: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return the reply; None when the connection is lost before it. What else comes stays for `next`."""
        request = exchange.call(method, params)
        (call_id,) = request.ids
        before: list[dict[str, Any]] = []
        # A broken stream is no reason to stop here: the server may have said why before it closed.
        with contextlib.suppress(trio.BrokenResourceError):
            if self._stream is not None:
                await self._stream.send_all(request.line)
        while (message := await self.next()) is not None:
            if message.get("id") == call_id or ("error" in message and message.get("id") is None):
                self._messages.extendleft(reversed(before))
                return message
            before.append(message)
        return None

    async def next(self) -> dict[str, Any] | None:
        """Wait for the next message, for ever; None when the connection is lost."""
        while not self._messages:
            try:
                data = await self._stream.receive_some(_READ_BYTES) if self._stream is not None else b""
                self._messages.extend(self._inbox.feed(data))
            except (trio.BrokenResourceError, OSError):
                return None
            if not data:
                return None
        return self._messages.popleft()

    def drop(self) -> None:
        """Close the connection without a checkpoint: for whoever leaves by an error."""
        if self._stream is not None:
            self._stream.socket.close()

    async def aclose(self) -> None:
        """Close the connection, and with it whatever was followed on it."""
        if self._stream is not None:
            await self._stream.aclose()

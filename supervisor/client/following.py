"""What follows something under trio has in common: a connection of its own, and the life of a block that holds it.

On the connection go questions and their replies, and notifications between; every loss is followed by a new one.
"""

from __future__ import annotations

import contextlib
import os
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Final, Self

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


class Follower(ABC):
    """An async context that is its own iterator; begins within `wait_s`, and anew within `timeout_s` after a loss."""

    def __init__(self, path: str | os.PathLike[str], *, timeout_s: float, wait_s: float) -> None:
        self._connection = FollowingConnection(path)
        self._timeout_s = timeout_s
        self._wait_s = wait_s

    async def __aenter__(self) -> Self:
        """Subscribe."""
        try:
            await self._begin(self._wait_s)
        except BaseException:
            self._connection.drop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the connection, and with it what was subscribed to on it."""
        await self._connection.aclose()

    def __aiter__(self) -> Self:
        """Return the follower: it is its own iterator."""
        return self

    async def _begin(self, patience_s: float) -> None:
        """Subscribe on a new connection, from where it was left; raises NotRunning when that takes too long."""
        deadline = trio.current_time() + patience_s
        for pause_s in exchange.pauses_s():
            await self._connection.connect(deadline)
            if await self._subscribe():
                return
            await trio.sleep(pause_s)

    @abstractmethod
    async def _subscribe(self) -> bool:
        """Ask for what is followed; return whether the connection lasted for it."""

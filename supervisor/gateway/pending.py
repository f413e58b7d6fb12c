"""A call on its way: where its answer belongs, and how long it took."""

from __future__ import annotations

import time
from typing import Final

import msgspec
from msgspec import field

from actors.messages.bounds import Params
from actors.model.errors import PerdureError
from supervisor.gateway.connection import LOCAL, Connection
from supervisor.wire import jsonrpc
from supervisor.wire.methods import Method

NO_METHOD: Final = Method("(none)", Params, LOCAL, "the row of what is no call", "nothing")


class BatchReplies:
    """The replies of one batch; they leave as one array when all are there."""

    __slots__ = ("_connection", "_gathered_bytes", "_left", "_replies")

    def __init__(self, connection: Connection, calls: int) -> None:
        self._connection = connection
        self._gathered_bytes = 0
        self._left = calls
        self._replies: list[bytes | None] = [None] * calls

    def put(self, place: int, reply: bytes | None) -> None:
        """Take the reply to the call at `place`; None for a notification."""
        connection = self._connection
        self._left -= 1
        if reply is not None and not connection.mute:
            self._replies[place] = reply
            self._gathered_bytes += len(reply)
            connection.gathered_bytes += len(reply)
        if self._left:
            return
        connection.gathered_bytes -= self._gathered_bytes
        wanted = [reply for reply in self._replies if reply is not None]
        if wanted:
            connection.put(jsonrpc.batch(wanted))


class Pending(msgspec.Struct, eq=False):
    """A call that is not answered. Times are the monotonic clock's."""

    connection: Connection
    call_id: bytes | None
    """None: no reply is wanted."""
    batch: BatchReplies | None = None
    place: int = 0
    """Where its reply belongs in the batch."""
    taken_at: float = field(default_factory=time.monotonic)
    left_at: float | None = None
    """When it left for its actor, None until then."""
    row: Method = NO_METHOD
    key: str | None = None
    size_bytes: int = 0

    def succeed(self, result: bytes) -> None:
        """Queue the reply that holds an encoded result."""
        self._reply(None if self.call_id is None else jsonrpc.success(self.call_id, result))

    def fail(self, error: PerdureError) -> None:
        """Queue the reply that tells an error."""
        self._reply(None if self.call_id is None else jsonrpc.failure(self.call_id, error))

    def _reply(self, line: bytes | None) -> None:
        if self.batch is not None:
            self.batch.put(self.place, line)
        elif line is not None:
            self.connection.put(line)

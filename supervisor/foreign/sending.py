"""
Sending a session's messages, in pieces that a frame holds.

A piece that the runtime refuses is halved until what it refuses is one message: that one is told as skipped, with its
line, and all others are taken. A session that fits one piece is made by one command with all its messages, so that
nobody ever sees half of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import Any, Final

from actors.model.errors import InvalidParams, ParseError, TooLarge
from supervisor.foreign.client import Runtime
from supervisor.foreign.report import Report
from supervisor.foreign.values import Message, Skipped

PIECE_BYTES: Final = 4 << 20
"""Well below a frame, and enough that a command is not what costs."""

PIECE_MESSAGES: Final = 1000

REFUSALS: Final = (InvalidParams, ParseError, TooLarge)
"""What a message may be refused with."""

Put = dict[str, Any]
"""The `session` of a `session.put`."""


class Sender:
    """Sends, or, in a dry run, only reads what would be sent."""

    def __init__(self, perdure: Runtime | None, report: Report) -> None:
        self._perdure = perdure
        self._report = report
        self.refused = 0
        """Messages of the present session that the runtime did not take."""

    def put(self, session: Put) -> None:
        """Change a row."""
        if self._perdure is not None:
            self._perdure.call("session.put", session=session)

    def make(self, first: Put, messages: Iterator[Message], last: Callable[[], Put]) -> None:
        """Make a session with its messages; `last` says, when all are read, what its row is told at the end."""
        pieces = _pieces(messages)
        piece = next(pieces, [])
        following = next(pieces, None)
        if self._perdure is None:
            _exhaust(pieces)
            return
        if following is None and self._made_at_once(first, piece, last):
            return
        made = self._perdure.call("session.put", session=first)
        for one in chain([piece] if piece else [], [] if following is None else [following], pieces):
            self._send("session.append", made["id"], one)
        self.put({**last(), "id": made["id"]})

    def append(self, session_id: str, messages: Iterator[Message]) -> None:
        """Add messages at the end."""
        for piece in _pieces(messages):
            self._send("session.append", session_id, piece)

    def replace(self, session_id: str, messages: Iterator[Message]) -> None:
        """Replace all messages; those before go to the archive."""
        method = "session.save"
        for piece in _pieces(messages):
            self._send(method, session_id, piece)
            method = "session.append"
        if method == "session.save":
            self._send(method, session_id, [])

    def _made_at_once(self, first: Put, piece: Sequence[Message], last: Callable[[], Put]) -> bool:
        """Whether one command made it: False when a message is refused, and it must be found out which."""
        if self._perdure is None:
            return True
        commands = [{"method": "session.put", "params": {"session": first}}]
        if piece:
            bodies = [message.body for message in piece]
            commands.append({"method": "session.append", "params": {"id": first["id"], "messages": bodies}})
        commands.append({"method": "session.put", "params": {"session": last()}})
        try:
            self._perdure.call("batch.apply", commands=commands)
        except REFUSALS:
            return False
        return True

    def _send(self, method: str, session_id: str, piece: Sequence[Message]) -> None:
        if self._perdure is None:
            return
        try:
            self._perdure.call(method, id=session_id, messages=[message.body for message in piece])
        except REFUSALS as error:
            if len(piece) <= 1:
                for message in piece:
                    self.refused += 1
                    reason = f"the runtime refused the message: {error.message}"
                    self._report.skip(Skipped(file=message.file, line=message.line, reason=reason))
                return
            middle = len(piece) // 2
            self._send(method, session_id, piece[:middle])
            self._send("session.append", session_id, piece[middle:])


def _pieces(messages: Iterator[Message]) -> Iterator[list[Message]]:
    piece: list[Message] = []
    size_bytes = 0
    for message in messages:
        if piece and (size_bytes + message.size_bytes > PIECE_BYTES or len(piece) == PIECE_MESSAGES):
            yield piece
            piece, size_bytes = [], 0
        piece.append(message)
        size_bytes += message.size_bytes
    if piece:
        yield piece


def _exhaust(pieces: Iterator[list[Message]]) -> None:
    for _piece in pieces:
        pass

"""What both clients share, without a socket: requests made ready to be repeated, replies matched to them.

A request is encoded once and sent again as the same bytes, with the same idempotency key: that is what makes a repeat
after a lost connection safe (SPEC section 3). The pauses before trying again grow, with jitter, up to half a second;
who waits decides by its deadline how often. (tenacity would do the same, and costs more to load than a call costs.)
"""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from supervisor.client.errors import ConnectionLost, NotRunning, TimedOut
from supervisor.wire.faults import from_object
from supervisor.wire.framing import LineSplitter
from supervisor.wire.names import MUTATING, ONCE

REPLY_BYTES_MAX: Final = 1024 * 1024 * 1024
"""A reply is as long as the server makes it; this only bounds what a broken one can do."""

TIMEOUT_S: Final = 30.0
"""How long a call may take, reconnecting included, unless said otherwise."""

WAIT_S: Final = 1.0
"""How long the first connection waits for a Perdure that is just starting."""

_PAUSE_FIRST_S: Final = 0.01
_PAUSE_LONGEST_S: Final = 0.5
_IDS = itertools.count(1)
"""Ids are never used twice in a process: a late reply to an earlier call matches nothing."""

Command = tuple[str, Mapping[str, Any]]
"""A method and its parameters."""


class Request:
    """One call or one batch: the bytes to send, and the ids under which replies come (none for a notification)."""

    __slots__ = ("ids", "keys", "line", "methods")

    def __init__(self, messages: list[dict[str, Any]], *, batch: bool) -> None:
        self.methods = [message["method"] for message in messages]
        self.keys = [message["params"].get("idempotency_key") for message in messages]
        self.ids: list[int] = [message["id"] for message in messages if "id" in message]
        self.line = json.dumps(messages if batch else messages[0], ensure_ascii=False).encode("utf-8") + b"\n"

    @property
    def repeatable(self) -> bool:
        """Whether sending it again can do no harm."""
        return ONCE.isdisjoint(self.methods)

    def lost(self, error: OSError) -> ConnectionLost:
        """Return what to raise when the connection broke and it must not be sent again."""
        return ConnectionLost(f"the connection was lost while {self._named()} was under way: {error}")

    def late(self, timeout_s: float) -> TimedOut:
        """Return what to raise when no answer came in time."""
        key = self.keys[0] if len(self.keys) == 1 else None
        return TimedOut(f"{self._named()} was not answered within {timeout_s:g} s", idempotency_key=key)

    def _named(self) -> str:
        return self.methods[0] if len(self.methods) == 1 else f"a batch of {len(self.methods)} calls"


def call(method: str, params: Mapping[str, Any]) -> Request:
    """Return the request of one call."""
    return Request([_message(method, params, next(_IDS))], batch=False)


def notification(method: str, params: Mapping[str, Any]) -> Request:
    """Return the request of a call that is not answered."""
    return Request([_message(method, params, None)], batch=False)


def batch(commands: Iterable[Command]) -> Request:
    """Return the request of a batch; raises ValueError when it holds no command."""
    messages = [_message(method, params, next(_IDS)) for method, params in commands]
    if not messages:
        raise ValueError("a batch holds at least one command")
    return Request(messages, batch=True)


def outcome(reply: Mapping[str, Any]) -> Any:
    """Return a reply's result; raises the class of the error's kind when it tells one."""
    if "error" in reply:
        raise from_object(reply["error"])
    return reply.get("result")


def not_running(path: str, error: OSError) -> NotRunning:
    """Return what to raise when nobody listens at the socket."""
    return NotRunning(f"nothing answers at {path}: {error.strerror or error}")


def pauses_s() -> Iterator[float]:
    """Yield how long to wait before the first repeat, the second, and so on, for ever."""
    pause_s = 0.0
    while True:
        jitter = int.from_bytes(os.urandom(2), "big") / 65536  # the random module costs more to load than this
        yield pause_s * (0.5 + jitter / 2)
        pause_s = min(_PAUSE_LONGEST_S, max(_PAUSE_FIRST_S, 2 * pause_s))


class Inbox:
    """Replies and notifications out of the bytes of one connection."""

    def __init__(self) -> None:
        self._splitter = LineSplitter(REPLY_BYTES_MAX)

    def feed(self, data: bytes) -> list[dict[str, Any]]:
        """Return the messages that are complete with `data`, the items of a batch one by one.

        Raises OSError when what arrives is not this protocol: then the connection is of no use any more.
        """
        messages: list[dict[str, Any]] = []
        for line in self._splitter.feed(data, 0.0):
            try:
                message = json.loads(line)
            except (ValueError, RecursionError):
                raise OSError("what arrives there is not JSON") from None
            messages.extend(message if isinstance(message, list) else [message])
        if not all(isinstance(message, dict) for message in messages):
            raise OSError("what arrives there is not JSON-RPC")
        return messages


def _message(method: str, params: Mapping[str, Any], call_id: int | None) -> dict[str, Any]:
    if method in MUTATING and params.get("idempotency_key") is None:
        params = {**params, "idempotency_key": os.urandom(16).hex()}
    message: dict[str, Any] = {"jsonrpc": "2.0", "method": method, "params": dict(params)}
    if call_id is not None:
        message["id"] = call_id
    return message

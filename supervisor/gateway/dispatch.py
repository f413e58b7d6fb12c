"""Frames to requests, outcomes to replies; knows no socket.

A frame is judged once, here: JSON, JSON-RPC, method, key, parameters. What passes becomes a Request for the actor that
the table names, and leaves as soon as the outbox lets it. Until then it waits at the head of its connection, and the
connection waits with it: there is no other queue.

Answers come back through `Request.reply` at any time, also while requests are being offered. They only queue bytes and
mark their connection dirty; whoever drives this object (the gateway) then sends, and calls `advance` and `offer`.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from actors.messages.request import Failed, Outcome, Request
from actors.model.errors import Internal, Overloaded, PerdureError, ShuttingDown
from supervisor.gateway.connection import Command, Connection
from supervisor.gateway.limits import Limits
from supervisor.gateway.observer import OK, UNKNOWN, Observer
from supervisor.gateway.outbox import LocalHandler, Outbox, Recipient
from supervisor.gateway.pending import NO_METHOD, BatchReplies, Pending
from supervisor.wire import jsonrpc, strict_json
from supervisor.wire.jsonrpc import Call, Malformed
from supervisor.wire.validation import digest, method_named, take_key, validate

RETRY_AFTER_S: Final = 0.5
"""Those who do not read are cut off soon; then there is room."""

CrashReport = Callable[[str, BaseException], None]
"""Told of an error that nobody foresaw: its crash id and the exception."""


class Dispatch:
    """See the module's text.

    `wake` is called when the first connection becomes dirty while nobody is driving (`driven` is False), and for each
    answer to a connection that is closed while all is being stopped.
    """

    def __init__(
        self,
        *,
        actors: Mapping[str, Recipient],
        local: Mapping[str, LocalHandler],
        limits: Limits,
        observer: Observer,
        crashed: CrashReport,
    ) -> None:
        """Raise ValueError when the table of methods needs an actor or a handler that is not given."""
        self.outbox = Outbox(actors=actors, local=local, touch=self.touch)
        self.limits = limits
        self.wake: Callable[[], None] = _nobody_drives
        self.driven = False
        self.dirty: list[Connection] = []
        self._observer = observer
        self._crashed = crashed
        self._stopping: str | None = None
        self._counted_bytes = 0
        self._fresh_bytes = 0
        """Of answers since the connections were counted last."""
        self._connections = 0
        # Unique over process lives: the journal keeps it, and a restarted writer looks for it.
        self._ref_prefix = secrets.token_hex(5)
        self._ref_number = 0

    # --- what clients send

    def connect(self) -> Connection:
        """Return a new connection."""
        return Connection(self.limits, self.touch)

    def receive(self, connection: Connection, data: bytes, now: float) -> None:
        """Take bytes that a client sent."""
        connection.frames.extend(connection.splitter.feed(data, now))
        self.advance(connection)
        if connection.splitter.failure is not None:
            self.check_framing(connection)

    def finish(self, connection: Connection) -> None:
        """Take the end of what a client sends; what it sent before is still carried out."""
        connection.splitter.finish()
        self.check_framing(connection)
        connection.ended = True

    def check_framing(self, connection: Connection) -> None:
        """Take note that the framing is broken: once everything before is answered, that is told, and it is over."""
        failure = connection.splitter.failure
        if failure is not None and not connection.ended:
            connection.ended = True
            connection.last_word = failure
            self._tell_last_word(connection)

    def advance(self, connection: Connection) -> None:
        """Let go on whatever may: commands that waited, then lines that were not looked at."""
        waiting = connection.waiting
        while not connection.closed:
            while waiting:
                pending, request = waiting[0]
                if self._stopping is not None:
                    waiting.popleft()
                    request.fail(self._shutting_down())
                elif self.outbox.may_go(pending):
                    waiting.popleft()
                    self._send_on(pending, request)
                else:
                    return
            if not connection.frames or connection.in_flight >= self.limits.in_flight_max:
                break
            self._take(connection, connection.frames.popleft())
        if connection.last_word is not None:
            self._tell_last_word(connection)

    def stop(self, reason: str) -> None:
        """From now on answer `shutting_down` to whatever has not left for its actor."""
        self._stopping = reason

    def forget(self, connection: Connection) -> None:
        """Drop what has not left yet: the connection is closed. What has left is carried out all the same."""
        connection.closed = True
        connection.silence()
        connection.frames.clear()
        connection.waiting.clear()
        self.outbox.forget(connection)

    def _tell_last_word(self, connection: Connection) -> None:
        """Answer what broke the framing; it names no request, so a client takes it for the answer to all that is open.

        Therefore everything sent before is answered first.
        """
        failure = connection.last_word
        if failure is not None and not (connection.frames or connection.in_flight):
            connection.last_word = None
            self._refuse(Pending(connection, jsonrpc.NULL_ID), failure)

    def _take(self, connection: Connection, frame: bytes) -> None:
        try:
            found = jsonrpc.parse(strict_json.loads(frame, self.limits.nesting_max))
        except Exception as error:  # noqa: BLE001 - one frame must not end the others
            self._refuse(Pending(connection, jsonrpc.NULL_ID), error)
            return
        if not isinstance(found, list):
            self._accept(Pending(connection, found.id), found, len(frame))
            return
        replies = BatchReplies(connection, len(found))
        for place, item in enumerate(found):
            pending = Pending(connection, item.id, replies, place)
            self._accept(pending, item, len(frame) // len(found))

    def _accept(self, pending: Pending, found: Call | Malformed, size_bytes: int) -> None:
        """Make a request of one call, and let it go on if it may."""
        if isinstance(found, Malformed):
            self._refuse(pending, found.error)
            return
        try:
            request = self._request(pending, found)
        except Exception as error:  # noqa: BLE001 - one command must not end the others
            self._refuse(pending, error)
            return
        connection = pending.connection
        pending.size_bytes = size_bytes
        connection.in_flight += 1
        connection.in_flight_bytes += size_bytes
        if connection.waiting or not self.outbox.may_go(pending):
            connection.waiting.append((pending, request))
        else:
            self._send_on(pending, request)

    def _request(self, pending: Pending, call: Call) -> Request:
        row = method_named(call.method)
        pending.row = row
        if self._stopping is not None:
            raise self._shutting_down()
        params = call.params
        key = take_key(row, params)
        struct = validate(row, params)
        reply = partial(self.answered, pending)
        if not row.mutates:
            notify = pending.connection.notify if row.subscribes else None
            return Request(row.name, struct, reply, notify=notify)
        self._ref_number += 1
        ref = f"{self._ref_prefix}-{self._ref_number:x}"
        if key is None:
            return Request(row.name, struct, reply, ref)
        pending.key = key
        return Request(row.name, struct, reply, ref, key, digest(row.name, params))

    def _send_on(self, pending: Command, request: Request) -> None:
        try:
            self.outbox.send_on(pending, request)
        except Exception as error:  # noqa: BLE001 - a handler's defect is its caller's answer, not the gateway's end
            request.fail(self._foreseen(error))

    def _shutting_down(self) -> ShuttingDown:
        return ShuttingDown(f"Perdure is stopping: {self._stopping}")

    # --- what clients get

    def answered(self, pending: Pending, outcome: Outcome) -> None:
        """Take what became of a request; called once for each."""
        connection = pending.connection
        connection.in_flight -= 1
        connection.in_flight_bytes -= pending.size_bytes
        self.outbox.came_back(pending)
        if isinstance(outcome, Failed):
            pending.fail(outcome.error)
            self._observe(pending, outcome.error.kind)
        elif pending.row.mutates or self._affords(pending, len(outcome.result)):
            pending.succeed(outcome.result)
            self._observe(pending, OK)
        else:
            pending.fail(Overloaded("answers that are not read take all the room", retry_after_s=RETRY_AFTER_S))
            self._observe(pending, Overloaded.kind)
        self.touch(connection)

    def counted(self, held_bytes: int, connections: int) -> None:
        """Take note of how much so many connections hold; what is answered from now on comes on top of it."""
        self._counted_bytes = held_bytes
        self._fresh_bytes = 0
        self._connections = connections

    def _affords(self, pending: Pending, size_bytes: int) -> bool:
        """Whether there is room for an answer: a short question may have a long one, and a thousand wait for theirs.

        What one connection has to take is bounded, whoever reads slowly or asks much at once is told; beyond the budget
        each has its fair share. A command that took effect is answered in any case, and never comes here.
        """
        if pending.row.subscribes:
            return True
        unsent_bytes = pending.connection.unsent_bytes
        if unsent_bytes and unsent_bytes + size_bytes > self.limits.answers_unsent_bytes_max:
            return False
        if self._counted_bytes + self._fresh_bytes + size_bytes > self.limits.memory_bytes_max:
            share_bytes = self.limits.fair_share_bytes(self._connections)
            if unsent_bytes + size_bytes > share_bytes:
                return False
        self._fresh_bytes += size_bytes
        return True

    def touch(self, connection: Connection) -> None:
        """Note that the connection has something to send, or may go on."""
        if connection.closed:
            if self._stopping is not None:
                self.wake()  # a stop waits for the last answer, also for one that nobody is there to get
        elif not connection.dirty:
            connection.dirty = True
            self.dirty.append(connection)
            if not self.driven and len(self.dirty) == 1:
                self.wake()

    def _refuse(self, pending: Pending, error: Exception) -> None:
        """Answer what never became a request."""
        foreseen = self._foreseen(error)
        pending.fail(foreseen)
        self._observe(pending, foreseen.kind)
        self.touch(pending.connection)

    def _observe(self, pending: Pending, outcome: str) -> None:
        name = UNKNOWN if pending.row is NO_METHOD else pending.row.name
        now = time.monotonic()
        left_at = now if pending.left_at is None else pending.left_at
        self._observer.answered(name, outcome, left_at - pending.taken_at, now - pending.taken_at)

    def _foreseen(self, error: Exception) -> PerdureError:
        """Return the error itself when it is one of ours; otherwise report it, and return what a client is told."""
        if isinstance(error, PerdureError):
            return error
        crash_id = secrets.token_hex(6)
        self._crashed(crash_id, error)
        return Internal("an error that nobody foresaw", crash_id=crash_id)


def _nobody_drives() -> None:
    """Stand in until somebody drives: what is dirty is found when it begins."""

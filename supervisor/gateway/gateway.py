"""The gateway: what boot makes once, and what a supervisor runs, again after every crash.

All state (connections, their queues, what waits for whom) is in this object and not in its tasks, so a crash of the
tasks costs the one connection whose bytes were in hand, and the others notice nothing.

    sockets ready ──► serve_ready (accept, read, dispatch) ──► offer to the actors ──► flush
    actors answer ──► connections dirty ──► wake ──► flush (send, let go on what waited, offer)

Answers come in bunches, when a commit is done: the first of a bunch wakes the flushing task, which runs when the
bunch is complete and sends everything of one connection at once. A plain trio.Event does for waking: measured against
an eventfd in the same epoll it costs the same at 64 × 1 and a tenth less processor time at 1 × 1 and 16 × 32.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Protocol

import trio

from supervisor.gateway.dispatch import CrashReport, Dispatch
from supervisor.gateway.door import Door
from supervisor.gateway.limits import Limits
from supervisor.gateway.observer import Observer, Tally
from supervisor.gateway.outbox import LocalHandler, Recipient
from supervisor.gateway.pump import Pump

LOOK_EVERY_S: Final = 1.0
"""How often the clock is looked at; half lines live for many times as long."""


class Context(Protocol):
    """What the supervisor gives to a child, as far as the gateway uses it."""

    stopping: trio.Event

    def ready(self, details: Any = None) -> None:
        """Say that clients are served."""
        ...

    def beat(self) -> None:
        """Say that the gateway lives."""
        ...

    async def chaos_hang(self) -> None:
        """Return at once, or never when chaos wants this actor to hang."""
        ...


class Gateway:
    """See the module's text.

    `actors` are the Refs by the names in the table of methods, `local` the handlers of the methods that are answered
    here (they answer their request, at once or later, and never wait). `crashed` is told of errors that nobody foresaw.
    Raises ValueError when the table needs somebody who is not given.
    """

    def __init__(
        self,
        *,
        listener: socket.socket,
        actors: Mapping[str, Recipient],
        local: Mapping[str, LocalHandler],
        crashed: CrashReport,
        limits: Limits | None = None,
        observer: Observer | None = None,
        uids: Iterable[int] | None = None,
    ) -> None:
        self._limits = limits or Limits()
        observer = observer or Tally()
        self._dispatch = Dispatch(actors=actors, local=local, limits=self._limits, observer=observer, crashed=crashed)
        door = Door(listener=listener, connections_max=self._limits.connections_max, observer=observer, uids=uids)
        self._pump = Pump(door=door, dispatch=self._dispatch, observer=observer)
        self._woken = trio.Event()
        self._quiet: trio.Event | None = None
        self._failure: Exception | None = None
        """What went wrong while somebody else had replies sent."""

    @property
    def connections(self) -> int:
        """How many clients are connected."""
        return len(self._pump.peers)

    @property
    def commands_under_way(self) -> int:
        """How many commands the actors have and have not answered."""
        return self._dispatch.outbox.under_way

    @property
    def held_bytes(self) -> int:
        """How much memory the bytes of all connections take."""
        return self._pump.held_bytes

    async def run(self, context: Context) -> None:
        """Serve until asked to stop; connections stay open, for the next run or for `close`."""
        async with trio.open_nursery() as nursery:
            self._begin(lambda actor: nursery.start_soon(self._dispatch.outbox.room_in, actor))
            nursery.start_soon(self._serve)
            nursery.start_soon(self._flush_when_woken)
            nursery.start_soon(self._look_at_clock, context)
            context.ready()
            await context.stopping.wait()
            nursery.cancel_scope.cancel()

    def flush(self) -> None:
        """Send what waits to be sent, and let go on what waited for an answer. Never waits.

        For the writer: called before a commit that blocks the loop, so that no reply waits for it. What goes wrong here
        is the gateway's crash and not the writer's: a task of the gateway raises it, and its next run makes it good.
        """
        if self._dispatch.dirty:
            try:
                self._flush()
            except Exception as error:  # noqa: BLE001 - raised where it belongs
                self._failure = error
                self._wake()

    def _flush(self) -> None:
        dispatch, pump = self._dispatch, self._pump
        dispatch.driven = True
        try:
            while dispatch.dirty:
                dirty, dispatch.dirty = dispatch.dirty, []
                for connection in dirty:
                    pump.handling = connection
                    connection.dirty = False
                    pump.send(connection)
                for connection in dirty:
                    if connection.may_advance:
                        pump.handling = connection
                        dispatch.advance(connection)
                dispatch.outbox.offer()
                for connection in dirty:
                    pump.handling = connection
                    pump.settle(connection)
            pump.handling = None
            pump.relieve()
        finally:
            dispatch.driven = False
        self._tell_when_quiet()

    def replying(self) -> Replying:
        """Gather the answers given inside, and send them at the end: for the writer, who answers a whole batch."""
        return Replying(self._dispatch, self.flush)

    async def drain(self, reason: str, grace_s: float) -> int:
        """Answer `shutting_down` to whatever comes from now on, and wait until what is under way is answered and sent.

        Returns how many commands were not answered after `grace_s` seconds. `close` is what follows.
        """
        self._dispatch.stop(reason)
        self._pump.door.shut()
        for peer in list(self._pump.peers.values()):
            self._dispatch.touch(peer.connection)
        self._quiet = trio.Event()
        self._flush()
        with trio.move_on_after(grace_s):
            await self._quiet.wait()
        return self.commands_under_way

    def close(self, reason: str = "stopped") -> None:
        """Close every connection. The listening socket stays open: it belongs to the root process."""
        self._pump.close_all(reason)

    # --- the tasks

    def _begin(self, filled: Callable[[str], None]) -> None:
        self._dispatch.wake = self._wake
        self._dispatch.outbox.filled = filled
        self._dispatch.driven = False
        for actor in self._dispatch.outbox.full:
            filled(actor)
        self._readiness = self._pump.open()
        # What the run before left undone: bytes to send, requests to offer.
        self._failure = None
        self._dispatch.dirty.clear()
        for peer in list(self._pump.peers.values()):
            peer.connection.dirty = False
            self._dispatch.touch(peer.connection)
        self._dispatch.outbox.offer()
        self._wake()

    async def _serve(self) -> None:
        dispatch = self._dispatch
        while True:
            await trio.lowlevel.wait_readable(self._readiness.fileno())
            dispatch.driven = True
            self._pump.serve_ready(time.monotonic())
            dispatch.outbox.offer()
            self._flush()

    async def _flush_when_woken(self) -> None:
        while True:
            await self._woken.wait()
            self._woken = trio.Event()
            if self._failure is not None:
                failure, self._failure = self._failure, None
                raise failure
            self._flush()

    async def _look_at_clock(self, context: Context) -> None:
        """Beat, and end what has waited too long. A hang that chaos asks for happens here: then no beat follows."""
        every_s = min(LOOK_EVERY_S, self._limits.half_frame_s / 4)
        while True:
            await trio.sleep(every_s)
            await context.chaos_hang()
            context.beat()
            self._pump.expire(time.monotonic())

    def _wake(self) -> None:
        self._woken.set()

    def _tell_when_quiet(self) -> None:
        if self._quiet is None or self.commands_under_way:
            return
        if not any(peer.connection.unsent_bytes for peer in self._pump.peers.values()):
            self._quiet.set()


class Replying:
    """A context: answers given inside only gather, and `flush` sends them at the end. It nests; the outermost sends."""

    __slots__ = ("_dispatch", "_flush", "_is_inner")

    def __init__(self, dispatch: Dispatch, flush: Callable[[], None]) -> None:
        self._dispatch = dispatch
        self._flush = flush
        self._is_inner = False

    def __enter__(self) -> None:
        self._is_inner, self._dispatch.driven = self._dispatch.driven, True

    def __exit__(self, error_class: type[BaseException] | None, *_error: object) -> None:
        self._dispatch.driven = self._is_inner
        if error_class is None and not self._is_inner:
            self._flush()

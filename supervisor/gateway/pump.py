"""The bytes of all clients' sockets, moved by whoever calls: no task and no clock of its own, nothing waits here.

A connection is read only while there is room for what it may ask (`settle` decides, and sets what its socket is watched
for); whatever cannot be sent at once waits until its socket takes more. How a connection ends:

======================  ==============================================================================
the client closes       what it sent completely is carried out; replies it can no longer read are dropped
its framing is broken   the error is sent after the answers to everything before, then it is closed
it does not read        closed when more than `unsent_bytes_max` waits for it
sending to it fails     it gets an end of file; what it sent completely is carried out
======================  ==============================================================================
"""

from __future__ import annotations

import contextlib
import socket
from typing import Final

import attrs

from supervisor.gateway.budget import Budget
from supervisor.gateway.connection import Connection
from supervisor.gateway.dispatch import Dispatch
from supervisor.gateway.door import Door
from supervisor.gateway.limits import Limits
from supervisor.gateway.observer import Observer
from supervisor.gateway.readiness import GONE, READ, WRITE, Readiness, readiness

READ_BYTES: Final = 256 * 1024
"""One read of one socket: the kernel holds about as much, and a faster client must not starve the others."""


@attrs.define(eq=False)
class Peer:
    """A client's socket, and what it is watched for."""

    socket: socket.socket
    descriptor: int
    connection: Connection
    interest: int = READ
    watched: bool = True
    full: bool = False
    """The kernel takes no more at present."""


class Pump:
    """See the module's text. `handling` is the connection in hand, so that a crash finds the guilty one."""

    def __init__(self, *, door: Door, dispatch: Dispatch, observer: Observer) -> None:
        self.door = door
        self.peers: dict[int, Peer] = {}
        self.handling: Connection | None = None
        self._limits: Limits = dispatch.limits
        self._dispatch = dispatch
        self._observer = observer
        self._peer_of: dict[Connection, Peer] = {}
        self._budget = Budget(dispatch.limits)
        self._buffer = bytearray(READ_BYTES)
        self._view = memoryview(self._buffer)
        self._readiness: Readiness | None = None

    @property
    def held_bytes(self) -> int:
        """How much memory the bytes of all connections take."""
        return self._budget.held_bytes

    # --- beginning and end

    def open(self) -> Readiness:
        """Begin, or begin again after a crash: watch everything afresh. Return what to wait for."""
        if self._readiness is not None:
            self._readiness.close()
        self._readiness = None
        self.door.watch(None)
        guilty = self._peer_of.get(self.handling) if self.handling is not None else None
        if guilty is not None:
            self.close(guilty, "crashed")
        self.handling = None
        self._readiness = readiness()
        self.door.watch(self._readiness)
        for peer in self.peers.values():
            self._readiness.register(peer.descriptor, peer.interest)
            peer.watched = True
        return self._readiness

    def close_all(self, reason: str) -> None:
        """Close every connection; the listener stays open, it belongs to the root process."""
        self.door.shut()
        for peer in list(self.peers.values()):
            self.close(peer, reason)
        if self._readiness is not None:
            self._readiness.close()
            self._readiness = None
            self.door.watch(None)

    def close(self, peer: Peer, reason: str) -> None:
        """Close one connection; commands that have left are carried out all the same."""
        self._unwatch(peer)
        del self.peers[peer.descriptor]
        del self._peer_of[peer.connection]
        self._budget.forget(peer.connection)
        self._dispatch.forget(peer.connection)
        peer.socket.close()
        self._observer.closed(reason)
        self.door.listen()  # a descriptor is free again

    # --- what is ready

    def serve_ready(self, now: float) -> None:
        """Do everything that is possible at once: accept, read, send."""
        if self._readiness is None:
            return
        for descriptor, ready in self._readiness.poll():
            peer = self.peers.get(descriptor)
            if peer is None:
                for client in self.door.accept(len(self.peers)):
                    self._admit(client)
                continue
            self.handling = peer.connection
            if ready & WRITE:
                peer.full = False
                self.send(peer.connection)
            if ready & READ and peer.interest & READ:
                self._read(peer, now)
            elif ready & GONE:
                self._gone(peer)
            self.settle(peer.connection)
        self.handling = None

    def _admit(self, client: socket.socket) -> None:
        peer = Peer(client, client.fileno(), self._dispatch.connect())
        self.peers[peer.descriptor] = peer
        self._peer_of[peer.connection] = peer
        if self._readiness is not None:
            self._readiness.register(peer.descriptor, peer.interest)

    # --- in

    def _read(self, peer: Peer, now: float) -> None:
        try:
            size_bytes = peer.socket.recv_into(self._buffer)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            peer.connection.ended = True
            self._gone(peer)
            return
        if size_bytes:
            self._observer.received(size_bytes)
            self._dispatch.receive(peer.connection, bytes(self._view[:size_bytes]), now)
        else:
            self._dispatch.finish(peer.connection)

    def _gone(self, peer: Peer) -> None:
        """Take note that the client has closed both ways; what it sent before is read when there is room for it.

        Unless it holds more than its share of a budget that is used up: then only its end makes room again.
        """
        peer.connection.silence()
        if self._budget.is_hoarder(peer.connection):
            peer.connection.ended = True
        peer.full = False
        self._unwatch(peer)

    # --- out

    def send(self, connection: Connection) -> None:
        """Send what waits for a client, as far as its socket takes it."""
        peer = self._peer_of.get(connection)
        if peer is None or peer.full:
            return
        while data := connection.to_send():
            try:
                size_bytes = peer.socket.send(data)
            except (BlockingIOError, InterruptedError):
                peer.full = True
                return
            except OSError:  # the client is gone: its commands are carried out, its replies have no reader
                connection.silence()
                _hang_up(peer.socket)
                return
            self._observer.sent(size_bytes)
            peer.full = size_bytes < len(data)
            if not connection.sent(size_bytes) or peer.full:
                return

    # --- what each socket is watched for

    def settle(self, connection: Connection) -> None:
        """After anything happened to a connection: count it, close it when it is over, and watch for what is wanted."""
        peer = self._peer_of.get(connection)
        if peer is None or (peer.interest == READ and peer.watched and connection.ordinary):
            return
        self._budget.count(connection)
        if connection.unsent_bytes > self._limits.unsent_bytes_max:
            self.close(peer, "does not read")
        elif connection.over:
            self.close(peer, "ended" if connection.splitter.failure is None else connection.splitter.failure.kind)
        else:
            self._watch(peer)

    def relieve(self) -> None:
        """Read those again that were not read for the sake of the memory budget, as far as it lets them."""
        for connection in self._budget.freed():
            self.settle(connection)
        self._dispatch.counted(self.held_bytes, len(self.peers))

    def expire(self, now: float) -> None:
        """Look at the clock: end those that leave a line half said for too long; try the listener again."""
        self.door.listen()
        for peer in list(self.peers.values()):
            connection = peer.connection
            if connection.splitter.half_since is None or connection.ended:
                continue
            if connection.has_room:
                connection.splitter.expire(now, self._limits.half_frame_s)
                self._dispatch.check_framing(connection)
            else:
                connection.splitter.forgive(now)  # it is we who do not read

    def _watch(self, peer: Peer) -> None:
        connection = peer.connection
        wanted = WRITE if peer.full else 0
        if connection.has_room and self._budget.affords(connection, len(self.peers)):
            wanted |= READ
        if self._readiness is None:
            peer.interest = wanted
        elif not peer.watched:
            # A client that is gone was taken out, or its GONE would wake us for ever; what it left is still to be read.
            if wanted & READ:
                self._readiness.register(peer.descriptor, wanted)
                peer.watched = True
                peer.interest = wanted
        elif wanted != peer.interest:
            self._readiness.modify(peer.descriptor, wanted)
            peer.interest = wanted

    def _unwatch(self, peer: Peer) -> None:
        if peer.watched and self._readiness is not None:
            self._readiness.unregister(peer.descriptor)
        peer.watched = False


def _hang_up(client: socket.socket) -> None:
    """Say that no reply will come: a client that is there after all (the kernel was out of memory) connects anew."""
    with contextlib.suppress(OSError):  # it is gone, as nearly always
        client.shutdown(socket.SHUT_WR)

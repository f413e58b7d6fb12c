"""The bytes of all clients' sockets, moved by whoever calls: no task and no clock of its own, nothing waits here.

A connection is read only while there is room for what it may ask (`settle` decides, and sets what its socket is watched
for); whatever cannot be sent at once waits until its socket takes more. How a connection ends:

======================  ==============================================================================
the client closes       what it sent completely is carried out; replies it can no longer read are dropped
its framing is broken   the error is sent after the answers to everything before, then it is closed
it does not read        closed when more than `unsent_bytes_max` waits for it
======================  ==============================================================================
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterable
from typing import Final

import attrs

from actors.model.errors import Forbidden, Overloaded, PerdureError
from supervisor.gateway.connection import Connection
from supervisor.gateway.credentials import peer_uid, served_uids
from supervisor.gateway.dispatch import Dispatch
from supervisor.gateway.limits import Limits
from supervisor.gateway.observer import Observer
from supervisor.gateway.readiness import GONE, READ, WRITE, Readiness, readiness
from supervisor.wire import jsonrpc

READ_BYTES: Final = 256 * 1024
"""One read of one socket: the kernel holds about as much, and a faster client must not starve the others."""

ACCEPTS_MAX: Final = 64
"""New connections in one wake-up: those that are there get their turn before the rest."""

RETRY_AFTER_S: Final = 1.0
"""What a connection over the limit is told."""

_EXHAUSTED: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


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

    def __init__(
        self,
        *,
        listener: socket.socket,
        dispatch: Dispatch,
        observer: Observer,
        uids: Iterable[int] | None = None,
    ) -> None:
        """Serve clients of `listener` that run as one of `uids` (absent: this user and root)."""
        self.peers: dict[int, Peer] = {}
        self.handling: Connection | None = None
        self.held_bytes = 0
        self._limits: Limits = dispatch.limits
        self._listener = listener
        self._accepting = True
        self._listening = False
        self._dispatch = dispatch
        self._observer = observer
        self._uids = served_uids() if uids is None else frozenset(uids)
        self._peer_of: dict[Connection, Peer] = {}
        self._hoarders: set[Connection] = set()
        """Not read because the memory budget is used up and they hold more than their share."""
        self._buffer = bytearray(READ_BYTES)
        self._view = memoryview(self._buffer)
        self._readiness: Readiness | None = None
        listener.setblocking(False)  # noqa: FBT003 - the standard library's own signature

    # --- beginning and end

    def open(self) -> Readiness:
        """Begin, or begin again after a crash: watch everything afresh. Return what to wait for."""
        if self._readiness is not None:
            self._readiness.close()
        self._readiness = None
        self._listening = False
        guilty = self._peer_of.get(self.handling) if self.handling is not None else None
        if guilty is not None:
            self.close(guilty, "crashed")
        self.handling = None
        self._readiness = readiness()
        self.listen()
        for peer in self.peers.values():
            self._readiness.register(peer.descriptor, peer.interest)
            peer.watched = True
        return self._readiness

    def listen(self) -> None:
        """Take new connections (again), unless that was stopped."""
        if self._accepting and not self._listening and self._readiness is not None:
            self._readiness.register(self._listener.fileno(), READ)
            self._listening = True

    def stop_accepting(self) -> None:
        """Leave new connections in the listener's backlog, for good."""
        self._accepting = False
        self._deafen()

    def _deafen(self) -> None:
        if self._listening and self._readiness is not None:
            self._readiness.unregister(self._listener.fileno())
            self._listening = False

    def close_all(self, reason: str) -> None:
        """Close every connection; the listener stays open, it belongs to the root process."""
        self.stop_accepting()
        for peer in list(self.peers.values()):
            self.close(peer, reason)
        if self._readiness is not None:
            self._readiness.close()
            self._readiness = None

    def close(self, peer: Peer, reason: str) -> None:
        """Close one connection; commands that have left are carried out all the same."""
        self._unwatch(peer)
        del self.peers[peer.descriptor]
        del self._peer_of[peer.connection]
        self._hoarders.discard(peer.connection)
        self.held_bytes -= peer.connection.counted_bytes
        self._dispatch.forget(peer.connection)
        peer.socket.close()
        self._observer.closed(reason)
        self.listen()  # a descriptor is free again

    # --- what is ready

    def serve_ready(self, now: float) -> None:
        """Do everything that is possible at once: accept, read, send."""
        if self._readiness is None:
            return
        for descriptor, ready in self._readiness.poll():
            peer = self.peers.get(descriptor)
            if peer is None:
                if descriptor == self._listener.fileno():
                    self._accept()
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

    def _accept(self) -> None:
        for _ in range(ACCEPTS_MAX):
            try:
                client, _ = self._listener.accept()
            except (BlockingIOError, ConnectionAbortedError, InterruptedError):
                return
            except OSError as error:
                if error.errno not in _EXHAUSTED:
                    raise
                # They wait in the backlog until a connection closes, or the next look at the clock.
                self._deafen()
                self._observer.closed("descriptors exhausted")
                return
            client.setblocking(False)  # noqa: FBT003
            refusal = self._refusal(client)
            if refusal is None:
                self._admit(client)
            else:
                self._turn_away(client, refusal)

    def _refusal(self, client: socket.socket) -> PerdureError | None:
        try:
            uid = peer_uid(client)
        except OSError as error:
            return Forbidden(f"who is asking cannot be found out: {error.strerror}")
        if uid not in self._uids:
            return Forbidden(f"user {uid} is not served here", hint="only the owner of the socket and root are")
        if len(self.peers) >= self._limits.connections_max:
            return Overloaded(
                f"at most {self._limits.connections_max} connections are served at once", retry_after_s=RETRY_AFTER_S
            )
        return None

    def _admit(self, client: socket.socket) -> None:
        peer = Peer(client, client.fileno(), self._dispatch.connect())
        self.peers[peer.descriptor] = peer
        self._peer_of[peer.connection] = peer
        if self._readiness is not None:
            self._readiness.register(peer.descriptor, peer.interest)

    def _turn_away(self, client: socket.socket, refusal: PerdureError) -> None:
        with client:
            try:
                client.send(jsonrpc.failure(jsonrpc.NULL_ID, refusal) + b"\n")
            except OSError:
                self._observer.closed("gone before it was refused")
            else:
                self._observer.closed(refusal.kind)

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
        if peer.connection in self._hoarders:
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
                return
            self._observer.sent(size_bytes)
            connection.sent(size_bytes)
            if size_bytes < len(data):
                peer.full = True
                return

    # --- what each socket is watched for

    def settle(self, connection: Connection) -> None:
        """After anything happened to a connection: count it, close it when it is over, and watch for what is wanted."""
        peer = self._peer_of.get(connection)
        if peer is None or (peer.interest == READ and peer.watched and connection.ordinary):
            return
        held_bytes = connection.held_bytes
        self.held_bytes += held_bytes - connection.counted_bytes
        connection.counted_bytes = held_bytes
        if connection.unsent_bytes > self._limits.unsent_bytes_max:
            self.close(peer, "does not read")
        elif connection.over:
            self.close(peer, "ended" if connection.splitter.failure is None else connection.splitter.failure.kind)
        else:
            self._watch(peer)

    def relieve(self) -> None:
        """Read those again that were not read for the sake of the memory budget, if it has room."""
        if self._hoarders and self.held_bytes <= self._limits.memory_bytes_max:
            for connection in list(self._hoarders):
                self.settle(connection)

    def expire(self, now: float) -> None:
        """Look at the clock: end those that leave a line half said for too long; try the listener again."""
        self.listen()
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
        if connection.has_room and self._affordable(connection):
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

    def _affordable(self, connection: Connection) -> bool:
        if self.held_bytes <= self._limits.memory_bytes_max:
            self._hoarders.discard(connection)
            return True
        if connection.counted_bytes <= self._limits.fair_share_bytes(len(self.peers)):
            return True
        self._hoarders.add(connection)
        return False

    def _unwatch(self, peer: Peer) -> None:
        if peer.watched and self._readiness is not None:
            self._readiness.unregister(peer.descriptor)
        peer.watched = False

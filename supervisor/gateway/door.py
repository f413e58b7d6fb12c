"""The listening socket: who comes in, who is turned away with which words, and when nobody is let in at all.

The socket belongs to the root process, which holds it while runtimes come and go; whoever is not let in now waits in
its backlog, for this runtime or the next.
"""

from __future__ import annotations

import errno
import socket
import time
from collections.abc import Iterable
from typing import Final

from actors.model.errors import Forbidden, Overloaded, PerdureError
from supervisor.gateway.credentials import peer_uid, served_uids
from supervisor.gateway.observer import Observer
from supervisor.gateway.readiness import READ, Readiness
from supervisor.logs import get_logger
from supervisor.wire import jsonrpc

ACCEPTS_MAX: Final = 64
"""New connections in one wake-up: those that are there get their turn before the rest."""

RETRY_AFTER_S: Final = 1.0
"""What a connection over the limit is told."""

TOLD_EVERY_S: Final = 60.0
"""How often the log hears of users that are not served: somebody who tries in a loop must not fill it."""

_log: Final = get_logger("gateway:door")

_EXHAUSTED: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class Door:
    """See the module's text."""

    def __init__(
        self, *, listener: socket.socket, connections_max: int, observer: Observer, uids: Iterable[int] | None
    ) -> None:
        """Let in clients that run as one of `uids` (absent: this user and root), so many at most."""
        self.descriptor = listener.fileno()
        self._listener = listener
        self._connections_max = connections_max
        self._observer = observer
        self._uids = served_uids() if uids is None else frozenset(uids)
        self._readiness: Readiness | None = None
        self._listening = False
        self._shut = False
        self._strangers = 0
        """Connections of other users since the log was told."""
        self._tell_at_s = 0.0
        listener.setblocking(False)  # noqa: FBT003 - the standard library's own signature

    def watch(self, readiness: Readiness | None) -> None:
        """Be watched by this from now on, by nothing when it is None."""
        self._readiness = readiness
        self._listening = False
        self.listen()

    def listen(self) -> None:
        """Let clients in (again), unless the door was shut."""
        if not self._shut and not self._listening and self._readiness is not None:
            self._readiness.register(self.descriptor, READ)
            self._listening = True

    def shut(self) -> None:
        """Let nobody in any more."""
        self._shut = True
        self._pause()

    def accept(self, connected: int) -> list[socket.socket]:
        """Return the sockets of clients that are let in, `connected` being there already."""
        admitted: list[socket.socket] = []
        for _ in range(ACCEPTS_MAX):
            try:
                client, _ = self._listener.accept()
            except (BlockingIOError, ConnectionAbortedError, InterruptedError):
                break
            except OSError as error:
                if error.errno not in _EXHAUSTED:
                    raise
                # They wait in the backlog until a connection closes, or the next look at the clock.
                self._pause()
                self._observer.closed("descriptors exhausted")
                break
            client.setblocking(False)  # noqa: FBT003
            refusal = self._refusal(client, connected + len(admitted))
            if refusal is None:
                admitted.append(client)
            else:
                self._turn_away(client, refusal)
        return admitted

    def _pause(self) -> None:
        if self._listening and self._readiness is not None:
            self._readiness.unregister(self.descriptor)
            self._listening = False

    def _refusal(self, client: socket.socket, connected: int) -> PerdureError | None:
        try:
            uid = peer_uid(client)
        except OSError as error:
            return Forbidden(f"who is asking cannot be found out: {error.strerror}")
        if uid not in self._uids:
            self._note_stranger(uid)
            return Forbidden(f"user {uid} is not served here", hint="only the owner of the socket and root are")
        if connected >= self._connections_max:
            return Overloaded(
                f"at most {self._connections_max} connections are served at once", retry_after_s=RETRY_AFTER_S
            )
        return None

    def _note_stranger(self, uid: int) -> None:
        self._strangers += 1
        now_s = time.monotonic()
        if now_s >= self._tell_at_s:
            _log.warning("a connection of another user was refused", uid=uid, refused=self._strangers)
            self._strangers, self._tell_at_s = 0, now_s + TOLD_EVERY_S

    def _turn_away(self, client: socket.socket, refusal: PerdureError) -> None:
        with client:
            try:
                client.send(jsonrpc.failure(jsonrpc.NULL_ID, refusal) + b"\n")
            except OSError:
                self._observer.closed("gone before it was refused")
            else:
                self._observer.closed(refusal.kind)

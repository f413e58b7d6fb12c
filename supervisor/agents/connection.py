"""
The host's end of a connection: frames in and out of a socket that never blocks.

What the other end does not read waits here, in bounds: `wants_output` is False beyond them, and from a peer that orders
without reading its answers nothing more is read.
"""

from __future__ import annotations

import os
import select
import socket
from collections import deque
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from supervisor.agents.frames import Frames, encode

UNSENT_BYTES_MAX: Final = 256 << 10
"""Of output; it waits in the windows of its agents as well as here."""
_UNREAD_ANSWERS_BYTES_MAX: Final = 4 << 20
_CHUNK_BYTES: Final = 64 << 10
_DESCRIPTORS_MAX: Final = 8


class ConnectionEnded(Exception):
    """The other end is gone."""


class Connection:
    """One connection; `decoder` is the vocabulary of what comes in."""

    def __init__(self, peer: socket.socket, decoder: msgspec.msgpack.Decoder[Any]) -> None:
        self.socket = peer
        self.attached = False
        """Whether the runtime has said what it wants; to the root this means nothing."""
        self.descriptors: deque[int] = deque()
        """What came with the frames, in their order."""
        self._decoder = decoder
        self._frames = Frames()
        self._unsent = bytearray()
        peer.settimeout(0)

    @property
    def events(self) -> int:
        """What to poll for."""
        wanted = select.POLLOUT if self._unsent else 0
        return wanted | (select.POLLIN if len(self._unsent) < _UNREAD_ANSWERS_BYTES_MAX else 0)

    @property
    def wants_output(self) -> bool:
        """Whether more output may be queued."""
        return len(self._unsent) < UNSENT_BYTES_MAX

    @property
    def is_flushed(self) -> bool:
        """Whether everything was handed to the system."""
        return not self._unsent

    def messages(self) -> Iterator[Any]:
        """Read what is there and give out what is complete. Raises `ProtocolBroken`, `ConnectionEnded`."""
        try:
            data, descriptors, _, _ = socket.recv_fds(self.socket, _CHUNK_BYTES, _DESCRIPTORS_MAX)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            raise ConnectionEnded(str(error)) from None
        for descriptor in descriptors:  # recv_fds passes no flags on, so MSG_CMSG_CLOEXEC cannot be said
            os.set_inheritable(descriptor, False)  # noqa: FBT003  the system call's own argument
            self.descriptors.append(descriptor)
        if not data:
            raise ConnectionEnded("end of file")
        self._frames.feed(data)
        yield from self._frames.messages(self._decoder)

    def post(self, message: msgspec.Struct) -> None:
        """Queue a message; `flush` sends it."""
        self._unsent += encode(message)

    def flush(self) -> None:
        """Send what the socket takes. Raises `ConnectionEnded`."""
        try:
            while self._unsent:
                sent = self.socket.send(self._unsent)
                del self._unsent[:sent]
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            raise ConnectionEnded(str(error)) from None

    def close(self) -> None:
        """Close it, and what came with it and was not taken."""
        self.socket.close()
        while self.descriptors:
            os.close(self.descriptors.popleft())

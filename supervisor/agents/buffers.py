"""
What an agent wrote and nobody has acknowledged yet: a window over one stream, numbered by offset. Pure.

::

    0 ......... start ........... sent ........... end ──► (read from the pipe)
      forgotten      sent, kept         to be sent

`end - start` never exceeds `bytes_max`: at that point the pipe is not read any more, it fills up, and the agent blocks
in its write. So nothing is dropped while no runtime is there, and memory stays bounded: all windows of a host share
`WINDOWS_BYTES`, and none gets more than `UNACKNOWLEDGED_BYTES_MAX` of it, or less than `UNACKNOWLEDGED_BYTES_MIN`.
"""

from __future__ import annotations

from typing import Final

from supervisor.agents.frames import ProtocolBroken

UNACKNOWLEDGED_BYTES_MAX: Final = 256 << 10
"""For a stream: four full pipes, which keeps the link busy while the writer works."""
UNACKNOWLEDGED_BYTES_MIN: Final = 16 << 10
"""However many streams there are: a quarter of a pipe, so that a chunk is worth its frame."""
WINDOWS_BYTES: Final = 1 << 20
"""What all streams hold together, as long as each has its minimum: the host is to stay under 20 MB."""


def share_of(streams: int) -> int:
    """Return how many bytes each of so many streams may hold."""
    return max(UNACKNOWLEDGED_BYTES_MIN, min(UNACKNOWLEDGED_BYTES_MAX, WINDOWS_BYTES // max(1, streams)))


class Window:
    """The bytes of one stream from `start`, the first that is not acknowledged, to `end`."""

    def __init__(self) -> None:
        self.start = 0
        self.sent = 0
        """Up to here the present connection has had them."""
        self.bytes_max = UNACKNOWLEDGED_BYTES_MAX
        """May be lowered below what is held: nothing is taken then until enough is acknowledged."""
        self._bytes = bytearray()

    @property
    def end(self) -> int:
        """How many bytes were ever taken."""
        return self.start + len(self._bytes)

    @property
    def room(self) -> int:
        """How many more bytes may be taken now."""
        return max(0, self.bytes_max - len(self._bytes))

    @property
    def is_sent(self) -> bool:
        """Whether the present connection has had everything."""
        return self.sent == self.end

    def take(self, data: bytes) -> None:
        """Add what was read, `room` bytes at most."""
        self._bytes += data

    def acknowledge(self, offset: int) -> None:
        """
        Forget the bytes before `offset`. Raises `ProtocolBroken` when nobody can have had them.

        It may lie beyond `sent`: bytes that were sent before the receiver began anew, and written all the same.
        """
        if offset > self.end:
            raise ProtocolBroken(f"byte {offset} is acknowledged and {self.end} were read")
        if offset > self.start:
            del self._bytes[: offset - self.start]
            self.start = offset
            self.sent = max(self.sent, offset)

    def rewind(self, offset: int | None) -> None:
        """
        Send again from `offset` on, to a new connection, and forget what is before it; None: from `start` on.

        What was acknowledged is gone: an offset before `start` means `start`, and the receiver sees the gap. One beyond
        `end` means `end`: the receiver claims bytes that were never read, and will not get others in their place.
        """
        self.sent = self.start if offset is None else min(max(offset, self.start), self.end)
        self.acknowledge(self.sent)

    def next_chunk(self, bytes_max: int) -> tuple[int, bytes] | None:
        """Return the next bytes to send with their offset, and count them as sent; None when all were."""
        if self.is_sent:
            return None
        offset = self.sent
        with memoryview(self._bytes) as held:  # a slice of the array itself would be a second copy
            data = bytes(held[offset - self.start : offset - self.start + bytes_max])
        self.sent += len(data)
        return offset, data

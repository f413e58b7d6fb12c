r"""Lines out of a stream of bytes: split at `\n` and nowhere else.

Other line ends are data here: `bytes.splitlines` would also split at `\r`, `str.splitlines` at U+2028 and friends,
which JSON allows inside strings. A line that grows beyond the limit breaks the framing for good, since where the next
one begins cannot be trusted any more: what came before it is still given out, then `failure` says why nothing follows.
"""

from __future__ import annotations

from typing import Final

from actors.model.errors import ParseError, PerdureError, TooLarge

FRAME_BYTES_MAX: Final = 16 * 1024 * 1024
"""One frame; the protocol's limit unless configured otherwise."""


class LineSplitter:
    """The receiving side of one connection.

    `half_since` is the caller's clock at the moment when the unfinished line began, None while there is none.
    `failure` is why the stream cannot go on, None while it can.
    """

    __slots__ = ("_frame_bytes_max", "_half", "failure", "half_since")

    def __init__(self, frame_bytes_max: int = FRAME_BYTES_MAX) -> None:
        """Begin at the start of a line."""
        self._frame_bytes_max = frame_bytes_max
        self._half = bytearray()
        self.half_since: float | None = None
        self.failure: PerdureError | None = None

    @property
    def half_bytes(self) -> int:
        """How many bytes of an unfinished line are held."""
        return len(self._half)

    def feed(self, data: bytes, now: float) -> list[bytes]:
        """Take what arrived at `now`; return the lines that are complete with it, blank ones left out."""
        if self.failure is not None or not data:
            return []
        if not self._half and data.find(b"\n") == len(data) - 1 <= self._frame_bytes_max and not data.isspace():
            return [data[:-1]]  # one whole line: what arrives most of the time
        lines = data.split(b"\n")
        rest = lines.pop()
        if lines and self._half:
            self._half += lines[0]
            lines[0] = bytes(self._half)
            self._half.clear()
            self.half_since = None
        if rest:
            self._half += rest
            if self.half_since is None:
                self.half_since = now
        if len(data) + len(self._half) > self._frame_bytes_max or (lines and len(lines[0]) > self._frame_bytes_max):
            lines = self._within_limit(lines)
        return [line for line in lines if line and not line.isspace()]

    def finish(self) -> None:
        """Take the end of the stream; an unfinished line becomes the `failure`."""
        if self._half and self.failure is None:
            self._break(ParseError(r"the stream ended inside a line: every frame ends with \n"))

    def expire(self, now: float, half_frame_s: float) -> None:
        """Make an unfinished line that began more than `half_frame_s` seconds ago the `failure`."""
        if self.half_since is not None and now - self.half_since > half_frame_s and self.failure is None:
            self._break(ParseError(rf"a line was begun and not ended with \n within {half_frame_s:g} s"))

    def forgive(self, now: float) -> None:
        """Count the age of an unfinished line from `now` on: it was not its sender who made it wait."""
        if self.half_since is not None:
            self.half_since = now

    def _within_limit(self, lines: list[bytes]) -> list[bytes]:
        for number, line in enumerate(lines):
            if len(line) > self._frame_bytes_max:
                self._too_large()
                return lines[:number]
        if len(self._half) > self._frame_bytes_max:
            self._too_large()
        return lines

    def _too_large(self) -> None:
        limit = self._frame_bytes_max
        self._break(
            TooLarge(f"a frame has at most {limit} bytes", hint="send less at once", frame_bytes_max=limit),
        )

    def _break(self, failure: PerdureError) -> None:
        self.failure = failure
        self._half = bytearray()
        self.half_since = None

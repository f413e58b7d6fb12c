"""The output of one run on its way: offsets, writes, acknowledgements, and what its parser notices.

    news Output ──► beyond what is known? ──► parser ──► WriteOutput ──► written ──► acknowledged to the host
                                                (what the limit leaves out is counted only)

The host is told how far all bytes are written, never further, so whatever a crash takes from the way comes again. What
was written before this incarnation is read back for the parser first; until then nothing new is taken, and the host's
window, which is not acknowledged meanwhile, bounds what waits here.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Final

import attrs
import msgspec

from actors.messages.agents import Offsets, Output, Stream
from actors.messages.questions import ReadOutput, WriteOutput
from actors.running.checking import checked
from actors.running.parsing import Noticed, Parser, TextParser

STREAMS: Final[tuple[Stream, ...]] = ("stdout", "stderr")

REPLAY_BYTES: Final = 256 * 1024
"""Read back at once: about a millisecond of parsing."""


class Chunk(msgspec.Struct, frozen=True):
    """Bytes of a stream that are being written."""

    run_id: str
    stream: Stream
    offset: int
    end: int
    """Up to where the stream is dealt with when they are written."""


class Replay(msgspec.Struct, frozen=True):
    """A piece of what was written before, on its way to the parser."""

    run_id: str
    stream: Stream
    offset: int


@attrs.define
class _Way:
    """One stream."""

    expected: int
    """Up to where its bytes have come."""
    under_way: dict[int, Chunk] = attrs.field(factory=dict)
    """Writes that are not over, by offset, in order."""
    replay_to: int = 0
    """Up to where the parser has to be shown again what was written."""

    def settled(self) -> int:
        return next(iter(self.under_way)) if self.under_way else self.expected


class AgentOutput:
    """See the module's text. `written` says how far each stream is written; `bytes_max` how much of it is stored."""

    def __init__(
        self,
        run_id: str,
        written: tuple[int, int],
        bytes_max: int | None,
        parser: Parser,
        *,
        send: Callable[[Any, Any], None],
        acknowledge: Callable[[str, Stream, int], None],
    ) -> None:
        self.run_id = run_id
        self._bytes_max = bytes_max
        self._parser = parser
        self._send = send
        self._acknowledge = acknowledge
        self._ways: Mapping[Stream, _Way] = {
            stream: _Way(expected=size_bytes) for stream, size_bytes in zip(STREAMS, written, strict=True)
        }
        self._held: deque[Output] = deque()
        self._replaying = 0
        if not isinstance(parser, TextParser):
            for stream, way in self._ways.items():
                if way.expected:
                    way.replay_to = way.expected
                    self._replaying += 1
                    self._read_back(stream, 0)

    @property
    def idle(self) -> bool:
        """Whether everything that came is written, and parsed."""
        return not self._replaying and not any(way.under_way for way in self._ways.values())

    def offsets(self) -> Offsets:
        """Return up to where each stream is written."""
        return Offsets(stdout=self._ways["stdout"].settled(), stderr=self._ways["stderr"].settled())

    def restart(self) -> None:
        """The host begins anew from `offsets`: what is held here and not written comes again."""
        self._held.clear()

    def size_bytes(self, stream: Stream) -> int:
        """Return up to where bytes have come."""
        return self._ways[stream].expected

    def take(self, output: Output) -> list[Noticed]:
        """Take bytes that the agent wrote; return what its parser notices in them."""
        if self._replaying:
            self._held.append(output)
            return []
        way = self._ways[output.stream]
        end = output.offset + len(output.data)
        if end <= way.expected:
            # A log that somebody added to reaches beyond what the host ever read.
            self._acknowledge(self.run_id, output.stream, min(end, way.settled()))
            return []
        # A stream can only begin beyond what is known when somebody cut its file: what is left is better than nothing.
        begin = max(output.offset, way.expected)
        data = output.data[begin - output.offset :]
        way.expected = end
        kept = data if self._bytes_max is None else data[: max(0, self._bytes_max - begin)]
        if kept:
            follows = bool(way.under_way)
            way.under_way[begin] = chunk = Chunk(self.run_id, output.stream, begin, end)
            self._send(WriteOutput(self.run_id, output.stream, begin, kept, follows), chunk)
        else:
            self._acknowledge(self.run_id, output.stream, way.settled())
        return checked(self._parser.feed(output.stream, data))

    def wrote(self, chunk: Chunk) -> None:
        """A write is over."""
        way = self._ways[chunk.stream]
        way.under_way.pop(chunk.offset, None)
        self._acknowledge(self.run_id, chunk.stream, way.settled())

    def replayed(self, about: Replay, data: bytes) -> list[Noticed]:
        """Show the parser what was written before; when that is over, go on with what came meanwhile."""
        way = self._ways[about.stream]
        noticed = checked(self._parser.feed(about.stream, data))
        offset = about.offset + len(data)
        if data and offset < way.replay_to:
            self._read_back(about.stream, offset)
            return noticed
        self._replaying -= 1
        while self._held and not self._replaying:
            noticed.extend(self.take(self._held.popleft()))
        return noticed

    def finish(self) -> list[Noticed]:
        """Nothing more comes; return what the parser notices in what was left."""
        return checked(self._parser.finish())

    def _read_back(self, stream: Stream, offset: int) -> None:
        limit = min(REPLAY_BYTES, self._ways[stream].replay_to - offset)
        self._send(ReadOutput(self.run_id, stream, offset, limit), Replay(self.run_id, stream, offset))

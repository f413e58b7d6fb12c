"""Reading committed lines back, page after page, while others are appended.

A page begins where the last one for that seq ended (a few such places are remembered), so following the journal costs
what is read, and not a pass over the segment for each page. Nothing beyond the newest acknowledged line is given out.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import attrs

from actors.model.errors import UNDECODABLE
from actors.model.state import Line
from actors.storage import journal_lines
from actors.storage.files import Disk
from actors.storage.journal_decoding import decode_line
from actors.storage.journal_lines import SegmentReader, parse_line
from actors.storage.layout import Layout, Segment

PAGE_BYTES_MAX: Final = 8 << 20
"""A page begins no further line beyond this: one line may hold a thousand messages."""

PLACES_MAX: Final = 64
"""Readers whose place is remembered; beyond that the one that read longest ago looks for it again."""


@attrs.define
class _Page:
    """A page while it is filled."""

    lines_max: int
    lines: list[Line] = attrs.field(factory=list)
    bytes: int = 0

    @property
    def is_full(self) -> bool:
        return len(self.lines) >= self.lines_max or self.bytes >= PAGE_BYTES_MAX

    def add(self, line: Line) -> None:
        self.lines.append(line)
        self.bytes += line.size_bytes


class JournalPages:
    """Pages of the journal. For one thread. Every OSError goes out."""

    def __init__(self, disk: Disk, layout: Layout) -> None:
        self._disk = disk
        self._layout = layout
        self._places: dict[int, tuple[Path, int]] = {}
        """By seq: a segment and an offset in it at or before that line."""

    def read(self, from_seq: int, lines_max: int, last_seq: int) -> list[Line]:
        """Return good lines from `from_seq` on, or from the oldest that is kept, to `last_seq`.

        At most `lines_max`, and none beyond PAGE_BYTES_MAX, but at least one where there is one.
        """
        page = _Page(lines_max)
        segments = _from(self._layout.segments(self._disk), from_seq)
        limits = [segment.first_seq for segment in segments[1:]] + [last_seq + 1]
        for segment, limit in zip(segments, limits, strict=True):
            self._read_segment(segment, from_seq, min(limit, last_seq + 1), page)
            if page.is_full:
                break
        return page.lines

    def _read_segment(self, segment: Segment, from_seq: int, limit: int, page: _Page) -> None:
        path, end = self._places.pop(from_seq, (segment.path, 0))
        if path != segment.path:
            end = 0
        for frame in SegmentReader(self._disk, segment.path, end):
            raw = parse_line(frame.data) if frame.problem is None else frame.problem
            if not isinstance(raw, journal_lines.Line):
                continue
            if raw.seq >= limit or page.is_full:
                break
            end = frame.offset + frame.length_bytes
            if raw.seq >= from_seq and (not page.lines or raw.seq > page.lines[-1].seq):
                line = _decoded(raw)
                if line is not None:
                    page.add(line)
        self._remember(page.lines[-1].seq + 1 if page.lines else from_seq, segment.path, end)

    def _remember(self, seq: int, path: Path, offset: int) -> None:
        while len(self._places) >= PLACES_MAX:
            del self._places[next(iter(self._places))]
        self._places[seq] = (path, offset)


def _decoded(raw: journal_lines.Line) -> Line | None:
    try:
        return decode_line(raw)
    except UNDECODABLE:
        return None


def _from(segments: list[Segment], seq: int) -> list[Segment]:
    """Leave out the segments that end before `seq`."""
    begin = 0
    while begin + 1 < len(segments) and segments[begin + 1].first_seq <= seq:
        begin += 1
    return segments[begin:]

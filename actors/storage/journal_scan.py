"""Reading the journal back: good lines in order, and an exact account of what is not good.

Rules:

- **Authority.** Segment k decides about the seqs from its own first one to that of segment k+1, not included. What an
  older segment holds beyond is superseded: the tail of a former life, copied or cut by the recovery that began k+1.
- **Durable.** D is the highest `durable` in any good line, or one less than the first seq of the last segment (a
  segment is begun only when all before it is synced), or the seq of the base.
- **Torn.** The first irregularity where the seq expected is above D was never acknowledged. The journal ends there;
  whatever follows, good or not, is cut (pages of an unsynced batch may arrive out of order).
- **Damaged.** An irregularity where the seq expected is at or below D is damage, never taken for torn: it is noted, and
  every later line that is good by its own crc is still given out, also one that comes late (swapped lines). A segment
  that the disk cannot read is damage wherever it is.
- `prev` must be the crc of the line before, but for the first line of a segment whose writer had not read that line
  (zeros), and for a line that follows a gap.
- A line that is missing so far is given out wherever it stands in its segment, also after the segment's end.
- Lines are given out when their seq is above `after_seq`; those below are checked all the same where they are read.

D can rise after an irregularity, so the scan looks ahead over the rest of the journal when it meets the first one, and
only then: a clean journal is read once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from actors.model.errors import IncompatibleVersion
from actors.storage.codec import Bad, excerpt
from actors.storage.files import Disk
from actors.storage.journal_lines import FIRST_PREV, Frame, Line, SegmentReader, parse_line, read_content_end, salvage
from actors.storage.journal_report import Damage, Damages, Missing, ScanReport, Superseded, Tail
from actors.storage.layout import Layout, Segment

__all__ = ["Scan", "ScanReport"]

_NO_LIMIT: Final = 1 << 128


class Scan:
    """One pass over the journal: iterate over it to the end, then take `report`.

    Raises IncompatibleVersion when a good line says that a newer version wrote it, and OSError when a segment cannot be
    opened at all (no permission, a planted link): to go on without it would be to lose it.
    """

    def __init__(self, disk: Disk, layout: Layout, after_seq: int = 0) -> None:
        self._disk = disk
        self._after = after_seq
        self._segments = _needed(layout.segments(disk), after_seq)
        self._next = self._segments[0].first_seq if self._segments else after_seq + 1
        self._prev: bytes | None = FIRST_PREV if self._next == 1 else None
        self._durable = max(after_seq, self._segments[-1].first_seq - 1 if self._segments else 0)
        self._is_final = False
        """Whether the rest of the journal has been looked at, so that D cannot rise any more."""
        self._lines = 0
        self._damages = Damages()
        self._missing = Missing()
        self._torn: Damage | None = None
        self._superseded: list[Superseded] = []
        self._rises: deque[tuple[int, int]] = deque()
        """(seq, offset) in the segment being read where D rose; the first is the last one at or before D + 1."""
        self._segment = 0
        self._line = 0
        self._bad_line = -1
        """The last line that was noted as bad: a gap right after it is the same damage."""
        self._good_end = 0
        self._is_unreadable = False

    def __iter__(self) -> Iterator[Line]:
        """Yield the good lines above `after_seq`, in the order in which they are to be applied."""
        for number, segment in enumerate(self._segments):
            self._begin(number, segment)
            yield from self._walk(segment, self._limit(number))
            if self._torn is not None:
                return

    def read_all(self) -> ScanReport:
        """Run to the end, for whoever wants the report only."""
        for _ in self:
            pass
        return self.report

    @property
    def report(self) -> ScanReport:
        """What was found, once the iteration is over."""
        return ScanReport(
            after_seq=self._after,
            next_seq=max(self._next, self._durable + 1) if self._torn is None else self._next,
            last_crc=self._prev if self._next > self._durable else None,
            durable=self._durable,
            lines=self._lines,
            segments=len(self._segments),
            torn=self._torn,
            damages=tuple(self._damages.listed),
            damages_omitted=self._damages.omitted,
            missing=tuple(self._missing.ranges),
            superseded=tuple(self._superseded),
            tail=self._tail(),
        )

    # The way of a segment

    def _begin(self, number: int, segment: Segment) -> None:
        self._segment = number
        self._line = 0
        self._bad_line = -1
        self._good_end = 0
        self._is_unreadable = False
        expected = self._after + 1 if self._segment == 0 else self._next
        if segment.first_seq > expected:
            self._damages.note(Damage(segment.path, 0, 0, 0, Bad.MISSING, ""))
            self._miss(expected, segment.first_seq - 1)
        if segment.first_seq > self._next:
            self._next, self._prev = segment.first_seq, None
        self._rises = deque([(segment.first_seq, 0)])

    def _walk(self, segment: Segment, limit: int) -> Iterator[Line]:
        for frame in SegmentReader(self._disk, segment.path):
            self._line += 1
            line = parse_line(frame.data) if frame.problem is None else frame.problem
            if self._next >= limit or self._torn is not None:
                if self._torn is None and not self._is_superseded(segment.path):
                    self._supersede(segment.path, frame.offset)
                if not self._missing.ranges:
                    return
                yield from self._take_late(segment, [line] if isinstance(line, Line) else salvage(frame.data))
            elif (
                isinstance(line, Line)
                and line.seq == self._next
                and (line.prev == self._prev or self._prev is None or self._is_unlinked(line))
            ):
                self._good_end = frame.offset + frame.length_bytes
                if line.durable > self._durable or line.seq <= self._durable + 1:
                    self._rise(line, frame.offset)
                self._next += 1
                self._prev = line.crc
                if line.seq > self._after:
                    self._lines += 1
                    yield line
            else:
                yield from self._irregular(segment, limit, frame, line)

    def _is_unlinked(self, line: Line) -> bool:
        """Tell whether the writer of this line, the first of its segment, had not read the line before."""
        return self._line == 1 and line.prev == FIRST_PREV

    def _rise(self, line: Line, offset: int) -> None:
        self._durable = max(self._durable, line.durable)
        self._rises.append((line.seq, offset))
        while len(self._rises) > 1 and self._rises[1][0] <= self._durable + 1:
            self._rises.popleft()

    # Irregularities

    def _irregular(self, segment: Segment, limit: int, frame: Frame, line: Line | Bad) -> Iterator[Line]:
        """Decide between torn and damaged; after damage give out what the frame still holds."""
        if line is Bad.NEWER:
            raise IncompatibleVersion(f"{segment.path.name}, line {self._line}, was written by a newer version")
        lines = [line] if isinstance(line, Line) else salvage(frame.data)
        reason = self._reason(segment, line)
        damage = Damage(segment.path, self._line, frame.offset, frame.length_bytes, reason, excerpt(frame.data))
        if reason is Bad.UNREADABLE:
            self._is_unreadable = True
        elif self._next > self._final_durable(lines, limit, frame) and reason is not Bad.LATE:
            self._torn = damage
            yield from self._take_late(segment, lines)
            return
        is_told = reason is Bad.MISSING and self._bad_line == self._line - 1
        if isinstance(line, Bad):
            self._bad_line = self._line
        if not is_told:
            self._damages.note(damage)
        for good in lines:
            if good.seq < self._next or self._torn is not None:
                yield from self._take_late(segment, [good])
            elif good.seq < limit:
                yield from self._take_after_gap(good, damage)
        if lines and self._torn is None:
            self._good_end = frame.offset + frame.length_bytes

    def _reason(self, segment: Segment, line: Line | Bad) -> Bad:
        if isinstance(line, Bad):
            return line
        if line.seq > self._next:
            return Bad.MISSING
        if line.seq == self._next:
            return Bad.PREV
        return Bad.LATE if line.seq >= segment.first_seq and line.seq in self._missing else Bad.REPEATED

    def _take_after_gap(self, line: Line, damage: Damage) -> Iterator[Line]:
        """Take a good line at or above the seq expected; what is left out below it is missing, or torn above D."""
        self._miss(self._next, min(line.seq - 1, self._durable))
        if line.seq > self._next and line.seq - 1 > self._durable:
            self._next, self._prev, self._torn = self._durable + 1, None, damage
            return
        self._next, self._prev = line.seq + 1, line.crc
        if line.seq > self._after:
            self._lines += 1
            yield line

    def _take_late(self, segment: Segment, lines: list[Line]) -> Iterator[Line]:
        """Take good lines that are missing so far, wherever they stand in their segment."""
        for line in lines:
            if line.seq >= segment.first_seq and line.seq in self._missing:
                self._missing.remove(line.seq)
                self._lines += 1
                yield line

    def _final_durable(self, lines: list[Line], limit: int, frame: Frame) -> int:
        """Return D over the whole journal, looking at the rest of it the first time."""
        if not self._is_final:
            self._is_final = True
            seen = [line.durable for line in lines if self._segments[self._segment].first_seq <= line.seq < limit]
            for number in range(self._segment, len(self._segments)):
                offset = frame.offset + frame.length_bytes if number == self._segment else 0
                seen += self._durables(number, offset)
            self._durable = max(self._durable, *seen, 0)
        return self._durable

    def _durables(self, number: int, offset: int) -> list[int]:
        """Return the highest `durable` in the rest of a segment, or nothing."""
        highest = -1
        for frame in SegmentReader(self._disk, self._segments[number].path, offset):
            line = parse_line(frame.data) if frame.problem is None else frame.problem
            for good in [line] if isinstance(line, Line) else salvage(frame.data):
                if self._segments[number].first_seq <= good.seq < self._limit(number):
                    highest = max(highest, good.durable)
        return [highest] if highest >= 0 else []

    # What is noted

    def _limit(self, number: int) -> int:
        return self._segments[number + 1].first_seq if number + 1 < len(self._segments) else _NO_LIMIT

    def _miss(self, first: int, last: int) -> None:
        self._missing.add(max(first, self._after + 1), last)

    def _is_superseded(self, path: Path) -> bool:
        return bool(self._superseded) and self._superseded[-1].path == path

    def _supersede(self, path: Path, offset: int) -> None:
        length = self._disk.lstat(path).st_size - offset
        self._superseded.append(Superseded(path, offset, length))

    def _tail(self) -> Tail | None:
        if not self._segments or self._segment + 1 < len(self._segments):
            return None
        path, good_end = self._segments[self._segment].path, self._good_end
        if self._is_unreadable:
            return Tail(path, 0, good_end, good_end, self._disk.lstat(path).st_size, is_unreadable=True)
        content_end = read_content_end(self._disk, path, good_end)
        size = self._disk.lstat(path).st_size
        return Tail(path, self._start_of_tail(path), good_end, max(content_end, good_end), size)

    def _start_of_tail(self, path: Path) -> int:
        """Find where the line D + 1 begins, from the last place known to lie before it."""
        if self._next <= self._durable + 1:
            return self._good_end
        seq, offset = self._rises[0]
        if seq == self._durable + 1:
            return offset
        for frame in SegmentReader(self._disk, path, offset):
            line = parse_line(frame.data)
            for good in [line] if isinstance(line, Line) else salvage(frame.data):
                if good.seq > self._durable:
                    return frame.offset
        return self._good_end


def _needed(segments: list[Segment], after_seq: int) -> list[Segment]:
    """Leave out the segments whose every seq the base covers."""
    begin = 0
    while begin + 1 < len(segments) and segments[begin + 1].first_seq <= after_seq + 1:
        begin += 1
    return segments[begin:]

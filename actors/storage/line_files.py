"""Appending to, reading and repairing files of sealed lines, many of them, without holding any in memory.

A file is read through once, when it is met (or met again after somebody else changed it); from then on its `Survey` is
kept up, so an append costs the same at line 10 and at line 100 000: two looks at the file's status and one write.

Appends are by number, so that the journal can be replayed over a file that already holds part of it:

==================================================  ===============================================================
a message whose index the file holds                nothing is written
a message above the last index                      appended (a gap below it is remembered as missing)
a message whose index is missing, or anything to a  the file is put together anew: its good lines and the new ones
file with damaged lines, or with another's          in order; what was damaged is kept in quarantine
a message of a rev before the file was begun anew   nothing is written: a later rewrite has decided about it
metadata of a rev that is not above the last        nothing is written
==================================================  ===============================================================
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Final

import msgspec
from attrs import define

from actors.storage.codec import seal
from actors.storage.open_files import OpenFiles
from actors.storage.quarantine import Quarantine
from actors.storage.sealed_lines import HEADER, META, Line, Read, read_lines
from actors.storage.survey import Survey

SURVEYS_MAX: Final = 4096
"""Files whose survey is kept: 0.5 kB each, and 16 bytes for every 256 messages."""

_SESSION_ID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_PAGE_CHUNK_BYTES: Final = 1 << 16
_BLOCK_BYTES: Final = 1 << 20


class Page(msgspec.Struct, frozen=True):
    """Some messages in order; `next` is what to pass as `after` for those that follow, None at the end."""

    lines: list[bytes]
    next: int | None


@define
class _Known:
    """A survey, and the inode it is about."""

    inode: int
    survey: Survey


class LineFiles:
    """Files of sealed lines by their path. For one thread. Every OSError goes out; the same call may be repeated."""

    def __init__(self, files: OpenFiles, quarantine: Quarantine) -> None:
        self._files = files
        self._quarantine = quarantine
        self._known: dict[Path, _Known] = {}  # in the order of their last use

    def survey(self, path: Path) -> Survey | None:
        """Return what is known of the file, None when there is none; reads it only when it is not known as it is."""
        status = self._files.status(path)
        known = self._known.pop(path, None)
        if status is None:
            return None
        if known is None or known.inode != status.inode or known.survey.size_bytes != status.size_bytes:
            known = _Known(status.inode, Survey.of(self._files.chunks(path), _owner_of(path)))
        while len(self._known) >= SURVEYS_MAX:
            del self._known[next(iter(self._known))]
        self._known[path] = known
        return known.survey

    def survey_anew(self, path: Path) -> Survey | None:
        """Read the whole file and return what is in it, None when there is none."""
        self.forget(path)
        return self.survey(path)

    def append(self, path: Path, header: bytes | None, lines: Sequence[Line]) -> int:
        """Append what the file does not hold yet and return how many lines that were; durable after a sync.

        `header` (a JSON object) begins the file when it has none. `lines` are in ascending order: ValueError otherwise.
        """
        survey = self.survey(path) or Survey(owner=_owner_of(path))
        fresh, fills = _choose(survey, lines)
        begins = header is not None and survey.header is None
        if not fresh and not begins:
            return 0
        if fills or survey.rejected_count or (begins and survey.end > 0):
            self._heal(path, survey, header, fresh)
            return len(fresh)
        if survey.torn is not None:
            self._cut(path, survey)
        if begins and header is not None:
            fresh = [Line(HEADER, 0, header), *fresh]
        self._write(path, survey, fresh)
        return len(fresh) - begins

    def read(self, path: Path, after: int, limit: int, bytes_max: int) -> Page:
        """Return at most `limit` messages with an index above `after`, at most `bytes_max` of them but at least one.

        Damaged messages are passed over. A file that is not there has no messages.
        """
        survey = self.survey(path)
        if survey is None or after >= survey.last_index:
            return Page([], None)
        found: list[bytes] = []
        found_bytes = seen = 0
        start = survey.offset_before(after + 1)
        for read in read_lines(self._files.chunks(path, start, _PAGE_CHUNK_BYTES), start):
            if not _is_numbered(read) or read.number <= seen:
                continue
            if read.number > after:
                found_bytes += len(read.data)
                if found and (len(found) >= limit or found_bytes > bytes_max):
                    return Page(found, seen)
                found.append(read.data)
            seen = read.number
        return Page(found, None)

    def heal(self, path: Path) -> bool:
        """Put a file with damaged lines or a torn tail together anew from its good ones; False when it has none."""
        survey = self.survey_anew(path)
        if survey is None or not (survey.rejected_count or survey.torn is not None):
            return False
        self._heal(path, survey, None, ())
        return True

    def rewrite(self, path: Path, header: bytes, lines: Sequence[Line]) -> None:
        """Put a file with these lines in the place of what is there, durably."""
        self._files.replace(path, _blocks(iter([Line(HEADER, 0, header), *lines])))
        self.forget(path)

    def rewind(self, path: Path, header: bytes, meta: Line, source: Path, keep: int) -> None:
        """Put a file in place, durably, that begins with `meta` and the first `keep` messages of `source`.

        `source` may be the file itself. What it does not hold is missing in the new file, too.
        """
        self.forget(path)
        lines = self._good_lines(source) if self._files.status(source) is not None else iter(())
        numbered = (line for line in lines if line.kind != META and line.number <= keep)
        self._files.replace(path, _blocks(chain([Line(HEADER, 0, header), meta], numbered)))
        self.forget(path)

    def sync(self, paths: Sequence[Path]) -> None:
        """Make what was appended to these files durable."""
        self._files.sync(paths)

    def release(self, path: Path) -> None:
        """Sync and close the file and forget it, because somebody is going to move it."""
        self._files.forget(path)
        self.forget(path)

    def forget(self, path: Path) -> None:
        """Forget what is known of the file; it is read through when it is met next."""
        self._known.pop(path, None)

    def _write(self, path: Path, survey: Survey, lines: Sequence[Line]) -> None:
        start = survey.end
        parts = [b"" if survey.ended else b"\n"]
        reads: list[Read] = []
        offset = start + len(parts[0])
        for line in lines:
            sealed = _sealed(line)
            reads.append(Read(offset, len(sealed), line.kind, line.number, line.data, None, ended=True))
            parts.append(sealed)
            offset += len(sealed)
        status = self._files.write(path, start, b"".join(parts))
        for read in reads:
            survey.take(read)
        self._known[path] = _Known(status.inode, survey)

    def _cut(self, path: Path, survey: Survey) -> None:
        """Keep the torn tail in quarantine, then cut it off, so that nothing fuses with it."""
        if survey.torn is not None:
            torn = survey.torn
            self._quarantine.keep_bytes(path, torn.offset, torn.length_bytes, f"torn tail: {torn.reason}")
            self._files.cut(path, survey.end)
            survey.size_bytes, survey.torn = survey.end, None

    def _heal(self, path: Path, survey: Survey, header: bytes | None, fresh: Sequence[Line]) -> None:
        """Put the file together anew from its good lines and the fresh ones; keep what was damaged in quarantine."""
        self._files.sync([path])  # so that what is read back below is what was written
        if survey.rejected_count or survey.torn is not None:
            self._quarantine.keep_copy(path, "damaged lines; the rest went into a new file")
        first = survey.header if survey.header is not None else header
        head = [] if first is None else [Line(HEADER, 0, first)]
        self._files.replace(path, _blocks(_merged(head, self._good_lines(path), fresh)))
        self.forget(path)

    def _good_lines(self, path: Path) -> Iterator[Line]:
        judge = Survey(owner=_owner_of(path))
        for read in read_lines(self._files.chunks(path)):
            if judge.take(read) and read.kind != HEADER:
                yield Line(read.kind, read.number, read.data)


def _owner_of(path: Path) -> str | None:
    """Return the id that the header of a session's file must name; files with other names may be anybody's."""
    return path.stem if path.suffix == ".jsonl" and _SESSION_ID.fullmatch(path.stem) else None


def _choose(survey: Survey, lines: Sequence[Line]) -> tuple[list[Line], bool]:
    """Return the lines that the file needs, and whether some of them belong between those it has."""
    fresh: list[Line] = []
    fills = False
    last_index, last_rev, before = survey.last_index, survey.last_rev, 0
    for line in lines:
        if line.kind == META:
            if line.number > last_rev:
                fresh.append(line)
                last_rev = line.number
            continue
        if line.number <= before:
            raise ValueError(f"{line.kind} {line.number} comes after {before}: lines are given in ascending order")
        before = line.number
        if line.rev and line.rev < survey.base_rev:
            continue
        if line.number > last_index:
            fresh.append(line)
            last_index = line.number
        elif survey.is_missing(line.number):
            fresh.append(line)
            fills = True
    return fresh, fills


def _merged(head: Sequence[Line], good: Iterator[Line], fresh: Sequence[Line]) -> Iterator[Line]:
    """Yield all lines: numbered ones by their number, metadata where it stood, new metadata behind it."""
    yield from head
    waiting = [line for line in fresh if line.kind != META]
    for line in good:
        while line.kind != META and waiting and waiting[0].number < line.number:
            yield waiting.pop(0)
        yield line
    yield from waiting
    yield from (line for line in fresh if line.kind == META)


def _blocks(lines: Iterator[Line]) -> Iterator[bytes]:
    """Yield the lines' bytes in pieces that are worth a system call and fit in memory."""
    block: list[bytes] = []
    block_bytes = 0
    for line in lines:
        sealed = _sealed(line)
        block.append(sealed)
        block_bytes += len(sealed)
        if block_bytes >= _BLOCK_BYTES:
            yield b"".join(block)
            block, block_bytes = [], 0
    yield b"".join(block)


def _sealed(line: Line) -> bytes:
    return seal(line.data) + b"\n" if line.kind == HEADER else line.sealed()


def _is_numbered(read: Read) -> bool:
    return read.bad is None and read.kind not in (HEADER, META)

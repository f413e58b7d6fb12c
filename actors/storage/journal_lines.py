"""One journal line: how it is made, how it is judged, and how lines are read from a segment in bounded memory.

A line is `{"v":1,"seq":N,"durable":D,` + body + `,"prev":"xxxxxxxx","crc":"xxxxxxxx"}` + LF. The body comes from the
writer as bytes, encoded once, and goes back to the reader as bytes: nothing here parses it. A line is believed when its
own crc matches and its beginning and end have exactly the form written here.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple
from zlib import crc32

from actors.storage.codec import SEAL_BYTES, Bad
from actors.storage.files import Disk

LINE_BYTES_MAX: Final = 64 << 20
"""No line is longer: a frame of the protocol has at most 16 MiB, and a batch of commands is one line."""

BODY_BYTES_MAX: Final = LINE_BYTES_MAX - 200
"""What the writer may put into a line: the rest is its frame of seq, durable, prev and crc."""

FIRST_PREV: Final = b"00000000"
"""The `prev` of line 1, which follows nothing."""

HEAD_BEGIN: Final = b'{"v":1,"epoch":'
"""How the head of a segment begins that was begun in a fallback directory (`segment_head`)."""

HEAD_BYTES_MAX: Final = 512

_HEAD: Final = b'{"v":1,"seq":'
_DURABLE: Final = b',"durable":'
_LINE: Final = re.compile(
    rb'\{"v":1,"seq":(\d{1,20}),"durable":(\d{1,20}),(.+),"prev":"([0-9a-f]{8})","crc":"([0-9a-f]{8})"\}', re.DOTALL
)
_ANY_VERSION: Final = re.compile(rb'\{"v":(\d{1,9}),')
_SEALED_END: Final = re.compile(rb',"crc":"[0-9a-f]{8}"\}')
_make: Final = tuple.__new__  # half the cost of calling the class, once per line read
_TRIES_MAX: Final = 16  # places at which a damaged frame is tried for a whole line; real damage needs two

_CHUNK_BYTES: Final = 1 << 20
_ZEROS: Final = bytes(_CHUNK_BYTES)


class Line(NamedTuple):
    """A line that is good by its own crc."""

    seq: int
    durable: int
    """The highest seq known to be synced when this line was written."""
    body: bytes
    """The members between `durable` and `prev`, as the writer gave them: a JSON object without its braces."""
    prev: bytes
    crc: bytes
    raw: bytes
    """The whole line without its LF."""


class Frame(NamedTuple):
    """The bytes between two line feeds (or the end of the segment), wherever they came from."""

    offset: int
    data: bytes
    """Without the LF. Only the beginning when `problem` is TOO_LONG."""
    length_bytes: int
    """With the LF."""
    problem: Bad | None


def format_lines(bodies: Sequence[bytes], first_seq: int, durable: int, prev: bytes) -> tuple[list[bytes], bytes]:
    """Return the pieces of the lines for `bodies` (to be joined) and the crc of the last one.

    Raises ValueError for a body that is empty, too long or holds a line feed; nothing was written then.
    """
    pieces: list[bytes] = []
    durable_part = b"%b%d," % (_DURABLE, durable)
    for seq, body in enumerate(bodies, first_seq):
        if not body or b"\n" in body or len(body) > BODY_BYTES_MAX:
            raise ValueError(f"the body for seq {seq} is empty, too long, or holds a line feed")
        covered = b'%b%d%b%b,"prev":"%b"' % (_HEAD, seq, durable_part, body, prev)
        prev = b"%08x" % crc32(covered)
        pieces += (covered, b',"crc":"', prev, b'"}\n')
    return pieces, prev


def parse_line(frame: bytes) -> Line | Bad:
    """Judge the bytes of one line (without LF). Never raises."""
    match = _LINE.fullmatch(frame)
    if match is None:
        return _why_bad(frame)
    seq, durable, body, prev, crc = match.groups()
    if crc32(frame[:-SEAL_BYTES]) != int(crc, 16):
        return _why_bad(frame)
    return _make(Line, (int(seq), int(durable), body, prev, crc, frame))


def _why_bad(frame: bytes) -> Bad:
    if frame[:1] == b"\0":
        return Bad.ZEROS
    if len(frame) <= SEAL_BYTES:
        return Bad.SHORT if frame else Bad.EMPTY
    if not _SEALED_END.fullmatch(frame, len(frame) - SEAL_BYTES):
        return Bad.UNSEALED
    if crc32(frame[:-SEAL_BYTES]) != int(frame[-10:-2], 16):
        return Bad.CRC
    match = _ANY_VERSION.match(frame)
    return Bad.NEWER if match and int(match[1]) > 1 else Bad.FORM


def salvage(frame: bytes) -> list[Line]:
    """Return the whole lines in a frame that is no line itself: garbage and a line fused, or two lines fused.

    Only a line that begins where the frame begins, or ends where it ends, is taken: anything between could be a line
    that somebody stored as a value.
    """
    found: list[Line] = []
    for number, match in enumerate(_SEALED_END.finditer(frame)):
        if number == _TRIES_MAX:
            break
        line = parse_line(frame[: match.end()])
        if isinstance(line, Line):
            found.append(line)
            break
    begin = len(found[0].raw) if found else 1
    for _ in range(_TRIES_MAX):
        begin = frame.find(_HEAD, begin)
        if begin < 0:
            break
        line = parse_line(frame[begin:])
        if isinstance(line, Line):
            found.append(line)
            break
        begin += 1
    return found


class SegmentReader:
    """Iterates over the frames of a segment. Zeros at the end are its normal end and make no frame; nor does a head."""

    def __init__(self, disk: Disk, path: Path, offset: int = 0, *, links_max: int = 1) -> None:
        self._disk = disk
        self._links_max = links_max
        self._path = path
        self._offset = offset
        """Where the frame that is being put together begins."""
        self._held = b""
        self._zeros_bytes = 0
        """Zeros at the beginning of that frame, beyond what is held."""
        self.size_bytes = offset
        """How far it has read; the segment's size at the end."""
        self.content_end = offset
        """Where the zeros at the end begin; the size when there are none."""

    def __iter__(self) -> Iterator[Frame]:
        """Yield frames in order. An EIO makes one frame with UNREADABLE and ends it; other OSErrors go out."""
        for frame in self._frames():
            if frame.offset or not frame.data.startswith(HEAD_BEGIN):
                yield frame

    def _frames(self) -> Iterator[Frame]:
        with self._disk.opened(self._path, os.O_RDONLY, links_max=self._links_max) as descriptor:
            while True:
                try:
                    chunk = self._disk.pread(descriptor, _CHUNK_BYTES, self.size_bytes)
                except OSError as error:
                    if error.errno != errno.EIO:
                        raise
                    yield Frame(self._offset, b"", self.size_bytes - self._offset, Bad.UNREADABLE)
                    return
                if not chunk:
                    break
                self.size_bytes += len(chunk)
                yield from self._take(chunk)
        yield from self._finish()

    def _take(self, chunk: bytes) -> Iterator[Frame]:
        if not self._held and (chunk == _ZEROS or chunk == _ZEROS[: len(chunk)]):
            self._zeros_bytes += len(chunk)
            return
        offset = self._offset
        parts = (self._held + chunk).split(b"\n")
        self._held = parts.pop()
        if self._zeros_bytes and parts:
            yield Frame(offset, bytes(20) + parts[0], self._zeros_bytes + len(parts[0]) + 1, None)
            offset += self._zeros_bytes + len(parts[0]) + 1
            self._zeros_bytes = 0
            del parts[0]
        for part in parts:
            length = len(part) + 1
            yield _make(Frame, (offset, part, length, None))
            offset += length
        self._offset = offset
        if not self._held.strip(b"\0"):
            self._zeros_bytes += len(self._held)
            self._held = b""
        if len(self._held) > LINE_BYTES_MAX:
            yield from self._give_up_line()

    def _give_up_line(self) -> Iterator[Frame]:
        """A line without end: report its beginning and look for the next one from here."""
        length = self._zeros_bytes + len(self._held)
        yield Frame(self._offset, self._held[:_CHUNK_BYTES], length, Bad.TOO_LONG)
        self._offset, self._held, self._zeros_bytes = self._offset + length, b"", 0

    def _finish(self) -> Iterator[Frame]:
        content = self._held.rstrip(b"\0")
        self.content_end = self._offset
        if content:
            self.content_end += self._zeros_bytes + len(content)
            yield Frame(self._offset, content, self.content_end - self._offset, Bad.UNFINISHED)


def read_content_end(disk: Disk, path: Path, offset: int) -> int:
    """Return where the zeros at the end of the segment begin, looking at what lies after `offset` only."""
    reader = SegmentReader(disk, path, offset)
    for _ in reader:
        pass
    return reader.content_end

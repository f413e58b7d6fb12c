"""Reading state.json or a backup: whole and exact when its checksum is right, else line by line what can be proven.

The file is read once, in pieces, while its checksum is computed. When the checksum is right, nothing else needs to be
checked. When it is not, the file is read again and every record is judged by its own crc: what is good is given out in
its section, what is not is listed as rejected. Nothing here changes a file, and nothing but a defect raises.

A version above ours is believed before anything else is looked at, even where the checksum could show that a digit of
it is damaged: to refuse a start that was possible costs a look, to begin beside a newer program's state costs state.
"""

from __future__ import annotations

import errno
import os
import stat
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import msgspec
import orjson

from actors.storage.checksum_beside import ChecksumBeside
from actors.storage.codec import SEAL_BYTES, Bad, excerpt, salt_of, unseal
from actors.storage.files import Disk, LinkRefused
from actors.storage.journal_lines import SegmentReader
from actors.storage.snapshot_form import (
    CHECKSUM_BYTES,
    CHECKSUM_HEAD,
    CHECKSUM_TAIL,
    SEALED_MEMBERS,
    SECTIONS,
    Head,
    parse_head,
)
from actors.storage.standing import KNOWN_VERSION, read_version

REJECTED_MAX: Final = 1000
"""How many rejected lines are listed; beyond that they are counted."""

_CHUNK_BYTES: Final = 1 << 20
_SEALED_END: Final = -SEAL_BYTES - 1
"""Where a record ends in a line that another one follows."""
_SALTS: Final = {name: salt_of(name) for name in SECTIONS}
_HEADINGS: Final = {b'"%b":[' % name.encode(): name for name in SECTIONS}
_SCALARS: Final = (b'"version":', b'"seq":', b'"epoch":', b'"last_saved":')


class Problem(StrEnum):
    """Why a snapshot is not whole. The value is the phrase that reports use."""

    MISSING = "missing"
    NOT_A_FILE = "not a file"
    LINK = "a link, which is refused"
    UNREADABLE = "cannot be read"
    EMPTY = "empty"
    ZEROS = "filled with zeros"
    FORM = "not a snapshot of this version"
    TRUNCATED = "ends too early"
    CHECKSUM = "checksum does not match"
    NEWER = "written by a newer version"


class Rejected(msgspec.Struct, frozen=True):
    """A line that is not believed."""

    line: int
    reason: Bad
    excerpt: str


class SnapshotImage(msgspec.Struct, frozen=True):
    """What a snapshot file holds."""

    header: dict[str, Any]
    """version, seq, epoch, last_saved, metrics, identity, daemon; when not whole, those that could be read, and the
    scalars among them unproven."""
    sections: dict[str, list[bytes]]
    """Records by section, as they were given to the writer: JSON objects without crc. Every section has its list."""
    rejected: tuple[Rejected, ...]
    rejected_omitted: int
    problem: Problem | None
    """None when the file is whole and exact."""
    detail: str
    """More about the problem, for the report."""

    @property
    def whole(self) -> bool:
        """Whether this is exactly what was written."""
        return self.problem is None

    @property
    def seq(self) -> int:
        """The seq that the file says it stands at; 0 when it does not say."""
        seq = self.header.get("seq")
        return seq if isinstance(seq, int) else 0


def read_snapshot(disk: Disk, path: Path) -> SnapshotImage:
    """Read the snapshot at `path`. Problems of the file and of the disk are in the result; nothing is raised."""
    try:
        with disk.opened(path, os.O_RDONLY, links_max=2) as descriptor:
            status = disk.fstat(descriptor)
            if stat.S_ISDIR(status.st_mode):
                return _without(Problem.NOT_A_FILE, "a directory")
            image = _read_whole(disk, descriptor, status.st_size)
        if isinstance(image, SnapshotImage):
            return image
        if image is Problem.FORM:
            image = _why_other_form(disk, path)
        return _salvage(disk, path, image)
    except FileNotFoundError:
        return _without(Problem.MISSING, "")
    except LinkRefused as error:
        return _without(Problem.LINK, str(error))
    except OSError as error:
        return _without(Problem.UNREADABLE, errno.errorcode.get(error.errno or 0, "") + f" {error}")


def _without(problem: Problem, detail: str) -> SnapshotImage:
    return SnapshotImage({}, {name: [] for name in SECTIONS}, (), 0, problem, detail)


# A whole file


def _read_whole(disk: Disk, descriptor: int, size: int) -> SnapshotImage | Problem:
    """Return the image when the checksum is right, else the problem."""
    if size == 0:
        return Problem.EMPTY
    last_line = disk.pread(descriptor, CHECKSUM_BYTES, max(0, size - CHECKSUM_BYTES))
    first = disk.pread(descriptor, _CHUNK_BYTES, 0)
    head = parse_head(first)
    if head is None:
        return Problem.FORM if first.strip(b"\0") else Problem.ZEROS
    if head.version > KNOWN_VERSION:
        return Problem.NEWER
    if not (last_line.startswith(CHECKSUM_HEAD) and last_line.endswith(CHECKSUM_TAIL)):
        return Problem.TRUNCATED
    digest = last_line[len(CHECKSUM_HEAD) : -len(CHECKSUM_TAIL)]
    taker = _Taker(head)
    offset = 0
    with ChecksumBeside() as checksum:
        while offset < size - CHECKSUM_BYTES:
            chunk = disk.pread(descriptor, min(_CHUNK_BYTES, size - CHECKSUM_BYTES - offset), offset)
            if not chunk:
                return Problem.TRUNCATED
            checksum.take(chunk)
            taker.take(chunk)
            offset += len(chunk)
        if checksum.hexdigest().encode() != digest:
            return Problem.CHECKSUM
    return taker.image()


class _Taker:
    """Takes the lines of a file that is presumed whole. Believes the form; the checksum decides at the end."""

    def __init__(self, head: Head) -> None:
        self._header_lines: list[bytes] = []
        self._sections: dict[str, list[bytes]] = {name: [] for name in SECTIONS}
        self._records: list[bytes] | None = None
        self._held = b""
        self._head = head

    def take(self, chunk: bytes) -> None:
        lines = (self._held + chunk).split(b"\n")
        self._held = lines.pop()
        records = self._records
        if records is not None and lines and len(min(lines, key=len)) > SEAL_BYTES:
            # No line that ends a section: so all are records, and all but perhaps the last are followed by another.
            records += [line[:_SEALED_END] + b"}" for line in lines[:-1]]
            lines = lines[-1:]
        for line in lines:
            if records is not None and line[:1] == b"{":
                # `…,"crc":"xxxxxxxx"}` or the same with a comma: the record is what stands before, closed again.
                records.append(line[: _SEALED_END if line[-1:] == b"," else -SEAL_BYTES] + b"}")
            elif (name := _HEADINGS.get(line)) is not None:
                records = self._sections[name]
            elif line != b"],":
                self._header_lines.append(line)
        self._records = records

    def image(self) -> SnapshotImage:
        header: dict[str, Any] = {}
        for line in self._header_lines:
            if line != b"{":
                header.update(_member(line) or {})
        return SnapshotImage(header, self._sections, (), 0, None, "")


def _member(line: bytes) -> dict[str, Any] | None:
    """Return a header line as {name: value}, without the crc of a sealed value; None when it is none."""
    try:
        member = orjson.loads(b"{" + line.removesuffix(b",") + b"}")
    except orjson.JSONDecodeError:
        return None
    for value in member.values():
        if isinstance(value, dict):
            value.pop("crc", None)
    return member if isinstance(member, dict) else None


# A damaged file


def _why_other_form(disk: Disk, path: Path) -> Problem:
    version = read_version(disk, path)
    return Problem.NEWER if version is not None and version > KNOWN_VERSION else Problem.FORM


def _salvage(disk: Disk, path: Path, problem: Problem) -> SnapshotImage:
    """Judge every line by its own crc. A record names its section by its salt, whatever heading it stands under."""
    header: dict[str, Any] = {}
    sections: dict[str, list[bytes]] = {name: [] for name in SECTIONS}
    rejected: list[Rejected] = []
    rejected_count = 0
    section = SECTIONS[0]
    for number, frame in enumerate(SegmentReader(disk, path, links_max=2), 1):
        line = frame.data.removesuffix(b",")
        if frame.data in _HEADINGS:
            section = _HEADINGS[frame.data]
        elif line in (b"{", b"]"):
            continue
        elif line.startswith(b"{"):
            found = _find_section(line, section)
            if isinstance(found, tuple):
                section = found[0]
                sections[section].append(found[1])
                continue
            rejected_count += _reject(rejected, Rejected(number, frame.problem or found, excerpt(line)))
        elif not _take_header(line, header):
            rejected_count += _reject(rejected, Rejected(number, frame.problem or Bad.FORM, excerpt(line)))
    told = "1 line rejected" if rejected_count == 1 else f"{rejected_count} lines rejected"
    return SnapshotImage(header, sections, tuple(rejected), rejected_count - len(rejected), problem, told)


def _reject(rejected: list[Rejected], one: Rejected) -> int:
    if len(rejected) < REJECTED_MAX:
        rejected.append(one)
    return 1


def _find_section(line: bytes, expected: str) -> tuple[str, bytes] | Bad:
    """Return the section whose salt fits the record, and the record; or why none does."""
    found = unseal(line, _SALTS[expected])
    if isinstance(found, bytes):
        return expected, found
    if found is Bad.CRC:
        for name, salt in _SALTS.items():
            body = unseal(line, salt)
            if isinstance(body, bytes):
                return name, body
    return found


def _take_header(line: bytes, header: dict[str, Any]) -> bool:
    """Take a header line if it has the form of one (an object only if its crc is right); checksum lines are passed."""
    if line.startswith(CHECKSUM_HEAD):
        return True
    for name in SEALED_MEMBERS:
        heading = b'"%b":' % name.encode()
        if line.startswith(heading) and not isinstance(unseal(line[len(heading) :], salt_of(name)), bytes):
            return False
    is_known = line.startswith(_SCALARS) or any(line.startswith(b'"%b":{' % name.encode()) for name in SEALED_MEMBERS)
    member = _member(line) if is_known else None
    if not member:
        return False
    header.update(member)
    return True

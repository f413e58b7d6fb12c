"""The lines of a file that only grows: how one is made, and how a file of them is read without holding it.

A line is `{"kind":K,"index":N,"data":{…},"crc":"…"}` and a line feed; `meta` lines say `"rev":N` instead. What a crc
vouches for was written here, so a good line is taken apart by its form, not parsed: 100 000 lines cost a fraction of a
second. The first line may be a header (`{"v":1,…}`).

Nothing here raises for what stands in a file, and nothing here touches the disk.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

import msgspec

from actors.storage.codec import Bad, seal, unseal

LINE_BYTES_MAX: Final = 32 << 20
"""Twice the largest frame a client may send; a longer run without a line feed is not ours and is not held in memory."""

HEADER: Final = "header"
META: Final = "meta"
MESSAGE: Final = "message"
ENTRY: Final = "entry"

_LINE: Final = re.compile(rb'\{"kind":"(?:(message|entry)","index|(meta)","rev)":([1-9]\d{0,17}),"data":')
_KINDS: Final = {b"message": MESSAGE, b"entry": ENTRY, b"meta": META}
_HEADER: Final = b'{"v":'


class Line(msgspec.Struct, frozen=True):
    """One line to be written: `number` is a message's index (from 1) or the rev of a change of metadata."""

    kind: str
    number: int
    data: bytes
    """A JSON value on one line."""
    rev: int = 0
    """The session's rev by which a message came, 0 when not known; not written, it orders messages against rewrites."""

    @classmethod
    def message(cls, index: int, data: bytes, rev: int = 0) -> Line:
        """Return the line of message `index`, counted from 1."""
        return cls(MESSAGE, index, data, rev)

    @classmethod
    def meta(cls, rev: int, data: bytes) -> Line:
        """Return the line of the metadata as of `rev`."""
        return cls(META, rev, data, rev)

    @classmethod
    def entry(cls, number: int, data: bytes) -> Line:
        """Return the line of log entry `number`, counted from 1."""
        return cls(ENTRY, number, data)

    def sealed(self) -> bytes:
        """Return the bytes that go into the file, line feed included."""
        name = b"rev" if self.kind == META else b"index"
        body = b'{"kind":"%b","%b":%d,"data":%b}' % (self.kind.encode(), name, self.number, self.data)
        return seal(body) + b"\n"


class Read(NamedTuple):
    """One line as it was read. When `bad` says why it is not believed, `data` is the line as it stands there."""

    offset: int
    length_bytes: int
    """With the line feed, where there is one."""
    kind: str
    number: int
    data: bytes
    bad: str | None
    ended: bool
    """Whether its line feed is there; only the last line of a file may lack it."""


def read_lines(chunks: Iterable[bytes], offset: int = 0) -> Iterator[Read]:
    """Yield the lines of the bytes that `chunks` give, the first of which stands at `offset`: good ones and bad ones.

    Memory is bounded: of a line longer than LINE_BYTES_MAX only the length is kept.
    """
    rest, dropped_bytes = b"", 0
    for chunk in chunks:
        parts = (rest + chunk).split(b"\n")
        rest = parts.pop()
        for part in parts:
            length_bytes = dropped_bytes + len(part) + 1
            yield _too_long(offset, length_bytes, ended=True) if dropped_bytes else _read(offset, part, ended=True)
            offset += length_bytes
            dropped_bytes = 0
        if dropped_bytes or len(rest) > LINE_BYTES_MAX:
            dropped_bytes += len(rest)
            rest = b""
    if dropped_bytes:
        yield _too_long(offset, dropped_bytes, ended=False)
    elif rest:
        yield _read(offset, rest, ended=False)


def _too_long(offset: int, length_bytes: int, *, ended: bool) -> Read:
    return Read(offset, length_bytes, "", 0, b"", Bad.TOO_LONG, ended)


def _read(offset: int, line: bytes, *, ended: bool) -> Read:
    length_bytes = len(line) + ended
    body = unseal(line)
    if isinstance(body, Bad):
        reason = Bad.ZEROS if line and not line.strip(b"\0") else body
        return Read(offset, length_bytes, "", 0, line, reason, ended)
    match = _LINE.match(body)
    if match is not None:
        kind = _KINDS[match[1] or match[2]]
        return Read(offset, length_bytes, kind, int(match[3]), body[match.end() : -1], None, ended)
    if body.startswith(_HEADER):
        return Read(offset, length_bytes, HEADER, 0, body, None, ended)
    return Read(offset, length_bytes, "", 0, line, Bad.FORM, ended)

"""Sealing: how one line of JSON carries its own checksum.

A sealed record is a JSON object whose last member is `"crc":"xxxxxxxx"`: the CRC-32 (zlib's), 8 lower hex digits, of
every byte of the line before `,"crc"`. So a line can be judged without parsing it, and any JSON reader can read it.
The crc finds damage; it is no signature.

`salt` goes into the crc without standing in the line: a record sealed for one section of a file is not valid in
another, so that a lost heading cannot turn runs into tasks.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final
from zlib import crc32

CRC_BYTES: Final = 8
SEAL_BYTES: Final = len(b',"crc":"') + CRC_BYTES + len(b'"}')
"""What sealing adds in the place of the closing brace."""

_SEAL_HEAD: Final = b',"crc":"'
_SEAL_HEAD_FIRST: Final = b'"crc":"'
_SEAL_TAIL: Final = b'"}'


class Bad(StrEnum):
    """Why a line is not believed. The value is the word that reports use."""

    EMPTY = "empty line"
    ZEROS = "zeros in the middle"
    SHORT = "too short to be a record"
    UNSEALED = "does not end in a checksum"
    CRC = "checksum does not match"
    FORM = "not in the form this version writes"
    UNFINISHED = "the line has no end"
    TOO_LONG = "longer than any line written"
    NEWER = "written by a newer version"
    UNREADABLE = "the disk cannot read it"
    MISSING = "lines are missing here"
    REPEATED = "a line that was there before"
    LATE = "a line out of its order"
    PREV = "does not follow the line before it"


def crc_hex(data: bytes, salt: int = 0) -> bytes:
    """Return the CRC-32 of `data` as 8 lower hex digits."""
    return b"%08x" % crc32(data, salt)


def salt_of(name: str) -> int:
    """Return the salt that ties records to the section called `name`."""
    return crc32(name.encode())


def seal(body: bytes, salt: int = 0) -> bytes:
    """Return the JSON object `body` (bytes from `{` to `}`, no line feed) with its crc as the last member.

    Raises ValueError when `body` is not such bytes: that is a defect of the caller, and nothing was written. The object
    has no member of its own called `crc`.
    """
    if body[:1] != b"{" or body[-1:] != b"}" or b"\n" in body:
        raise ValueError("only a JSON object on one line can be sealed")
    covered = body[:-1]
    head = _SEAL_HEAD if len(covered) > 1 else _SEAL_HEAD_FIRST
    return b"%b%b%08x%b" % (covered, head, crc32(covered, salt), _SEAL_TAIL)


def unseal(line: bytes, salt: int = 0) -> bytes | Bad:
    """Return the object that was sealed, without its crc, or why the line is not believed. Never raises."""
    if len(line) <= SEAL_BYTES:
        return b"{}" if line == seal(b"{}", salt) else Bad.SHORT if line.strip(b"\0 ") else Bad.EMPTY
    if line[-SEAL_BYTES:-10] != _SEAL_HEAD or line[-2:] != _SEAL_TAIL:
        return Bad.UNSEALED
    covered = line[:-SEAL_BYTES]
    if b"%08x" % crc32(covered, salt) != line[-10:-2]:
        return Bad.CRC
    return covered + b"}"


def excerpt(data: bytes, bytes_max: int = 120) -> str:
    """Return the beginning of `data` for a report: printable, on one line, bounded."""
    shown = data[:bytes_max].decode("utf-8", "backslashreplace")
    text = "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in shown)
    return text + "…" if len(data) > bytes_max else text

"""
Reading strangers' files: JSON lines one by one and whole JSON files, within bounds, and nothing of them is changed.

What cannot be read becomes a `Skipped` with its place and reason, and reading goes on behind it. Lines end at the
newline only. A text with half of a surrogate pair (programs cut in the middle of an emoji) is kept, with U+FFFD there.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final

import orjson

from supervisor.foreign.values import File, Line, Skipped

LINE_BYTES_MAX: Final = 12 << 20
"""A frame holds 16 MiB, and a message is written a little longer there than in its file."""

FILE_BYTES_MAX: Final = 512 << 20
"""A JSON file that must be held as a whole; the tools that write such files cannot read longer ones either."""

DEPTH_MAX: Final = 16
"""Directories below the one that is imported."""

_AROUND: Final = 16
"""Objects and lists that what was read may be put into before it is written again."""


def files_below(directory: Path, suffix: str, depth_max: int = DEPTH_MAX) -> list[File]:
    """List the files with this suffix, sorted by name; links to directories are not followed."""
    found: list[File] = []
    waiting: list[tuple[Path, int]] = [(directory, 0)]
    while waiting:
        folder, depth = waiting.pop()
        try:
            entries = list(os.scandir(folder))
        except OSError:
            if depth == 0:
                raise
            continue
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                if depth < depth_max:
                    waiting.append((Path(entry.path), depth + 1))
            elif entry.name.endswith(suffix) and entry.is_file():
                name = os.path.relpath(entry.path, directory)
                found.append(File(path=entry.path, name=name, size_bytes=entry.stat().st_size))
    return sorted(found, key=lambda file: file.name)


def read_lines(file: File) -> Iterator[Line | Skipped]:
    """Yield the objects of a file of JSON lines in order, and what is no object as `Skipped`."""
    try:
        with Path(file.path).open("rb") as stream:
            yield from _lines(file.name, stream)
    except OSError as error:
        yield Skipped(file=file.name, reason=f"it cannot be read: {error.strerror or error}")


def read_object(file: File) -> dict[str, Any] | Skipped:
    """Return the object that a JSON file holds."""
    if file.size_bytes > FILE_BYTES_MAX:
        return Skipped(file=file.name, reason=f"it has more than {FILE_BYTES_MAX >> 20} MiB")
    try:
        text = Path(file.path).read_bytes()
    except OSError as error:
        return Skipped(file=file.name, reason=f"it cannot be read: {error.strerror or error}")
    if not text.strip():
        return Skipped(file=file.name, reason="it is empty")
    value = _decoded(text)
    if isinstance(value, _NotJson):
        return Skipped(file=file.name, line=value.line, reason=value.reason)
    if not isinstance(value, dict):
        return Skipped(file=file.name, reason="it holds no JSON object")
    return value


def _lines(name: str, stream: BinaryIO) -> Iterator[Line | Skipped]:
    number = 0
    while line := stream.readline(LINE_BYTES_MAX + 1):
        number += 1
        is_whole = line.endswith(b"\n")
        if len(line) > LINE_BYTES_MAX and not is_whole:
            _pass_over_the_rest(stream)
            yield Skipped(file=name, line=number, reason=f"the line has more than {LINE_BYTES_MAX >> 20} MiB")
            continue
        if not line.strip():
            continue
        value = _decoded(line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line)
        if isinstance(value, dict):
            yield Line(number=number, value=value, size_bytes=len(line))
        elif not isinstance(value, _NotJson):
            yield Skipped(file=name, line=number, reason="the line is no JSON object")
        elif is_whole:
            yield Skipped(file=name, line=number, reason=value.reason)
        else:
            yield Skipped(file=name, line=number, reason="the last line is cut off")


def _pass_over_the_rest(stream: BinaryIO) -> None:
    while rest := stream.readline(LINE_BYTES_MAX):
        if rest.endswith(b"\n"):
            return


class _NotJson:
    def __init__(self, reason: str, line: int | None = None) -> None:
        self.reason = reason
        self.line = line


def _decoded(text: bytes) -> Any:
    value = _parsed(text)
    # The parser reads deeper nesting than it writes: what cannot be sent, hashed or stored is no content.
    if text.count(b"[") + text.count(b"{") > _AROUND and not isinstance(value, _NotJson) and not _is_writable(value):
        return _NotJson("it is nested too deeply")
    return value


def _is_writable(value: Any) -> bool:
    for _ in range(_AROUND):
        value = [value]
    try:
        orjson.dumps(value)
    except TypeError:
        return False
    return True


def _parsed(text: bytes) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        if b"\\u" not in text:
            return _NotJson(f"it is not JSON: {error.msg}", error.lineno)
    # The strict parser refuses halves of surrogate pairs; this one takes them.
    try:
        mended = json.dumps(json.loads(text, parse_constant=_refused), ensure_ascii=False)
        return orjson.loads(mended.encode("utf-8", "surrogatepass").decode("utf-8", "replace"))
    except (ValueError, RecursionError) as error:
        return _NotJson(f"it is not JSON: {error}")


def _refused(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON number")

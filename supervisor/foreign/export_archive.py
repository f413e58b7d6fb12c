"""
Everything in one file: the state directory as a tar, with a manifest of every file's length and checksum at its end.

Unpacked into an empty directory it is a state directory that `perdure up` starts from. It may be written while Perdure
runs: nothing is locked, and what is read is whole all the same, because of the order in which it is read. state.json
comes first, then what is written behind the journal, the journal last: so the journal holds every line that the files
before it may lack, and they hold everything that state.json says of them. A file that grows meanwhile is taken as long
as it was when it was opened; a torn last line is what recovery meets after any power cut.

While the journal goes on in a fallback directory (`state.fallback_path`) its segments there are part of it. Which
directory that is is left out: what is unpacked elsewhere has nothing to look for there.

What belongs to a running process is left out: locks, sockets, files not yet in their place, the log of Perdure itself;
and the search cache of sessions, which SQLite may be changing and any search makes anew.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import secrets
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, Final

from attrs import define, field, frozen

from actors.model.stamps import stamp_of

MANIFEST: Final = "manifest.json"
VERSION: Final = 1

_FIRST: Final = "state.json"
_LAST: Final = "journal"
_NOTE: Final = "fallback.json"
_SEGMENT: Final = "[0-9]" * 20 + ".jsonl"
_LEFT_OUT: Final = frozenset(
    {
        "perdure.lock",
        "writer.lock",
        "perdure.sock",
        "perdure.sock.path",
        "logs/perdure.log",
        "sessions/search.sqlite",
        "sessions/search.sqlite-wal",
        _NOTE,
    }
)
_TEMPORARY: Final = ".tmp-"
_FILE_MODE: Final = 0o600


@frozen
class Member:
    """A file of the archive: its name there, and where it is read, the first place that has it."""

    name: str
    paths: tuple[Path, ...]


@define
class Exported:
    """What was written."""

    path: str
    files: int = 0
    bytes: int = 0
    manifest: list[dict[str, Any]] = field(factory=list)


def export_archive(
    state_path: Path, target: Path, version: str, advance: Callable[[int], object] = lambda _bytes: None
) -> Exported:
    """
    Write the archive; it is in its place when all of it is on the disk. `version` is this program's.

    A name that ends in .gz or .tgz is compressed. Raises FileExistsError when the target is there, other OSErrors as
    they come.
    """
    if target.exists():
        raise FileExistsError(f"{target} is there already")
    exported = Exported(path=str(target))
    beside = target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _FILE_MODE)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            compression = "w|gz" if target.name.endswith((".gz", ".tgz")) else "w|"
            with tarfile.open(fileobj=stream, mode=compression, format=tarfile.PAX_FORMAT) as tar:  # type: ignore[call-overload]
                for member in members(state_path):
                    _add(tar, member, exported, advance)
                _add_manifest(tar, exported, version)
            stream.flush()
            os.fsync(stream.fileno())
        beside.replace(target)
    finally:
        beside.unlink(missing_ok=True)
    return exported


def members(state_path: Path) -> Iterator[Member]:
    """Yield what belongs into the archive, in the order in which it must be read."""
    if (state_path / _FIRST).is_file():
        yield Member(_FIRST, (state_path / _FIRST,))
    for name in _below(state_path, ""):
        if name != _FIRST and not name.startswith(f"{_LAST}/"):
            yield Member(name, (state_path / name,))
    yield from _journal(state_path)


def size_bytes(state_path: Path) -> int:
    """Return about how many bytes there are to read."""
    return sum(path.lstat().st_size for member in members(state_path) for path in member.paths[:1])


def _journal(state_path: Path) -> Iterator[Member]:
    """Yield the segments of the journal, with those in its fallback directory, as a start would bring them together.

    What goes on in the fallback directory replaces what the state directory has from there on. Where that holds lines
    of its own (it was started without its fallback) both are taken, and the fallback's are nobody's journal any more.
    """
    own = list(_below(state_path, _LAST)) if (state_path / _LAST).is_dir() else []
    fallback = _fallback_of(state_path)
    beside = sorted(fallback.glob(f"{_LAST}/{_SEGMENT}")) if fallback is not None else []
    replaced = [name for name in own if beside and Path(name).name >= beside[0].name]
    if any(_holds_lines(state_path / name) for name in replaced):
        replaced = []
        yield from (Member(f"fallback/{_LAST}/{path.name}", (path,)) for path in beside)
        beside = []
    yield from (Member(name, (state_path / name,)) for name in own if name not in replaced)
    for path in beside:  # one that goes meanwhile has been merged: then the state directory has it under its name
        yield Member(f"{_LAST}/{path.name}", (path, state_path / _LAST / path.name))


def _fallback_of(state_path: Path) -> Path | None:
    """Return the fallback directory that the state directory notes, None when there is none."""
    try:
        noted = json.loads((state_path / _NOTE).read_bytes())["path"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return Path(noted) if isinstance(noted, str) else None


def _holds_lines(segment: Path) -> bool:
    with segment.open("rb") as stream:
        return stream.read(1) not in (b"", b"\0")


def _below(state_path: Path, folder: str) -> Iterator[str]:
    for entry in sorted(os.scandir(state_path / folder), key=lambda one: one.name):
        name = f"{folder}/{entry.name}" if folder else entry.name
        if entry.is_dir(follow_symlinks=False):
            yield from _below(state_path, name)
        elif entry.is_file(follow_symlinks=False) and name not in _LEFT_OUT and _TEMPORARY not in entry.name:
            yield name


def _add(tar: tarfile.TarFile, member: Member, exported: Exported, advance: Callable[[int], object]) -> None:
    for path in member.paths:
        with contextlib.suppress(FileNotFoundError):  # it left between the listing and now
            stream = path.open("rb")
            break
    else:
        return
    with stream:
        status = os.fstat(stream.fileno())
        entry = tarfile.TarInfo(member.name)
        entry.size, entry.mtime, entry.mode = status.st_size, int(status.st_mtime), _FILE_MODE
        measured = _Measured(stream, status.st_size, advance)
        tar.addfile(entry, measured)
    exported.files += 1
    exported.bytes += status.st_size
    exported.manifest.append({"path": member.name, "bytes": status.st_size, "sha256": measured.sha256.hexdigest()})


class _Measured:
    """A file that is hashed as it is read, and that is as long as it was at first.

    The open segment of the journal ends in zeros that may be cut meanwhile: zeros stand for what is missing.
    """

    def __init__(self, stream: IO[bytes], size: int, advance: Callable[[int], object]) -> None:
        self.sha256 = hashlib.sha256()
        self._stream = stream
        self._left = size
        self._advance = advance

    def read(self, size: int = -1, /) -> bytes:
        """Read as many bytes as are wanted, never fewer: the archive has promised them."""
        wanted = self._left if size < 0 else min(size, self._left)
        data = self._stream.read(wanted)
        data += bytes(wanted - len(data))
        self._left -= wanted
        self.sha256.update(data)
        self._advance(wanted)
        return data


def _add_manifest(tar: tarfile.TarFile, exported: Exported, version: str) -> None:
    manifest = {
        "v": VERSION,
        "perdure": version,
        "created_at": stamp_of(time.time()),
        "files": exported.manifest,
    }
    text = json.dumps(manifest, ensure_ascii=False, indent=2).encode()
    entry = tarfile.TarInfo(MANIFEST)
    entry.size, entry.mtime, entry.mode = len(text), int(time.time()), _FILE_MODE
    tar.addfile(entry, io.BytesIO(text))

"""Files that grow behind the journal: their descriptors, and what of them is not durable yet.

At most `open_max` descriptors are open, the least recently used is closed first. What was written since a file's last
sync is kept here (the window): when a write or a sync fails, its descriptor is given up, and what the page cache shows
is not believed. The next use opens the file anew, cuts it to the length that is known, writes the window again and
syncs that: bytes are only called durable by a sync that came after their last successful write. The window is bounded;
when it is full, everything is synced before more is written.

A file that somebody replaced under its name is noticed by its inode; its window is of no use any more and is dropped,
and `status` tells the owner, who looks at the file anew.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from attrs import Factory, define

from actors.storage.files import Disk

OPEN_MAX: Final = 64
"""Descriptors held: an eighth of the 512 that a process may be sure of, and more than sessions are busy at a time."""

WINDOW_BYTES_MAX: Final = 32 << 20
"""Two of the largest frames; also what a failed disk can make this process hold."""

_CHUNK_BYTES: Final = 1 << 18


class Status(NamedTuple):
    """Which file has the name, and how long it is."""

    inode: int
    size_bytes: int


@define(eq=False)
class _Entry:
    """One file in use."""

    descriptor: int | None = None
    writable: bool = False
    inode: int = 0
    size_bytes: int = 0
    """How long the file is when every write that succeeded is in it."""
    window: list[tuple[int, bytes]] = Factory(list)
    """(offset, bytes) of each write since the last sync."""
    dirty: bool = False
    failed: bool = False
    """A write or sync failed: the window must be written again before the file is believed."""


class OpenFiles:
    """Reads, writes and syncs of growing files, for one thread. Every OSError goes out; any call may be repeated."""

    def __init__(self, disk: Disk, open_max: int = OPEN_MAX, window_bytes_max: int = WINDOW_BYTES_MAX) -> None:
        self._disk = disk
        self._open_max = open_max
        self._window_bytes_max = window_bytes_max
        self._window_bytes = 0
        self._entries: dict[Path, _Entry] = {}  # in the order of their last use
        self._directories: set[Path] = set()  # in which names are not durable yet

    def status(self, path: Path) -> Status | None:
        """Return inode and length of the file, None when there is none."""
        try:
            seen = self._disk.lstat(path)
        except FileNotFoundError:
            return None
        entry = self._entries.get(path)
        if entry is not None and entry.failed and entry.inode == seen.st_ino:
            return Status(seen.st_ino, entry.size_bytes)
        return Status(seen.st_ino, seen.st_size)

    def write(self, path: Path, offset: int, data: bytes) -> Status:
        """Write `data` at `offset`, making the file when there is none; durable after `sync`. Return the new status."""
        if self._window_bytes + len(data) > self._window_bytes_max:
            self.sync()
        entry = self._use(path, writing=True, create=True)
        self._change(path, entry, lambda fd: self._disk.pwrite_all(fd, data, offset))
        entry.window.append((offset, data))
        self._window_bytes += len(data)
        entry.size_bytes = max(entry.size_bytes, offset + len(data))
        return Status(entry.inode, entry.size_bytes)

    def cut(self, path: Path, size_bytes: int) -> None:
        """Cut the file to `size_bytes`, durably."""
        entry = self._use(path, writing=True)
        self._change(path, entry, lambda fd: self._disk.ftruncate(fd, size_bytes))
        entry.size_bytes = size_bytes
        self.sync([path])

    def read(self, path: Path, offset: int, bytes_max: int) -> bytes:
        """Return up to `bytes_max` bytes from `offset`; empty at the end. Raises FileNotFoundError."""
        entry = self._use(path, writing=False)
        if entry.failed:  # what a failed write left behind the known end is not there for anybody
            bytes_max = max(min(bytes_max, entry.size_bytes - offset), 0)
        return self._disk.pread(_descriptor(entry), bytes_max, offset)

    def chunks(self, path: Path, offset: int = 0, chunk_bytes: int = _CHUNK_BYTES) -> Iterator[bytes]:
        """Yield the bytes of the file from `offset` to its end, in bounded memory. Raises FileNotFoundError."""
        while chunk := self.read(path, offset, chunk_bytes):
            yield chunk
            offset += len(chunk)

    def replace(self, path: Path, pieces: Iterable[bytes]) -> None:
        """Put a new file with these bytes in the place of the one there, durably; a power cut leaves one of the two."""
        descriptor, temporary = self._disk.create_temporary(path)
        try:
            try:
                for piece in pieces:
                    self._disk.write_all(descriptor, piece)
                self._disk.fsync(descriptor)
            finally:
                self._disk.close(descriptor)
            self._directories.add(path.parent)
            self._disk.rename(temporary, path)
        except BaseException:
            self._disk.discard(temporary)
            raise
        self._drop(path)
        self._sync_directories({path.parent})

    def sync(self, paths: Collection[Path] | None = None) -> None:
        """Make what was written to these files (to all when None) durable, and their names.

        One file's failure does not keep the others from being synced; the first failure is raised at the end, and
        what it concerns is written anew when it is synced or used next.
        """
        failure: OSError | None = None
        for path in list(self._entries) if paths is None else paths:
            entry = self._entries.get(path)  # syncing one may close, and so have synced, another
            try:
                if entry is not None:
                    self._sync_file(path, entry)
            except OSError as error:
                failure = failure or error
        self._sync_directories(self._directories if paths is None else {path.parent for path in paths})
        if failure is not None:
            raise failure

    def forget(self, path: Path) -> None:
        """Sync and close the file, because somebody else is going to move it."""
        self.sync([path])
        self._drop(path)

    def close(self) -> None:
        """Sync and close everything; what cannot be synced is closed all the same, and then the failure is raised."""
        try:
            self.sync()
        finally:
            for path in list(self._entries):
                self._drop(path)

    # One file

    def _use(self, path: Path, *, writing: bool, create: bool = False) -> _Entry:
        """Return the file's entry, open and newest in use; raise FileNotFoundError unless `create`.

        For writing, what an earlier failure left is repaired first. Reading does not need that, so it works on a disk
        that has become read-only.
        """
        entry = self._entries.pop(path, None)
        if entry is not None and self._was_replaced(path, entry):
            self._give_up(entry)
            entry = None
        entry = entry or _Entry()
        self._entries[path] = entry
        try:
            if entry.descriptor is not None and writing and not entry.writable:
                self._close(entry)
            if entry.descriptor is None:
                self._make_room()
                self._open(path, entry, writing=writing, create=create)
            if entry.failed and writing:
                self._write_again(path, entry)
        except BaseException:
            if entry.descriptor is None and not entry.window:
                self._entries.pop(path, None)
            raise
        return entry

    def _was_replaced(self, path: Path, entry: _Entry) -> bool:
        try:
            return self._disk.lstat(path).st_ino != entry.inode
        except FileNotFoundError:
            return True

    def _open(self, path: Path, entry: _Entry, *, writing: bool, create: bool) -> None:
        try:
            # A file on its way to or from the archive has two names until that is finished: it may be read.
            flags, links_max = (os.O_RDWR, 1) if writing else (os.O_RDONLY, 2)
            entry.descriptor = self._disk.open(path, flags, links_max=links_max)
        except FileNotFoundError:
            if not create:
                raise
            self._directories.add(path.parent)
            entry.descriptor = self._disk.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL)
        entry.writable = writing
        seen = self._disk.fstat(entry.descriptor)
        entry.inode = seen.st_ino
        if not entry.failed:
            entry.size_bytes = seen.st_size

    def _write_again(self, path: Path, entry: _Entry) -> None:
        """After a failure: cut off what a failed write left, and give the kernel the whole window once more."""

        def again(descriptor: int) -> None:
            self._disk.ftruncate(descriptor, entry.size_bytes)
            for offset, data in entry.window:
                self._disk.pwrite_all(descriptor, data, offset)

        self._change(path, entry, again)
        entry.failed = False

    def _change(self, path: Path, entry: _Entry, change: Callable[[int], None]) -> None:
        """Do what changes the file; when it fails, its descriptor is not believed any more."""
        entry.dirty = True
        try:
            change(_descriptor(entry))
        except BaseException as error:
            entry.failed = True
            self._close(entry)
            if isinstance(error, OSError):
                error.filename = error.filename or str(path)
            raise

    def _sync_file(self, path: Path, entry: _Entry) -> None:
        if entry.failed:
            entry = self._use(path, writing=True)
        if entry.dirty:
            self._change(path, entry, self._disk.fdatasync)
            entry.dirty = False
            self._clear_window(entry)

    def _sync_directories(self, directories: Iterable[Path]) -> None:
        """Make new names durable. A directory whose sync fails stays on the list.

        Its next sync has a descriptor of its own, and a file system that once failed to write a directory fails again.
        """
        for directory in sorted(self._directories.intersection(directories)):
            self._disk.sync_dir(directory)
            self._directories.discard(directory)

    def _make_room(self) -> None:
        """Close the descriptors least recently used. What cannot be synced is written again when it is needed next."""
        open_entries = [(path, entry) for path, entry in self._entries.items() if entry.descriptor is not None]
        for path, entry in open_entries[: len(open_entries) + 1 - self._open_max]:
            if not entry.failed:
                with contextlib.suppress(OSError):  # remembered in entry.failed; the file's own next sync tells
                    self._sync_file(path, entry)
            self._close(entry)
            if not entry.window:
                del self._entries[path]

    def _close(self, entry: _Entry) -> None:
        if entry.descriptor is not None:
            descriptor, entry.descriptor = entry.descriptor, None
            with contextlib.suppress(OSError):  # what close might tell, the sync has told, or the window makes good
                self._disk.close(descriptor)

    def _clear_window(self, entry: _Entry) -> None:
        self._window_bytes -= sum(len(data) for _, data in entry.window)
        entry.window.clear()

    def _give_up(self, entry: _Entry) -> None:
        self._close(entry)
        self._clear_window(entry)

    def _drop(self, path: Path) -> None:
        entry = self._entries.pop(path, None)
        if entry is not None:
            self._give_up(entry)


def _descriptor(entry: _Entry) -> int:
    if entry.descriptor is None:
        raise RuntimeError("used without having been opened")
    return entry.descriptor

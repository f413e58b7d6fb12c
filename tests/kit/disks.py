"""Disks for tests: one that writes down every effect, one that fails on purpose, one that forgets a chosen sync.

All are real disks: what they do happens in the directory they are given. `RecordingDisk` writes its trace in terms of
inodes, as the kernel sees it, so that `tests.kit.powerloss` can build what a power cut could leave.
"""

from __future__ import annotations

import errno
import os
import sys
import threading
from collections.abc import Iterable
from enum import Enum, auto
from pathlib import Path
from typing import Final, NamedTuple

from attrs import field, frozen

from actors.storage.files import Disk

ROOT_INODE: Final = 0


class Write(NamedTuple):
    inode: int
    offset: int
    data: bytes


class Truncate(NamedTuple):
    inode: int
    length_bytes: int


class Sync(NamedTuple):
    inode: int
    point: str


class SyncFailed(NamedTuple):
    """The kernel reported an error: what was pending may be lost for ever, and later syncs will not say so."""

    inode: int


class Enter(NamedTuple):
    """A name in a directory: made by creating, linking or the first half of a rename."""

    directory: int
    name: str
    inode: int
    is_directory: bool = False


class Leave(NamedTuple):
    """A name gone: unlinked, or the second half of a rename."""

    directory: int
    name: str


class SyncDirectory(NamedTuple):
    directory: int
    point: str


class Mark(NamedTuple):
    """What the driver knows from this point on, for instance the highest seq acknowledged."""

    name: str
    value: int


Operation = Write | Truncate | Sync | SyncFailed | Enter | Leave | SyncDirectory | Mark


@frozen
class Trace:
    """Everything that happened below one directory: what was there (taken as durable), then the operations."""

    files: dict[str, bytes]
    directories: list[str]
    operations: list[Operation] = field(factory=list)

    def sync_points(self) -> list[str]:
        """Return the names of the places that synced, in the order of their first call."""
        syncs = (operation for operation in self.operations if isinstance(operation, Sync | SyncDirectory))
        return list(dict.fromkeys(sync.point for sync in syncs))


class RecordingDisk(Disk):
    """Does what it is told and writes it down. `forgets` names one sync point that it pretends to serve."""

    def __init__(self, root: Path, *, forgets: str | None = None) -> None:
        super().__init__()
        self.root = root
        self.forgets = forgets
        files, directories = read_tree(root)
        self.trace = Trace(files, directories)
        self._lock = threading.RLock()
        self._inodes: dict[str, int] = {"": ROOT_INODE}
        for path in (*directories, *files):
            self._inodes[path] = len(self._inodes)
        self._inodes_made = len(self._inodes)
        self._open: dict[int, int] = {}
        """Inode by descriptor."""

    def mark(self, **values: int) -> None:
        """Note what the driver may rely on from here, for instance `acknowledged=12`."""
        self.trace.operations.extend(Mark(name, value) for name, value in values.items())

    def open(self, path: Path, flags: int, *, links_max: int = 1) -> int:
        with self._lock:
            is_new = bool(flags & os.O_CREAT) and not os.path.lexists(path)
            descriptor = super().open(path, flags, links_max=links_max)
            if is_new:
                self._enter(path, self._new_inode(path))
            inode = self._inodes.get(self._relative(path))
            if inode is not None:
                self._open[descriptor] = inode
                if flags & os.O_TRUNC:
                    self._note(Truncate(inode, 0))
            return descriptor

    def close(self, descriptor: int) -> None:
        with self._lock:
            self._open.pop(descriptor, None)
            super().close(descriptor)

    def write(self, descriptor: int, data: bytes | memoryview) -> int:
        with self._lock:
            written = super().write(descriptor, data)
            end = os.lseek(descriptor, 0, os.SEEK_CUR)
            self._note_data(descriptor, end - written, bytes(data[:written]))
            return written

    def pwrite(self, descriptor: int, data: bytes | memoryview, offset: int) -> int:
        with self._lock:
            written = super().pwrite(descriptor, data, offset)
            self._note_data(descriptor, offset, bytes(data[:written]))
            return written

    def ftruncate(self, descriptor: int, length_bytes: int) -> None:
        with self._lock:
            super().ftruncate(descriptor, length_bytes)
            if (inode := self._open.get(descriptor)) is not None:
                self._note(Truncate(inode, length_bytes))

    def fsync(self, descriptor: int) -> None:
        self._sync(descriptor, sync_point("fsync"))

    def fdatasync(self, descriptor: int) -> None:
        self._sync(descriptor, sync_point("fdatasync"))

    def sync_dir(self, path: Path) -> None:
        point = sync_point("sync_dir")
        with self._lock:
            if point == self.forgets:
                return
            super().sync_dir(path)
            if (inode := self._inodes.get(self._relative(path))) is not None:
                self._note(SyncDirectory(inode, point))

    def rename(self, source: Path, target: Path) -> None:
        with self._lock:
            super().rename(source, target)
            old, new = self._relative(source), self._relative(target)
            inode = self._inodes[old]
            moved = {path: number for path, number in self._inodes.items() if path == old or path.startswith(old + "/")}
            self._enter(target, inode)
            self._note(Leave(self._parent(source), source.name))
            for path, number in moved.items():
                del self._inodes[path]
                self._inodes[new + path.removeprefix(old)] = number

    def link(self, source: Path, target: Path) -> None:
        with self._lock:
            super().link(source, target)
            self._inodes[self._relative(target)] = self._inodes[self._relative(source)]
            self._enter(target, self._inodes[self._relative(source)])

    def unlink(self, path: Path) -> None:
        with self._lock:
            super().unlink(path)
            self._inodes.pop(self._relative(path), None)
            self._note(Leave(self._parent(path), path.name))

    def mkdir(self, path: Path) -> None:
        with self._lock:
            super().mkdir(path)
            if self._relative(path):
                self._enter(path, self._new_inode(path), is_directory=True)

    def rmdir(self, path: Path) -> None:
        with self._lock:
            super().rmdir(path)
            self._inodes.pop(self._relative(path), None)
            self._note(Leave(self._parent(path), path.name))

    def sync_failed(self, descriptor: int) -> None:
        """Note that the kernel refused a sync of this file."""
        if (inode := self._open.get(descriptor)) is not None:
            self._note(SyncFailed(inode))

    def _sync(self, descriptor: int, point: str) -> None:
        with self._lock:
            if point == self.forgets:
                return
            super().fdatasync(descriptor)
            if (inode := self._open.get(descriptor)) is not None:
                self._note(Sync(inode, point))

    def _note(self, operation: Operation) -> None:
        self.trace.operations.append(operation)

    def _note_data(self, descriptor: int, offset: int, data: bytes) -> None:
        if (inode := self._open.get(descriptor)) is not None:
            self._note(Write(inode, offset, data))

    def _enter(self, path: Path, inode: int, *, is_directory: bool = False) -> None:
        self._note(Enter(self._parent(path), path.name, inode, is_directory or path.is_dir()))

    def _new_inode(self, path: Path) -> int:
        self._inodes[self._relative(path)] = self._inodes_made
        self._inodes_made += 1
        return self._inodes_made - 1

    def _parent(self, path: Path) -> int:
        return self._inodes[self._relative(path.parent)]

    def _relative(self, path: Path) -> str:
        """Return the path below the root ("" is the root itself); what lies outside has a name no inode has."""
        text, root = os.fspath(path), os.fspath(self.root)
        if text == root:
            return ""
        return text[len(root) + 1 :] if text.startswith(root + "/") else "//outside"


class Effect(Enum):
    """What happens at the chosen call."""

    FAIL = auto()
    SHORT = auto()
    """A write takes half of what it was given and says so."""
    HALF_THEN_FAIL = auto()
    """A write takes half of what it was given, then the rest fails."""
    CRASH_BEFORE = auto()
    CRASH_AFTER = auto()


@frozen
class Fault:
    """Call number `at` (from 1) of the kind `call`, and the `times` - 1 calls after it, come to grief."""

    call: str
    at: int = 1
    effect: Effect = Effect.FAIL
    error: int = errno.EIO
    times: int = 1


class Crash(BaseException):
    """The process is gone: nothing of it runs on, so this is not an Exception that a handler could catch."""


class FaultyDisk(Disk):
    """Fails the calls that it is told to fail. After a crash every further call crashes too: the dead write nothing."""

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        super().__init__()
        self.faults = list(faults)
        self.calls: dict[str, int] = {}
        self.crashed = False
        self._held: set[int] = set()

    def bury(self) -> None:
        """After a crash: close what the dead process had open, as the kernel does."""
        for descriptor in self._held:
            os.close(descriptor)
        self._held.clear()

    def close(self, descriptor: int) -> None:
        if not self.crashed:  # what a dead process had open, the kernel closes
            self._strike("close")
        super().close(descriptor)
        self._held.discard(descriptor)

    def write(self, descriptor: int, data: bytes | memoryview) -> int:
        effect = self._strike("write")
        written = super().write(descriptor, data[: len(data) // 2] if effect in _HALVES else data)
        self._after("write", effect)
        return written

    def pwrite(self, descriptor: int, data: bytes | memoryview, offset: int) -> int:
        effect = self._strike("pwrite")
        written = super().pwrite(descriptor, data[: len(data) // 2] if effect in _HALVES else data, offset)
        self._after("pwrite", effect)
        return written

    def open(self, path: Path, flags: int, *, links_max: int = 1) -> int:
        effect = self._strike("open", path)
        descriptor = super().open(path, flags, links_max=links_max)
        self._held.add(descriptor)
        self._after("open", effect)
        return descriptor

    def read(self, descriptor: int, bytes_max: int) -> bytes:
        self._strike("read")
        return super().read(descriptor, bytes_max)

    def pread(self, descriptor: int, bytes_max: int, offset: int) -> bytes:
        self._strike("pread")
        return super().pread(descriptor, bytes_max, offset)

    def ftruncate(self, descriptor: int, length_bytes: int) -> None:
        effect = self._strike("ftruncate")
        super().ftruncate(descriptor, length_bytes)
        self._after("ftruncate", effect)

    def fsync(self, descriptor: int) -> None:
        effect = self._strike_sync("fsync", descriptor)
        super().fsync(descriptor)
        self._after("fsync", effect)

    def fdatasync(self, descriptor: int) -> None:
        effect = self._strike_sync("fdatasync", descriptor)
        super().fdatasync(descriptor)
        self._after("fdatasync", effect)

    def sync_dir(self, path: Path) -> None:
        effect = self._strike("sync_dir", path)
        super().sync_dir(path)
        self._after("sync_dir", effect)

    def rename(self, source: Path, target: Path) -> None:
        effect = self._strike("rename", target)
        super().rename(source, target)
        self._after("rename", effect)

    def link(self, source: Path, target: Path) -> None:
        effect = self._strike("link", target)
        super().link(source, target)
        self._after("link", effect)

    def unlink(self, path: Path) -> None:
        effect = self._strike("unlink", path)
        super().unlink(path)
        self._after("unlink", effect)

    def mkdir(self, path: Path) -> None:
        effect = self._strike("mkdir", path)
        super().mkdir(path)
        self._after("mkdir", effect)

    def sync_failed(self, descriptor: int) -> None:
        """Be told that a sync was made to fail; a recording disk writes it down."""

    def _strike_sync(self, call: str, descriptor: int) -> Effect | None:
        try:
            return self._strike(call)
        except OSError:
            self.sync_failed(descriptor)
            raise

    def _strike(self, call: str, path: Path | None = None) -> Effect | None:
        """Count the call; fail or crash it when that is its lot, else return what shall happen around it."""
        if self.crashed:
            raise Crash(call)
        number = self.calls[call] = self.calls.get(call, 0) + 1
        for fault in self.faults:
            if fault.call == call and fault.at <= number < fault.at + fault.times:
                if fault.effect is Effect.CRASH_BEFORE:
                    self.crashed = True
                    raise Crash(call)
                if fault.effect is Effect.FAIL:
                    raise OSError(fault.error, os.strerror(fault.error), None if path is None else str(path))
                self._error = fault.error
                return fault.effect
        return None

    def _after(self, call: str, effect: Effect | None) -> None:
        if effect is Effect.CRASH_AFTER:
            self.crashed = True
            raise Crash(call)
        if effect is Effect.HALF_THEN_FAIL:
            raise OSError(self._error, os.strerror(self._error))


_HALVES: Final = frozenset({Effect.SHORT, Effect.HALF_THEN_FAIL})


class FaultyRecordingDisk(FaultyDisk, RecordingDisk):
    """Fails on purpose and writes down what happened all the same."""

    def __init__(self, root: Path, faults: Iterable[Fault] = ()) -> None:
        RecordingDisk.__init__(self, root)
        self.faults = list(faults)
        self.calls = {}
        self.crashed = False
        self._held = set()

    def sync_failed(self, descriptor: int) -> None:
        RecordingDisk.sync_failed(self, descriptor)


def read_tree(root: Path) -> tuple[dict[str, bytes], list[str]]:
    """Return every file's content and every directory below `root`, by relative path, parents first."""
    files: dict[str, bytes] = {}
    directories: list[str] = []
    for folder, names, leaves in os.walk(root):
        names.sort()
        relative = os.path.relpath(folder, root)
        prefix = "" if relative == "." else relative + "/"
        directories += [prefix + name for name in names]
        for leaf in sorted(leaves):
            files[prefix + leaf] = (Path(folder) / leaf).read_bytes()
    return files, directories


def sync_point(kind: str) -> str:
    """Name the place in the product's code that syncs: module, function and kind of call."""
    frame = sys._getframe(1)
    while frame.f_code.co_filename == __file__ and frame.f_back is not None:
        frame = frame.f_back
    return f"{Path(frame.f_code.co_filename).stem}.{frame.f_code.co_name}:{kind}"

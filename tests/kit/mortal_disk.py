"""A disk whose process dies before the n-th call that changes anything."""

from __future__ import annotations

import os
from pathlib import Path

from actors.storage.files import Disk
from tests.kit.disks import Crash


class MortalDisk(Disk):
    """Crashes instead of making change number `changes_max` + 1; `bury` closes what the dead process held open."""

    def __init__(self, changes_max: int | None = None) -> None:
        super().__init__()
        self.changes = 0
        self.marks: dict[str, int] = {}
        self._changes_max = changes_max
        self._open: set[int] = set()

    def mark(self, **values: int) -> None:
        """Note what the driver may rely on from here, for instance `acknowledged=12`."""
        self.marks |= values

    def open(self, path: Path, flags: int, *, links_max: int = 1) -> int:
        if flags & os.O_CREAT:
            self._change("open")
        descriptor = super().open(path, flags, links_max=links_max)
        self._open.add(descriptor)
        return descriptor

    def close(self, descriptor: int) -> None:
        self._open.discard(descriptor)
        super().close(descriptor)

    def write(self, descriptor: int, data: bytes | memoryview) -> int:
        self._change("write")
        return super().write(descriptor, data)

    def pwrite(self, descriptor: int, data: bytes | memoryview, offset: int) -> int:
        self._change("pwrite")
        return super().pwrite(descriptor, data, offset)

    def ftruncate(self, descriptor: int, length_bytes: int) -> None:
        self._change("ftruncate")
        super().ftruncate(descriptor, length_bytes)

    def rename(self, source: Path, target: Path) -> None:
        self._change("rename")
        super().rename(source, target)

    def link(self, source: Path, target: Path) -> None:
        self._change("link")
        super().link(source, target)

    def unlink(self, path: Path) -> None:
        self._change("unlink")
        super().unlink(path)

    def mkdir(self, path: Path) -> None:
        self._change("mkdir")
        super().mkdir(path)

    def rmdir(self, path: Path) -> None:
        self._change("rmdir")
        super().rmdir(path)

    def bury(self) -> None:
        """Close every descriptor, as the kernel does for a process that is gone."""
        for descriptor in list(self._open):
            self.close(descriptor)

    def _change(self, call: str) -> None:
        if self._changes_max is not None and self.changes >= self._changes_max:
            raise Crash(call)
        self.changes += 1

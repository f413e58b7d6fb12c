"""Damage is never deleted: what cannot be read, or must be cut, is kept here first.

One directory per recovery that found something, `quarantine/<UTC stamp>/`, made when the first piece arrives. Beside
the pieces lies `report.json`: what each is, where it lay, and why it was set aside. A piece is durable before the
method that keeps it returns, so the caller may cut, replace or remove the original then, and not before.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import msgspec

from actors.storage.files import Disk
from actors.storage.layout import Layout

REPORT: Final = "report.json"
"""The report's own name, which no piece may have."""


class Kept(msgspec.Struct, frozen=True):
    """One piece in quarantine."""

    file: str
    """Name in the quarantine directory."""
    source: str
    """Where it lay, relative to the state directory."""
    offset: int
    bytes: int
    reason: str


class Quarantine:
    """Keeps pieces in one directory. Nothing is made on disk until there is something to keep."""

    def __init__(self, disk: Disk, layout: Layout, stamp: str) -> None:
        self._disk = disk
        self._layout = layout
        self._stamp = stamp
        self.directory: Path | None = None
        """Where the pieces are; None while there are none."""
        self.kept: list[Kept] = []
        self.lost: list[dict[str, str]] = []
        """What is on record as lost: {source, problem}."""

    def keep_bytes(self, source: Path, offset: int, length_bytes: int, reason: str) -> Path:
        """Copy a part of `source`, which stays as it is, and return the durable copy. Raises OSError."""
        target = self._target(f"{source.name}.at-{offset}")
        descriptor = self._disk.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        try:
            self._disk.copy_range(source, descriptor, offset, length_bytes)
            self._disk.fsync(descriptor)
        finally:
            self._disk.close(descriptor)
        self._report(Kept(target.name, self._relative(source), offset, length_bytes, reason))
        return target

    def keep_copy(self, source: Path, reason: str) -> Path:
        """Copy the whole file, which stays where it is, and return the durable copy. Raises OSError."""
        return self.keep_bytes(source, 0, self._disk.lstat(source).st_size, reason)

    def keep_file(self, source: Path, reason: str) -> Path:
        """Move the file (or directory, or link) here and return its new path. Raises OSError.

        A file gets its new name durably before it loses the old one. A directory cannot have two names: it is renamed.
        """
        status = self._disk.lstat(source)
        target = self._target(source.name)
        kept = Kept(target.name, self._relative(source), 0, status.st_size, reason)
        if stat.S_ISDIR(status.st_mode):
            self._disk.rename(source, target)
            self._report(kept)
        else:
            self._disk.link(source, target)
            self._report(kept)
            self._disk.unlink(source)
        self._disk.sync_dir(source.parent)
        return target

    def keep_link(self, source: Path, reason: str) -> Path:
        """Give the file a second, durable name here, for one that is about to be replaced. Raises OSError."""
        target = self._target(source.name)
        self._disk.link(source, target)
        self._report(Kept(target.name, self._relative(source), 0, self._disk.lstat(source).st_size, reason))
        return target

    def note_losses(self, losses: Iterable[tuple[Path, str]]) -> None:
        """Put on record, durably, what nothing could bring back: (source, problem) of each. Raises OSError."""
        self.directory = self.directory or self._make_directory()
        self.lost += [{"source": self._relative(source), "problem": problem} for source, problem in losses]
        self._write_report()

    def _target(self, name: str) -> Path:
        directory = self.directory or self._make_directory()
        name = f"{name}.piece" if name == REPORT else name
        target, number = directory / name, 1
        while self._disk.exists(target):
            number += 1
            target = directory / f"{name}.{number}"
        return target

    def _make_directory(self) -> Path:
        self._disk.ensure_dir(self._layout.quarantine)
        directory, number = self._layout.quarantine / self._stamp, 1
        while not self._disk.ensure_dir(directory):
            number += 1
            directory = self._layout.quarantine / f"{self._stamp}-{number}"
        self.directory = directory
        return directory

    def _report(self, kept: Kept) -> None:
        """Write the report anew with one more piece; this also makes the names of the pieces durable."""
        self.kept.append(kept)
        self._write_report()

    def _write_report(self) -> None:
        assert self.directory is not None  # noqa: S101 - whoever keeps something has made it
        report: dict[str, Any] = {
            "v": 1,
            "stamp": self._stamp,
            "items": [msgspec.structs.asdict(item) for item in self.kept],
        }
        if self.lost:
            report["lost"] = self.lost
        self._disk.write_new_file(self.directory / REPORT, json.dumps(report, indent=2).encode() + b"\n")

    def _relative(self, path: Path) -> str:
        root = self._layout.root
        return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)

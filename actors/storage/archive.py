"""archive/: where tasks, sessions, runs and reports go with their files when they leave; some come back from it.

Each leaving has a directory of its own, `archive/<kind>/<id>/<n>/`, n counting from 1, so nothing is ever overwritten.
It holds the files under their own names, and `row.archived`, the row as it was, written when all files are there.

A file is linked to its new name, the new name made durable, then the old one removed: a power cut leaves one or both,
never none. Every step may find its work done already, so the same call, repeated after a crash or failure, finishes it.

A session's text log stays where it is: text may come at any time, whether Perdure knows the session or not, and its
place is counted from the log's beginning.

Copies of sessions' files from before a rewrite are `archive/sessions/<id>/before-rev-<rev>.jsonl`.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal

import msgspec

from actors.storage.files import TEMPORARY_MARK, Disk
from actors.storage.layout import Layout
from actors.storage.open_files import OpenFiles

Kind = Literal["tasks", "sessions", "runs", "reports"]

ROW: Final = "row.archived"
"""No task's or session's file ends like this, whatever the id."""

ROW_BYTES_MAX: Final = 64 << 20
"""Beyond any row; what is longer is not ours."""

_UNIQUE_ROWS: Final = frozenset({"tasks", "runs"})
"""Kinds of which no two leavings of one id have the same row: revs only grow."""

_CHUNK_BYTES: Final = 1 << 20
_NUMBER: Final = re.compile(r"[1-9]\d{0,8}")


class Archived(msgspec.Struct, frozen=True):
    """One leaving: `number` counts those of the same id."""

    kind: Kind
    id: str
    number: int
    path: Path


class Archive:
    """Moves tasks, sessions and runs to the archive and back. Durable on return; every OSError goes out."""

    def __init__(self, disk: Disk, layout: Layout, files: OpenFiles) -> None:
        self._disk = disk
        self._layout = layout
        self._files = files

    def archive_session(self, session_id: str, row: bytes) -> Archived:
        """Move the session's file here, with its row. What is already here stays what it is."""
        return self._archive("sessions", session_id, row)

    def archive_task(self, task_id: str, row: bytes) -> Archived:
        """Move the task's file and its overflow log here, with its row."""
        return self._archive("tasks", task_id, row)

    def archive_run(self, run_id: str, row: bytes) -> Archived:
        """Move what the run printed here, with its row."""
        return self._archive("runs", run_id, row)

    def archive_report(self, report_id: str, row: bytes) -> Archived:
        """Move the report's file here; it holds all there is of it."""
        return self._archive("reports", report_id, row)

    def restore_session(self, session_id: str) -> bytes | None:
        """Bring the session that left last back and return its row; None when none is here.

        Raises FileExistsError, and changes nothing, when another session has the id by now.
        """
        return self._restore("sessions", session_id)

    def restore_task(self, task_id: str) -> bytes | None:
        """Bring the task that left last back, as `restore_session` does."""
        return self._restore("tasks", task_id)

    def listing(self, kind: Kind) -> list[Archived]:
        """List what has left, by id and number."""
        found: list[Archived] = []
        for id in self._names(self._layout.archive / kind):
            found += self.leavings(kind, id)
        return found

    def leavings(self, kind: Kind, id: str) -> list[Archived]:
        """List how this one left, the oldest first."""
        return [Archived(kind, id, number, path) for number, path in self._leavings(kind, id) if self._is_whole(path)]

    def last_leaving(self, kind: Kind, id: str) -> Archived | None:
        """Return how this one left last; None when it never did."""
        whole = self.leavings(kind, id)
        return whole[-1] if whole else None

    def keep_version(self, path: Path, session_id: str, rev: int) -> Path:
        """Copy a session's file as it is before the rewrite at `rev`; it stays where it is."""
        self._files.sync([path])
        folder = self._folder("sessions", session_id)
        target, number = folder / f"before-rev-{rev}.jsonl", 1
        while self._disk.exists(target):
            number += 1
            target = folder / f"before-rev-{rev}.{number}.jsonl"
        descriptor, temporary = self._disk.create_temporary(target)
        try:
            try:
                self._disk.copy_range(path, descriptor, 0, self._disk.lstat(path).st_size)
                self._disk.fsync(descriptor)
            finally:
                self._disk.close(descriptor)
            self._disk.rename(temporary, target)
        except OSError:
            self._disk.discard(temporary)
            raise
        self._disk.sync_dir(folder)
        return target

    def put_away(self, path: Path, session_id: str, rev: int) -> None:
        """Move a session's file here as a version that ended at `rev`, without a row: nobody knows one."""
        self.keep_version(path, session_id, rev)
        self._files.forget(path)
        self._unlink([path])

    # Leaving

    def _archive(self, kind: Kind, id: str, row: bytes) -> Archived:
        homes = [home for home in self._homes(kind, id) if self._disk.exists(home)]
        for home in homes:
            self._files.forget(home)
        number, path = self._place(kind, id, row, homes)
        if not self._is_whole(path):
            for home in homes:
                self._link_file(home, path / home.name)
            self._disk.sync_dir(path)
            self._disk.write_new_file(path / ROW, row)
        self._unlink([home for home in homes if self._is_same(home, path / home.name)])
        return Archived(kind, id, number, path)

    def _place(self, kind: Kind, id: str, row: bytes, homes: Sequence[Path]) -> tuple[int, Path]:
        """Return the directory to use: the last one when this is the same leaving, repeated; else a new one."""
        leavings = self._leavings(kind, id)
        if leavings and self._is_repeated(leavings[-1][1], row, homes):
            return leavings[-1]
        number = leavings[-1][0] + 1 if leavings else 1
        path = self._folder(kind, id) / str(number)
        self._disk.ensure_dir(path)
        return number, path

    def _is_repeated(self, path: Path, row: bytes, homes: Sequence[Path]) -> bool:
        is_same = [self._is_same(home, path / home.name) for home in homes]
        if self._is_whole(path):
            # With such a row this one left, whatever has its name by now: that stays where it is.
            is_known = all(is_same) or path.parent.parent.name in _UNIQUE_ROWS
            return is_known and self._disk.read_file(path / ROW, ROW_BYTES_MAX) == row
        return all(same or not self._disk.exists(path / home.name) for same, home in zip(is_same, homes, strict=True))

    # Coming back

    def _restore(self, kind: Kind, id: str) -> bytes | None:
        leavings = [path for _, path in self._leavings(kind, id)]
        if leavings and not self._disk.listdir(leavings[-1]):  # brought back before; a crash kept the directory
            self._remove_directory(leavings[-1])
            return None
        whole = [path for path in leavings if self._is_whole(path)]
        if not whole:
            return None
        path = whole[-1]
        row = self._disk.read_file(path / ROW, ROW_BYTES_MAX)
        homes = [home for home in self._homes(kind, id) if self._disk.exists(path / home.name)]
        for home in homes:
            if self._disk.exists(home) and not self._is_same(home, path / home.name):
                raise FileExistsError(errno.EEXIST, "something else has this name by now", str(home))
        for home in homes:
            self._link_file(path / home.name, home)
        self._sync_directories(homes)
        self._unlink([path / home.name for home in homes])
        self._disk.unlink(path / ROW)
        self._remove_directory(path)
        return row

    def _remove_directory(self, path: Path) -> None:
        for name in self._disk.listdir(path):
            if TEMPORARY_MARK in name:
                self._disk.unlink(path / name)
        with contextlib.suppress(OSError):  # somebody put a file of his own there: it stays, and so does the directory
            self._disk.rmdir(path)
        self._disk.sync_dir(path.parent)

    # Names

    def _homes(self, kind: Kind, id: str) -> tuple[Path, ...]:
        """Return where the files of a task, session or run lie while it is here."""
        if kind == "tasks":
            return self._layout.task_file(id), self._layout.task_log(id)
        if kind == "runs":
            return self._layout.run_log(id, "stdout"), self._layout.run_log(id, "stderr")
        if kind == "reports":
            return (self._layout.report_file(id),)
        return (self._layout.session_file(id),)

    def _folder(self, kind: Kind, id: str) -> Path:
        """Return the directory of an id, made if need be."""
        path = self._layout.archived(kind, id)
        for directory in (self._layout.archive, path.parent, path):
            self._disk.ensure_dir(directory)
        return path

    def _leavings(self, kind: Kind, id: str) -> list[tuple[int, Path]]:
        folder = self._layout.archived(kind, id)
        return sorted((int(name), folder / name) for name in self._names(folder) if _NUMBER.fullmatch(name))

    def _names(self, path: Path) -> list[str]:
        try:
            return self._disk.listdir(path)
        except (FileNotFoundError, NotADirectoryError):
            return []

    def _is_whole(self, path: Path) -> bool:
        return self._disk.exists(path / ROW)

    def _is_same(self, one: Path, other: Path) -> bool:
        """Tell whether both names are there and lead to the same bytes, in one file or (after a copy of all) in two."""
        try:
            seen, other_seen = self._disk.lstat(one), self._disk.lstat(other)
        except FileNotFoundError:
            return False
        if os.path.samestat(seen, other_seen):
            return True
        is_plain = stat.S_ISREG(seen.st_mode) and stat.S_ISREG(other_seen.st_mode)
        return is_plain and seen.st_size == other_seen.st_size and self._has_same_bytes(one, other)

    def _has_same_bytes(self, one: Path, other: Path) -> bool:
        with (
            self._disk.opened(one, os.O_RDONLY, links_max=2) as descriptor,
            self._disk.opened(other, os.O_RDONLY, links_max=2) as other_descriptor,
        ):
            offset = 0
            while chunk := self._disk.pread(descriptor, _CHUNK_BYTES, offset):
                if chunk != self._disk.pread(other_descriptor, _CHUNK_BYTES, offset):
                    return False
                offset += len(chunk)
        return True

    def _link_file(self, source: Path, target: Path) -> None:
        if not self._is_same(source, target):
            self._disk.link(source, target)

    def _unlink(self, paths: Sequence[Path]) -> None:
        for path in paths:
            with contextlib.suppress(FileNotFoundError):
                self._disk.unlink(path)
        self._sync_directories(paths)

    def _sync_directories(self, paths: Sequence[Path]) -> None:
        for directory in sorted({path.parent for path in paths}):
            self._disk.sync_dir(directory)

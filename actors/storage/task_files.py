"""tasks/<id>.json: one readable file per task, written behind the journal.

A batch is written in slices: each file's new content under a temporary name, then an fsync of each, then the renames,
and after all slices one sync of the directory. So after a power cut each file is the old one or the new one, never
empty: N + 1 syncs for N files, the fewest that hold this (without an fsync before its rename a file may be empty; with
a directory sync for each it is twice as many). Writing a slice before syncing any of it takes a quarter less time than
file by file, because the kernel can write several files out together.

A file that somebody changed is not overwritten: it goes to quarantine first, and the result names it. How that is told:

=================================  ====================================================================================
we wrote or accepted this file     its inode, size and mtime are not what they were then
(since the start)                  (but when its content is what is about to be written, nothing is lost: not edited)
we know nothing of it              it is not an object of this id, or its rev is above ours, or its text is not laid out
(written before the start)         byte for byte as we lay it out
no regular file, or one unknown    always
to us that has several names
=================================  ====================================================================================

An edit that was made while nothing ran, keeps our layout and does not raise the rev cannot be told from our own file
here; recovery reads the files, compares them with the rows, and calls `remember` for those it has dealt with.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Final

import msgspec
import orjson
from attrs import define

from actors.storage.codec import excerpt
from actors.storage.files import Disk
from actors.storage.json_record import parsed
from actors.storage.layout import Layout
from actors.storage.quarantine import Quarantine
from actors.storage.task_text import laid_out
from actors.storage.work import Work

TASK_BYTES_MAX: Final = 64 << 20
"""Beyond any task (a frame has 16 MiB, indenting may treble it); a longer file is not read."""

_SLICE_FILES: Final = 64
"""Files open at a time: enough for the kernel to join their writes."""

_TEMPORARY: Final = re.compile(r".*\.json\.tmp-\d+-\d+")


class Edited(msgspec.Struct, frozen=True):
    """A file that somebody had changed, and where his copy is now."""

    task_id: str
    quarantined: Path


class BatchWritten(msgspec.Struct, frozen=True):
    """What a batch did; all of it is durable."""

    written: int
    removed: int
    edited: tuple[Edited, ...]


class RejectedFile(msgspec.Struct, frozen=True):
    """A task file that cannot be read as a task; it stays where it is."""

    path: Path
    reason: str
    excerpt: str


class TaskFilesRead(msgspec.Struct, frozen=True):
    """Every task file: compact rows by id, and those that are none."""

    rows: dict[str, bytes]
    rejected: tuple[RejectedFile, ...]


@define
class _Prepared:
    """A file that is written under its temporary name; synced when it has a stamp."""

    task_id: str
    content: bytes
    rev: int
    temporary: Path
    stamp: int | None = None


class TaskFiles:
    """The task files, for one thread. Every OSError goes out; the same batch may be repeated then."""

    def __init__(self, disk: Disk, layout: Layout, quarantine: Quarantine) -> None:
        self._disk = disk
        self._layout = layout
        self._quarantine = quarantine
        self._stamps: dict[str, int] = {}
        self._renaming: dict[str, int] = {}  # stamps of files whose rename may or may not have happened

    def write_batch(self, changes: Mapping[str, bytes | None]) -> BatchWritten:
        """Write the rows by id, remove the files of those that are None; durable on return."""
        edited: list[Edited] = []
        rows = [(task_id, row) for task_id, row in changes.items() if row is not None]
        gone = [task_id for task_id, row in changes.items() if row is None]
        for some in _slices(rows, _SLICE_FILES):
            self._write_slice(some, edited)
        removed = sum(self._remove(task_id, edited) for task_id in gone)
        if changes:
            self._disk.sync_dir(self._layout.tasks)
        return BatchWritten(len(rows), removed, tuple(edited))

    def remember(self, task_id: str) -> None:
        """Take the file as it is now for ours: recovery has read it and dealt with what it says."""
        try:
            self._stamps[task_id] = _stamp(self._disk.lstat(self._layout.task_file(task_id)))
        except FileNotFoundError:
            self._stamps.pop(task_id, None)

    def read_all(self, work: Work | None = None) -> TaskFilesRead:
        """Read every task file; what is no task is told, and left where it is."""
        work = work or Work()
        rows: dict[str, bytes] = {}
        rejected: list[RejectedFile] = []
        try:
            names = self._disk.listdir(self._layout.tasks)
        except FileNotFoundError:
            names = []
        for name in names:
            work.step()
            if not name.endswith(".json") or _TEMPORARY.fullmatch(name):
                continue
            found = self._read(self._layout.tasks / name, name.removesuffix(".json"))
            if isinstance(found, RejectedFile):
                rejected.append(found)
            else:
                rows[name.removesuffix(".json")] = found
        return TaskFilesRead(rows, tuple(rejected))

    def _read(self, path: Path, task_id: str) -> bytes | RejectedFile:
        try:
            content = self._disk.read_file(path, TASK_BYTES_MAX)
        except OSError as error:
            return RejectedFile(path, error.strerror or str(error), "")
        task = parsed(content, task_id)
        return RejectedFile(path, task, excerpt(content)) if isinstance(task, str) else msgspec.json.encode(task)

    # Writing

    def _write_slice(self, rows: Sequence[tuple[str, bytes]], edited: list[Edited]) -> None:
        prepared: list[_Prepared] = []
        try:
            self._prepare(rows, prepared)
            while prepared:
                self._put(prepared[0], edited)
                prepared.pop(0)
        finally:
            for left in prepared:
                self._disk.discard(left.temporary)

    def _prepare(self, rows: Sequence[tuple[str, bytes]], prepared: list[_Prepared]) -> None:
        """Write all of the slice under temporary names, then sync each; `prepared` tells what must be discarded."""
        descriptors: list[int] = []
        try:
            for task_id, row in rows:
                task = orjson.loads(row)
                content = laid_out(task)
                descriptor, temporary = self._disk.create_temporary(self._layout.task_file(task_id))
                descriptors.append(descriptor)
                prepared.append(_Prepared(task_id, content, task.get("rev", 0), temporary))
                self._disk.write_all(descriptor, content)
            for descriptor in descriptors:
                self._disk.start_writing_out(descriptor)
            for descriptor, ready in zip(descriptors, prepared, strict=True):
                self._disk.fsync(descriptor)
                ready.stamp = _stamp(self._disk.fstat(descriptor))
        finally:
            for descriptor in descriptors:
                self._disk.close(descriptor)

    def _put(self, ready: _Prepared, edited: list[Edited]) -> None:
        path = self._layout.task_file(ready.task_id)
        self._set_aside_if_edited(ready.task_id, path, ready.rev, ready.content, edited)
        if ready.stamp is not None:
            self._renaming[ready.task_id] = ready.stamp
        self._disk.rename(ready.temporary, path)
        self._stamps[ready.task_id] = self._renaming.pop(ready.task_id)

    def _remove(self, task_id: str, edited: list[Edited]) -> bool:
        path = self._layout.task_file(task_id)
        is_there = self._disk.exists(path)
        if is_there and not self._set_aside_if_edited(task_id, path, None, None, edited):
            self._disk.unlink(path)
        self._stamps.pop(task_id, None)
        self._renaming.pop(task_id, None)
        return is_there

    # Edits

    def _set_aside_if_edited(
        self, task_id: str, path: Path, rev: int | None, content: bytes | None, edited: list[Edited]
    ) -> bool:
        try:
            seen = self._disk.lstat(path)
        except FileNotFoundError:
            return False
        if self._is_ours(task_id, path, seen, rev, content):
            return False
        kept = self._quarantine.keep_file(path, "somebody changed this task file; his copy was not overwritten")
        edited.append(Edited(task_id, kept))
        return True

    def _is_ours(self, task_id: str, path: Path, seen: os.stat_result, rev: int | None, content: bytes | None) -> bool:
        if not stat.S_ISREG(seen.st_mode):
            return False
        if seen.st_size == 0:  # nothing is lost with it
            return True
        known = self._stamps.get(task_id)
        if _stamp(seen) in (known, self._renaming.get(task_id)):
            return True
        try:
            there = self._disk.read_file(path, TASK_BYTES_MAX)
        except OSError:  # what cannot be read cannot be judged: it is kept
            return False
        if known is not None:
            return there == content
        task = parsed(there, task_id)
        if isinstance(task, str) or laid_out(task) != there:
            return False
        return rev is None or (isinstance(task.get("rev"), int) and task["rev"] <= rev)


def _stamp(status: os.stat_result) -> int:
    """Return one number for inode, size and mtime: 100 000 of them stay in memory."""
    return hash((status.st_ino, status.st_size, status.st_mtime_ns))


def _slices(rows: Sequence[tuple[str, bytes]], size: int) -> Iterator[list[tuple[str, bytes]]]:
    remaining = iter(rows)
    while some := list(islice(remaining, size)):
        yield some

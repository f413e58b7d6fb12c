"""What `health`, `metrics` and `state.backups` show of a state directory: looked at, never changed or parsed whole."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from math import inf
from pathlib import Path
from typing import Any, Final

from actors.storage.files import DIRECTORY_MODE, Disk
from actors.storage.layout import DIRECTORIES, Layout
from actors.storage.snapshot_form import read_head

CHEAP_S: Final = 0.02
"""A count that takes no longer is made whenever somebody asks."""

COUNTING_SHARE: Final = 0.02
"""What takes longer may take so much of the time, however often somebody asks: it holds up the writing of files."""


class FileCounts:
    """How many files of each kind there are, and how big; in a large directory as of some seconds ago."""

    def __init__(self, disk: Disk, layout: Layout, now_s: Callable[[], float] = time.monotonic) -> None:
        self._disk = disk
        self._layout = layout
        self._now_s = now_s
        self._counted: dict[str, dict[str, int]] = {}
        self._at_s = -inf
        self._took_s = 0.0

    def look(self) -> tuple[dict[str, dict[str, int]], float]:
        """Return {kind: {files, bytes}} as `files_by_kind` does, and how many seconds old that is."""
        now_s = self._now_s()
        if self._took_s <= CHEAP_S or now_s - self._at_s >= self._took_s / COUNTING_SHARE:
            self._counted = files_by_kind(self._disk, self._layout)
            self._at_s, self._took_s = self._now_s(), self._now_s() - now_s
        return self._counted, max(0.0, self._now_s() - self._at_s)


def directory_health(disk: Disk, layout: Layout, counts: FileCounts) -> dict[str, Any]:
    """Return what `health` shows of the directory. Raises OSError only for a disk that cannot even be asked."""
    if not disk.exists(layout.root):
        return {"state_dir_exists": False, "writeable": False}
    segments = layout.segments(disk)
    head = read_head(disk, layout.state)
    files, age_s = counts.look()
    return {
        "state_dir_exists": True,
        "writeable": disk.is_writable(layout.root),
        "disk_free_bytes": disk.disk_free_bytes(layout.root),
        "last_save_time": None if head is None else head.last_saved,
        "backup_count": len(layout.backups(disk)),
        "quarantine_count": len(_names(disk, layout.quarantine)),
        "journal_segments": len(segments),
        "journal_bytes": sum(_size(disk, segment.path) for segment in segments),
        "files": files,
        "files_counted_age_s": round(age_s, 3),
    }


def access_problem(disk: Disk, layout: Layout) -> str | None:
    """Say who else could get at the state directory, or that it is not ours; None when all is as it should be."""
    status = disk.lstat(layout.root)
    mode = stat.S_IMODE(status.st_mode)
    if status.st_uid != os.geteuid():
        return f"{layout.root} belongs to user {status.st_uid}, and Perdure runs as user {os.geteuid()}"
    if mode & ~DIRECTORY_MODE:
        return f"{layout.root} is open to others (mode {mode:04o})"
    if mode != DIRECTORY_MODE:
        return f"{layout.root} cannot be used in full (mode {mode:04o})"
    return None


def files_by_kind(disk: Disk, layout: Layout) -> dict[str, dict[str, int]]:
    """Return {kind: {files, bytes}}: of each directory with all that is below it, of state.json and of the backups."""
    found = {name: _count(_sizes_below(disk, layout.root / name)) for name in DIRECTORIES}
    state = [_size(disk, layout.state)] if disk.exists(layout.state) else []
    backups = [_size(disk, backup.path) for backup in layout.backups(disk)]
    return {**found, "state": _count(state), "backups": _count(backups)}


def listed_backups(disk: Disk, layout: Layout) -> list[dict[str, Any]]:
    """Return the backups, newest first: {name, path, seq, stamp, bytes}."""
    return [
        {
            "name": backup.path.name,
            "path": str(backup.path),
            "seq": backup.seq,
            "stamp": backup.stamp,
            "bytes": _size(disk, backup.path),
        }
        for backup in reversed(layout.backups(disk))
    ]


def _sizes_below(disk: Disk, directory: Path) -> Iterator[int]:
    """Yield the size of every file below a directory; links are not followed."""
    for name in _names(disk, directory):
        try:
            status = disk.lstat(directory / name)
        except FileNotFoundError:
            continue
        if stat.S_ISDIR(status.st_mode):
            yield from _sizes_below(disk, directory / name)
        else:
            yield status.st_size


def _count(sizes: Iterable[int]) -> dict[str, int]:
    found = list(sizes)
    return {"files": len(found), "bytes": sum(found)}


def _size(disk: Disk, path: Path) -> int:
    """Return a file's size; 0 for one that has just gone, and for what is no file."""
    try:
        status = disk.lstat(path)
    except FileNotFoundError:
        return 0
    return status.st_size if stat.S_ISREG(status.st_mode) else 0


def _names(disk: Disk, directory: Path) -> list[str]:
    try:
        return disk.listdir(directory)
    except (FileNotFoundError, NotADirectoryError):
        return []

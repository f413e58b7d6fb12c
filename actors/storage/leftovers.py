"""What `perdure clean` may remove: stray temporaries, and what lies in quarantine and in the archive for long.

Looking changes nothing. A quarantine that puts a loss on record stays, and so does the copy from before a migration: it
is the way back.
"""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any, Final

import msgspec

from actors.storage.files import Disk
from actors.storage.layout import Layout
from actors.storage.quarantine import REPORT
from actors.storage.quarantine_reports import read_report
from actors.storage.settings import DAY_S
from actors.storage.trees import remove_tree

_BY_ID: Final = ("tasks", "sessions", "runs", "reports")
"""Folders of the archive with one directory for each id."""


class Leftover(msgspec.Struct, frozen=True):
    """Something that may go."""

    path: Path
    kind: str
    """temporary, quarantine or archive"""
    bytes: int
    age_s: float

    def as_mapping(self, layout: Layout) -> dict[str, Any]:
        """Return it with JSON values."""
        file = str(self.path.relative_to(layout.root))
        return {"file": file, "kind": self.kind, "bytes": self.bytes, "age_s": round(max(0.0, self.age_s), 1)}


def find_leftovers(
    disk: Disk, layout: Layout, now_s: float, *, quarantine_days: float, archive_days: float | None
) -> list[Leftover]:
    """Return what is older than so many days; of the archive nothing when `archive_days` is None."""
    found = [_leftover(disk, path, "temporary", now_s) for path in layout.temporaries(disk)]
    pieces = [layout.quarantine / name for name in _names(disk, layout.quarantine)]
    quarantined = [_leftover(disk, path, "quarantine", now_s) for path in pieces if not _is_on_record(disk, path)]
    found += [one for one in quarantined if one.age_s > quarantine_days * DAY_S]
    if archive_days is not None:
        archived = [_leftover(disk, path, "archive", now_s) for path in _archived(disk, layout)]
        found += [one for one in archived if one.age_s > archive_days * DAY_S]
    return found


def _is_on_record(disk: Disk, directory: Path) -> bool:
    """Whether its report is the record of a loss: without it the loss would be found again, as if it were new."""
    report = read_report(disk, directory / REPORT)
    return isinstance(report, dict) and bool(report.get("lost"))


def remove_leftover(disk: Disk, leftover: Leftover) -> None:
    """Remove it, durably. Raises OSError."""
    if stat.S_ISDIR(disk.lstat(leftover.path).st_mode):
        remove_tree(disk, leftover.path)
    else:
        disk.unlink(leftover.path)
    disk.sync_dir(leftover.path.parent)


def _archived(disk: Disk, layout: Layout) -> list[Path]:
    found: list[Path] = []
    for name in _names(disk, layout.archive):
        path = layout.archive / name
        if name in _BY_ID or name == "snapshots":
            found += [path / below for below in _names(disk, path)]
        elif path != layout.pre_migration_copy:
            found.append(path)
    return found


def _leftover(disk: Disk, path: Path, kind: str, now_s: float) -> Leftover:
    size_bytes, changed_s = _measure(disk, path)
    return Leftover(path, kind, size_bytes, now_s - changed_s)


def _measure(disk: Disk, path: Path) -> tuple[int, float]:
    """Return bytes and the newest change of a file, or of a directory and all in it."""
    status = disk.lstat(path)
    if not stat.S_ISDIR(status.st_mode):
        return status.st_size, status.st_mtime
    below = [_measure(disk, path / name) for name in disk.listdir(path)]
    return sum(size for size, _ in below), max([status.st_mtime, *(changed for _, changed in below)])


def _names(disk: Disk, directory: Path) -> list[str]:
    try:
        return disk.listdir(directory)
    except (FileNotFoundError, NotADirectoryError):
        return []

"""The snapshots before the present one: which are kept, and which is the best to fall back on.

Backups are ordered by seq, never by time: a clock that jumped must not make an old state the newest.
"""

from __future__ import annotations

from typing import Final

import msgspec

from actors.storage.files import Disk
from actors.storage.layout import Backup, Layout
from actors.storage.snapshot_reader import Problem, SnapshotImage, read_snapshot

BACKUPS_KEPT: Final = 10


class BackupFailed(OSError):
    """The state.json that is to be replaced could not be kept as a backup; so it was not replaced."""


class BackupChoice(msgspec.Struct, frozen=True):
    """The newest backup that is good, and those that are newer and are not."""

    backup: Backup | None
    image: SnapshotImage | None
    """The state that the backup holds; None when no backup is good."""
    bad: tuple[tuple[Backup, Problem], ...]


def choose_backup(disk: Disk, layout: Layout) -> BackupChoice:
    """Read the backups from the newest on until one is whole. Changes nothing; bad ones go to quarantine by the caller.

    A backup of a newer version is chosen like a good one, with NEWER as its image's problem: the caller must refuse.
    """
    bad: list[tuple[Backup, Problem]] = []
    for backup in reversed(layout.backups(disk)):
        image = read_snapshot(disk, backup.path)
        if image.problem is None or image.problem is Problem.NEWER:
            return BackupChoice(backup, image, tuple(bad))
        bad.append((backup, image.problem))
    return BackupChoice(None, None, tuple(bad))


def prune_backups(disk: Disk, layout: Layout, kept: int) -> list[str]:
    """Remove the oldest backups beyond `kept`, durably, and return their names. Raises OSError.

    Only after this has returned may the segments go that none but the removed ones needed.
    """
    backups = layout.backups(disk)
    doomed = backups[: max(0, len(backups) - max(1, kept))]
    for backup in doomed:
        disk.unlink(backup.path)
    if doomed:
        disk.sync_dir(layout.root)
    return [backup.path.name for backup in doomed]


def oldest_needed_seq(disk: Disk, layout: Layout, snapshot_seq: int) -> int:
    """Return the lowest seq that a base still stands at: segments that end at or below it are not needed."""
    return min([snapshot_seq, *(backup.seq for backup in layout.backups(disk))])

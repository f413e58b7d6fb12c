"""How long segments and snapshots stay, and what of them is never let go.

A segment leaves when every kept backup and every file behind the journal is beyond it, and no moment of the last
`journal_keep_s` needs it, or the journal is beyond `journal_bytes_max`. What a kept backup needs stays however old or
big it is.

Of the backups that leave, the newest of each UTC day goes to `archive/snapshots/` first. A moment is reached from the
snapshot before it: so the journal begins at one that is `journal_keep_s` old, or older, and not in the middle of a day
whose snapshot is later; and snapshots are kept for two days more than the journal. Their order is that of their seqs:
one that a jumping clock dates to another century takes nobody's place.

A segment's age is told by its file's time. The clock may jump, so the ages that a jump made are taken off again: wall
and monotonic clock are compared since the store was opened.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

import msgspec

from actors.model.stamps import posix_of
from actors.storage.backups import oldest_needed_seq, prune_backups
from actors.storage.contract import JournalSize
from actors.storage.files import Disk
from actors.storage.layout import Backup, Layout, backup_of
from actors.storage.segments import remove_segments
from actors.storage.settings import DAY_S, StorageSettings

SNAPSHOTS: Final = "snapshots"
DAYS_MAX: Final = 36_500
"""A century of daily snapshots is for ever."""

SPARE_DAYS: Final = 2
"""The day that has begun, and the one in which the oldest moment lies."""

_JUMP_S: Final = 60.0
"""A difference between the clocks beyond that is a jump; below, it is drift that NTP corrects."""


class Retention:
    """Lets go of snapshots and segments. Every OSError goes out; the same call may be repeated."""

    def __init__(self, disk: Disk, layout: Layout, stamp: Callable[[], str]) -> None:
        self._disk = disk
        self._layout = layout
        self._stamp = stamp
        self._wall_s, self._monotonic_s = posix_of(stamp()), time.monotonic()

    def release_backups(self, settings: StorageSettings) -> list[str]:
        """Remove backups beyond the number kept, one of each day to the archive; return their names."""
        backups = self._layout.backups(self._disk)
        doomed = backups[: max(0, len(backups) - max(1, settings.backups_kept))]
        if doomed:
            self._keep_one_a_day(doomed, settings)
        return prune_backups(self._disk, self._layout, settings.backups_kept)

    def release_segments(self, settings: StorageSettings, snapshot_seq: int, files_seq: int) -> JournalSize:
        """Remove the segments that nothing needs and that are old, or too many; return what is left."""
        needed_seq = min(oldest_needed_seq(self._disk, self._layout, snapshot_seq), files_seq)
        segments = self._layout.segments(self._disk)
        sizes = [self._disk.lstat(segment.path) for segment in segments]
        total_bytes = sum(status.st_size for status in sizes)
        leave_below_seq = 0
        old_seq = self._old_base_seq(settings)
        for number, segment in enumerate(segments[1:]):
            is_old = self._now_s() - sizes[number].st_mtime > settings.journal_keep_s
            is_passed = old_seq is None or segment.first_seq - 1 <= old_seq
            is_due = (is_old and is_passed) or total_bytes > settings.journal_bytes_max
            if segment.first_seq - 1 > needed_seq or not is_due:
                break
            total_bytes -= sizes[number].st_size
            leave_below_seq = segment.first_seq - 1
        if leave_below_seq:
            remove_segments(self._disk, self._layout, leave_below_seq)
            segments = self._layout.segments(self._disk)
        return JournalSize(bytes=total_bytes, segments=len(segments))

    def _old_base_seq(self, settings: StorageSettings) -> int | None:
        """Return the seq of the newest snapshot from which every moment to be kept is reached; None: none is kept."""
        if settings.journal_keep_s <= 0:
            return None
        ages = [(base.seq, self._now_s() - _saved_s(base)) for base in self._bases()]
        return max((seq for seq, age_s in ages if age_s >= settings.journal_keep_s), default=0)

    def _bases(self) -> list[Backup]:
        """List the daily snapshots and the backups, by seq."""
        folder = self._layout.archive / SNAPSHOTS
        names = self._disk.listdir(folder) if self._disk.exists(folder) else []
        daily = [found for name in names if (found := backup_of(folder / name)) is not None]
        return sorted([*daily, *self._layout.backups(self._disk)], key=lambda base: base.seq)

    def _now_s(self) -> float:
        """Return the wall clock without the jumps it has made since the store was opened."""
        elapsed_s = time.monotonic() - self._monotonic_s
        jumped_s = posix_of(self._stamp()) - self._wall_s - elapsed_s
        return self._wall_s + elapsed_s + (0.0 if abs(jumped_s) > _JUMP_S else jumped_s)

    # One snapshot a day

    def _keep_one_a_day(self, doomed: list[Backup], settings: StorageSettings) -> None:
        folder = self._layout.archive / SNAPSHOTS
        self._disk.ensure_dir(folder)
        newest = {_day(backup): backup for backup in doomed}
        there = sorted(
            (found for name in self._disk.listdir(folder) if (found := backup_of(folder / name)) is not None),
            key=lambda base: base.seq,
        )
        kept = {_day(base): base for base in there}
        for day, backup in newest.items():
            target = msgspec.structs.replace(backup, path=folder / backup.path.name)
            if not self._disk.exists(target.path):
                self._disk.link(backup.path, target.path)
            older = kept.get(day)
            kept[day] = target
            self._disk.sync_dir(folder)
            if older is not None and older.path != target.path:
                self._disk.unlink(older.path)
        days_max = min(DAYS_MAX, settings.journal_keep_s / DAY_S) + SPARE_DAYS
        for base in sorted(kept.values(), key=lambda base: base.seq)[: -round(days_max)]:
            self._disk.unlink(base.path)
        self._disk.sync_dir(folder)


def _day(base: Backup) -> str:
    """Return the UTC day in a backup's file name."""
    return base.stamp[:8]


def _saved_s(base: Backup) -> float:
    """Return when a backup was saved, as POSIX seconds."""
    return datetime.strptime(base.stamp, "%Y%m%dT%H%M%S.%fZ").replace(tzinfo=UTC).timestamp()

"""How long segments and snapshots stay, and what of them is never let go.

A segment leaves when every kept backup and every file behind the journal is beyond it, and it is older than
`journal_keep_s`, or the journal is beyond `journal_bytes_max`. What a kept backup needs stays however old or big it is.

Of the backups that leave, the newest of each UTC day goes to `archive/snapshots/` first, as many days as the journal is
kept: with the segments of that time they lead to any moment of it.

A segment's age is told by its file's time. The clock may jump, so the ages that a jump made are taken off again: wall
and monotonic clock are compared since the store was opened.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from actors.model.stamps import posix_of
from actors.storage.backups import oldest_needed_seq, prune_backups
from actors.storage.contract import JournalSize
from actors.storage.files import Disk
from actors.storage.layout import Backup, Layout
from actors.storage.segments import remove_segments
from actors.storage.settings import DAY_S, StorageSettings

SNAPSHOTS: Final = "snapshots"
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
        for number, segment in enumerate(segments[1:]):
            age_s = self._now_s() - sizes[number].st_mtime
            is_due = age_s > settings.journal_keep_s or total_bytes > settings.journal_bytes_max
            if segment.first_seq - 1 > needed_seq or not is_due:
                break
            total_bytes -= sizes[number].st_size
            leave_below_seq = segment.first_seq - 1
        if leave_below_seq:
            remove_segments(self._disk, self._layout, leave_below_seq)
            segments = self._layout.segments(self._disk)
        return JournalSize(bytes=total_bytes, segments=len(segments))

    def _now_s(self) -> float:
        """Return the wall clock without the jumps it has made since the store was opened."""
        elapsed_s = time.monotonic() - self._monotonic_s
        jumped_s = posix_of(self._stamp()) - self._wall_s - elapsed_s
        return self._wall_s + elapsed_s + (0.0 if abs(jumped_s) > _JUMP_S else jumped_s)

    # One snapshot a day

    def _keep_one_a_day(self, doomed: list[Backup], settings: StorageSettings) -> None:
        folder = self._layout.archive / SNAPSHOTS
        self._disk.ensure_dir(folder)
        newest = {_day(backup.path): backup for backup in doomed}
        kept = {_day(folder / name): folder / name for name in self._disk.listdir(folder)}
        for day, backup in newest.items():
            target = folder / backup.path.name
            if not self._disk.exists(target):
                self._disk.link(backup.path, target)
            older = kept.get(day)
            kept[day] = target
            self._disk.sync_dir(folder)
            if older is not None and older != target:
                self._disk.unlink(older)
        days_max = max(1, round(settings.journal_keep_s / DAY_S) + 1)
        for day in sorted(kept)[:-days_max]:
            self._disk.unlink(kept[day])
        self._disk.sync_dir(folder)


def _day(path: Path) -> str:
    """Return the UTC day in a backup's file name."""
    return path.name.removeprefix("state.backup.")[:8]

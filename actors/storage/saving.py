"""Snapshots of a running store: which one is in place, when a new one is due, what it lets go, what the next takes.

Nothing new since the one in place: none is made. One that is made covers what the journal had taken when it was begun,
and by the rest the next one may be longer: so much of the disk is held for it beside the present one.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

import msgspec

from actors.model.state import Tombstone
from actors.storage.behind_files import BehindFiles
from actors.storage.contract import Cut, Saved
from actors.storage.files import Disk
from actors.storage.layout import Layout
from actors.storage.quarantine import Quarantine
from actors.storage.retention import Retention
from actors.storage.settings import StorageSettings
from actors.storage.snapshot_state import write_cut

_ALL_BACKUPS: Final = 1 << 30
"""Retention lets backups go, after the snapshot is in place: no failure of it may look like one of the snapshot."""


class Saving:
    """Saves cuts to the state directory. Every OSError goes out but those of the backups, which `Saved` tells."""

    def __init__(
        self,
        disk: Disk,
        layout: Layout,
        *,
        files: BehindFiles,
        retention: Retention,
        new_quarantine: Callable[[], Quarantine],
    ) -> None:
        self._disk = disk
        self._layout = layout
        self._files = files
        self._retention = retention
        self._new_quarantine = new_quarantine
        self._saved: Saved | None = None
        """The state.json in place."""
        self._covered_bytes = 0
        """How many of the bytes appended to the journal it covers."""

    def found(self, seq: int) -> None:
        """Recovery has left a state.json of this seq in place, or none."""
        size_bytes = self._disk.lstat(self._layout.state).st_size if self._disk.exists(self._layout.state) else 0
        self._saved = Saved(path=str(self._layout.state), seq=seq, bytes=size_bytes, duration_s=0.0)

    def forget(self) -> None:
        """Whatever is in place, the next save makes a new one."""
        self._saved = None

    def next_bytes(self, appended_bytes: int) -> int:
        """Return how long the next snapshot may become when the journal has taken so many bytes; 0: nobody knows."""
        return 0 if self._saved is None else self._saved.bytes + appended_bytes - self._covered_bytes

    def save(self, cut: Cut, settings: StorageSettings, appended_bytes: int) -> Saved:
        """Put the cut in place as state.json. When nothing is new since the last one, that one is told."""
        if self._saved is not None and self._saved.seq == cut.seq:
            if self._saved.backup_problem is not None:
                self._saved = msgspec.structs.replace(self._saved, backup_problem=self._release_backups(settings))
            return self._saved
        begun_s = time.monotonic()
        kept, forgotten = self._sort_tombstones(cut)
        written = write_cut(
            self._disk,
            self._layout,
            cut,
            files_seq=min(self._files.durable_seq, cut.seq),
            tombstones=kept,
            quarantine=self._new_quarantine(),
            backups_kept=_ALL_BACKUPS,
        )
        backup_problem = self._release_backups(settings)
        self._covered_bytes = appended_bytes  # what came after the cut is counted as covered too: some batches
        self._saved = Saved(
            path=str(written.path),
            seq=cut.seq,
            bytes=written.bytes,
            duration_s=time.monotonic() - begun_s,
            forgotten=forgotten,
            backup_problem=backup_problem,
        )
        return self._saved

    def _release_backups(self, settings: StorageSettings) -> OSError | None:
        """Backups that cannot be put in order do not undo the snapshot; those too many are released at the next one."""
        try:
            self._retention.release_backups(settings)
        except OSError as error:
            return error
        return None

    def _sort_tombstones(self, cut: Cut) -> tuple[list[Tombstone], list[Tombstone]]:
        """Return those that are still needed, and those whose row no kept backup and no file can bring back."""
        oldest_seq = min((backup.seq for backup in self._layout.backups(self._disk)), default=0)
        safe_seq = min(oldest_seq, self._files.durable_seq)
        kept = [grave for grave in cut.tombstones if grave.seq > safe_seq]
        return kept, [grave for grave in cut.tombstones if grave.seq <= safe_seq]

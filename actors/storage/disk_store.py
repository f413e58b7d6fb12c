"""The store on disk: one state directory, opened by recovery, appended to, saved, read.

It joins the parts and keeps no rule of its own: `recovery` finds the state, `journal` makes lines durable, `snapshot`
writes state.json, `behind_files` everything else, `retention` lets go. Which thread may call what, the contract says.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, NoReturn

import attrs

from actors.model.errors import StorageFailed
from actors.model.room import Room
from actors.model.state import Limits, Line, Tombstone
from actors.storage.behind import Behind
from actors.storage.behind_files import BehindFiles
from actors.storage.contract import Appended, Cut, JournalSize, MessagesPage, NoRoom, Recovered, Saved, WrittenBehind
from actors.storage.files import Disk
from actors.storage.health import access_problem, directory_health, listed_backups
from actors.storage.journal import FailedTail, Journal, JournalBroken
from actors.storage.journal_pages import JournalPages
from actors.storage.journal_tail import supersede_tail
from actors.storage.layout import Layout, stamp_of
from actors.storage.quarantine import Quarantine
from actors.storage.recovery import recover
from actors.storage.recovery_ground import Ground
from actors.storage.retention import Retention
from actors.storage.settings import StorageSettings
from actors.storage.snapshot_state import write_cut
from actors.storage.spool import Spool
from actors.storage.verify import verify_directory

__all__ = ["DiskStore", "StorageSettings"]


class DiskStore:
    """See `contract.Store`. `settings` may be replaced while it is open, for what is live in it."""

    def __init__(
        self,
        *,
        disk: Disk,
        layout: Layout,
        settings: StorageSettings,
        limits: Limits,
        stamp: Callable[[], str],
        version: str,
    ) -> None:
        self.settings = settings
        self._disk = disk
        self._layout = layout
        self._limits = limits
        self._stamp = stamp
        self._version = version
        self._files = BehindFiles(disk, layout, self._new_quarantine())
        self._spool = Spool(disk, layout, self._new_quarantine())
        self._pages = JournalPages(disk, layout)
        self._retention = Retention(disk, layout, stamp)
        self._journal: Journal | None = None
        self._failed: FailedTail | None = None
        """The doubtful end of a journal that broke, until it has been set aside."""
        self._last_seq = 0
        """The newest line that was acknowledged."""
        self._saved: Saved | None = None
        """The state.json in place."""
        self._appended_bytes = 0
        """To the journal; the commit thread counts."""
        self._covered_bytes = 0
        """How many of them the state.json in place covers: the next one may be longer by the rest."""

    # The commit thread

    def recover(self) -> Recovered:
        """See `contract.Store`; raises what `recovery.recover` does."""
        ground = Ground(
            disk=self._disk,
            layout=self._layout,
            settings=self.settings,
            limits=self._limits,
            stamp=self._stamp,
            version=self._version,
            quarantine=self._new_quarantine(),
            files=self._files,
        )
        try:
            opened = recover(ground)
        except JournalBroken as error:
            _raise_cause(error)
        self._journal = opened.journal
        self._saved = Saved(
            path=str(self._layout.state),
            seq=opened.saved_seq,
            bytes=self._disk.lstat(self._layout.state).st_size,
            duration_s=0.0,
        )
        self._last_seq = opened.recovered.tables.seq
        self._appended_bytes = sum(
            self._disk.lstat(segment.path).st_size
            for segment in self._layout.segments(self._disk)
            if opened.saved_seq < segment.first_seq <= self._last_seq
        )
        return opened.recovered

    def commit(self, bodies: Sequence[bytes]) -> Appended:
        """See `contract.Store`."""
        journal = self._open_journal()
        self._check_room()
        sync_s = 0.0
        try:
            appended = journal.append_unsynced(bodies)
            if self.settings.durability == "commit":
                begun_s = time.perf_counter()
                journal.sync()
                sync_s = time.perf_counter() - begun_s
        except JournalBroken as error:
            _raise_cause(error)
        self._last_seq = appended.last_seq
        self._appended_bytes += appended.bytes
        return Appended(first_seq=appended.first_seq, last_seq=appended.last_seq, bytes=appended.bytes, sync_s=sync_s)

    def sync(self) -> None:
        """See `contract.Store`."""
        try:
            self._open_journal().sync()
        except JournalBroken as error:
            _raise_cause(error)

    def room(self) -> Room:
        """See `contract.Store`."""
        return Room(
            free_bytes=self._disk.disk_free_bytes(self._layout.journal),
            reserve_bytes=self._reserve_bytes(),
            access_problem=access_problem(self._disk, self._layout),
        )

    def reopen(self, cut: Cut) -> None:
        """See `contract.Store`. Each step may find its work done by an earlier try."""
        if self._journal is not None:
            self._failed = self._failed or self._journal.failed_tail()
            self._journal.close()
            self._journal = None
        self.save(cut)
        if self._failed is not None:
            supersede_tail(self._disk, self._layout, self._failed, self._new_quarantine())
        try:
            self._journal = self._begin_journal(cut.seq + 1)
        except StorageFailed as error:
            raise OSError(error.message) from error
        self._failed = None
        self._last_seq = cut.seq

    def rotate(self, saved_seq: int) -> JournalSize:
        """See `contract.Store`."""
        try:
            self._open_journal().rotate()
        except JournalBroken as error:
            _raise_cause(error)
        return self._retention.release_segments(self.settings, saved_seq, self._files.durable_seq)

    def close(self) -> None:
        """See `contract.Store`. A disk that refuses does not keep the descriptors open."""
        try:
            self._files.close()
        finally:
            journal, self._journal = self._journal, None
            if journal is not None:
                try:
                    journal.close()
                except JournalBroken as error:
                    _raise_cause(error)

    # The background thread

    def write_behind(self, behind: Behind) -> WrittenBehind:
        """See `contract.Store`; files wait too while the disk is short."""
        self._check_room()
        return self._files.write(behind)

    def sync_behind(self) -> int:
        """See `contract.Store`."""
        return self._files.sync()

    def save(self, cut: Cut) -> Saved:
        """See `contract.Store`. When nothing is new since the last snapshot, that one is told and no new one made."""
        if self._saved is not None and self._saved.seq == cut.seq:
            if self._saved.backup_problem is not None:
                self._saved = attrs.evolve(self._saved, backup_problem=self._release_backups())
            return self._saved
        begun_s = time.monotonic()
        appended_bytes = self._appended_bytes  # what came after the cut is counted as covered too: some batches
        kept, forgotten = self._sort_tombstones(cut)
        written = write_cut(
            self._disk,
            self._layout,
            cut,
            files_seq=min(self._files.durable_seq, cut.seq),
            tombstones=kept,
            quarantine=self._new_quarantine(),
            backups_kept=1 << 30,
        )
        backup_problem = self._release_backups()
        self._covered_bytes = appended_bytes
        self._saved = Saved(
            path=str(written.path),
            seq=cut.seq,
            bytes=written.bytes,
            duration_s=time.monotonic() - begun_s,
            forgotten=forgotten,
            backup_problem=backup_problem,
        )
        return self._saved

    def read_messages(self, session_id: str, after: int, limit: int) -> MessagesPage:
        """See `contract.Store`."""
        return self._files.read_messages(session_id, after, limit)

    def read_log(self, name: str, offset: int, limit: int) -> tuple[bytes, int]:
        """See `contract.Store`."""
        return self._files.read_log(name, offset, limit)

    def write_output(self, run_id: str, stream: str, offset: int, data: bytes, *, follows: bool = False) -> None:
        """See `contract.Store`; output is no command, but it would use up the reserve all the same."""
        self._check_room()
        self._files.write_output(run_id, stream, offset, data, follows=follows)

    def sync_output(self, run_id: str) -> None:
        """See `contract.Store`."""
        self._files.sync_output(run_id)

    def output_sizes(self, run_id: str) -> tuple[int, int]:
        """See `contract.Store`."""
        return self._files.output_sizes(run_id)

    def read_output(self, run_id: str, stream: str, offset: int, limit: int) -> bytes:
        """See `contract.Store`."""
        return self._files.read_output(run_id, stream, offset, limit)

    def read_spool(self, files_max: int) -> list[tuple[str, bytes]]:
        """See `contract.Store`."""
        return self._spool.read(files_max)

    def remove_spooled(self, name: str) -> None:
        """See `contract.Store`."""
        self._spool.remove(name)

    def set_aside_spooled(self, name: str, reason: str) -> None:
        """See `contract.Store`."""
        self._spool.set_aside(name, reason)

    def read_report(self, report_id: str) -> bytes:
        """See `contract.Store`. Raises NotFound, StorageFailed."""
        return self._files.read_report(report_id)

    def read_lines(self, from_seq: int, lines_max: int) -> list[Line]:
        """See `contract.Store`. Only what was acknowledged is given out."""
        return self._pages.read(from_seq, lines_max, self._last_seq)

    def read_archived(self, session_id: str) -> tuple[bytes, str] | None:
        """See `contract.Store`."""
        return self._files.read_archived(session_id)

    def backups(self) -> list[dict[str, Any]]:
        """See `contract.Store`."""
        return listed_backups(self._disk, self._layout)

    def verify(self) -> dict[str, Any]:
        """See `contract.Store`."""
        return verify_directory(self._disk, self._layout, durable_seq=self._last_seq)

    def health(self) -> dict[str, Any]:
        """See `contract.Store`."""
        return directory_health(self._disk, self._layout)

    # Parts

    def _release_backups(self) -> OSError | None:
        """Backups that cannot be put in order do not undo the snapshot; those too many are released at the next one."""
        try:
            self._retention.release_backups(self.settings)
        except OSError as error:
            return error
        return None

    def _reserve_bytes(self) -> int:
        """With a reserve wanted, the next snapshot must fit beside it while the present one stays."""
        kept_bytes = self.settings.disk_reserve_bytes
        if not kept_bytes or self._saved is None:
            return kept_bytes
        return kept_bytes + self._saved.bytes + self._appended_bytes - self._covered_bytes

    def _check_room(self) -> None:
        """Raise NoRoom before a write that would use up the reserve: one system call, a microsecond."""
        reserve_bytes = self._reserve_bytes()
        if reserve_bytes and (free_bytes := self._disk.disk_free_bytes(self._layout.journal)) < reserve_bytes:
            raise NoRoom(Room(free_bytes=free_bytes, reserve_bytes=reserve_bytes))

    def _open_journal(self) -> Journal:
        if self._journal is None:
            raise OSError("the journal is closed")
        return self._journal

    def _begin_journal(self, next_seq: int) -> Journal:
        return Journal(
            self._disk,
            self._layout,
            next_seq=next_seq,
            segment_bytes_max=self.settings.segment_bytes_max,
            preallocate_bytes=self.settings.preallocate_bytes,
        )

    def _new_quarantine(self) -> Quarantine:
        return Quarantine(self._disk, self._layout, stamp_of(datetime.fromisoformat(self._stamp())))

    def _sort_tombstones(self, cut: Cut) -> tuple[list[Tombstone], list[Tombstone]]:
        """Return those that are still needed, and those whose row no kept backup and no file can bring back."""
        oldest_seq = min((backup.seq for backup in self._layout.backups(self._disk)), default=0)
        safe_seq = min(oldest_seq, self._files.durable_seq)
        kept = [grave for grave in cut.tombstones if grave.seq > safe_seq]
        return kept, [grave for grave in cut.tombstones if grave.seq <= safe_seq]


def _raise_cause(error: JournalBroken) -> NoReturn:
    """The contract speaks of a disk that refused as an OSError."""
    cause = error.__cause__
    raise cause if isinstance(cause, OSError) else OSError(error.message) from error

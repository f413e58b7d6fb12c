"""The store on disk: one state directory, opened by recovery, appended to, saved, read.

It joins the parts and keeps no rule of its own: `recovery` finds the state, `journal` makes lines durable, `snapshot`
writes state.json, `behind_files` everything else, `retention` lets go. Which thread may call what, the contract says.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any, NoReturn

import attrs

from actors.model.errors import StorageFailed
from actors.model.room import Room
from actors.model.state import Limits, Line, Tombstone
from actors.storage.behind import Behind
from actors.storage.behind_files import BehindFiles
from actors.storage.contract import (
    Appended,
    Cut,
    JournalSize,
    MessagesPage,
    NoRoom,
    Recovered,
    Saved,
    WrittenBehind,
    cut_of,
)
from actors.storage.files import Disk
from actors.storage.health import FileCounts, access_problem, directory_health, listed_backups
from actors.storage.journal import FailedTail, Journal, JournalBroken
from actors.storage.journal_pages import JournalPages
from actors.storage.journal_tail import supersede_tail
from actors.storage.layout import Layout, stamp_of
from actors.storage.quarantine import Quarantine
from actors.storage.recovery import Opened, recover, refuse_foreign
from actors.storage.recovery_ground import Ground
from actors.storage.retention import Retention
from actors.storage.settings import StorageSettings
from actors.storage.snapshot_state import write_cut
from actors.storage.spool import Spool
from actors.storage.verify import verify_directory
from actors.storage.whereabouts import EPOCH_LEAP, Whereabouts

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
        self._where = Whereabouts(disk, layout, settings)
        self._pages = JournalPages(disk, layout)
        self._retention = Retention(disk, layout, stamp)
        self._counts = FileCounts(disk, layout)
        self._journal: Journal | None = None
        self._failed: FailedTail | None = None
        """The doubtful end of a journal that broke, until it has been set aside."""
        self._last_seq = 0
        """The newest line that was acknowledged."""
        self._saved: Saved | None = None
        """The state.json in place."""
        self._appended_bytes = 0
        """To the journal; the commit thread counts."""
        self._last_crc: bytes | None = None
        """That of the newest durable line, for a journal that goes on beside."""
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
        self._where.find()
        try:
            opened = self._recover_in_place(ground)
        except OSError as error:
            opened = self._where.recover_beside(ground, error)
        self._journal = opened.journal
        self._pages = JournalPages(self._disk, self._where.layout)
        self._saved = Saved(
            path=str(self._layout.state),
            seq=opened.saved_seq,
            bytes=self._disk.lstat(self._layout.state).st_size if self._disk.exists(self._layout.state) else 0,
            duration_s=0.0,
        )
        self._last_seq = opened.recovered.tables.seq
        self._appended_bytes = sum(
            self._disk.lstat(segment.path).st_size
            for segment in self._where.layout.segments(self._disk)
            if opened.saved_seq < segment.first_seq <= self._last_seq
        )
        if not self.settings.ignore_fallback:
            return opened.recovered
        return self._leap(opened.recovered)

    def _recover_in_place(self, ground: Ground) -> Opened:
        """Merge what a fallback holds, recover, and only then let go of it. Raises OSError."""
        refuse_foreign(self._disk, self._layout)
        self._where.merge(ground.quarantine)
        try:
            opened = recover(ground)
        except JournalBroken as error:
            _raise_cause(error)
        recovered = opened.recovered
        try:
            self._where.settle(recovered.identity, ground.quarantine)
        except OSError:
            opened.journal.close()
            raise
        recovered = attrs.evolve(
            recovered, report=self._where.told(recovered.report), epoch=max(recovered.epoch, self._where.epoch)
        )
        return attrs.evolve(opened, recovered=recovered)

    def _leap(self, recovered: Recovered) -> Recovered:
        """What lies in an ignored fallback must not win over what comes now: say so durably, before anything comes."""
        recovered = attrs.evolve(recovered, epoch=recovered.epoch + EPOCH_LEAP)
        self._saved = None
        self.save(cut_of(recovered.tables, recovered.epoch, recovered.identity, self._stamp()))
        return recovered

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
            if self._where.beside is None:
                self._failed = self._failed or self._journal.failed_tail()
            self._last_crc = self._journal.last_durable_crc
            self._journal.close()
            self._journal = None
        try:
            self._begin_in_place(cut)
        except OSError as error:
            self._begin_beside(cut, error)
        self._last_seq = cut.seq

    @property
    def beside(self) -> str | None:
        """See `contract.Store`."""
        return self._where.beside

    @property
    def has_fallback(self) -> bool:
        """See `contract.Store`."""
        return self._where.has_fallback

    def go_beside(self, cut: Cut, why: OSError) -> None:
        """See `contract.Store`."""
        journal = self._open_journal()
        try:
            journal.close()
        except JournalBroken as error:
            self._failed = journal.failed_tail()
            self._last_crc = journal.last_durable_crc
            self._journal = None
            _raise_cause(error)
        self._last_crc = journal.last_durable_crc
        self._journal = None
        self._begin_beside(cut, why)

    def come_back(self, cut: Cut) -> None:
        """See `contract.Store`. Until the last step the journal beside is as good as it was."""
        room = self.room()
        if room.reserve_bytes and not room.is_ample:
            raise NoRoom(room)
        beside = self._open_journal()
        self._begin_in_place(cut)
        with suppress(JournalBroken):  # all of it is in the state directory by now
            beside.close()

    def _begin_in_place(self, cut: Cut) -> None:
        """Go on in the state directory: with what lies beside, behind a fresh snapshot. Raises OSError."""
        quarantine = self._new_quarantine()
        was_beside = self._where.beside is not None
        if was_beside:
            self._where.merge(quarantine)
        self._save_in_place(cut)
        if self._failed is not None and not was_beside:
            supersede_tail(self._disk, self._layout, self._failed, quarantine)
        try:
            self._journal = self._begin_journal(cut.seq + 1)
        except StorageFailed as error:
            raise OSError(error.message) from error
        self._failed = None
        if was_beside:
            self._pages = JournalPages(self._disk, self._layout)
            self._where.leave(quarantine)

    def _begin_beside(self, cut: Cut, why: OSError) -> None:
        self._journal = self._where.enter(cut, self._last_crc, why)
        self._pages = JournalPages(self._disk, self._where.layout)

    def rotate(self, saved_seq: int) -> JournalSize:
        """See `contract.Store`."""
        try:
            self._open_journal().rotate()
        except JournalBroken as error:
            _raise_cause(error)
        if self._where.beside is not None:
            segments = self._where.layout.segments(self._disk)
            sizes = [self._disk.lstat(segment.path).st_size for segment in segments]
            return JournalSize(bytes=sum(sizes), segments=len(segments))
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
        if self._where.beside is not None:
            raise OSError(errno.EROFS, f"the state directory cannot be written: {self._where.beside}")
        return self._save_in_place(cut)

    def _save_in_place(self, cut: Cut) -> Saved:
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
        return verify_directory(self._disk, self._where.layout, durable_seq=self._last_seq)

    def health(self) -> dict[str, Any]:
        """See `contract.Store`."""
        return directory_health(self._disk, self._where.layout, self._counts)

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
        reserve_bytes = 0 if self._where.beside is not None else self._reserve_bytes()
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

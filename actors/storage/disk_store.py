"""The store on disk: one state directory, opened by recovery, appended to, saved, read.

It joins the parts and keeps no rule of its own: `recovery` finds the state, `live_journal` makes lines durable,
`saving` writes state.json, `behind_files` everything else, `retention` lets go. Which thread may call what, the
contract says.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

import msgspec

from actors.model.errors import StorageFailed
from actors.model.room import Room
from actors.model.searched import Searched, Unfinished
from actors.model.state import Limits, Line
from actors.storage.behind import Behind
from actors.storage.behind_files import BehindFiles
from actors.storage.contract import (
    Appended,
    Cut,
    DamagedSession,
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
from actors.storage.journal import Journal, JournalBroken
from actors.storage.journal_pages import JournalPages
from actors.storage.journal_tail import supersede_tail
from actors.storage.layout import Layout, stamp_of
from actors.storage.live_journal import LiveJournal, raise_cause
from actors.storage.quarantine import Quarantine
from actors.storage.recovery import Opened, recover, refuse_foreign
from actors.storage.recovery_ground import Ground
from actors.storage.retention import Retention
from actors.storage.saving import Saving
from actors.storage.settings import StorageSettings
from actors.storage.spool import Spool
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
        self._saving = Saving(
            disk, layout, files=self._files, retention=self._retention, new_quarantine=self._new_quarantine
        )
        self._counts = FileCounts(disk, layout)
        self._journal = LiveJournal()
        self._daemon_id = ""

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
        self._journal.begin(opened.journal)
        self._pages = JournalPages(self._disk, self._where.layout)
        self._saving.found(opened.saved_seq)
        self._journal.last_seq = opened.recovered.tables.seq
        self._daemon_id = str(opened.recovered.identity.get("daemon_id"))
        self._journal.appended_bytes = sum(
            self._disk.lstat(segment.path).st_size
            for segment in self._where.layout.segments(self._disk)
            if opened.saved_seq < segment.first_seq <= self._journal.last_seq
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
            raise_cause(error)
        recovered = opened.recovered
        try:
            self._where.settle(recovered.identity, ground.quarantine)
        except OSError:
            opened.journal.close()
            raise
        recovered = msgspec.structs.replace(
            recovered, report=self._where.told(recovered.report), epoch=max(recovered.epoch, self._where.epoch)
        )
        return msgspec.structs.replace(opened, recovered=recovered)

    def _leap(self, recovered: Recovered) -> Recovered:
        """What lies in an ignored fallback must not win over what comes now: say so durably, before anything comes."""
        recovered = msgspec.structs.replace(recovered, epoch=recovered.epoch + EPOCH_LEAP)
        self._saving.forget()
        self.save(cut_of(recovered.tables, recovered.epoch, recovered.identity, self._stamp()))
        return recovered

    def commit(self, bodies: Sequence[bytes]) -> Appended:
        """See `contract.Store`."""
        _ = self._journal.current  # a closed store says so before it speaks of room
        self._check_room()
        return self._journal.append(bodies, self.settings.durability)

    def sync(self) -> None:
        """See `contract.Store`."""
        self._journal.sync()

    def room(self) -> Room:
        """See `contract.Store`."""
        return Room(
            free_bytes=self._disk.disk_free_bytes(self._layout.journal),
            reserve_bytes=self._reserve_bytes(),
            access_problem=access_problem(self._disk, self._layout),
        )

    def reopen(self, cut: Cut) -> None:
        """See `contract.Store`. Each step may find its work done by an earlier try."""
        self._journal.give_up(is_tail_doubtful=self._where.beside is None)
        try:
            self._begin_in_place(cut)
        except OSError as error:
            self._begin_beside(cut, error)
        self._journal.last_seq = cut.seq

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
        self._journal.finish()
        self._begin_beside(cut, why)

    def come_back(self, cut: Cut) -> None:
        """See `contract.Store`. Until the last step the journal beside is as good as it was."""
        room = self.room()
        if room.reserve_bytes and not room.is_ample:
            raise NoRoom(room)
        beside = self._journal.current
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
        if self._journal.failed is not None and not was_beside:
            supersede_tail(self._disk, self._layout, self._journal.failed, quarantine)
        try:
            self._journal.begin(self._new_journal(cut.seq + 1))
        except StorageFailed as error:
            raise OSError(error.message) from error
        self._journal.failed = None
        if was_beside:
            self._pages = JournalPages(self._disk, self._layout)
            self._where.leave(quarantine)

    def _begin_beside(self, cut: Cut, why: OSError) -> None:
        self._journal.begin(self._where.enter(cut, self._journal.last_crc, why))
        self._pages = JournalPages(self._disk, self._where.layout)

    def rotate(self, saved_seq: int) -> JournalSize:
        """See `contract.Store`."""
        self._journal.rotate()
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
            self._journal.close()

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
        return self._saving.save(cut, self.settings, self._journal.appended_bytes)

    def read_messages(self, session_id: str, after: int, limit: int, count: int = 0) -> MessagesPage:
        """See `contract.Store`."""
        return self._files.read_messages(session_id, after, limit, count)

    def take_damaged(self) -> Sequence[DamagedSession]:
        """See `contract.Store`."""
        return self._files.take_damaged()

    def search_messages(self, text: str) -> Searched | Unfinished:
        """See `contract.Store`; while the disk is short the cache does not grow."""
        try:
            self._check_room()
        except NoRoom as error:
            return Searched((), str(error))
        return self._files.search_messages(text, self._daemon_id)

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
        return self._pages.read(from_seq, lines_max, self._journal.last_seq)

    def read_archived(self, session_id: str) -> tuple[bytes, str] | None:
        """See `contract.Store`."""
        return self._files.read_archived(session_id)

    def backups(self) -> list[dict[str, Any]]:
        """See `contract.Store`."""
        return listed_backups(self._disk, self._layout)

    def verify(self) -> dict[str, Any]:
        """See `contract.Store`."""
        from actors.storage.verify import verify_directory  # noqa: PLC0415  no start needs it

        return verify_directory(self._disk, self._where.layout, durable_seq=self._journal.last_seq)

    def health(self) -> dict[str, Any]:
        """See `contract.Store`."""
        return directory_health(self._disk, self._where.layout, self._counts)

    # Parts

    def _reserve_bytes(self) -> int:
        """With a reserve wanted, the next snapshot must fit beside it while the present one stays."""
        kept_bytes = self.settings.disk_reserve_bytes
        return kept_bytes + self._saving.next_bytes(self._journal.appended_bytes) if kept_bytes else 0

    def _check_room(self) -> None:
        """Raise NoRoom before a write that would use up the reserve: one system call, a microsecond."""
        reserve_bytes = 0 if self._where.beside is not None else self._reserve_bytes()
        if reserve_bytes and (free_bytes := self._disk.disk_free_bytes(self._layout.journal)) < reserve_bytes:
            raise NoRoom(Room(free_bytes=free_bytes, reserve_bytes=reserve_bytes))

    def _new_journal(self, next_seq: int) -> Journal:
        return Journal(
            self._disk,
            self._layout,
            next_seq=next_seq,
            segment_bytes_max=self.settings.segment_bytes_max,
            preallocate_bytes=self.settings.preallocate_bytes,
        )

    def _new_quarantine(self) -> Quarantine:
        return Quarantine(self._disk, self._layout, stamp_of(datetime.fromisoformat(self._stamp())))

"""Defects planted into a forked runtime, each of which the suite must find, or it is not looking (FAULTS row 3).

Each function changes the product's classes in the process that calls it, and nowhere else.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Final

import attrs

from actors.model.keys import KeyRecord
from actors.model.state import Tables
from actors.storage import journal_tail, recovery_repair
from actors.storage.contract import Appended, Cut, JournalSize
from actors.storage.disk_store import DiskStore
from actors.storage.files import Disk
from actors.storage.journal import Journal
from actors.storage.journal_report import ScanReport
from actors.storage.layout import Layout
from actors.storage.quarantine import Quarantine
from actors.writer import WriterSettings
from supervisor.config.schema import Config
from supervisor.runtime import settings

RETRY_S: Final = 0.02
FILES_SYNC_S: Final = 0.1
COME_BACK_EVERY_S: Final = 0.02


def use_short_pauses() -> None:
    """No defect, but patience: a bad disk is tried again after milliseconds, and files are synced often."""
    given = settings.writer_settings

    def short(config: Config) -> WriterSettings:
        return attrs.evolve(
            given(config), retry_s=RETRY_S, files_sync_s=FILES_SYNC_S, come_back_every_s=COME_BACK_EVERY_S
        )

    settings.writer_settings = short


def acknowledge_before_the_write() -> None:
    """A batch is written when the next one comes."""
    held: list[bytes] = []
    commit, rotate, reopen, close = DiskStore.commit, DiskStore.rotate, DiskStore.reopen, DiskStore.close

    def write_held(store: DiskStore) -> None:
        bodies, held[:] = list(held), []
        if bodies:
            commit(store, bodies)

    def commit_later(self: DiskStore, bodies: Sequence[bytes]) -> Appended:
        write_held(self)
        held.extend(bodies)
        first = self._journal.current.next_seq
        return Appended(first_seq=first, last_seq=first + len(bodies) - 1, bytes=0, sync_s=0.0)

    def rotate_after(self: DiskStore, saved_seq: int) -> JournalSize:
        write_held(self)
        return rotate(self, saved_seq)

    def reopen_after(self: DiskStore, cut: Cut) -> None:
        held.clear()
        reopen(self, cut)

    def close_after(self: DiskStore) -> None:
        write_held(self)
        close(self)

    _replace(DiskStore, commit=commit_later, rotate=rotate_after, reopen=reopen_after, close=close_after)


def acknowledge_before_the_sync() -> None:
    """The journal is synced before the next batch, when this one has long been answered."""
    append, sync = Journal.append_unsynced, Journal.sync

    def append_after_sync(self: Journal, bodies: Sequence[bytes]) -> object:
        sync(self)
        return append(self, bodies)

    _replace(Journal, append_unsynced=append_after_sync, sync=lambda self: None)


def forget_to_sync_files() -> None:
    """Snapshots, segments and files are put in place as the page cache has them."""
    _replace(Disk, fsync=lambda self, descriptor: None)


def forget_to_sync_directories() -> None:
    """Renames are believed to be durable at once."""
    _replace(Disk, sync_dir=lambda self, path: None)


def retry_a_failed_sync() -> None:
    """Ask again, and believe the answer."""

    def insist(_disk: Disk, descriptor: int) -> None:
        try:
            os.fdatasync(descriptor)
        except OSError:
            os.fdatasync(descriptor)

    _replace(Disk, fdatasync=insist)


def leave_the_torn_tail() -> None:
    """Go on where the file ends, whatever it ends with."""
    begin = Journal._begin_segment

    def go_on(self: Journal) -> None:
        segments = self._layout.segments(self._disk)
        if not segments or segments[-1].first_seq >= self.next_seq:
            begin(self)
            return
        self.path = segments[-1].path
        self._descriptor = self._disk.open(self.path, os.O_RDWR)
        self._is_open = True
        content = self._disk.read_file(self.path).rstrip(b"\0")
        self._offset = self._durable_offset = self._allocated = len(content)

    _replace(Journal, _begin_segment=go_on)
    _replace(recovery_repair, make_tail_durable=lambda *_given: None)


def believe_the_page_cache() -> None:
    """Begin a new segment behind the last good line, wherever that is, and make nothing durable that was read."""
    settle = journal_tail.make_tail_durable

    def settle_only_what_is_torn(disk: Disk, layout: Layout, report: ScanReport, quarantine: Quarantine) -> object:
        is_torn = report.tail is not None and report.tail.content_end > report.tail.good_end
        return settle(disk, layout, report, quarantine) if is_torn else None

    _replace(recovery_repair, make_tail_durable=settle_only_what_is_torn)


def forget_keys() -> None:
    """A repeated command is a new one."""

    def unheard_of(_tables: Tables, _key: str) -> KeyRecord | None:
        return None

    _replace(Tables, key=unheard_of)


MUTANTS: Final[dict[str, Callable[[], None]]] = {
    "acknowledges before the write": acknowledge_before_the_write,
    "acknowledges before the sync": acknowledge_before_the_sync,
    "forgets to sync files": forget_to_sync_files,
    "forgets to sync directories": forget_to_sync_directories,
    "retries a failed sync": retry_a_failed_sync,
    "leaves the torn tail": leave_the_torn_tail,
    "believes the page cache": believe_the_page_cache,
    "forgets keys": forget_keys,
}


def _replace(owner: object, **members: object) -> None:
    for name, member in members.items():
        setattr(owner, name, member)

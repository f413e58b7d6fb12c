"""FAULTS row 3: each of these mutants must be caught, or the power-loss suite is not looking.

A sync point is a place in the product's code that syncs (`module.function:call`). One mutant per sync point believes
that it has synced and has not. A new sync point without a row here fails the first test.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final

import pytest

from actors.storage.journal import Journal, JournalBroken
from tests.kit.disks import Fault, FaultyRecordingDisk, RecordingDisk
from tests.kit.powerloss import Violation, judge
from tests.kit.toy_promises import check_promises, run_workload
from tests.kit.toy_store import ToyOptions, ToyStore, body_of

OPTIONS: Final = ToyOptions(segment_bytes_max=900, preallocate_bytes=512)

SYNC_POINTS: Final = (
    "backups.prune_backups:sync_dir",
    "files.ensure_dir:sync_dir",
    "files.write_new_file:fsync",
    "files.write_new_file:sync_dir",
    "journal.sync:fdatasync",
    "journal_tail._cut:fsync",
    "quarantine.keep_bytes:fsync",
    "segments.begin_segment:fsync",
    "segments.begin_segment:sync_dir",
    "segments.remove_segments:sync_dir",
    "segments.write_segment:fsync",
    "segments.write_segment:sync_dir",
    "snapshot._keep_previous:sync_dir",
    "snapshot._put_in_place:sync_dir",
    "snapshot.finish:fsync",
)
"""Left out: `snapshot._pace:fdatasync`, which only keeps the last sync short and makes no promise."""


class AcknowledgesEarly(ToyStore):
    """Tells the client before the journal has been asked."""

    def append(self, bodies: list[bytes]) -> None:
        self.acknowledge(self.journal.next_seq, len(bodies))
        super().append(bodies)


class AcknowledgesUnsynced(ToyStore):
    """Tells the client when the kernel has taken the bytes; syncs later."""

    def append(self, bodies: list[bytes]) -> None:
        appended = self.journal.append_unsynced(bodies)
        self.acknowledge(appended.first_seq, len(bodies))
        self.journal.sync()


class RetriesFailedSync(ToyStore):
    """Asks again after a failed sync, and believes the answer."""

    def append(self, bodies: list[bytes]) -> None:
        try:
            self.journal.append(bodies)
        except JournalBroken:
            self.journal.broken = None
            self.journal.sync()


class GoesOnInTheOldSegment(Journal):
    """Appends where the file ends, whatever it ends with."""

    def _begin_segment(self) -> None:
        segments = self._layout.segments(self._disk)
        if not segments:
            super()._begin_segment()
            return
        self.path = segments[-1].path
        self._descriptor = self._disk.open(self.path, os.O_RDWR)
        self._is_open = True
        self._offset = self._durable_offset = self._disk.fstat(self._descriptor).st_size


class DoesNotCutTheTornTail(ToyStore):
    """Appends after the torn end, so that the next line fuses with it."""

    def settle_tail(self) -> None:
        pass

    def begin_journal(self, next_seq: int, last_crc: bytes | None) -> Journal:
        return GoesOnInTheOldSegment(self.disk, self.layout, next_seq=next_seq, last_crc=last_crc, preallocate_bytes=0)


class BelievesThePageCache(ToyStore):
    """Cuts the torn end, but does not copy the lines above `durable` that it has read."""

    def settle_tail(self) -> None:
        tail = self.report.tail
        if tail is not None and tail.size_bytes > tail.good_end:
            with self.disk.opened(tail.path, os.O_WRONLY) as descriptor:
                self.disk.ftruncate(descriptor, tail.good_end)


MUTANTS: Final = (
    AcknowledgesEarly,
    AcknowledgesUnsynced,
    DoesNotCutTheTornTail,
)


def test_every_sync_point_has_a_mutant(tmp_path: Path) -> None:
    disk = RecordingDisk(tmp_path)
    run_workload(disk, tmp_path, OPTIONS)
    assert sorted(disk.trace.sync_points()) == sorted(SYNC_POINTS)


def test_the_workload_of_the_mutants_passes_without_a_mutant(tmp_path: Path) -> None:
    disk = RecordingDisk(tmp_path)
    run_workload(disk, tmp_path, OPTIONS)
    assert judge(disk.trace, check_promises, seed=1).violation is None


@pytest.mark.parametrize("point", SYNC_POINTS)
def test_the_suite_catches_a_sync_that_is_not_done_at(point: str, tmp_path: Path) -> None:
    disk = RecordingDisk(tmp_path, forgets=point)
    run_workload(disk, tmp_path, OPTIONS)
    assert point not in disk.trace.sync_points()
    show(judge(disk.trace, check_promises, seed=1).violation)


@pytest.mark.parametrize("kind", MUTANTS)
def test_the_suite_catches_a_store_that(kind: type[ToyStore], tmp_path: Path) -> None:
    disk = RecordingDisk(tmp_path)
    run_workload(disk, tmp_path, OPTIONS, kind)
    show(judge(disk.trace, check_promises, seed=1).violation)


def test_the_suite_catches_a_store_that_retries_a_failed_sync(tmp_path: Path) -> None:
    disk = FaultyRecordingDisk(tmp_path, [Fault("fdatasync", at=3)])
    store = RetriesFailedSync.open(disk, tmp_path)
    for _ in range(4):
        store.commit(2)
    store.journal.close()
    show(judge(disk.trace, check_promises, seed=1).violation)


def test_the_suite_catches_a_recovery_that_believes_the_page_cache(tmp_path: Path) -> None:
    """Killed between write and sync, then started again: what was read is shown, and must not be lost after that."""
    disk = RecordingDisk(tmp_path)
    store = BelievesThePageCache.open(disk, tmp_path)
    store.commit(2)
    store.mark(submitted=4)
    store.journal.append_unsynced([body_of(3), body_of(4)])
    store.abandon()
    BelievesThePageCache.open(disk, tmp_path).journal.close()
    show(judge(disk.trace, check_promises, seed=1).violation)


def show(violation: Violation | None) -> None:
    """Print the state that caught the mutant, or fail because none did."""
    assert violation is not None, "the mutant was not caught: the suite is not looking"
    assert isinstance(violation.error, AssertionError), f"not a promise but a defect of the check: {violation}"
    sys.stdout.write(f"caught: {violation}\n")

"""FAULTS rows 1, 2, 9 and 16 over the whole store: power cuts at every point of a life with snapshots and files."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from typing import Any, Final

import pytest

from tests.kit.disks import RecordingDisk
from tests.kit.powerloss import Verdict, crash_states, judge, scratch
from tests.kit.store_promises import Recorded, Truth, promises, run_workload

VARIANTS: Final[dict[str, dict[str, Any]]] = {
    "plain": {},
    "small segments, two backups": {"segment_bytes_max": 900, "backups_kept": 2, "journal_keep_s": 0.0},
    "preallocated": {"preallocate_bytes": 2048, "backups_kept": 1, "journal_keep_s": 0.0},
}


def recorded_life(changes: Mapping[str, Any], forgets: str | None = None) -> tuple[RecordingDisk, Truth]:
    with scratch() as parent:
        root = parent / "state"
        root.mkdir(mode=0o700)
        disk, truth = RecordingDisk(root, forgets=forgets), Truth()
        run_workload(Recorded(root, disk, truth, **changes))
        return disk, truth


@pytest.mark.parametrize("changes", VARIANTS.values(), ids=VARIANTS.keys())
def test_a_power_cut_anywhere_in_the_life_of_a_store_keeps_the_promises(changes: Mapping[str, Any]) -> None:
    disk, truth = recorded_life(changes)
    assert_kept(judge(disk.trace, promises(truth), seed=1, states_max=350), at_least=350)


@pytest.mark.long
@pytest.mark.parametrize("changes", VARIANTS.values(), ids=VARIANTS.keys())
def test_every_power_cut_in_the_life_of_a_store_keeps_the_promises(changes: Mapping[str, Any]) -> None:
    disk, truth = recorded_life(changes)
    assert_kept(judge(disk.trace, promises(truth), seed=2), at_least=1200)


def test_a_power_cut_during_recovery_keeps_them_too() -> None:
    disk, truth = recorded_life({})
    states = list(crash_states(disk.trace, seed=3))
    judged = 0
    with scratch() as parent:
        for number, state in enumerate(states[:: len(states) // 8]):
            directory = parent / str(number)
            directory.mkdir(mode=0o700)
            state.build(directory)
            recovery = RecordingDisk(directory)
            recovery.mark(**state.marks)
            first = len(recovery.trace.operations)
            Recorded(directory, recovery, Truth()).driver.store.close()
            verdict = judge(recovery.trace, promises(truth), seed=number, first=first, states_max=25)
            assert verdict.violation is None, f"{state.label}; recovering, {verdict.violation}"
            judged += verdict.states
            shutil.rmtree(directory)
    assert judged > 60


NEEDED = (
    "files.ensure_dir:sync_dir",
    "files.write_new_file:fsync",
    "files.write_new_file:sync_dir",
    "segments.begin_segment:fsync",
    "segments.begin_segment:sync_dir",
    "segments.write_segment:fsync",
    "segments.write_segment:sync_dir",
    "snapshot.finish:fsync",
    "snapshot._put_in_place:sync_dir",
    "journal.sync:fdatasync",
    "task_files._prepare:fsync",
    "task_files.write_batch:sync_dir",
    "open_files._change:fdatasync",
    "open_files._sync_directories:sync_dir",
    "archive.keep_version:fsync",
    "archive.keep_version:sync_dir",
)
COVERED = {
    "snapshot._keep_previous:sync_dir": "the rename that follows is synced in the same directory",
    "backups.prune_backups:sync_dir": "a backup that comes back is one more; segments have their own tests",
    "retention._keep_one_a_day:sync_dir": "the daily snapshots are no part of recovery",
    "archive._archive:sync_dir": "row.archived, written next into the same directory, syncs it",
    "archive._sync_directories:sync_dir": "a name that comes back is moved again",
    "open_files.replace:fsync": "the journal writes the file again until it is durable",
    "journal_tail._cut:fsync": "the segment that supersedes the cut end is durable before",
}


def test_every_place_that_syncs_is_needed_or_it_is_known_why_it_is_not() -> None:
    disk, _ = recorded_life(VARIANTS["preallocated"] | {"segment_bytes_max": 900})
    assert set(disk.trace.sync_points()) == {*NEEDED, *COVERED}


@pytest.mark.parametrize("point", NEEDED)
def test_a_store_that_forgets_a_sync_is_found_out(point: str) -> None:
    disk, truth = recorded_life(VARIANTS["preallocated"] | {"segment_bytes_max": 900}, forgets=point)
    assert judge(disk.trace, promises(truth), seed=1, states_max=500).violation is not None


def assert_kept(verdict: Verdict, *, at_least: int) -> None:
    assert verdict.violation is None, str(verdict.violation)
    assert verdict.states >= at_least

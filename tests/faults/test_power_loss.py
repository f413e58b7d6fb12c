"""FAULTS rows 1, 2, 6 and 9: power cuts at every point, with unsynced work lost, reordered and torn."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from actors.storage.journal import JournalBroken
from tests.kit.disks import Effect, Fault, FaultyRecordingDisk, RecordingDisk
from tests.kit.powerloss import Verdict, crash_states, judge, scratch
from tests.kit.toy_promises import check_promises, run_workload
from tests.kit.toy_store import ToyOptions, ToyStore

VARIANTS = {
    "plain": ToyOptions(),
    "preallocated": ToyOptions(segment_bytes_max=2500, preallocate_bytes=1024),
    "ten backups": ToyOptions(segment_bytes_max=700, backups_kept=10),
}

FAILURES = {
    "fdatasync fails once": Fault("fdatasync", at=5),
    "fdatasync fails twice running": Fault("fdatasync", at=5, times=2),
    "a write takes half and then the disk is full": Fault("pwrite", 6, Effect.HALF_THEN_FAIL, errno.ENOSPC),
    "a write fails": Fault("pwrite", 6, Effect.FAIL, errno.EROFS),
}


@pytest.mark.parametrize("options", VARIANTS.values(), ids=VARIANTS.keys())
def test_every_power_cut_of_a_workload_keeps_the_promises(tmp_path: Path, options: ToyOptions) -> None:
    disk = RecordingDisk(tmp_path)
    run_workload(disk, tmp_path, options)
    assert_kept(judge(disk.trace, check_promises, seed=1), more_than=500)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(12))
def test_every_power_cut_of_long_workloads_keeps_the_promises(tmp_path: Path, seed: int) -> None:
    disk = RecordingDisk(tmp_path)
    options = ToyOptions(400 + 150 * seed, preallocate_bytes=512 * (seed % 3), backups_kept=1 + seed % 11)
    run_workload(disk, tmp_path, options, batches=30 + seed)
    assert_kept(judge(disk.trace, check_promises, seed=seed), more_than=1000)


@pytest.mark.parametrize("fault", FAILURES.values(), ids=FAILURES.keys())
def test_a_failed_write_is_never_acknowledged_and_what_follows_survives_power_cuts(
    tmp_path: Path, fault: Fault
) -> None:
    disk = FaultyRecordingDisk(tmp_path, [fault])
    failures = 0
    store = ToyStore.open(disk, tmp_path)
    for _ in range(9):
        try:
            store.commit(2)
        except JournalBroken:
            failures += 1
            store.come_back()
    store.journal.close()
    assert failures == fault.times
    assert_kept(judge(disk.trace, check_promises, seed=2), more_than=100)


def test_a_power_cut_during_recovery_and_during_the_recovery_from_it_loses_nothing(tmp_path: Path) -> None:
    disk = RecordingDisk(tmp_path)
    run_workload(disk, tmp_path, ToyOptions(), batches=9)
    states = list(crash_states(disk.trace, seed=3))
    judged = 0
    with scratch() as parent:
        for number, state in enumerate(states[:: len(states) // 12]):
            directory = parent / str(number)
            directory.mkdir()
            state.build(directory)
            recovery = RecordingDisk(directory)
            recovery.mark(**{name: value for name, value in state.marks.items() if name != "idle"})
            first = len(recovery.trace.operations)
            ToyStore.open(recovery, directory).journal.close()
            verdict = judge(recovery.trace, check_promises, seed=number, first=first)
            assert verdict.violation is None, f"{state.label}; recovering, {verdict.violation}"
            judged += verdict.states
            shutil.rmtree(directory)
    assert judged > 150


def test_the_same_trace_and_seed_give_the_same_states_and_another_seed_others(tmp_path: Path) -> None:
    disk = RecordingDisk(tmp_path)
    run_workload(disk, tmp_path, ToyOptions(), batches=6)
    first, second, other = (
        [(state.label, state.tree) for state in crash_states(disk.trace, seed)] for seed in (7, 7, 8)
    )
    assert first == second
    assert first != other


def test_the_recorder_sees_exactly_what_reached_the_directory(tmp_path: Path) -> None:
    disk = RecordingDisk(tmp_path)
    run_workload(disk, tmp_path, ToyOptions(preallocate_bytes=1024))
    at_the_end: list[Mapping[str, bytes | None]] = [
        state.tree for state in crash_states(disk.trace, first=len(disk.trace.operations))
    ]
    really = {str(path.relative_to(tmp_path)): path for path in tmp_path.rglob("*")}
    assert {name: path.read_bytes() if path.is_file() else None for name, path in really.items()} in at_the_end


def assert_kept(verdict: Verdict, more_than: int) -> None:
    assert verdict.violation is None, str(verdict.violation)
    assert verdict.states > more_than, f"only {verdict.states} distinct crash states"

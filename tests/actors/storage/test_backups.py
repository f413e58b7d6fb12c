"""The snapshots before the present one: ordered by seq, chosen by being whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from actors.storage.backups import choose_backup, oldest_needed_seq, prune_backups
from actors.storage.files import Disk
from actors.storage.layout import Layout
from actors.storage.snapshot_reader import Problem
from tests.kit.disks import RecordingDisk
from tests.kit.journals import state_directory, tree_of
from tests.kit.snapshots import TASKS, write_snapshot


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    layout = state_directory(tmp_path)
    for seq in range(1, 6):
        write_snapshot(layout, seq)
    return layout


def seqs(layout: Layout) -> list[int]:
    return [backup.seq for backup in layout.backups(Disk())]


def test_the_newest_whole_backup_is_chosen_and_the_bad_ones_before_it_told(layout: Layout) -> None:
    backups = layout.backups(Disk())
    backups[3].path.write_bytes(b"")
    backups[2].path.write_bytes(backups[2].path.read_bytes().replace(b"task_2", b"task_9"))
    before = tree_of(layout.root)
    choice = choose_backup(Disk(), layout)
    assert choice.backup == backups[1]
    assert choice.image is not None
    assert choice.image.sections["tasks"] == TASKS
    assert [(backup.seq, problem) for backup, problem in choice.bad] == [(4, Problem.EMPTY), (3, Problem.CHECKSUM)]
    assert tree_of(layout.root) == before


def test_without_a_whole_backup_there_is_no_choice(layout: Layout) -> None:
    for backup in layout.backups(Disk()):
        backup.path.write_bytes(b"x")
    choice = choose_backup(Disk(), layout)
    assert (choice.backup, choice.image) == (None, None)
    assert len(choice.bad) == 4


def test_a_backup_of_a_newer_version_is_not_passed_over(layout: Layout) -> None:
    layout.backups(Disk())[-1].path.write_bytes(b'{"version": "3.0.0"}')
    choice = choose_backup(Disk(), layout)
    assert choice.image is not None
    assert choice.image.problem is Problem.NEWER


@pytest.mark.parametrize(("kept", "left"), [(10, [1, 2, 3, 4]), (2, [3, 4]), (1, [4]), (0, [4])])
def test_the_oldest_go_and_one_stays_always(kept: int, left: list[int], layout: Layout) -> None:
    removed = prune_backups(Disk(), layout, kept)
    assert seqs(layout) == left
    assert len(removed) == 4 - len(left)


def test_a_clock_that_went_back_does_not_make_an_old_state_the_newest(layout: Layout) -> None:
    newest = layout.backups(Disk())[-1]
    newest.path.rename(layout.backup("19990101T000000.000000Z", newest.seq))
    assert prune_backups(Disk(), layout, 1)
    assert seqs(layout) == [4]


def test_removal_is_durable_when_it_is_told(layout: Layout) -> None:
    disk = RecordingDisk(layout.root)
    prune_backups(disk, layout, 2)
    prune_backups(disk, layout, 2)
    kinds = [type(operation).__name__ for operation in disk.trace.operations]
    assert kinds == ["Leave", "Leave", "SyncDirectory"]


def test_the_journal_is_needed_from_the_oldest_base_on(layout: Layout) -> None:
    assert oldest_needed_seq(Disk(), layout, 5) == 1
    prune_backups(Disk(), layout, 2)
    assert oldest_needed_seq(Disk(), layout, 5) == 3
    for backup in layout.backups(Disk()):
        backup.path.unlink()
    assert oldest_needed_seq(Disk(), layout, 5) == 5

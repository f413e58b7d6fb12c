"""FAULTS row 7: the power of a real file system is cut, at points all over the life of a store, and it starts again."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from random import Random

import pytest

from tests.kit.cut_disks import CutDisk, cut_disk
from tests.kit.disks import Crash
from tests.kit.mortal_disk import MortalDisk
from tests.kit.store_promises import Recorded, Truth, promises, run_workload
from tests.kit.tally import SEED, count

CUTS = 60


class SloppyDisk(MortalDisk):
    """Says that it has synced, and has not."""

    def fdatasync(self, descriptor: int) -> None:
        pass


def fresh(disk: CutDisk, name: str) -> Path:
    """Make a state directory that is durable itself; only what happens in it is to be cut."""
    root = disk.place / name
    root.mkdir(mode=0o700)
    descriptor = os.open(disk.place, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return root


def changes_of_a_life(root: Path) -> int:
    disk = MortalDisk()
    run_workload(Recorded(root, disk, Truth()))
    return disk.changes


def live_until_the_cut(disk: CutDisk, root: Path, mortal: MortalDisk) -> Truth:
    truth = Truth()
    with suppress(Crash):
        run_workload(Recorded(root, mortal, truth))
    disk.cut()
    mortal.bury()
    disk.come_back()
    return truth


@pytest.mark.long
@pytest.mark.parametrize("kind", ["ext4", "xfs"])
def test_after_a_real_power_cut_everything_acknowledged_is_there(tmp_path: Path, kind: str) -> None:
    with cut_disk(tmp_path, kind) as disk:
        changes = changes_of_a_life(fresh(disk, "counted"))
        for after in sorted(Random(SEED).sample(range(1, changes + 1), min(CUTS, changes))):
            root = fresh(disk, str(after))
            mortal = MortalDisk(after)
            truth = live_until_the_cut(disk, root, mortal)
            promises(truth)(root, mortal.marks)
            count("real power cuts")


@pytest.mark.long
def test_a_store_that_does_not_sync_its_journal_is_found_out_by_a_real_power_cut(tmp_path: Path) -> None:
    with cut_disk(tmp_path, "ext4") as disk:
        root = fresh(disk, "sloppy")
        sloppy = SloppyDisk(changes_of_a_life(fresh(disk, "counted")) // 2)
        truth = live_until_the_cut(disk, root, sloppy)
        with pytest.raises(AssertionError, match="acknowledged, and gone"):
            promises(truth)(root, sloppy.marks)

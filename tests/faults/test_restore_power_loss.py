"""FAULTS rows 1, 2 and 9 over a restore: a power cut anywhere in it leaves the state before, or the one restored."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from actors.model.state import Limits
from actors.storage.errand import recovered_store
from actors.storage.files import Disk
from actors.storage.layout import Layout
from actors.storage.restore import Moment, Restore
from actors.storage.verify import verify_directory
from tests.kit.disks import RecordingDisk
from tests.kit.pasts import History, lived, without_revs
from tests.kit.powerloss import judge, scratch
from tests.kit.stores import Driver, Ticks, disk_store, settings

STAMP = "2026-01-02T00:00:00.000Z"


def restored(root: Path, disk: Disk, seq: int) -> dict[str, Any]:
    opening = partial(recovered_store, root, settings(), None, None, disk)
    return Restore(disk, Layout(root), opening, Limits(), STAMP, "20260102T000000.000000Z").run(Moment(seq=seq))


def either(history: History, target: int, seen: set[str]) -> Callable[[Path, Mapping[str, int]], None]:
    """Return the check of one directory: rows and messages all of one moment, the files with them."""
    newest = max(history.past)

    def check(root: Path, marks: Mapping[str, int]) -> None:
        driver = Driver(disk_store(root, clock=Ticks(1_767_300_000.0)))
        try:
            state = without_revs(driver.tables)
            is_new = state == history.past[target]
            assert is_new or state == history.past[newest], "neither the state before nor the one restored"
            assert is_new or not marks.get("done"), "it said that it was restored, and is not"
            seen.add("new" if is_new else "old")
            driver.settle_files()
            for session_id, expected in history.spoken[target if is_new else newest].items():
                page = driver.store.read_messages(session_id, 0, 1000)
                assert [one.decode().strip('"') for one in page.messages] == expected, f"messages of {session_id}"
            driver.save()
        finally:
            driver.store.close()
        verified = verify_directory(Disk(), Layout(root))
        assert verified["ok"], str(verified["findings"])

    return check


@pytest.mark.parametrize("target", [3, 6])
def test_a_power_cut_anywhere_in_a_restore_leaves_the_old_or_the_new_state(target: int) -> None:
    with scratch() as parent:
        root = parent / "state"
        history = lived(root)
        disk = RecordingDisk(root)
        assert restored(root, disk, target)["done"]
        disk.mark(done=1)
        seen: set[str] = set()
        verdict = judge(disk.trace, either(history, target, seen), seed=target, states_max=150)
        assert verdict.violation is None, str(verdict.violation)
        assert (verdict.states >= 100, seen) == (True, {"old", "new"})


@pytest.mark.long
@pytest.mark.parametrize("target", range(12))
def test_every_power_cut_in_a_restore_leaves_the_old_or_the_new_state(target: int) -> None:
    with scratch() as parent:
        root = parent / "state"
        history = lived(root)
        disk = RecordingDisk(root)
        restored(root, disk, target)
        disk.mark(done=1)
        verdict = judge(disk.trace, either(history, target, set()), seed=target)
        assert verdict.violation is None, str(verdict.violation)


def test_a_restore_that_does_not_sync_its_segment_is_found_out() -> None:
    with scratch() as parent:
        root = parent / "state"
        history = lived(root)
        disk = RecordingDisk(root, forgets="segments.write_segment:fsync")
        restored(root, disk, 3)
        disk.mark(done=1)
        assert judge(disk.trace, either(history, 3, set()), seed=3, states_max=400).violation is not None

"""FAULTS rows 1, 2, 9 and 20 together: power cuts at every point of a life in and beside the state directory."""

from __future__ import annotations

from typing import Any, Final

import pytest

from tests.kit.powerloss import crash_states, judge, scratch
from tests.kit.two_disks import BESIDE, MAIN, History, Life, TwoDisks, live, promises

VARIANTS: Final[dict[str, dict[str, Any]]] = {
    "plain": {},
    "small segments, two backups": {"segment_bytes_max": 700, "backups_kept": 2, "journal_keep_s": 0.0},
    "preallocated": {"preallocate_bytes": 4096, "backups_kept": 1, "journal_keep_s": 0.0},
}


def recorded_life(changes: dict[str, Any], forgets_at: tuple[str, str] | None = None) -> tuple[TwoDisks, History]:
    with scratch() as root:
        for name in (MAIN, BESIDE):
            (root / name).mkdir(mode=0o700)
        disk, history = TwoDisks(root, forgets_at), History()
        live(Life(root, disk, history, **changes))
        return disk, history


@pytest.mark.parametrize("changes", VARIANTS.values(), ids=VARIANTS.keys())
def test_a_power_cut_anywhere_in_or_beside_the_state_directory_keeps_the_promises(changes: dict[str, Any]) -> None:
    disk, history = recorded_life(changes)
    verdict = judge(disk.trace, promises(history), seed=1, states_max=300)
    assert verdict.violation is None, str(verdict.violation)
    assert verdict.states == 300


@pytest.mark.long
@pytest.mark.parametrize("changes", VARIANTS.values(), ids=VARIANTS.keys())
def test_every_power_cut_in_or_beside_the_state_directory_keeps_the_promises(changes: dict[str, Any]) -> None:
    disk, history = recorded_life(changes)
    verdict = judge(disk.trace, promises(history), seed=2)
    assert verdict.violation is None, str(verdict.violation)
    assert verdict.states >= 2000


def test_a_power_cut_while_it_is_merged_at_a_start_keeps_them_too() -> None:
    disk, history = recorded_life({})
    beside = [
        state
        for state in crash_states(disk.trace, seed=3)
        if any(path.startswith(f"{BESIDE}/journal/") and path.endswith(".jsonl") for path in state.tree)
    ]
    judged = 0
    with scratch() as parent:
        for number, state in enumerate(beside[:: len(beside) // 6]):
            root = parent / str(number)
            root.mkdir()
            state.build(root)
            (root / MAIN / "fallback.json").unlink(missing_ok=True)
            starting = TwoDisks(root)
            starting.mark(**state.marks)
            first = len(starting.trace.operations)
            Life(root, starting, History()).driver.store.close()
            verdict = judge(starting.trace, promises(history), seed=number, first=first, states_max=60)
            assert verdict.violation is None, f"{state.label}; starting, {verdict.violation}"
            judged += verdict.states
    assert judged > 150


MUTANTS: Final = (
    ("fdatasync", "fallback/journal"),
    ("fsync", "fallback/journal"),
    ("sync_dir", "fallback/journal"),
    ("fsync", "main/journal"),
    ("sync_dir", "main/journal"),
)
"""Syncs without which a life in two places loses something."""


@pytest.mark.parametrize("forgets_at", MUTANTS, ids=" of ".join)
def test_a_store_that_forgets_a_sync_there_or_on_the_way_back_is_found_out(forgets_at: tuple[str, str]) -> None:
    disk, history = recorded_life({}, forgets_at)
    assert judge(disk.trace, promises(history), seed=1, states_max=600).violation is not None

"""FAULTS rows 4, 9, 16 and 21: a runtime killed before, within and after its system calls, replies included.

A failure names the call. `PERDURE_AT=<call> pytest <the test>` tries that call alone, in every way.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from random import Random

import pytest

from tests.kit.interposer import CARRYING, Action, Call, Fault, Seen
from tests.kit.interposer_forks import Keeper, attempt
from tests.kit.interposer_sample import IN_PORTIONS, ONLY, every, portion, sample
from tests.kit.interposer_workload import WORKLOAD
from tests.kit.oracle import steps_of
from tests.kit.oracle_disk import recover
from tests.kit.tally import SEED

SHARES = 4
LONG_SHARES = 12
TAKEN_BYTES = (0, 1, 3, 60, 400)
"""How much of a write is done before the kill: half of it, or so many bytes of its line."""

KILLS = (Action.KILL_BEFORE, Action.KILL_AFTER, Action.HALF_THEN_KILL)


def kills_at(number: int, log: Sequence[Seen]) -> list[Fault]:
    """Return every way of dying at a call."""
    kills = [Fault(Action.KILL_BEFORE, number), Fault(Action.KILL_AFTER, number)]
    if log[number - 1].call in CARRYING:
        kills += [Fault(Action.HALF_THEN_KILL, number, taken_bytes=taken) for taken in TAKEN_BYTES]
    return kills


@pytest.mark.parametrize("share", range(SHARES))
def test_killed_at_a_system_call_of_any_kind_it_keeps_what_was_acknowledged(
    keeper: Keeper, counted: list[Seen], share: int
) -> None:
    random = Random(f"{SEED}/{share}")
    for number in sample(counted, 26, share, SHARES):
        kills = kills_at(number, counted)
        for fault in kills if ONLY else [random.choice(kills)]:
            attempt(keeper, fault)


@pytest.mark.long
@pytest.mark.parametrize("share", range(LONG_SHARES))
def test_killed_before_within_and_after_every_system_call_it_keeps_what_was_acknowledged(
    keeper: Keeper, counted: list[Seen], share: int
) -> None:
    for number in every(counted, share, LONG_SHARES):
        for fault in kills_at(number, counted):
            attempt(keeper, fault)


def around_snapshots(log: Sequence[Seen]) -> list[Seen]:
    """Return the calls from a snapshot's first byte to the rotation's last: state.json, backups, segments, releases."""
    begins = [seen.number for seen in log if seen.call is Call.CREATE and "/state.json.tmp-" in seen.path]
    ends = [seen.number for seen in log if seen.call is Call.FTRUNCATE and "/journal/" in seen.path]
    spans = [(begin, next(end for end in ends if end > begin)) for begin in begins if begin < ends[-1]]
    return [seen for seen in log if any(begin <= seen.number <= end for begin, end in spans)]


def test_killed_around_a_snapshot_and_its_rotation_it_keeps_what_was_acknowledged(
    keeper: Keeper, counted: list[Seen]
) -> None:
    near = around_snapshots(counted)
    assert {Call.RENAME, Call.LINK, Call.FSYNC, Call.FTRUNCATE} <= {seen.call for seen in near}
    random = Random(SEED)
    for seen in near if ONLY else random.sample(near, 16):
        attempt(keeper, random.choice(kills_at(ONLY or seen.number, counted)))


def replies(log: Sequence[Seen]) -> list[int]:
    return [seen.number for seen in log if seen.call is Call.SEND]


def test_a_command_whose_reply_was_lost_is_applied_once_when_it_is_sent_again(
    keeper: Keeper, counted: list[Seen]
) -> None:
    random = Random(SEED)
    numbers = replies(counted)
    assert len(numbers) > len(WORKLOAD)
    for number in [ONLY] if ONLY else random.sample(numbers, 10):
        attempt(keeper, random.choice(kills_at(number, counted)[:3]))


AFTERWARDS = steps_of(
    ("task.create", {"id": "afterwards", "description": "written when it had recovered"}),
    ("task.log", {"id": "afterwards", "message": "and once more"}),
    name="afterwards",
)


@pytest.mark.parametrize("share", IN_PORTIONS)
def test_killed_again_and_again_while_it_recovers_it_comes_to_the_same_state(
    keeper: Keeper, torn: Path, tmp_path: Path, share: int | None
) -> None:
    """Killed at a call of the recovery, and two more times in the recoveries from it."""
    shutil.copytree(torn, tmp_path / "state")
    start, report, _ = recover(tmp_path / "state")
    assert "F" in report["case"], "the directory to begin with has a torn end"
    with keeper.trial(sample=torn, steps=(), start=start, crash_at=-1) as trial:
        trial.run()
        calls = trial.interposer.log()
    random = Random(f"{SEED}/{share}")
    for first in portion([seen.number for seen in calls], share, number=16):
        apart = random.randint(1, 25)
        taken = random.choice(TAKEN_BYTES)
        action = random.choice(KILLS)
        fault = Fault(action, first, times=3, every=apart, taken_bytes=taken)
        attempt(keeper, fault, sample=torn, steps=AFTERWARDS, start=start, crash_at=-1)

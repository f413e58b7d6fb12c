"""Which keyed commands are remembered."""

import pytest

from actors.model.keys import Command, KeyRecord, Keys, as_json, from_json
from actors.model.stamps import later

START = "2026-03-01T12:00:00.000Z"


def record(key: str, at: str = START) -> KeyRecord:
    return KeyRecord(key=key, seq=1, hash="h", ids=("a",), at=at)


def test_the_oldest_leave_when_there_are_too_many() -> None:
    keys = Keys(kept=2, kept_s=100)
    for key in "abc":
        keys.put(record(key))
    assert list(keys.records) == ["b", "c"]


def test_a_key_leaves_when_it_is_too_old_by_the_journals_own_stamps() -> None:
    keys = Keys(kept=10, kept_s=100)
    keys.put(record("a"))
    keys.put(record("b", later(START, 100)))
    assert keys.get("a") is not None
    keys.put(record("c", later(START, 101)))
    assert keys.get("a") is None
    assert keys.get("b") is not None


def test_a_clock_that_jumps_back_forgets_nothing() -> None:
    keys = Keys(kept=10, kept_s=100)
    keys.put(record("a"))
    keys.put(record("b", later(START, -1_000_000)))
    keys.put(record("c", later(START, -999_000)))
    assert list(keys.records) == ["a", "b", "c"]


def test_a_clock_that_jumps_forward_and_is_put_right_forgets_few() -> None:
    keys = Keys(kept=1000, kept_s=100)
    for number in range(100):
        keys.put(record(f"old {number}"))
    for number in range(3):
        keys.put(record(f"jumped {number}", later(START, 1_000_000)))
    assert len(keys) == 97
    for number in range(50):
        keys.put(record(f"right {number}", later(START, 1)))
    assert len(keys) == 147
    assert keys.get("old 6") is not None


def test_keys_that_really_age_leave_as_fast_as_new_ones_come() -> None:
    keys = Keys(kept=1000, kept_s=100)
    for number in range(500):
        keys.put(record(str(number), later(START, number)))
    assert list(keys.records) == [str(number) for number in range(399, 500)]


@pytest.mark.parametrize("saved_after", [1, 10, 25, 39])
def test_what_is_loaded_in_between_forgets_what_the_live_one_forgets(saved_after: int) -> None:
    jumps = (0, 1, 2, 10_000, 10_001, 3, 4, 500, -20, 501)
    made = [record(str(number % 23), later(START, number + jumps[number % len(jumps)])) for number in range(40)]
    live, loaded = Keys(kept=15, kept_s=100), Keys(kept=15, kept_s=100)
    for one in made[:saved_after]:
        live.put(one)
    loaded.load(list(live.records.values()))
    for one in made[saved_after:]:
        live.put(one)
        loaded.put(one)
    assert list(loaded.records.items()) == list(live.records.items())


def test_a_table_that_may_keep_fewer_now_keeps_the_newest() -> None:
    keys = Keys(kept=2, kept_s=100)
    keys.load([record(key) for key in "abc"])
    assert list(keys.records) == ["b", "c"]


def test_a_record_survives_the_snapshot() -> None:
    made = record("a")
    assert from_json(as_json(made)) == made
    assert from_json({"key": "a", "seq": 1, "hash": "h", "ids": ["a"], "at": START}) == made


def test_a_command_without_a_key_is_not_remembered() -> None:
    assert Command(method="task.create").key_record(1, START) is None
    found = Command(method="task.create", key="k", hash="h", ids=("a",)).key_record(7, START)
    assert found == KeyRecord(key="k", seq=7, hash="h", ids=("a",), at=START)

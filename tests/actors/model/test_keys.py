"""Which keyed commands are remembered."""

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


def test_a_record_survives_the_snapshot() -> None:
    made = record("a")
    assert from_json(as_json(made)) == made
    assert from_json({"key": "a", "seq": 1, "hash": "h", "ids": ["a"], "at": START}) == made


def test_a_command_without_a_key_is_not_remembered() -> None:
    assert Command(method="task.create").key_record(1, START) is None
    found = Command(method="task.create", key="k", hash="h", ids=("a",)).key_record(7, START)
    assert found == KeyRecord(key="k", seq=7, hash="h", ids=("a",), at=START)

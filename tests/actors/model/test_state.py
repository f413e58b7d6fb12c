"""What each kind of fact does to its row, and what a line does to the tables."""

import msgspec
import pytest

from actors.model.facts import FACTS, Effect, Fact
from actors.model.keys import Command
from actors.model.state import Limits, Line, Tables, apply, rows_after
from tests.kit.rows import START, a_session, a_task

SESSION = "0190163d-8694-739b-aea5-966c26f8ad91"


def fact(op: str, row_id: str = "a", rev: int = 2, **data: object) -> Fact:
    return Fact(op=op, id=row_id, rev=rev, data=data)


def line(seq: int, *facts: Fact, key: str | None = None) -> Line:
    return Line(seq=seq, ts=START, cmd=Command(method="m", key=key, hash="h", ids=("a",)), facts=facts)


def put(tables: Tables, made: Line) -> None:
    tables.absorb(made, rows_after(tables, made.facts))


def members(row: object) -> dict[str, object]:
    decoded: dict[str, object] = msgspec.json.decode(row.encoded)  # type: ignore[attr-defined]
    return decoded


def test_every_operation_is_named_noun_past_tense_and_has_a_table() -> None:
    tables = Tables()
    for op, kind in FACTS.items():
        noun, _, happened = op.partition(".")
        assert noun, op
        assert happened, op
        assert kind.table in tables.by_name, op


def test_a_patch_changes_what_it_names_and_the_rev() -> None:
    before = a_task("a", tool="SHELL")
    row = apply(before, fact("task.updated", priority=1))
    assert members(row) == members(before) | {"priority": 1, "rev": 2}


def test_a_patch_leaves_the_row_before_as_it_was() -> None:
    before = a_task("a")
    encoded = bytes(before.encoded)
    apply(before, fact("task.updated", priority=1))
    assert before.encoded == encoded


def test_members_that_go_to_a_file_do_not_enter_the_row() -> None:
    row = apply(a_session(SESSION), fact("session.appended", SESSION, message_count=1, messages=[{"role": "user"}]))
    assert "messages" not in members(row)
    assert members(row)["message_count"] == 1


@pytest.mark.parametrize(
    ("kept", "expected"), [(0, []), (1, ["c"]), (2, ["b", "c"]), (3, ["a", "b", "c"]), (9, ["a", "b", "c"])]
)
def test_of_a_log_the_newest_entries_stay(kept: int, expected: list[str]) -> None:
    before = apply(a_task("a"), fact("task.logged", entries=[{"message": "a"}], kept=1))
    row = apply(before, fact("task.logged", rev=3, entries=[{"message": "b"}, {"message": "c"}], kept=kept))
    assert [entry["message"] for entry in members(row)["logs"]] == expected  # type: ignore[attr-defined]


def test_a_fact_about_a_row_that_is_not_there_is_told() -> None:
    with pytest.raises(ValueError, match="needs the row a"):
        apply(None, fact("task.updated", priority=1))


def test_an_operation_of_a_newer_version_is_told() -> None:
    with pytest.raises(KeyError):
        apply(None, fact("task.teleported"))


def test_what_is_gone_leaves_a_tombstone_and_a_row_made_anew_begins_beyond_it() -> None:
    tables = Tables()
    tables.put_row("tasks", a_task("a"))
    put(tables, line(1, fact("task.deleted", rev=5)))
    assert tables.row("tasks", "a") is None
    assert tables.tombstones["tasks", "a"].rev == 5
    assert tables.first_rev("tasks", "a") == 6
    put(tables, line(2, Fact(op="task.saved", id="a", rev=6, data=msgspec.Raw(a_task("a", rev=6).encoded))))
    assert not tables.tombstones


def test_later_facts_of_a_line_see_the_earlier_ones() -> None:
    tables = Tables()
    tables.put_row("tasks", a_task("a"))
    facts = (fact("task.updated", priority=1), fact("task.updated", rev=3, tool="SHELL"))
    last = rows_after(tables, facts)[-1]
    assert members(last)["priority"] == 1
    assert members(last)["tool"] == "SHELL"


def test_a_line_moves_the_tables_forward_and_remembers_its_key() -> None:
    tables = Tables(Limits(keys_kept=10))
    put(tables, line(7, Fact(op="task.created", id="a", rev=1, data=msgspec.Raw(a_task("a").encoded)), key="k"))
    assert (tables.seq, tables.stamp) == (7, START)
    found = tables.key("k")
    assert found is not None
    assert found.seq == 7


def test_the_highest_lease_is_remembered_although_the_task_is_gone() -> None:
    tables = Tables()
    tables.put_row("tasks", a_task("a"))
    put(tables, line(1, fact("task.claimed", lease=41)))
    put(tables, line(2, fact("task.deleted", rev=3)))
    assert tables.lease_max == 41


@pytest.mark.parametrize("op", ["task.adopted", "task.saved"])
def test_a_lease_that_came_with_a_whole_row_is_never_given_out_again(op: str) -> None:
    tables = Tables()
    whole = msgspec.Raw(a_task("a", status="running", lease=41).encoded)
    put(tables, line(1, Fact(op=op, id="a", rev=1, data=whole)))
    assert tables.lease_max == 41
    put(tables, line(2, Fact(op=op, id="b", rev=1, data=msgspec.Raw(a_task("b").encoded))))
    assert tables.lease_max == 41


def test_the_metrics_are_those_of_the_seeds() -> None:
    tables = Tables()
    done = {"status": "completed", "started_at": START}
    tables.put_row("tasks", a_task("a", **done, completed_at="2026-03-01T12:00:10.000Z"))
    tables.put_row("tasks", a_task("b", **done, completed_at="2026-03-01T12:00:20.000Z"))
    tables.put_row("tasks", a_task("c", status="failed"))
    assert tables.metrics() == {
        "total_tasks": 3,
        "completed_tasks": 2,
        "failed_tasks": 1,
        "average_completion_time": 15.0,
    }


def test_every_effect_is_used() -> None:
    assert {kind.effect for kind in FACTS.values()} == set(Effect)

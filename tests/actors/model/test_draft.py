"""A draft lies over the durable tables until they hold what it says."""

import msgspec

from actors.model.draft import Draft, addresses_of
from actors.model.facts import Fact
from actors.model.keys import Command, KeyRecord
from actors.model.state import Line, Tables
from tests.kit.rows import START, a_task


def created(task_id: str, rev: int = 1) -> Fact:
    return Fact(op="task.created", id=task_id, rev=rev, data=msgspec.Raw(a_task(task_id, rev=rev).encoded))


def updated(task_id: str, rev: int) -> Fact:
    return Fact(op="task.updated", id=task_id, rev=rev, data={"priority": rev})


def deleted(task_id: str, rev: int) -> Fact:
    return Fact(op="task.deleted", id=task_id, rev=rev, data={})


def test_a_draft_shows_what_was_decided_and_the_tables_do_not() -> None:
    tables = Tables()
    draft = Draft(tables)
    draft.stage([created("a")])
    assert draft.rev("tasks", "a") == 1
    assert draft.next_rev("tasks", "a") == 2
    assert tables.row("tasks", "a") is None
    assert draft.waiting() == 1


def test_what_became_durable_is_forgotten() -> None:
    tables = Tables()
    draft = Draft(tables)
    facts = (created("a"),)
    rows = draft.stage(facts)
    tables.absorb(Line(seq=1, ts=START, cmd=Command(method="m"), facts=facts), rows)
    draft.settle(addresses_of(facts), rows)
    assert not draft.pending
    assert draft.row("tasks", "a") is rows[0]


def test_a_row_that_changed_again_meanwhile_stays() -> None:
    draft = Draft(Tables())
    first = (created("a"),)
    rows = draft.stage(first)
    draft.stage([updated("a", 2)])
    draft.settle(addresses_of(first), rows)
    assert draft.rev("tasks", "a") == 2


def test_a_row_deleted_and_made_again_in_the_draft_counts_on() -> None:
    draft = Draft(Tables())
    draft.stage([created("a"), deleted("a", 2)])
    assert draft.row("tasks", "a") is None
    assert draft.rev("tasks", "a") == 0
    assert draft.next_rev("tasks", "a") == 3


def test_a_draft_over_a_draft_leaves_the_lower_one_alone() -> None:
    lower = Draft(Tables())
    lower.stage([created("a")])
    lower.pending_keys["k"] = KeyRecord(key="k", seq=0, hash="h", ids=(), at=START)
    upper = Draft(lower.tables, lower)
    upper.stage([updated("a", 2), created("b")])
    assert upper.rev("tasks", "a") == 2
    assert lower.rev("tasks", "a") == 1
    assert set(upper.changed("tasks")) == {"a", "b"}
    assert upper.changed("sessions") == {}
    assert upper.key("k") is lower.pending_keys["k"]
    assert upper.waiting() == 3


def test_fencing_tokens_never_repeat_not_even_after_everything_was_forgotten() -> None:
    tables = Tables()
    tables.lease_max = 5
    draft = Draft(tables)
    assert [draft.next_lease(), draft.next_lease()] == [6, 7]
    draft.clear()
    assert draft.next_lease() == 8
    assert Draft(tables, draft).next_lease() == 9

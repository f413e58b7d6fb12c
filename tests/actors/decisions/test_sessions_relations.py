"""Aliases, parents, links and the sweep."""

from __future__ import annotations

import pytest

from actors.decisions.decision import Rules, encode
from actors.decisions.sessions import Archived, restore
from actors.messages import sessions as ask
from actors.model.errors import AlreadyExists, Conflict, InvalidParams, NotFound, TooLarge
from actors.model.session import given_alias
from tests.kit.decided import Bench

DAY_S = 86_400.0


def session_id(number: int) -> str:
    return f"0190163d-8694-739b-aea5-{number:012x}"


@pytest.fixture
def bench() -> Bench:
    bench = Bench(rules=Rules(sessions_max=0))
    for number in range(4):
        bench.do(ask.SessionCreate(id=session_id(number), title="t", provider="p", model="m", working_directory="/w"))
    return bench


def test_an_alias_belongs_to_one_session_and_can_be_taken_away(bench: Bench) -> None:
    assert bench.do(ask.SessionAlias(id=session_id(1), alias=" login "))["alias"] == "login"
    assert not bench.decide(ask.SessionAlias(id=session_id(1), alias="login")).facts
    with pytest.raises(AlreadyExists, match="taken"):
        bench.do(ask.SessionAlias(id=session_id(2), alias="login"))
    assert bench.do(ask.SessionAlias(id=session_id(1), alias=None))["alias"] is None
    assert bench.do(ask.SessionAlias(id=session_id(2), alias="login"))["alias"] == "login"


def test_an_alias_that_is_not_durable_yet_is_taken_too(bench: Bench) -> None:
    draft = bench.draft()
    draft.stage(bench.decide(ask.SessionAlias(id=session_id(1), alias="login"), draft).facts)
    with pytest.raises(AlreadyExists):
        bench.decide(ask.SessionAlias(id=session_id(2), alias="login"), draft)
    draft.stage(bench.decide(ask.SessionAlias(id=session_id(1), alias=None), draft).facts)
    assert bench.decide(ask.SessionAlias(id=session_id(2), alias="login"), draft).facts


@pytest.mark.parametrize("text", ["", "  ", "x" * 201, "a\nb", "a\x00", session_id(1), session_id(10).upper()])
def test_what_cannot_be_an_alias_is_refused(text: str) -> None:
    with pytest.raises(InvalidParams):
        given_alias(text, "alias")


def test_a_restored_session_comes_back_without_an_alias_that_another_has_by_now(bench: Bench) -> None:
    before = bench.do(ask.SessionAlias(id=session_id(1), alias="login"))
    bench.do(ask.SessionDelete(id=session_id(1)))
    archived = Archived(encode(before), "1")
    kept = restore(bench.draft(), ask.SessionRestore(id=session_id(1)), archived, bench.at)
    assert kept.facts[0].members()["alias"] == "login"
    bench.do(ask.SessionAlias(id=session_id(2), alias="login"))
    lost = restore(bench.draft(), ask.SessionRestore(id=session_id(1)), archived, bench.at)
    assert lost.facts[0].members()["alias"] is None


def test_a_parent_is_there_and_no_descendant(bench: Bench) -> None:
    assert bench.do(ask.SessionParent(id=session_id(1), parent_id=session_id(0)))["parent_id"] == session_id(0)
    bench.do(ask.SessionParent(id=session_id(2), parent_id=session_id(1)))
    for child, parent in ((0, 0), (0, 1), (0, 2)):
        with pytest.raises(Conflict, match="descends"):
            bench.do(ask.SessionParent(id=session_id(child), parent_id=session_id(parent)))
    with pytest.raises(NotFound):
        bench.do(ask.SessionParent(id=session_id(0), parent_id=session_id(9)))
    assert bench.do(ask.SessionParent(id=session_id(1), parent_id=None))["parent_id"] is None
    assert bench.do(ask.SessionParent(id=session_id(0), parent_id=session_id(2)))["parent_id"] == session_id(2)


def test_links_are_sets_that_keep_their_order(bench: Bench) -> None:
    bench.do(ask.SessionLink(id=session_id(1), tasks=("b", "a"), projects=("p",)))
    row = bench.do(ask.SessionLink(id=session_id(1), tasks=("a", "c")))
    assert (row["task_ids"], row["projects"]) == (["b", "a", "c"], ["p"])
    assert not bench.decide(ask.SessionLink(id=session_id(1), tasks=("a",))).facts
    row = bench.do(ask.SessionUnlink(id=session_id(1), tasks=("b", "never"), projects=("p",)))
    assert (row["task_ids"], row["projects"]) == (["a", "c"], [])
    bench.do(ask.SessionLink(id=session_id(1), tasks=tuple(str(n) for n in range(998))))
    with pytest.raises(TooLarge):
        bench.do(ask.SessionLink(id=session_id(1), tasks=("one too many",)))


def test_a_sweep_labels_by_progress_and_again_changes_nothing(bench: Bench) -> None:
    bench.pass_s(15 * DAY_S)
    bench.do(ask.SessionAppend(id=session_id(0), messages=({"role": "user"},)))
    dry = bench.decide(ask.SessionSweep(dry_run=True))
    assert not dry.facts
    assert len(dry.ids) == 4
    changed = bench.do(ask.SessionSweep())["changed"]
    assert changed == [{"id": session_id(n), "from": "active", "to": "idle"} for n in (1, 2, 3)]
    assert bench.do(ask.SessionSweep()) == {"changed": []}
    bench.pass_s(16 * DAY_S)
    assert [one["to"] for one in bench.do(ask.SessionSweep())["changed"]] == [
        "idle",
        "archived",
        "archived",
        "archived",
    ]
    assert bench.do(ask.SessionSweep()) == {"changed": []}
    assert len(bench.tables.sessions) == 4


def test_progress_makes_a_swept_session_active_again(bench: Bench) -> None:
    bench.pass_s(40 * DAY_S)
    bench.do(ask.SessionSweep())
    bench.do(ask.SessionAppend(id=session_id(1), messages=({"role": "user"},)))
    assert bench.row("sessions", session_id(1))["activity"] == "active"


def test_how_long_is_idle_can_be_said(bench: Bench) -> None:
    bench.pass_s(3 * DAY_S)
    assert len(bench.do(ask.SessionSweep(idle_days=2, archive_days=10))["changed"]) == 4

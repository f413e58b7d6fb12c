"""What can become of a session."""

from __future__ import annotations

from typing import Any

import pytest

from actors.decisions.decision import Rules, encode
from actors.decisions.sessions import Archived, restore
from actors.messages import sessions as ask
from actors.model.errors import AlreadyExists, InvalidParams, NotFound
from actors.model.ids import foreign_session_id
from tests.kit.decided import START, Bench
from tests.kit.rows import a_session

SESSION = "0190163d-8694-739b-aea5-966c26f8ad91"
HELLO = {"role": "user", "content": "hello"}


@pytest.fixture
def bench() -> Bench:
    return Bench(rules=Rules(sessions_max=0))


def create(**members: Any) -> ask.SessionCreate:
    given = {"title": "t", "provider": "p", "model": "m", "working_directory": "/w", "id": SESSION} | members
    return ask.SessionCreate(**given)


def test_a_new_session_counts_its_messages_and_does_not_hold_them(bench: Bench) -> None:
    session = bench.do(create(messages=(HELLO, HELLO), metadata={"mode": "plan"}))
    assert (session["message_count"], session["rev"], session["status"]) == (2, 1, "open")
    assert session["metadata"] == {"mode": "plan"}
    assert "messages" not in session
    assert bench.lines[0].facts[0].members()["messages"] == (HELLO, HELLO)


def test_a_session_without_an_id_gets_one(bench: Bench) -> None:
    assert bench.do(create(id=None))["id"] != bench.do(create(id=None))["id"]


def test_another_tools_id_becomes_a_uuid_and_is_kept(bench: Bench) -> None:
    session = bench.do(create(id="session_1704067200001"))
    assert session["id"] == foreign_session_id("session_1704067200001")
    assert session["external_ids"] == ["session_1704067200001"]
    assert bench.do(ask.SessionLoad(id="session_1704067200001"))["id"] == session["id"]


@pytest.mark.parametrize("text", ["", "../../etc/passwd", "not-a-uuid"])
def test_what_is_no_id_of_a_session_is_refused_everywhere(bench: Bench, text: str) -> None:
    for command in (create(id=text), ask.SessionLoad(id=text), ask.SessionDelete(id=text)):
        with pytest.raises(InvalidParams):
            bench.do(command)


def test_an_id_may_be_used_once(bench: Bench) -> None:
    bench.do(create())
    with pytest.raises(AlreadyExists):
        bench.do(create())


@pytest.mark.parametrize("command", [
    ask.SessionLoad(id=SESSION), ask.SessionSave(id=SESSION), ask.SessionAppend(id=SESSION, messages=(HELLO,)),
    ask.SessionRename(id=SESSION, title="t"), ask.SessionClose(id=SESSION),
])  # fmt: skip
def test_what_is_not_there_cannot_be_changed(bench: Bench, command: Any) -> None:
    with pytest.raises(NotFound):
        bench.do(command)


@pytest.mark.parametrize(("title", "kept"), [("  x \n", "x"), ("é" * 200, "é" * 200)])
def test_a_title_is_trimmed(bench: Bench, title: str, kept: str) -> None:
    assert bench.do(create(title=title))["title"] == kept


@pytest.mark.parametrize("title", ["", " \t\n", "x" * 201])
def test_a_title_is_neither_empty_nor_too_long(bench: Bench, title: str) -> None:
    bench.do(create())
    for command in (create(id=None, title=title), ask.SessionRename(id=SESSION, title=title)):
        with pytest.raises(InvalidParams) as caught:
            bench.do(command)
        assert caught.value.details["violations"][0]["path"] == "title"


def test_a_title_that_was_given_is_kept_by_later_saves(bench: Bench) -> None:
    bench.do(create())
    bench.do(ask.SessionRename(id=SESSION, title="mine"))
    assert bench.do(ask.SessionSave(id=SESSION, model="m2", messages=(HELLO,)))["title"] == "mine"
    assert bench.do(ask.SessionSave(id=SESSION, title=" yours "))["title"] == "yours"


def test_saving_messages_replaces_them_all_and_leaving_them_out_replaces_none(bench: Bench) -> None:
    bench.do(create(messages=(HELLO, HELLO)))
    assert bench.do(ask.SessionSave(id=SESSION, provider="p2"))["message_count"] == 2
    assert "messages" not in bench.lines[-1].facts[0].members()
    assert bench.do(ask.SessionSave(id=SESSION, messages=()))["message_count"] == 0
    assert bench.lines[-1].facts[0].members()["messages"] == ()


def test_loading_touches_the_time_of_access_only(bench: Bench) -> None:
    before = bench.do(create())
    bench.pass_s(60)
    after = bench.do(ask.SessionLoad(id=SESSION))
    assert after == before | {"last_accessed_at": bench.stamp, "rev": 2}


def test_appending_counts_on_and_is_progress(bench: Bench) -> None:
    bench.do(create(messages=(HELLO,)))
    bench.pass_s(60)
    assert bench.do(ask.SessionAppend(id=SESSION, messages=(HELLO, HELLO))) == {
        "id": SESSION,
        "rev": 2,
        "message_count": 3,
    }
    row = bench.row("sessions", SESSION)
    assert row["last_progress_at"] == row["last_accessed_at"] == bench.stamp
    assert row["activity"] == "active"


def test_a_closed_session_says_when_how_and_why_and_has_no_turn(bench: Bench) -> None:
    bench.do(create())
    bench.pass_s(60)
    session = bench.do(ask.SessionClose(id=SESSION, outcome="merged", reason="shipped"))
    assert (session["status"], session["outcome"], session["closed_reason"]) == ("closed", "merged", "shipped")
    assert session["closed_at"] == bench.stamp
    assert session["current_turn_id"] is None


def test_closing_again_changes_nothing_unless_it_says_more(bench: Bench) -> None:
    bench.do(create())
    bench.do(ask.SessionClose(id=SESSION, outcome="done"))
    bench.pass_s(60)
    assert not bench.decide(ask.SessionClose(id=SESSION)).facts
    session = bench.do(ask.SessionClose(id=SESSION, reason="because"))
    assert (session["outcome"], session["closed_reason"], session["closed_at"]) == ("done", "because", START)


def test_a_closed_session_still_takes_messages(bench: Bench) -> None:
    bench.do(create())
    bench.do(ask.SessionClose(id=SESSION))
    assert bench.do(ask.SessionAppend(id=SESSION, messages=(HELLO,)))["message_count"] == 1


def test_deleting_says_whether_there_was_anything(bench: Bench) -> None:
    bench.do(create())
    assert bench.do(ask.SessionDelete(id=SESSION)) == {"id": SESSION, "deleted": True}
    assert not bench.decide(ask.SessionDelete(id=SESSION)).facts
    assert bench.do(ask.SessionDelete(id=SESSION)) == {"id": SESSION, "deleted": False}


def test_a_restored_session_is_what_it_was_and_counts_as_used_now(bench: Bench) -> None:
    before = bench.do(create(messages=(HELLO,)))
    bench.do(ask.SessionDelete(id=SESSION))
    bench.pass_s(60)
    archived = Archived(encode(before), "1")
    decision = restore(bench.draft(), ask.SessionRestore(id=SESSION), archived, bench.at)
    bench.commit(*decision.facts)
    assert bench.row("sessions", SESSION) == before | {"last_accessed_at": bench.stamp, "rev": 3}
    assert decision.facts[0].members()["archive"] == "1"


def test_what_is_there_or_was_never_there_cannot_be_restored(bench: Bench) -> None:
    with pytest.raises(NotFound):
        restore(bench.draft(), ask.SessionRestore(id=SESSION), None, bench.at)
    bench.do(create())
    with pytest.raises(AlreadyExists):
        restore(bench.draft(), ask.SessionRestore(id=SESSION), Archived(a_session(SESSION).encoded, "1"), bench.at)

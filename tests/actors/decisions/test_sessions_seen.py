"""Seeing an agent's session: one of ours is found or made, and what is known of it grows."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from actors.decisions.decision import Rules
from actors.messages import sessions as ask
from actors.model.draft import Draft
from actors.model.facts import FACTS
from tests.kit.decided import HANDLERS, START, Bench

CLAUDE = "0b3c4d5e-0000-4000-8000-000000000000"
DAY_S = 86_400.0


@pytest.fixture
def bench() -> Bench:
    return Bench(rules=Rules(sessions_max=0))


def seen(external_id: str = CLAUDE, **members: Any) -> ask.SessionSeen:
    return msgspec.convert({"external_id": external_id, **members}, ask.SessionSeen)


def test_a_session_that_nobody_knows_is_made(bench: Bench) -> None:
    reply = bench.do(seen(cwd="/w", git={"branch": "main", "head": "abc"}, first_prompt_preview="Fix  the\nlogin"))
    assert reply["minted"] is True
    assert reply["identity_resolution"] == {"source": "minted", "confidence": "minted", "matched": {}}
    session = reply["session"]
    assert session["identity_resolution"] == reply["identity_resolution"]
    assert (session["title"], session["first_prompt_preview"]) == ("Fix the login", "Fix the login")
    assert session["external_ids"] == [CLAUDE]
    assert session["id"] != CLAUDE
    assert (session["cwd"], session["working_directory"]) == ("/w", "/w")
    assert session["git"]["branch_at_start"] == session["git"]["branch"] == "main"
    assert session["last_progress_at"] == START


def test_seen_again_it_is_the_same_one(bench: Bench) -> None:
    first = bench.do(seen(git={"branch": "main", "head": "a"}, first_prompt_preview="first"))
    bench.pass_s(60)
    again = bench.do(seen(git={"branch": "feature", "head": "b"}, first_prompt_preview="second", cwd="/other"))
    assert (again["minted"], again["identity_resolution"]["confidence"]) == (False, "exact")
    session = again["session"]
    assert session["id"] == first["session"]["id"]
    assert (session["git"]["branch_at_start"], session["git"]["branch"]) == ("main", "feature")
    assert (session["git"]["head_at_start"], session["git"]["head"]) == ("a", "b")
    assert session["first_prompt_preview"] == "first"
    assert (session["cwd"], session["last_progress_at"]) == ("/other", bench.stamp)
    assert bench.lines[-1].facts[0].op == "session.seen"
    assert "session.seen" in FACTS


def test_two_that_see_it_at_once_make_one(bench: Bench) -> None:
    draft: Draft = bench.draft()
    first = bench.decide(seen(), draft)
    draft.stage(first.facts)
    second = bench.decide(seen(), draft)
    assert second.ids == (first.ids[0], "false")


def test_an_imported_session_is_known_by_the_uuid_it_had(bench: Bench) -> None:
    bench.do(msgspec.convert({"session": {"id": CLAUDE}}, ask.SessionPut))
    assert bench.do(seen())["session"]["id"] == CLAUDE


def test_a_resumed_transcript_is_found_by_its_lineage(bench: Bench) -> None:
    first = bench.do(seen(transcript={"path": "/t/1.jsonl", "first_uuid": "a", "last_uuid": "z"}))
    again = bench.do(seen("other", transcript={"path": "/t/2.jsonl", "first_parent_uuid": "z", "last_uuid": "zz"}))
    assert again["session"]["id"] == first["session"]["id"]
    assert again["identity_resolution"]["confidence"] == "high"
    assert again["session"]["external_ids"] == [CLAUDE, "other"]
    assert [one["path"] for one in again["session"]["transcript_files"]] == ["/t/1.jsonl", "/t/2.jsonl"]


def test_a_transcript_that_grew_ends_elsewhere_and_begins_where_it_did(bench: Bench) -> None:
    bench.do(seen(transcript={"path": "/t/1.jsonl", "first_uuid": "a", "last_uuid": "b"}))
    session = bench.do(seen(transcript={"path": "/t/1.jsonl", "first_uuid": "x", "last_uuid": "c"}))["session"]
    assert session["transcript_files"] == [{"path": "/t/1.jsonl", "first_uuid": "a", "last_uuid": "c"}]
    assert bench.tables.sessions.known_by("last_uuid", "b") == ()


def test_the_same_first_prompt_in_the_same_place_is_found_by_its_fingerprint(bench: Bench) -> None:
    told: dict[str, Any] = {"cwd": "/w", "fingerprints": {"first_human_prompt_v1": "p"}}
    first = bench.do(seen(**told))
    again = bench.do(seen("other", **told))
    assert (again["session"]["id"], again["identity_resolution"]["confidence"]) == (first["session"]["id"], "low")
    bench.pass_s(4 * DAY_S)
    late = bench.do(seen("late", **told))
    assert (late["minted"], late["session"]["parent_candidates"]) == (True, [first["session"]["id"]])


def test_several_that_would_do_are_candidates_of_a_new_one(bench: Bench) -> None:
    told: dict[str, Any] = {"cwd": "/w", "fingerprints": {"first_human_prompt_v1": "p"}}
    made = []
    for number in range(12):
        bench.do(
            msgspec.convert(
                {"session": {"id": f"session_{number}", "external_ids": [f"e{number}"], **told}}, ask.SessionPut
            )
        )
        made.append(bench.do(seen(f"e{number}"))["session"]["id"])
        bench.pass_s(1)
    reply = bench.do(seen("new", **told))
    assert (reply["minted"], reply["identity_resolution"]["confidence"]) == (True, "ambiguous")
    assert reply["session"]["parent_candidates"] == made[:-11:-1]
    assert reply["session"]["parent_candidates_omitted"] == 2
    assert reply["session"]["parent_id"] is None


def test_who_wants_no_preview_stored_has_none(bench: Bench) -> None:
    told: dict[str, Any] = {"first_prompt_preview": "secret", "store_first_prompt": False}
    assert bench.do(seen(**told))["session"]["first_prompt_preview"] is None
    assert bench.lines[-1].facts[0].members()["first_prompt_preview"] is None
    assert "secret" not in str(bench.lines)
    bench.do(seen("other", first_prompt_preview="stored"))
    assert bench.do(seen("other", store_first_prompt=False))["session"]["first_prompt_preview"] is None


@pytest.mark.parametrize(
    ("text", "preview"),
    [
        ("ﬁx\u00a0it", "fix it"),
        ("<system-reminder>hidden <b>x</b></system-reminder>Fix it", "Fix it"),
        (
            "<system-reminder>a<command-name>b</command-name></system-reminder> Fix <command-args>c</command-args>it",
            "Fix it",
        ),
        ("a\x1b[31mred\x00\u202e", "a [31mred"),
        ("x" * 500, "x" * 200),
        ("\U0001f600" * 300, "\U0001f600" * 200),
        ("<system-reminder>only</system-reminder>", None),
        (" \n ", None),
    ],
)
def test_previews_are_short_and_harmless(bench: Bench, text: str, preview: str | None) -> None:
    assert bench.do(seen(first_prompt_preview=text))["session"]["first_prompt_preview"] == preview


def test_seeing_makes_room_as_creating_does() -> None:
    bench = Bench(rules=Rules(sessions_max=2))
    for number in range(3):
        bench.do(seen(f"e{number}"))
        bench.pass_s(1)
    assert [fact.op for fact in bench.lines[-1].facts] == ["session.created", "session.archived"]


def test_the_reply_to_a_repeat_is_made_of_the_row_as_it_is_then(bench: Bench) -> None:
    decision = bench.decide(seen())
    bench.commit(*decision.facts)
    bench.do(ask.SessionRename(id=decision.ids[0], title="renamed"))
    reply = msgspec.json.decode(HANDLERS[ask.SessionSeen].reply(bench.tables, decision.ids))
    assert (reply["minted"], reply["session"]["title"]) == (True, "renamed")

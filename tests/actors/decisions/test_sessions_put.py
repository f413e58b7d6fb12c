"""A session that another program keeps is recorded as that program says it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from actors.decisions.decision import Rules
from actors.messages import sessions as ask
from actors.model.errors import AlreadyExists, Conflict, InvalidParams, NotFound
from actors.model.ids import foreign_session_id
from tests.kit.decided import START, Bench

OTHER = "0190163d-8694-739b-aea5-966c26f8ad92"
STABLE = "sess_01a1fcc4-540f-7a6f-bb54-ba7667975123"
UUID = STABLE.removeprefix("sess_")


@pytest.fixture
def bench() -> Bench:
    return Bench(rules=Rules(sessions_max=1))


def put(**members: Any) -> ask.SessionPut:
    given = {"id": STABLE, **members}
    return msgspec.convert({"session": given}, ask.SessionPut)


def test_a_session_that_is_new_is_made_as_it_is_told(bench: Bench) -> None:
    row = bench.do(
        put(
            title=" Login ",
            created_at="2025-06-14T12:00:00Z",
            last_accessed_at="2025-06-14T14:00:00+02:00",
            external_ids=["claude-1"],
            metadata={"a": 1},
        )
    )
    assert (row["id"], row["title"], row["rev"], row["message_count"]) == (UUID, "Login", 1, 0)
    assert row["created_at"] == row["last_accessed_at"] == "2025-06-14T12:00:00.000Z"
    assert row["external_ids"] == ["claude-1", STABLE]
    assert (row["provider"], row["model"], row["working_directory"]) == ("unknown", "unknown", "")


def test_the_same_again_changes_nothing(bench: Bench) -> None:
    bench.do(put(title="Login", git={"branch": "main"}, fingerprints={"lineage_prefix_v1": "x"}))
    again = put(title="Login", git={"branch": "main"}, fingerprints={"lineage_prefix_v1": "x"})
    assert not bench.decide(again).facts


def test_what_is_not_told_stays_as_it_is(bench: Bench) -> None:
    bench.do(put(title="Login", alias="login", projects=["p"]))
    bench.do(ask.SessionAppend(id=UUID, messages=({"role": "user"},)))
    row = bench.do(put(title="Logging in", message_count=0, rev=1))
    assert (row["title"], row["alias"], row["projects"], row["message_count"]) == ("Logging in", "login", ["p"], 1)


def test_nobody_leaves_for_a_session_that_is_recorded(bench: Bench) -> None:
    bench.do(put())
    assert [fact.op for fact in bench.decide(put(id=OTHER)).facts] == ["session.created"]


def test_one_session_known_by_two_ids_is_one(bench: Bench) -> None:
    bench.do(put(external_ids=["tool_7"]))
    assert bench.do(put(id=OTHER, external_ids=["tool_7"], title="x"))["id"] == UUID
    row = bench.do(put(id=foreign_session_id("sess_9"), external_ids=["sess_9"]))
    assert bench.do(put(id="sess_9", title="nine"))["id"] == row["id"]


def test_an_alias_belongs_to_one_session(bench: Bench) -> None:
    bench.do(put(alias="login"))
    bench.do(put(alias="login"))
    with pytest.raises(AlreadyExists, match="taken"):
        bench.do(put(id=OTHER, alias="login"))
    bench.do(put(alias=None))
    assert bench.do(put(id=OTHER, alias="login"))["alias"] == "login"


def test_a_parent_is_found_by_what_others_call_it_and_must_be_there(bench: Bench) -> None:
    bench.do(put(external_ids=["sess_5"]))
    assert bench.do(put(id=OTHER, parent_id="sess_5"))["parent_id"] == UUID
    with pytest.raises(NotFound):
        bench.do(put(id=OTHER, parent_id="sess_6"))


def test_nobody_descends_from_itself(bench: Bench) -> None:
    bench.do(put())
    bench.do(put(id=OTHER, parent_id=UUID))
    for parent in (UUID, OTHER):
        with pytest.raises(Conflict, match="descends"):
            bench.do(put(parent_id=parent))


def test_a_family_has_fifty_generations(bench: Bench) -> None:
    bench.do(put(id="session_0"))
    for number in range(1, 50):
        bench.do(put(id=f"session_{number}", parent_id=f"session_{number - 1}"))
    with pytest.raises(Conflict, match="50"):
        bench.do(put(id="session_50", parent_id="session_49"))


def test_two_families_that_are_joined_have_fifty_generations_together(bench: Bench) -> None:
    for family in ("old", "young"):
        bench.do(put(id=f"session_{family}_0"))
        for number in range(1, 26):
            bench.do(put(id=f"session_{family}_{number}", parent_id=f"session_{family}_{number - 1}"))
    with pytest.raises(Conflict, match="50"):
        bench.do(put(id="session_young_0", parent_id="session_old_24"))
    joined = bench.do(put(id="session_young_0", parent_id="session_old_23"))
    assert joined["parent_id"] == foreign_session_id("session_old_23")


def test_a_closed_session_has_an_end_and_no_turn(bench: Bench) -> None:
    row = bench.do(put(status="closed", outcome="merged", current_turn_id="t"))
    assert (row["closed_at"], row["current_turn_id"], row["outcome"]) == (START, None, "merged")
    assert bench.do(put(status="closed", closed_at="2025-01-01"))["closed_at"] == "2025-01-01T00:00:00.000Z"


@pytest.mark.parametrize("members", [{"created_at": "soon"}, {"title": " "}, {"id": "../x"}])
def test_what_is_wrong_is_named(bench: Bench, members: dict[str, Any]) -> None:
    with pytest.raises(InvalidParams):
        bench.do(put(**members))

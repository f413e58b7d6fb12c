"""Session identity over the socket: what sessions-db does, on a Perdure that is killed in between."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from tests.kit.perdure import Perdure, Wire
from tests.scenario.conftest import Make

CLAUDE = "0b3c4d5e-0000-4000-8000-000000000000"


@pytest.fixture
def whole(make: Make) -> Perdure:
    one = make(sessions__max="0")
    one.start()
    return one


def seen(wire: Wire, external_id: str = CLAUDE, **members: Any) -> dict[str, Any]:
    reply: dict[str, Any] = wire.call("session.seen", external_id=external_id, **members)
    return reply


def test_a_session_is_recognised_after_every_kind_of_death(whole: Perdure) -> None:
    transcript = {"path": "/t/1.jsonl", "first_uuid": "a", "last_uuid": "z"}
    with whole.wire() as wire:
        first = seen(wire, cwd="/w", transcript=transcript, fingerprints={"first_human_prompt_v1": "p"})["session"][
            "id"
        ]
        wire.call("session.alias", id=first, alias="login")
    whole.kill_runtime()
    assert whole.call("session.find", alias="login")["sessions"][0]["id"] == first
    with whole.wire() as wire:
        assert seen(wire)["session"]["id"] == first
    whole.kill_root()
    whole.start()
    with whole.wire() as wire:
        resumed = {"path": "/t/2.jsonl", "first_parent_uuid": "z", "last_uuid": "zz"}
        by_lineage = seen(wire, "resumed", transcript=resumed)
        assert (by_lineage["session"]["id"], by_lineage["identity_resolution"]["confidence"]) == (first, "high")
        by_print = seen(wire, "elsewhere", cwd="/w", fingerprints={"first_human_prompt_v1": "p"})
        assert (by_print["session"]["id"], by_print["identity_resolution"]["confidence"]) == (first, "low")
        other = seen(wire, "another")
        assert (other["minted"], other["identity_resolution"]["confidence"]) == (True, "minted")
        taken = wire.fault("session.alias", id=other["session"]["id"], alias="login")
        assert (taken["data"]["kind"], taken["data"]["hint"] != "") == ("already_exists", True)


def test_every_sighting_is_in_the_journal_with_how_it_was_resolved(whole: Perdure) -> None:
    with whole.wire() as wire:
        seen(wire)
        seen(wire)
        events = wire.call("event.list", kinds=["session.*"])["events"]
    assert [event["kind"] for event in events] == ["session.created", "session.seen"]
    confidences = [event["data"]["identity_resolution"]["confidence"] for event in events]
    assert confidences == ["minted", "exact"]


def test_many_hooks_that_see_one_session_at_once_make_one(whole: Perdure) -> None:
    found: list[dict[str, Any]] = []

    def hook() -> None:
        with whole.wire() as wire:
            found.append(seen(wire))

    threads = [threading.Thread(target=hook) for _number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({one["session"]["id"] for one in found}) == 1
    assert sum(one["minted"] for one in found) == 1
    assert len(whole.call("session.list")["sessions"]) == 1


def test_lineage_links_and_sweep_work_as_they_are_worded(whole: Perdure) -> None:
    with whole.wire() as wire:
        parent, child = seen(wire, "e1")["session"]["id"], seen(wire, "e2")["session"]["id"]
        assert wire.call("session.parent", id=child, parent_id=parent)["parent_id"] == parent
        assert wire.fault("session.parent", id=parent, parent_id=child)["data"]["kind"] == "conflict"
        (root,) = wire.call("session.tree")["roots"]
        assert (root["session"]["id"], root["children"][0]["session"]["id"]) == (parent, child)
        assert wire.call("session.link", id=child, tasks=["t1"], projects=["p"])["task_ids"] == ["t1"]
        assert wire.call("session.find", task_id="t1")["sessions"][0]["id"] == child
        assert wire.call("session.unlink", id=child, tasks=["t1"])["task_ids"] == []
        changed = wire.call("session.sweep", idle_days=0, archive_days=1, dry_run=True)["changed"]
        assert {one["id"] for one in changed} == {parent, child}
        assert wire.call("session.get", id=parent)["activity"] == "active"
        wire.call("session.sweep", idle_days=0, archive_days=1)
        assert wire.call("session.get", id=parent)["activity"] == "idle"
        assert wire.call("session.sweep", idle_days=0, archive_days=1) == {"changed": []}


@pytest.mark.parametrize(
    ("method", "params", "path"),
    [
        ("session.seen", {"external_id": ""}, "external_id"),
        ("session.seen", {"external_id": "x", "git": {"brunch": "main"}}, "git"),
        ("session.seen", {"external_id": "x", "transcript": {"first_uuid": "a"}}, "transcript"),
        ("session.alias", {"id": CLAUDE, "alias": " "}, "alias"),
        ("session.alias", {"id": CLAUDE, "alias": CLAUDE}, "alias"),
        ("session.sweep", {"idle_days": -1}, "idle_days"),
        ("session.put", {"session": {"id": "x", "transcript_files": [{"path": "/p", "x": 1}]}}, "session"),
    ],
)
def test_what_is_wrong_is_named(whole: Perdure, method: str, params: dict[str, Any], path: str) -> None:
    with whole.wire() as wire:
        error = wire.fault(method, **params)
    assert error["data"]["kind"] == "invalid_params"
    assert any(violation["path"].startswith(path) for violation in error["data"]["violations"])

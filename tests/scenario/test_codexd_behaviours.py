"""What codexd's state store does, one test for each behaviour, through the socket. Their names are the table.

Its managed child is a service here (`test_services` has what supervision adds), its registries are the sessions and the
runs, its structured log is the journal, its recent events are a cache that state.json carries.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from tests.kit.perdure import Perdure, Wire, eventually, perdure
from tests.kit.services import configure, output_of, running, server, until
from tests.scenario.conftest import Make

CHILD = {"strategy", "mode", "endpoint", "status", "command", "args", "cwd", "pid", "started_at", "exited_at"} | {
    "exit_code",
    "signal",
    "last_error",
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Perdure]:
    with perdure(tmp_path_factory.mktemp("c") / "p") as one:
        one.start()
        yield one


@pytest.fixture
def wire(whole: Perdure) -> Iterator[Wire]:
    with whole.wire() as one:
        yield one


def recorded(wire: Wire, number: int) -> dict[str, Any]:
    row: dict[str, Any] = wire.call("event.record", type="test", message=f"event {number}", detail={"n": number})
    return row


def events(wire: Wire, after_seq: int = 0) -> list[dict[str, Any]]:
    """Every recorded event after a seq, oldest first."""
    found: list[dict[str, Any]] = []
    while True:
        page = wire.call("event.list", after_seq=after_seq, kinds=["event.recorded"], limit=1000)
        found += page["events"]
        if page["next_seq"] <= after_seq or not page["events"]:
            return [event for event in found if event["data"]["type"] == "test"]
        after_seq = page["next_seq"]


def test_the_identity_is_made_once_whatever_happens(make: Make) -> None:
    whole = make()
    whole.start()
    first = whole.call("runtime.status")["identity"]
    assert set(first) == {"daemon_id", "node_id", "repo_root", "created_at", "version"}
    assert str(uuid.UUID(first["daemon_id"])) == first["daemon_id"]
    whole.kill_runtime()
    assert whole.call("runtime.status")["identity"] == first
    whole.kill_root()
    whole.start()
    assert whole.call("runtime.status")["identity"] == first
    assert json.loads((whole.state_path / "identity.json").read_bytes()) == first


def status_of_this_life(whole: Perdure) -> dict[str, Any]:
    """The status, once the start is on record: that is this life's first fact, just after it serves."""

    def look() -> dict[str, Any] | None:
        status: dict[str, Any] = whole.call("runtime.status")
        daemon = status["daemon"]
        return status if daemon and daemon["started"] and daemon["pid"] == whole.root_pid else None

    status: dict[str, Any] = eventually(look, "the record of the start")
    return status


def test_the_daemon_record_says_started_then_stopped_and_a_stale_start_is_repaired(make: Make) -> None:
    whole = make()
    whole.start()
    first = status_of_this_life(whole)["daemon"]
    assert first["stopped_at"] is None
    assert first["updated_at"] >= first["started_at"]
    assert whole.stop() == 0
    told = json.loads((whole.state_path / "state.json").read_bytes())["daemon"]
    assert (told["started"], told["pid"]) == (False, None)
    assert told["stopped_at"] >= first["started_at"]
    whole.start()
    status = status_of_this_life(whole)
    assert (status["recovery"]["was_clean"], status["daemon"]["stopped_at"]) == (True, None)
    whole.kill_root()
    whole.start()
    again = status_of_this_life(whole)
    assert again["recovery"]["was_clean"] is False
    assert again["daemon"]["started_at"] > status["daemon"]["started_at"]


def test_a_service_has_the_record_of_a_managed_child_through_its_life(make: Make) -> None:
    whole = make()
    given = server("counts")
    configure(whole, {"child": given})
    whole.start()
    row = running(whole, "child")
    assert set(row) >= CHILD
    assert (row["command"], row["args"]) == (given["command"], given["args"])
    assert (row["exited_at"], row["exit_code"], row["last_error"]) == (None, None, None)
    assert row["started_at"]
    assert row["pid"] > 0
    eventually(lambda: output_of(whole, row["run_id"]), "it counts, and hears")
    whole.call("service.stop", name="child")
    stopped = until(whole, "child", lambda row: row["status"] == "stopped", "stops")
    assert (stopped["pid"], stopped["exit_code"], stopped["signal"]) == (None, 0, None)
    assert stopped["exited_at"] >= stopped["started_at"]


def test_its_configured_part_is_refreshed_from_the_configuration_and_the_rest_kept(make: Make) -> None:
    whole = make()
    configure(whole, {"child": server("counts")})
    whole.start()
    first = running(whole, "child")
    assert whole.stop() == 0
    other = server("deaf")
    configure(whole, {"child": {**other, "stop_grace_s": 0.1}})
    whole.start()
    row = running(whole, "child", lives=2)
    assert (row["args"], row["lives"]) == (other["args"], 2)
    assert row["rev"] > first["rev"]


def test_what_a_child_prints_is_kept_by_stream(make: Make) -> None:
    whole = make()
    configure(whole, {"child": server("counts")})
    whole.start()
    life = running(whole, "child")["run_id"]
    eventually(lambda: "line 3\n" in output_of(whole, life), "its output")
    whole.kill_runtime()
    whole.call("service.stop", name="child")
    run = whole.call("run.get", id=life)
    assert output_of(whole, life).endswith("bye\n")
    assert whole.call("run.output", id=life, stream="stderr", offset=0, limit=100)["data"] == ""
    stdout = (whole.state_path / run["stdout"]["path"]).read_bytes()
    assert (stdout.decode(), len(stdout)) == (output_of(whole, life), run["stdout"]["bytes"])


def test_the_run_registry_takes_what_it_does_not_know_and_changes_what_it_knows(wire: Wire) -> None:
    run = {"id": "turn-1", "tool": "codex", "status": "running", "pid": 4711}
    made = wire.call("run.put", run=run)
    assert {name: made[name] for name in run} == run
    closed = wire.call("run.put", run={"id": "turn-1", "status": "exited", "exit_code": 0, "pid": None})
    assert (closed["tool"], closed["status"], closed["exit_code"], closed["pid"]) == ("codex", "exited", 0, None)
    assert wire.call("run.get", id="turn-1") == closed
    assert [row["id"] for row in wire.call("run.list")["runs"]].count("turn-1") == 1


def test_a_run_that_nobody_knows_is_told_as_not_found(wire: Wire) -> None:
    assert wire.fault("run.get", id="nobody")["data"]["kind"] == "not_found"


def test_the_session_registry_takes_what_it_does_not_know_and_changes_what_it_knows(wire: Wire) -> None:
    session_id = str(uuid.uuid4())
    session = {"id": session_id, "title": "one", "model": "gpt", "current_turn_id": "turn-7"}
    made = wire.call("session.put", session=session)
    assert {name: made[name] for name in session} == session
    put = wire.call("session.put", session={"id": session_id, "title": "two"})
    assert (put["title"], put["model"], put["current_turn_id"]) == ("two", "gpt", "turn-7")
    assert [row["id"] for row in wire.call("session.list", limit=1000)["sessions"]].count(session_id) == 1


def test_closing_a_session_ends_its_turn(wire: Wire) -> None:
    session_id = str(uuid.uuid4())
    wire.call("session.put", session={"id": session_id, "title": "one", "current_turn_id": "turn-7"})
    closed = wire.call("session.close", id=session_id)
    assert (closed["status"], closed["current_turn_id"]) == ("closed", None)
    assert wire.call("session.close", id=session_id) == closed


def test_closing_a_session_that_nobody_knows_is_told_as_not_found(wire: Wire) -> None:
    assert wire.fault("session.close", id=str(uuid.uuid4()))["data"]["kind"] == "not_found"


def test_an_event_has_level_type_message_detail_and_time(wire: Wire) -> None:
    row = wire.call("event.record", type="child:output", message="hello", level="warning", detail={"a": [1]})
    assert {name: row[name] for name in ("type", "message", "level", "detail")} == {
        "type": "child:output",
        "message": "hello",
        "level": "warning",
        "detail": {"a": [1]},
    }
    assert row["created_at"].endswith("Z")
    assert wire.call("event.record", type="x", message="y")["detail"] is None


def test_an_event_reaches_who_listens(whole: Perdure, wire: Wire) -> None:
    with whole.wire() as listener:
        listener.call("event.subscribe", kinds=["event.recorded"])
        row = recorded(wire, 1)
        assert listener.event()["events"][0]["data"] == row


def test_recent_events_have_a_bound_of_their_own_and_older_ones_are_still_listed(make: Make) -> None:
    whole = make(events__cache_size="5")
    whole.start()
    with whole.wire() as wire:
        for number in range(12):
            recorded(wire, number)
        wire.call("state.save")
        kept = json.loads((whole.state_path / "state.json").read_bytes())["recent_events"]
        assert [row["detail"]["n"] for row in kept] == [7, 8, 9, 10, 11]
        assert [event["data"]["detail"]["n"] for event in events(wire)] == list(range(12))


def test_no_crash_reuses_a_seq(make: Make) -> None:
    whole = make(events__cache_size="2")
    whole.start()
    seen: list[int] = []
    for death in (whole.kill_runtime, whole.kill_root, whole.kill_runtime, whole.stop):
        with whole.wire() as wire:
            for number in range(3):
                recorded(wire, number)
            seen += [event["seq"] for event in events(wire, seen[-1] if seen else 0)]
        death()
        if not whole.is_up:
            whole.start()
    with whole.wire() as wire:
        recorded(wire, 0)
        assert [event["seq"] for event in events(wire)][: len(seen)] == seen
        assert events(wire, seen[-1])[-1]["seq"] > seen[-1]
    assert len(seen) == 12
    assert seen == sorted(set(seen))


def test_a_snapshot_is_a_copy_that_nobody_can_change(whole: Perdure, wire: Wire) -> None:
    session_id = str(uuid.uuid4())
    wire.call("session.put", session={"id": session_id, "title": "mine", "metadata": {"a": [1]}})
    with whole.client() as client:
        status, session = client.call("runtime.status"), client.call("session.get", id=session_id)
        status["identity"]["daemon_id"] = status["daemon"]["started"] = "changed"
        session["metadata"]["a"].append(2)
        assert client.call("runtime.status")["identity"] != status["identity"]
        assert client.call("runtime.status")["daemon"]["started"] is True
        assert client.call("session.get", id=session_id)["metadata"] == {"a": [1]}


def test_the_status_snapshot_has_all_that_codexds_has(wire: Wire) -> None:
    status = wire.call("runtime.status")
    assert {"config", "identity", "daemon", "counts", "seq"} <= set(status)
    state = wire.call("state.get")
    assert {"identity", "daemon", "sessions", "runs", "recent_events"} <= set(state)


def test_a_failing_mutation_does_not_stop_those_after_it(wire: Wire) -> None:
    session_id = str(uuid.uuid4())
    asked: list[tuple[str, dict[str, Any]]] = [
        ("session.put", {"session": {"id": session_id, "title": "one"}}),
        ("session.put", {"session": {"id": "../x"}}),
        ("run.put", {"run": {"id": ".."}}),
        ("session.close", {"id": str(uuid.uuid4())}),
        ("event.record", {"type": 5}),
        ("session.rename", {"id": session_id, "title": "two"}),
    ]
    calls = [wire.post(method, **params) for method, params in asked]
    replies = {reply["id"]: reply for reply in (wire.reply() for _ in asked)}
    assert ["error" in replies[call] for call in calls] == [False, True, True, True, True, False]
    assert wire.call("session.get", id=session_id)["title"] == "two"

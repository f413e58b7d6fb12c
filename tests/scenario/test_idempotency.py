"""Exactly once: a command that is repeated with its key takes effect once, and a batch takes effect whole or not."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.kit.perdure import Perdure, Wire, frame, perdure

NEW_SESSION = {"title": "Login", "provider": "anthropic", "model": "opus", "working_directory": "/home/me/project"}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Perdure]:
    """One Perdure for the tests that leave nothing changed."""
    with perdure(tmp_path_factory.mktemp("shared")) as one:
        one.start()
        yield one


def seq(wire: Wire) -> int:
    """The seq that is durable."""
    found: int = wire.call("runtime.ping")["seq"]
    return found


def test_a_repeat_changes_nothing_and_returns_the_row_as_it_is_then(running: Perdure) -> None:
    with running.wire() as wire:
        task = wire.call("task.create", description="once", idempotency_key="k")
        changed = wire.call("task.update", id=task["id"], priority=0)
        before = seq(wire)
        again = wire.call("task.create", description="once", idempotency_key="k")
        assert again == changed
        assert seq(wire) == before
        assert len(wire.call("task.list")["tasks"]) == 1


def test_a_repeat_is_known_over_another_connection_a_crash_a_snapshot_and_a_restart(running: Perdure) -> None:
    with running.wire() as wire:
        task = wire.call("task.create", description="once", idempotency_key="k")

    def assert_known() -> None:
        with running.wire() as wire:
            assert wire.call("task.create", description="once", idempotency_key="k") == task
            conflict = wire.fault("task.create", description="twice", idempotency_key="k")
            assert conflict["data"]["kind"] == "conflict"
            assert len(wire.call("task.list")["tasks"]) == 1

    assert_known()
    running.call("actor.kill", name="tasks", how="crash")
    assert_known()
    running.call("actor.kill", name="writer", how="crash")
    assert_known()
    running.kill_runtime()
    assert_known()
    running.call("state.save")
    running.kill_root()
    running.start()
    assert_known()


def test_members_of_the_parameters_may_come_in_any_order(running: Perdure) -> None:
    with running.wire() as wire:
        params = {"description": "x", "metadata": {"a": 1, "b": {"c": 2, "d": 3}}, "idempotency_key": "k"}
        task = wire.call("task.create", **params)
        turned = {"idempotency_key": "k", "metadata": {"b": {"d": 3, "c": 2}, "a": 1}, "description": "x"}
        assert wire.call("task.create", **turned) == task


def test_repeats_that_are_under_way_together_take_effect_once(running: Perdure) -> None:
    wires = [running.wire() for _ in range(16)]
    try:
        request = frame("task.create", 1, description="once", idempotency_key="k")
        for wire in wires:
            wire.send(request * 4)
        replies = [wire.reply() for wire in wires for _ in range(4)]
        assert len({reply["result"]["id"] for reply in replies}) == 1
        assert len(wires[0].call("task.list")["tasks"]) == 1
        assert sum(fact["op"] == "task.created" for line in running.journal() for fact in line["facts"]) == 1
    finally:
        for wire in wires:
            wire.close()


def test_errors_are_not_remembered(running: Perdure) -> None:
    with running.wire() as wire:
        task_id = wire.call("task.create", description="x")["id"]
        assert wire.fault("task.complete", id=task_id, idempotency_key="k")["data"]["kind"] == "invalid_transition"
        wire.call("task.start", id=task_id)
        assert wire.call("task.complete", id=task_id, idempotency_key="k")["status"] == "completed"


def test_a_claim_that_found_nothing_is_not_remembered(running: Perdure) -> None:
    with running.wire() as wire:
        assert wire.call("task.claim", worker="w", idempotency_key="k") is None
        task_id = wire.call("task.create", description="x")["id"]
        claimed = wire.call("task.claim", worker="w", idempotency_key="k")
        assert claimed["id"] == task_id
        wire.call("task.create", description="another")
        assert wire.call("task.claim", worker="w", idempotency_key="k") == claimed


def test_a_repeat_after_the_row_is_gone_does_not_bring_it_back(running: Perdure) -> None:
    with running.wire() as wire:
        task_id = wire.call("task.create", description="x", idempotency_key="k")["id"]
        wire.call("task.delete", id=task_id)
        before = seq(wire)
        wire.ask("task.create", description="x", idempotency_key="k")
        assert seq(wire) == before
        assert wire.call("task.list")["tasks"] == []


@pytest.mark.parametrize("key", ["x" * 201, "é" * 101, 5, ["k"]])
def test_what_cannot_be_a_key_is_refused(key: Any, shared: Perdure) -> None:
    with shared.wire() as wire:
        error = wire.fault("task.create", description="x", idempotency_key=key)
        assert [violation["path"] for violation in error["data"]["violations"]] == ["idempotency_key"]
        assert wire.fault("task.get", id="x", idempotency_key="k")["data"]["kind"] == "invalid_params"


def test_every_mutating_method_is_repeated_without_a_second_effect(running: Perdure) -> None:
    with running.wire() as wire:
        task_id = wire.call("task.create", description="x")["id"]
        session_id = wire.call("session.create", **NEW_SESSION)["id"]
        commands: list[tuple[str, dict[str, Any]]] = [
            ("task.log", {"id": task_id, "message": "once"}),
            ("task.update", {"id": task_id, "priority": 1}),
            ("task.start", {"id": task_id}),
            ("task.fail", {"id": task_id, "error": "x"}),
            ("task.reopen", {"id": task_id}),
            ("task.cancel", {"id": task_id}),
            ("task.save", {"task": {"id": "saved", "description": "x"}}),
            ("session.append", {"id": session_id, "messages": [{"n": 1}]}),
            ("session.rename", {"id": session_id, "title": "y"}),
            ("session.load", {"id": session_id}),
            ("session.save", {"id": session_id, "messages": [{"n": 1}, {"n": 2}]}),
            ("session.close", {"id": session_id}),
            ("session.delete", {"id": session_id}),
            ("session.restore", {"id": session_id}),
            ("log.append", {"session_id": session_id, "text": "once\n"}),
            ("report.save", {"data": 1}),
            ("run.put", {"run": {"id": "run"}}),
            ("event.record", {"type": "a", "message": "b"}),
            ("batch.apply", {"commands": [{"method": "task.create", "params": {"description": "one of a batch"}}]}),
        ]
        for number, (method, params) in enumerate(commands):
            first = wire.call(method, **params, idempotency_key=f"k{number}")
            before = seq(wire)
            assert wire.call(method, **params, idempotency_key=f"k{number}") == first, method
            assert seq(wire) == before, method


def test_a_batch_over_tasks_and_sessions_is_one_line_of_the_journal(running: Perdure) -> None:
    with running.wire() as wire:
        session_id = wire.call("session.create", **NEW_SESSION)["id"]
        commands = [
            {"method": "task.create", "params": {"id": "one", "description": "x", "session_id": session_id}},
            {"method": "task.create", "params": {"id": "two", "description": "y", "depends_on": ["one"]}},
            {"method": "session.append", "params": {"id": session_id, "messages": [{"role": "user"}]}},
            {"method": "run.put", "params": {"run": {"id": "r", "task_id": "one"}}},
            {"method": "event.record", "params": {"type": "batch", "message": "together"}},
        ]
        before = seq(wire)
        results = wire.call("batch.apply", commands=commands)["results"]
        assert [result["id"] for result in results[:2]] == ["one", "two"]
        assert seq(wire) == before + 1
        (line,) = [line for line in running.journal() if line["seq"] == before + 1]
        ops = [fact["op"] for fact in line["facts"]]
        assert ops == ["task.created", "task.created", "session.appended", "run.recorded", "event.recorded"]


@pytest.mark.parametrize(
    ("bad", "kind"),
    [
        ({"method": "task.create", "params": {"id": "there", "description": "x"}}, "already_exists"),
        ({"method": "task.complete", "params": {"id": "there"}}, "invalid_transition"),
        ({"method": "task.update", "params": {"id": "there", "if_rev": 7000}}, "conflict"),
        ({"method": "session.append", "params": {"id": f"{0:032d}", "messages": [{}]}}, "not_found"),
        ({"method": "task.create", "params": {}}, "invalid_params"),
        ({"method": "task.get", "params": {"id": "there"}}, "invalid_params"),
        ({"method": "task.heartbeat", "params": {"id": "there", "lease": 1}}, "invalid_params"),
    ],
)
def test_a_batch_with_one_bad_command_changes_nothing(bad: dict[str, Any], kind: str, shared: Perdure) -> None:
    with shared.wire() as wire:
        wire.call("task.save", task={"id": "there", "description": "x"})
        session_id = wire.call("session.create", **NEW_SESSION)["id"]
        before = wire.call("state.get")
        good = [
            {"method": "task.create", "params": {"description": "would be made"}},
            {"method": "session.append", "params": {"id": session_id, "messages": [{"role": "user"}]}},
        ]
        error = wire.fault("batch.apply", commands=[*good, bad, *good])
        assert error["data"]["kind"] == kind
        after = wire.call("state.get")
        assert {**after, "last_saved": None} == {**before, "last_saved": None}
        assert wire.call("session.messages", id=session_id)["messages"] == []


def test_the_violations_of_all_commands_of_a_batch_are_told_at_once(shared: Perdure) -> None:
    with shared.wire() as wire:
        commands = [{"method": "task.create", "params": {}}, {"method": "task.start", "params": {"id": 5, "x": 1}}]
        violations = wire.fault("batch.apply", commands=commands)["data"]["violations"]
        paths = {violation["path"] for violation in violations}
        assert paths == {"commands[0].params.description", "commands[1].params.id", "commands[1].params.x"}

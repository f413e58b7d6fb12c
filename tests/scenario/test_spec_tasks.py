"""Tasks as the specification words them: rows, ids, transitions, claims, dependencies, keys and batches, over a socket.

One Perdure serves the whole module. Tests do not disturb each other: each makes its own ids, and what claims asks for a
tool that nobody else uses.
"""

import itertools
import re
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.kit.perdure import Perdure, Wire, eventually, perdure

MEMBERS = [
    "id",
    "description",
    "status",
    "tool",
    "created_at",
    "updated_at",
    "started_at",
    "completed_at",
    "logs",
    "result",
    "error",
    "priority",
    "session_id",
    "depends_on",
    "attempts",
    "max_attempts",
    "worker",
    "lease",
    "lease_expires_at",
    "metadata",
    "rev",
]
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
STATUSES = ("pending", "running", "completed", "failed", "cancelled")
COMMANDS = ("start", "complete", "fail", "cancel", "reopen")
AFTER = {
    ("pending", "start"): "running",
    ("pending", "cancel"): "cancelled",
    ("running", "complete"): "completed",
    ("running", "fail"): "failed",
    ("running", "cancel"): "cancelled",
    ("completed", "reopen"): "pending",
    ("failed", "reopen"): "pending",
    ("cancelled", "reopen"): "pending",
}
"""The table of the specification; what is not in it is an invalid transition."""

SEED: dict[str, Any] = {
    "id": "task_1234567890",
    "description": "Implement authentication",
    "status": "completed",
    "tool": "CLAUDECODE",
    "created_at": "2024-01-01T10:00:00Z",
    "updated_at": "2024-01-01T11:30:00Z",
    "started_at": "2024-01-01T10:05:00Z",
    "completed_at": "2024-01-01T11:30:00Z",
    "logs": [{"timestamp": "2024-01-01T10:05:00Z", "level": "info", "type": "system", "message": "Task started"}],
    "result": {"files_created": ["auth.js", "auth.test.js"], "tests_passed": True},
}
"""The task that the persistence document shows."""

NUMBERS = itertools.count(1)


def fresh(stem: str = "t") -> str:
    """A word that no other test uses."""
    return f"{stem}-{next(NUMBERS)}-{uuid.uuid4().hex[:8]}"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Perdure]:
    with perdure(tmp_path_factory.mktemp("tasks") / "p") as one:
        one.start()
        eventually(lambda: one.call("runtime.ping")["seq"], "its own first fact, which would move a seq later")
        yield one


@pytest.fixture
def another(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Perdure]:
    """One that a test may kill."""
    with perdure(tmp_path_factory.mktemp("killed") / "p") as one:
        one.start()
        yield one


@pytest.fixture
def wire(whole: Perdure) -> Iterator[Wire]:
    with whole.wire() as one:
        yield one


def seq(wire: Wire) -> int:
    number: int = wire.call("runtime.ping")["seq"]
    return number


def made(wire: Wire, **params: Any) -> str:
    task_id: str = wire.call("task.create", **{"description": "some work", **params})["id"]
    return task_id


def made_as(wire: Wire, status: str) -> str:
    """A task in that status, brought there by commands."""
    task_id = made(wire)
    for command in {
        "pending": (),
        "running": ("start",),
        "completed": ("start", "complete"),
        "failed": ("start", "fail"),
        "cancelled": ("cancel",),
    }[status]:
        do(wire, command, task_id)
    assert wire.call("task.get", id=task_id)["status"] == status
    return task_id


def do(wire: Wire, command: str, task_id: str) -> dict[str, Any]:
    more = {"error": "it broke"} if command == "fail" else {}
    return wire.ask(f"task.{command}", id=task_id, **more)


def time_of(text: str) -> datetime:
    return datetime.fromisoformat(text)


def paths(error: dict[str, Any]) -> set[str]:
    assert error["code"] == -32602
    assert error["data"]["kind"] == "invalid_params"
    for violation in error["data"]["violations"]:
        assert violation["message"]
    return {violation["path"] for violation in error["data"]["violations"]}


class TestRows:
    def test_a_new_task_has_every_member_and_no_other(self, wire: Wire) -> None:
        assert sorted(wire.call("task.create", description="x")) == sorted(MEMBERS)

    def test_a_new_task_has_the_defaults(self, wire: Wire) -> None:
        task = wire.call("task.create", description="x")
        assert (task["status"], task["priority"], task["rev"], task["attempts"]) == ("pending", 5, 1, 0)
        assert (task["logs"], task["depends_on"], task["metadata"]) == ([], [], {})
        nothing = [
            "tool",
            "started_at",
            "completed_at",
            "result",
            "error",
            "session_id",
            "worker",
            "lease",
            "lease_expires_at",
        ]
        assert [task[name] for name in nothing] == [None] * len(nothing)
        assert isinstance(task["id"], str)
        assert isinstance(task["max_attempts"], int)

    def test_what_was_given_is_what_get_says(self, wire: Wire) -> None:
        other = made(wire)
        given = {
            "id": fresh(),
            "description": "zwei\nZeilen\u2028 und \U0001f600 \x00",
            "tool": "CODEX",
            "priority": 0,
            "depends_on": [other],
            "max_attempts": 7,
            "metadata": {"deep": [{"a": None, "b": 2**53, "c": 1.5, "d": "\u2029"}]},
        }
        reply = wire.call("task.create", **given)
        assert {name: reply[name] for name in given} == given
        assert wire.call("task.get", id=given["id"]) == reply

    def test_times_are_utc_with_milliseconds_and_z(self, wire: Wire) -> None:
        task_id = made_as(wire, "completed")
        wire.call("task.log", id=task_id, message="m")
        task = wire.call("task.get", id=task_id)
        for name in ("created_at", "updated_at", "started_at", "completed_at"):
            assert TIME.fullmatch(task[name]), name
        assert TIME.fullmatch(task["logs"][0]["timestamp"])

    def test_every_change_returns_the_row_with_the_next_rev(self, wire: Wire) -> None:
        task = wire.call("task.create", description="x")
        steps: list[tuple[str, dict[str, Any]]] = [
            ("update", {"priority": 1}),
            ("start", {}),
            ("complete", {"result": 1}),
            ("reopen", {}),
            ("cancel", {"reason": "enough"}),
        ]
        for rev, (command, params) in enumerate(steps, start=2):
            changed = wire.call(f"task.{command}", id=task["id"], **params)
            assert changed["rev"] == rev, command
            assert changed["updated_at"] >= task["updated_at"]
            assert wire.call("task.get", id=task["id"]) == changed
            task = changed

    @pytest.mark.parametrize("result", [None, 0, False, "", "text", [1, [2]], {"a": {"b": None}}])
    def test_a_result_is_any_json(self, wire: Wire, result: Any) -> None:
        task_id = made_as(wire, "running")
        task = wire.call("task.complete", id=task_id, result=result)
        assert task["result"] == result
        assert TIME.fullmatch(task["completed_at"])

    @pytest.mark.parametrize("error", ["it broke", {"kind": "timeout", "message": "it broke"}])
    def test_an_error_is_text_or_kind_and_message(self, wire: Wire, error: Any) -> None:
        task = wire.call("task.fail", id=made_as(wire, "running"), error=error)
        assert task["status"] == "failed"
        assert "it broke" in str(task["error"])

    @pytest.mark.parametrize("error", [5, None, ["it broke"], True, {"kind": "timeout", "message": 5}])
    def test_an_error_of_another_type_is_refused(self, wire: Wire, error: Any) -> None:
        task_id = made_as(wire, "running")
        assert paths(wire.fault("task.fail", id=task_id, error=error))
        assert wire.call("task.get", id=task_id)["status"] == "running"

    def test_failing_needs_an_error(self, wire: Wire) -> None:
        assert paths(wire.fault("task.fail", id=made_as(wire, "running"))) == {"error"}


class TestIds:
    @pytest.mark.parametrize("character", '/\\:*?"<>|')
    def test_what_no_file_name_holds_is_removed(self, wire: Wire, character: str) -> None:
        name = fresh()
        reply = wire.call("task.create", description="x", id=f"{character}{name}{character}{character}z")
        assert reply["id"] == f"{name}z"
        assert wire.call("task.get", id=f"{name}z") == reply

    def test_what_is_left_keeps_everything_else(self, wire: Wire) -> None:
        name = f"é ü.txt -_~'{{}}\U0001f600 {fresh()}"
        assert wire.call("task.create", description="x", id=name)["id"] == name

    @pytest.mark.parametrize(
        "bad",
        [
            "",
            "///",
            '\\:*?"<>|',
            ".",
            "..",
            "../",
            "/./.",
            ".hidden",
            "/.hidden",
            "a\x00b",
            "a\nb",
            "a\tb",
            "a\x1fb",
            "a\x7fb",
            "a\x85b",
            "x" * 201,
            "é" * 101,
            "CON",
            "con",
            "C:O:N",
            "nul",
            "PRN",
            "AUX",
            "COM1",
            "lpt9",
        ],
    )
    def test_an_id_that_is_no_safe_name_is_refused(self, wire: Wire, bad: str) -> None:
        before = seq(wire)
        assert paths(wire.fault("task.create", description="x", id=bad)) == {"id"}
        assert seq(wire) == before

    def test_an_id_may_have_two_hundred_bytes(self, wire: Wire) -> None:
        name = "é" * 100
        assert wire.call("task.create", description="x", id=name)["id"] == name

    def test_two_ids_that_clean_to_the_same_one_exist_already(self, wire: Wire) -> None:
        name = fresh()
        first = wire.call("task.create", description="first", id=f"{name}z")
        error = wire.fault("task.create", description="second", id=f"{name}:/z")
        assert (error["code"], error["data"]["kind"]) == (-32002, "already_exists")
        assert wire.call("task.get", id=first["id"]) == first

    @pytest.mark.parametrize("bad", ["hello", "../../etc/passwd", "", "a\x00b"])
    def test_a_session_id_that_is_none_is_refused_as_it_is_everywhere_else(self, wire: Wire, bad: str) -> None:
        session = {"title": "t", "provider": "p", "model": "m", "working_directory": "/w"}
        assert paths(wire.fault("session.create", id=bad, **session)) == {"id"}
        assert paths(wire.fault("task.create", description="x", session_id=bad)) == {"session_id"}

    def test_made_ids_differ(self, wire: Wire) -> None:
        assert len({made(wire) for _ in range(20)}) == 20


class TestParameters:
    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("description", None),
            ("description", 5),
            ("priority", "5"),
            ("priority", 1.9),
            ("priority", 5.0),
            ("priority", True),
            ("priority", -1),
            ("priority", 10),
            ("tool", 5),
            ("depends_on", "a"),
            ("depends_on", [5]),
            ("max_attempts", "3"),
            ("max_attempts", 0),
            ("metadata", []),
            ("metadata", "x"),
            ("idempotency_key", 5),
            ("id", 5),
            ("session_id", 5),
            ("bogus", None),
            ("status", "running"),
            ("Description", "x"),
        ],
    )
    def test_a_wrong_parameter_is_refused_by_name(self, wire: Wire, name: str, value: Any) -> None:
        error = wire.fault("task.create", **{"description": "x", name: value})
        assert all(path == name or path.startswith((f"{name}.", f"{name}[")) for path in paths(error))
        assert name in error["message"]

    def test_all_violations_are_told_at_once(self, wire: Wire) -> None:
        error = wire.fault("task.create", priority="5", tool=7, bogus=1, other=2, metadata=[])
        assert paths(error) == {"description", "priority", "tool", "bogus", "other", "metadata"}

    def test_types_and_ranges_and_ids_are_told_at_once(self, wire: Wire) -> None:
        error = wire.fault("task.create", description=5, priority=11, id="..", bogus=1)
        assert paths(error) == {"description", "priority", "id", "bogus"}

    @pytest.mark.parametrize("priority", range(10))
    def test_priorities_go_from_nought_to_nine(self, wire: Wire, priority: int) -> None:
        assert wire.call("task.create", description="x", priority=priority)["priority"] == priority

    def test_an_error_says_kind_hint_and_whether_to_retry(self, wire: Wire) -> None:
        error = wire.fault("task.get", id="nobody")
        assert set(error) == {"code", "message", "data"}
        assert error["code"] == -32001
        assert error["data"]["kind"] == "not_found"
        assert error["data"]["hint"]
        assert error["data"]["retryable"] is False

    def test_an_unknown_method_is_told(self, wire: Wire) -> None:
        error = wire.fault("task.frobnicate")
        assert (error["code"], error["data"]["kind"]) == (-32601, "unknown_method")

    @pytest.mark.parametrize(
        ("method", "more"),
        [
            ("get", {}),
            ("update", {"priority": 1}),
            ("start", {}),
            ("complete", {}),
            ("fail", {"error": "x"}),
            ("cancel", {}),
            ("reopen", {}),
            ("log", {"message": "x"}),
            ("heartbeat", {"lease": 1}),
            ("release", {"lease": 1}),
        ],
    )
    def test_a_task_that_is_not_there_is_not_found(self, wire: Wire, method: str, more: dict[str, Any]) -> None:
        before = seq(wire)
        assert wire.fault(f"task.{method}", id=fresh(), **more)["data"]["kind"] == "not_found"
        assert seq(wire) == before

    def test_the_id_is_needed(self, wire: Wire) -> None:
        for method in ("get", "update", "start", "complete", "cancel", "reopen", "delete"):
            assert paths(wire.fault(f"task.{method}")) == {"id"}, method


class TestTransitions:
    @pytest.mark.parametrize("command", COMMANDS)
    @pytest.mark.parametrize("status", STATUSES)
    def test_every_command_in_every_status_does_what_the_table_says(
        self, wire: Wire, status: str, command: str
    ) -> None:
        task_id = made_as(wire, status)
        row, before = wire.call("task.get", id=task_id), seq(wire)
        reply = do(wire, command, task_id)
        if (status, command) in AFTER:
            assert reply["result"]["status"] == AFTER[status, command]
            assert reply["result"]["rev"] == row["rev"] + 1
        else:
            assert reply["error"]["code"] == -32003
            assert reply["error"]["data"]["kind"] == "invalid_transition"
            assert wire.call("task.get", id=task_id) == row
            assert seq(wire) == before

    @pytest.mark.parametrize("status", STATUSES)
    def test_only_a_waiting_task_is_claimed(self, wire: Wire, status: str) -> None:
        task_id, tool = made_as(wire, status), fresh("tool")
        wire.call("task.update", id=task_id, tool=tool)
        claimed = wire.call("task.claim", worker="w", tools=[tool])
        assert (claimed and claimed["id"]) == (task_id if status == "pending" else None)

    @pytest.mark.parametrize("status", STATUSES)
    def test_a_task_is_deleted_in_any_status(self, wire: Wire, status: str) -> None:
        task_id = made_as(wire, status)
        wire.call("task.delete", id=task_id)
        assert wire.fault("task.get", id=task_id)["data"]["kind"] == "not_found"


class TestUpdate:
    def test_the_right_rev_lets_it_through_and_the_wrong_one_is_a_conflict(self, wire: Wire) -> None:
        task_id = made(wire)
        row = wire.call("task.update", id=task_id, description="second", if_rev=1)
        assert (row["description"], row["rev"]) == ("second", 2)
        error = wire.fault("task.update", id=task_id, description="third", if_rev=1)
        assert (error["code"], error["data"]["kind"]) == (-32004, "conflict")
        assert wire.call("task.get", id=task_id) == row

    def test_what_is_not_named_stays(self, wire: Wire) -> None:
        row = wire.call("task.create", description="x", tool="CODEX", metadata={"a": 1}, priority=2)
        changed = wire.call("task.update", id=row["id"], description="y")
        assert {**changed, "description": "x", "rev": 1, "updated_at": row["updated_at"]} == row

    def test_status_is_no_parameter(self, wire: Wire) -> None:
        task_id = made(wire)
        assert paths(wire.fault("task.update", id=task_id, status="completed")) == {"status"}


class TestSave:
    def test_the_seeds_task_is_taken_as_it_is(self, wire: Wire) -> None:
        task = {**SEED, "id": fresh()}
        row = wire.call("task.save", task=task)
        assert row["rev"] == 1
        for name in ("id", "description", "status", "tool", "result"):
            assert row[name] == task[name]
        for name in ("created_at", "started_at", "completed_at"):
            assert time_of(row[name]) == time_of(task[name])
            assert TIME.fullmatch(row[name])
        assert [entry["message"] for entry in row["logs"]] == ["Task started"]
        assert wire.call("task.get", id=task["id"]) == row

    def test_times_of_saved_log_entries_have_milliseconds_as_well(self, wire: Wire) -> None:
        row = wire.call("task.save", task={**SEED, "id": fresh()})
        assert TIME.fullmatch(row["logs"][0]["timestamp"])

    def test_saving_again_replaces_the_task(self, wire: Wire) -> None:
        task = {**SEED, "id": fresh()}
        wire.call("task.save", task=task)
        row = wire.call("task.save", task={**task, "description": "again", "logs": [], "status": "pending"})
        assert (row["rev"], row["description"], row["logs"], row["status"]) == (2, "again", [], "pending")

    def test_what_get_says_can_be_saved(self, wire: Wire) -> None:
        task_id = made_as(wire, "completed")
        wire.call("task.log", id=task_id, message="m")
        row = wire.call("task.get", id=task_id)
        saved = wire.call("task.save", task=row)
        assert {**saved, "rev": 0, "updated_at": ""} == {**row, "rev": 0, "updated_at": ""}
        assert saved["rev"] >= row["rev"]

    @pytest.mark.parametrize("status", STATUSES)
    def test_a_task_is_saved_in_every_status(self, wire: Wire, status: str) -> None:
        row = wire.call("task.save", task={**SEED, "id": fresh(), "status": status})
        assert row["status"] == status

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("status", "in_progress"),
            ("status", None),
            ("priority", 12),
            ("logs", "x"),
            ("bogus", 1),
            ("created_at", "yesterday"),
            ("created_at", 5),
            ("description", None),
            ("id", ".."),
        ],
    )
    def test_a_task_that_is_none_is_refused(self, wire: Wire, name: str, value: Any) -> None:
        before = seq(wire)
        error = wire.fault("task.save", task={**SEED, "id": fresh(), name: value})
        assert any(name in path for path in paths(error))
        assert seq(wire) == before

    def test_its_id_is_cleaned(self, wire: Wire) -> None:
        name = fresh()
        assert wire.call("task.save", task={**SEED, "id": f"/{name}*"})["id"] == name


class TestLogs:
    def test_a_line_is_added_with_its_defaults(self, wire: Wire) -> None:
        task_id = made(wire)
        assert wire.call("task.log", id=task_id, message="one") == {"id": task_id, "rev": 2, "log_count": 1}
        assert wire.call("task.log", id=task_id, message="two", level="error", type="system") == {
            "id": task_id,
            "rev": 3,
            "log_count": 2,
        }
        logs = wire.call("task.get", id=task_id)["logs"]
        assert [sorted(entry) for entry in logs] == [["level", "message", "timestamp", "type"]] * 2
        assert [(entry["message"], entry["level"], entry["type"]) for entry in logs] == [
            ("one", "info", "user"),
            ("two", "error", "system"),
        ]

    def test_several_lines_are_one_change(self, wire: Wire) -> None:
        task_id = made(wire)
        entries = [{"message": f"{number}", "level": "info", "type": "user"} for number in range(5)]
        assert wire.call("task.log", id=task_id, entries=entries) == {"id": task_id, "rev": 2, "log_count": 5}
        assert [entry["message"] for entry in wire.call("task.get", id=task_id)["logs"]] == list("01234")

    def test_a_log_needs_a_message_or_entries(self, wire: Wire) -> None:
        assert wire.fault("task.log", id=made(wire))["data"]["kind"] == "invalid_params"

    def test_beyond_a_thousand_the_oldest_go_to_a_file_and_none_is_lost(self, whole: Perdure, wire: Wire) -> None:
        task_id = made(wire)
        entries = [{"message": f"<line {number}>"} for number in range(600)]
        wire.call("task.log", id=task_id, entries=entries)
        more = [{"message": f"<line {number}>"} for number in range(600, 1203)]
        wire.call("task.log", id=task_id, entries=more)
        inline = [entry["message"] for entry in wire.call("task.get", id=task_id)["logs"]]
        assert inline == [f"<line {number}>" for number in range(203, 1203)]
        file = whole.state_path / "logs" / f"task_{task_id}.log"
        eventually(lambda: file.exists() and "<line 202>" in file.read_text(), "the older lines in the file")
        assert re.findall(r"<line \d+>", file.read_text()) == [f"<line {number}>" for number in range(203)]


class TestClaims:
    def test_the_most_urgent_comes_first_then_the_oldest(self, wire: Wire) -> None:
        tool = fresh("tool")
        made_in_order = [made(wire, tool=tool, priority=priority) for priority in (5, 9, 0, 5, 1, 0)]
        claimed = [wire.call("task.claim", worker="w", tools=[tool])["id"] for _ in made_in_order]
        assert claimed == [made_in_order[place] for place in (2, 5, 4, 0, 3, 1)]
        assert wire.call("task.claim", worker="w", tools=[tool]) is None

    def test_one_level_is_gained_for_every_ten_minutes_of_waiting(self, wire: Wire) -> None:
        tool = fresh("tool")
        then = (datetime.now(UTC) - timedelta(minutes=35)).isoformat().replace("+00:00", "Z")
        old = {"id": fresh("old"), "description": "x", "status": "pending", "tool": tool, "priority": 9}
        wire.call("task.save", task={**old, "created_at": then, "updated_at": then})
        before, after = made(wire, tool=tool, priority=5), made(wire, tool=tool, priority=7)
        claimed = [wire.call("task.claim", worker="w", tools=[tool])["id"] for _ in range(3)]
        assert claimed == [before, old["id"], after]

    def test_a_claim_says_who_holds_it_and_until_when(self, wire: Wire) -> None:
        tool = fresh("tool")
        task_id = made(wire, tool=tool)
        before = datetime.now(UTC)
        task = wire.call("task.claim", worker="somebody", tools=[tool])
        assert (task["id"], task["status"], task["worker"], task["rev"]) == (task_id, "running", "somebody", 2)
        assert type(task["lease"]) is int
        assert TIME.fullmatch(task["lease_expires_at"])
        assert TIME.fullmatch(task["started_at"])
        assert 59 < (time_of(task["lease_expires_at"]) - before).total_seconds() < 120
        assert wire.call("task.get", id=task_id) == task

    def test_a_claim_takes_any_of_the_tools_named(self, wire: Wire) -> None:
        one, two, other = fresh("tool"), fresh("tool"), fresh("tool")
        first, second, _ = (made(wire, tool=tool) for tool in (one, two, other))
        claimed = {wire.call("task.claim", worker="w", tools=[two, one])["id"] for _ in range(2)}
        assert claimed == {first, second}
        assert wire.call("task.claim", worker="w", tools=[two, one]) is None

    def test_leases_only_grow(self, wire: Wire) -> None:
        tool = fresh("tool")
        task_id, leases = made(wire, tool=tool), []
        for _ in range(4):
            task = wire.call("task.claim", worker="w", tools=[tool])
            leases.append(task["lease"])
            given_back = wire.call("task.release", id=task_id, lease=task["lease"])
            assert (given_back["status"], given_back["lease"], given_back["lease_expires_at"]) == (
                "pending",
                None,
                None,
            )
        assert leases == sorted(set(leases))

    @pytest.mark.parametrize(("command", "more"), [("complete", {}), ("fail", {"error": "x"})])
    def test_the_outcome_of_a_claimed_task_needs_its_lease(
        self, wire: Wire, command: str, more: dict[str, Any]
    ) -> None:
        tool = fresh("tool")
        task_id = made(wire, tool=tool)
        task = wire.call("task.claim", worker="w", tools=[tool])
        for wrong in ({}, {"lease": task["lease"] + 1}, {"lease": 0}):
            error = wire.fault(f"task.{command}", id=task_id, **more, **wrong)
            assert (error["code"], error["data"]["kind"]) == (-32004, "conflict")
        assert paths(wire.fault(f"task.{command}", id=task_id, lease=str(task["lease"]), **more)) == {"lease"}
        assert wire.call("task.get", id=task_id) == task
        assert wire.call(f"task.{command}", id=task_id, lease=task["lease"], **more)["status"] in {
            "completed",
            "failed",
        }

    @pytest.mark.parametrize("command", ["heartbeat", "release"])
    def test_a_wrong_lease_is_a_conflict(self, wire: Wire, command: str) -> None:
        tool = fresh("tool")
        task_id = made(wire, tool=tool)
        task = wire.call("task.claim", worker="w", tools=[tool])
        assert wire.fault(f"task.{command}", id=task_id, lease=task["lease"] + 1)["data"]["kind"] == "conflict"
        assert paths(wire.fault(f"task.{command}", id=task_id)) == {"lease"}

    def test_a_line_of_a_worker_that_lost_its_lease_is_a_conflict(self, wire: Wire) -> None:
        tool = fresh("tool")
        task_id = made(wire, tool=tool)
        first = wire.call("task.claim", worker="w", tools=[tool])
        wire.call("task.release", id=task_id, lease=first["lease"])
        wire.call("task.claim", worker="v", tools=[tool])
        assert wire.fault("task.log", id=task_id, message="m", lease=first["lease"])["data"]["kind"] == "conflict"
        assert wire.fault("task.complete", id=task_id, lease=first["lease"])["data"]["kind"] == "conflict"

    def test_saving_another_outcome_over_a_claimed_task_needs_its_lease(self, wire: Wire) -> None:
        tool = fresh("tool")
        task_id = made(wire, tool=tool)
        task = wire.call("task.claim", worker="w", tools=[tool])
        stranger = {"id": task_id, "description": "x", "status": "completed", "result": "of somebody else"}
        assert wire.fault("task.save", task=stranger)["data"]["kind"] == "conflict"
        assert wire.call("task.get", id=task_id) == task

    def test_cancelling_needs_no_lease(self, wire: Wire) -> None:
        tool = fresh("tool")
        task_id = made(wire, tool=tool)
        wire.call("task.claim", worker="w", tools=[tool])
        assert wire.call("task.cancel", id=task_id)["status"] == "cancelled"

    def test_what_is_over_is_nobodys_any_more(self, wire: Wire) -> None:
        tool = fresh("tool")
        task_id = made(wire, tool=tool)
        task = wire.call("task.claim", worker="w", tools=[tool])
        wire.call("task.complete", id=task_id, lease=task["lease"])
        assert wire.fault("task.heartbeat", id=task_id, lease=task["lease"])["data"]["kind"] in {
            "conflict",
            "invalid_transition",
        }
        wire.call("task.reopen", id=task_id)
        assert wire.call("task.claim", worker="w", tools=[tool])["lease"] > task["lease"]

    def test_a_heartbeat_prolongs_the_lease_and_is_not_journalled(self, wire: Wire) -> None:
        tool = fresh("tool")
        task_id = made(wire, tool=tool)
        task = wire.call("task.claim", worker="w", tools=[tool], lease_s=60)
        before = seq(wire)
        beaten = wire.call("task.heartbeat", id=task_id, lease=task["lease"], lease_s=600)
        assert (time_of(beaten["lease_expires_at"]) - time_of(task["lease_expires_at"])).total_seconds() > 400
        assert beaten["rev"] == task["rev"]
        assert seq(wire) == before

    def test_a_lease_holds_as_long_as_its_last_heartbeat_said(self, wire: Wire) -> None:
        tool, other = fresh("tool"), fresh("tool")
        beaten, left = made(wire, tool=tool), made(wire, tool=other)
        task = wire.call("task.claim", worker="w", tools=[tool], lease_s=1)
        wire.call("task.heartbeat", id=beaten, lease=task["lease"], lease_s=60)
        wire.call("task.claim", worker="w", tools=[other], lease_s=1)
        eventually(lambda: wire.call("task.get", id=left)["status"] == "pending", "the later lease's end")
        assert wire.call("task.get", id=beaten)["status"] == "running"
        assert wire.call("task.complete", id=beaten, lease=task["lease"])["status"] == "completed"

    def test_a_lease_that_expires_gives_the_task_back(self, wire: Wire) -> None:
        tool = fresh("tool")
        task_id = made(wire, tool=tool)
        first = wire.call("task.claim", worker="w", tools=[tool], lease_s=1)
        eventually(lambda: wire.call("task.get", id=task_id)["status"] == "pending", "the task given back")
        row = wire.call("task.get", id=task_id)
        assert (row["lease"], row["lease_expires_at"], row["worker"]) == (None, None, None)
        assert wire.fault("task.complete", id=task_id, lease=first["lease"])["data"]["kind"] in {
            "conflict",
            "invalid_transition",
        }
        second = wire.call("task.claim", worker="v", tools=[tool])
        assert second["id"] == task_id
        assert second["lease"] > first["lease"]
        assert wire.fault("task.complete", id=task_id, lease=first["lease"])["data"]["kind"] == "conflict"

    @pytest.mark.parametrize("lease_s", [0, -1, "60"])
    def test_a_lease_needs_a_length(self, wire: Wire, lease_s: Any) -> None:
        assert paths(wire.fault("task.claim", worker="w", tools=[fresh("tool")], lease_s=lease_s)) == {"lease_s"}

    def test_a_claim_needs_a_worker(self, wire: Wire) -> None:
        assert paths(wire.fault("task.claim")) == {"worker"}

    def test_two_workers_never_hold_the_same_task(self, whole: Perdure, wire: Wire) -> None:
        tool = fresh("tool")
        ids = {made(wire, tool=tool) for _ in range(20)}
        with whole.wire() as other:
            for one in (wire, other):
                for _ in range(12):
                    one.post("task.claim", worker="w", tools=[tool])
            replies = [one.reply()["result"] for one in (wire, other) for _ in range(12)]
        claimed = [task["id"] for task in replies if task]
        assert sorted(claimed) == sorted(ids)
        assert len({task["lease"] for task in replies if task}) == 20


class TestDependencies:
    def test_a_task_is_claimable_when_all_it_depends_on_are_completed(self, wire: Wire) -> None:
        tool = fresh("tool")
        first, second = made(wire), made(wire)
        waiting = made(wire, tool=tool, depends_on=[first, second], priority=0)
        for needed in (first, second):
            assert wire.call("task.claim", worker="w", tools=[tool]) is None
            wire.call("task.start", id=needed)
            assert wire.call("task.claim", worker="w", tools=[tool]) is None
            wire.call("task.complete", id=needed)
        assert wire.call("task.claim", worker="w", tools=[tool])["id"] == waiting

    @pytest.mark.parametrize("end", ["fail", "cancel", "delete"])
    def test_a_task_that_waits_in_vain_stays_pending_and_says_so(self, wire: Wire, end: str) -> None:
        tool = fresh("tool")
        needed = made(wire)
        waiting = made(wire, tool=tool, depends_on=[needed])
        if end == "fail":
            wire.call("task.start", id=needed)
        do(wire, end, needed)
        for row in (
            wire.call("task.get", id=waiting),
            *(task for task in wire.call("task.list", tool=tool)["tasks"]),
            wire.call("task.update", id=waiting, priority=4),
        ):
            assert row["status"] == "pending"
            assert row["blocked_by"] == [needed]
        assert wire.call("task.claim", worker="w", tools=[tool]) is None

    def test_reopening_what_it_waits_for_unblocks_it(self, wire: Wire) -> None:
        needed = made(wire)
        waiting = made(wire, depends_on=[needed])
        wire.call("task.cancel", id=needed)
        assert wire.call("task.get", id=waiting)["blocked_by"] == [needed]
        wire.call("task.reopen", id=needed)
        assert not wire.call("task.get", id=waiting).get("blocked_by")

    def test_an_unknown_dependency_is_refused(self, wire: Wire) -> None:
        task_id, before = made(wire), seq(wire)
        for method, params in (
            ("task.create", {"description": "x"}),
            ("task.update", {"id": task_id}),
        ):
            error = wire.fault(method, depends_on=["nobody"], **params)
            assert error["data"]["kind"] in {"invalid_params", "not_found"}
            assert "nobody" in str(error)
        assert seq(wire) == before

    @pytest.mark.parametrize("length", [1, 2, 3, 10])
    def test_a_cycle_is_refused_however_long(self, wire: Wire, length: int) -> None:
        first = last = made(wire)
        for _ in range(length - 1):
            last = made(wire, depends_on=[last])
        row, before = wire.call("task.get", id=first), seq(wire)
        error = wire.fault("task.update", id=first, depends_on=[last])
        assert error["data"]["kind"] in {"invalid_params", "conflict"}
        assert wire.call("task.get", id=first) == row
        assert seq(wire) == before

    def test_a_cycle_is_refused_to_save_as_well(self, wire: Wire) -> None:
        first = made(wire)
        second = made(wire, depends_on=[first])
        row = wire.call("task.get", id=first)
        error = wire.fault("task.save", task={**row, "depends_on": [second]})
        assert error["data"]["kind"] in {"invalid_params", "conflict"}
        error = wire.fault("task.save", task={**row, "depends_on": ["nobody"]})
        assert error["data"]["kind"] in {"invalid_params", "not_found"}
        assert wire.call("task.get", id=first) == row

    def test_a_cycle_inside_a_batch_is_refused_and_nothing_of_it_stays(self, wire: Wire) -> None:
        first, second = made(wire), made(wire)
        before = seq(wire)
        error = wire.fault(
            "batch.apply",
            commands=[
                {"method": "task.update", "params": {"id": first, "depends_on": [second]}},
                {"method": "task.update", "params": {"id": second, "depends_on": [first]}},
            ],
        )
        assert error["data"]["kind"] in {"invalid_params", "conflict"}
        assert wire.call("task.get", id=first)["depends_on"] == []
        assert seq(wire) == before


class TestDelete:
    def test_a_deleted_task_is_in_no_answer(self, wire: Wire) -> None:
        tool = fresh("tool")
        task_id = made(wire, tool=tool)
        wire.call("task.delete", id=task_id)
        assert wire.call("task.list", tool=tool)["tasks"] == []
        assert wire.call("task.claim", worker="w", tools=[tool]) is None

    def test_an_id_is_free_again_and_nothing_of_the_old_task_is_left(self, whole: Perdure, wire: Wire) -> None:
        task_id = made(wire, metadata={"old": True})
        wire.call("task.log", id=task_id, message="m")
        wire.call("task.delete", id=task_id)
        row = wire.call("task.create", id=task_id, description="new")
        assert (row["description"], row["metadata"], row["logs"], row["status"]) == ("new", {}, [], "pending")
        assert wire.call("task.get", id=task_id) == row

    def test_its_file_goes(self, whole: Perdure, wire: Wire) -> None:
        task_id = made(wire)
        file = whole.state_path / "tasks" / f"{task_id}.json"
        eventually(file.exists, "the file")
        wire.call("task.delete", id=task_id)
        eventually(lambda: not file.exists(), "the file's removal")


class TestList:
    def test_a_hundred_come_unless_said_otherwise(self, wire: Wire) -> None:
        tool = fresh("tool")
        commands = [{"method": "task.create", "params": {"description": "x", "tool": tool}} for _ in range(103)]
        ids = [row["id"] for row in wire.call("batch.apply", commands=commands)["results"]]
        first = wire.call("task.list", tool=tool)
        assert set(first) == {"tasks", "next_cursor"}
        assert len(first["tasks"]) == 100
        rest = wire.call("task.list", tool=tool, cursor=first["next_cursor"])
        assert rest["next_cursor"] is None
        assert sorted(task["id"] for task in first["tasks"] + rest["tasks"]) == sorted(ids)
        everything = wire.call("task.list", tool=tool, limit=1000)
        assert (len(everything["tasks"]), everything["next_cursor"]) == (103, None)

    def test_pages_that_end_exactly_have_no_empty_page_of_other_rows(self, wire: Wire) -> None:
        tool = fresh("tool")
        ids = {made(wire, tool=tool) for _ in range(4)}
        seen: list[str] = []
        cursor: dict[str, Any] = {}
        for _ in range(10):
            page = wire.call("task.list", tool=tool, limit=2, **cursor)
            seen += [task["id"] for task in page["tasks"]]
            if page["next_cursor"] is None:
                break
            cursor = {"cursor": page["next_cursor"]}
        assert len(seen) == 4
        assert set(seen) == ids

    def test_pages_are_stable_while_tasks_come_go_and_change(self, wire: Wire) -> None:
        tool = fresh("tool")
        made_before = [made(wire, tool=tool) for _ in range(20)]
        ids, made_before = made_before[:12], made_before[12:]
        seen: list[str] = []
        cursor: dict[str, Any] = {}
        for turn in range(20):
            page = wire.call("task.list", tool=tool, limit=3, **cursor)
            seen += [task["id"] for task in page["tasks"]]
            if page["next_cursor"] is None:
                break
            cursor = {"cursor": page["next_cursor"]}
            wire.call("task.update", id=ids[turn % 12], description="changed", priority=turn % 10)
            made(wire, tool=tool, priority=0)
            wire.call("task.delete", id=made_before.pop())
        assert len(seen) == len(set(seen))
        assert set(ids) <= set(seen)

    def test_filters_are_kept(self, wire: Wire) -> None:
        tool, word = fresh("tool"), fresh("word")
        session = wire.call("session.create", title="t", provider="p", model="m", working_directory="/w")["id"]
        one = made(wire, tool=tool, description=f"about {word} indeed", session_id=session)
        two = made(wire, tool=tool)
        wire.call("task.start", id=two)

        def listed(**filters: Any) -> list[str]:
            return [task["id"] for task in wire.call("task.list", **filters)["tasks"]]

        assert listed(tool=tool, status="pending") == [one]
        assert listed(tool=tool, status="running") == [two]
        assert listed(text=word) == [one]
        assert listed(session_id=session) == [one]
        assert listed(tool=tool, text=word, status="running") == []
        assert sorted(listed(tool=tool)) == sorted([one, two])

    @pytest.mark.parametrize(
        ("name", "value"),
        [("limit", 0), ("limit", -1), ("limit", "5"), ("limit", 2.5), ("status", "in_progress"), ("cursor", "garbage")],
    )
    def test_a_filter_that_makes_no_sense_is_refused(self, wire: Wire, name: str, value: Any) -> None:
        assert paths(wire.fault("task.list", **{name: value})) == {name}


class TestKeys:
    def test_a_repeat_changes_nothing_and_returns_the_row_as_it_is_then(self, wire: Wire) -> None:
        key = fresh("key")
        first = wire.call("task.create", description="x", idempotency_key=key)
        assert wire.call("task.create", description="x", idempotency_key=key) == first
        later = wire.call("task.update", id=first["id"], description="y")
        before = seq(wire)
        assert wire.call("task.create", description="x", idempotency_key=key) == later
        assert seq(wire) == before

    def test_the_same_key_with_other_parameters_is_a_conflict(self, wire: Wire) -> None:
        key = fresh("key")
        wire.call("task.create", description="x", idempotency_key=key)
        before = seq(wire)
        assert wire.fault("task.create", description="y", idempotency_key=key)["data"]["kind"] == "conflict"
        assert seq(wire) == before

    def test_the_same_key_with_another_method_is_not_swallowed(self, wire: Wire) -> None:
        key, task_id = fresh("key"), made(wire)
        wire.call("task.start", id=task_id, idempotency_key=key)
        assert wire.fault("task.complete", id=task_id, idempotency_key=key)["data"]["kind"] == "conflict"

    def test_the_empty_string_is_a_key(self, wire: Wire) -> None:
        first = wire.call("task.create", description="x", idempotency_key="")
        assert wire.call("task.create", description="x", idempotency_key="")["id"] == first["id"]

    @pytest.mark.parametrize("key", [" ", "a\nb\x00c", "é" * 100, "k" * 200])
    def test_a_key_is_any_string_up_to_two_hundred_bytes(self, wire: Wire, key: str) -> None:
        first = wire.call("task.create", description="x", idempotency_key=key)
        assert wire.call("task.create", description="x", idempotency_key=key)["id"] == first["id"]

    @pytest.mark.parametrize("key", ["é" * 101, "k" * 201, 5, ["k"]])
    def test_another_key_is_refused(self, wire: Wire, key: Any) -> None:
        assert paths(wire.fault("task.create", description="x", idempotency_key=key)) == {"idempotency_key"}

    def test_errors_are_not_remembered(self, wire: Wire) -> None:
        key, name = fresh("key"), fresh()
        assert wire.fault("task.start", id=name, idempotency_key=key)["data"]["kind"] == "not_found"
        made(wire, id=name)
        assert wire.call("task.start", id=name, idempotency_key=key)["status"] == "running"
        assert wire.call("task.start", id=name, idempotency_key=key)["status"] == "running"

    def test_null_claims_are_not_remembered_and_others_are(self, wire: Wire) -> None:
        key, tool = fresh("key"), fresh("tool")
        assert wire.call("task.claim", worker="w", tools=[tool], idempotency_key=key) is None
        task_id = made(wire, tool=tool)
        made(wire, tool=tool)
        first = wire.call("task.claim", worker="w", tools=[tool], idempotency_key=key)
        assert first["id"] == task_id
        assert wire.call("task.claim", worker="w", tools=[tool], idempotency_key=key) == first

    def test_repeats_while_the_first_is_under_way_are_one_command(self, whole: Perdure, wire: Wire) -> None:
        key = fresh("key")
        with whole.wire() as other:
            for one in (wire, other, wire, other):
                one.post("task.create", description="x", idempotency_key=key)
            rows = [one.reply()["result"] for one in (wire, other, wire, other)]
        assert rows == [rows[0]] * 4

    def test_a_line_is_logged_once(self, wire: Wire) -> None:
        task_id, key = made(wire), fresh("key")
        replies = [wire.call("task.log", id=task_id, message="m", idempotency_key=key) for _ in range(3)]
        assert replies == [{"id": task_id, "rev": 2, "log_count": 1}] * 3

    def test_a_batch_is_applied_once(self, wire: Wire) -> None:
        key, tool = fresh("key"), fresh("tool")
        commands = [{"method": "task.create", "params": {"description": "x", "tool": tool}}] * 2
        first = wire.call("batch.apply", commands=commands, idempotency_key=key)
        assert wire.call("batch.apply", commands=commands, idempotency_key=key) == first
        assert len(wire.call("task.list", tool=tool)["tasks"]) == 2

    def test_a_delete_is_repeated_without_harm(self, wire: Wire) -> None:
        task_id, key = made(wire), fresh("key")
        first = wire.call("task.delete", id=task_id, idempotency_key=key)
        wire.call("task.create", id=task_id, description="another")
        assert wire.call("task.delete", id=task_id, idempotency_key=key) == first
        assert wire.call("task.get", id=task_id)["description"] == "another"


class TestBatches:
    def test_its_results_come_in_order_and_later_commands_see_earlier_ones(self, wire: Wire) -> None:
        name, before = fresh(), seq(wire)
        reply = wire.call(
            "batch.apply",
            commands=[
                {"method": "task.create", "params": {"description": "x", "id": name}},
                {"method": "task.start", "params": {"id": name}},
                {"method": "task.log", "params": {"id": name, "message": "m"}},
                {"method": "task.complete", "params": {"id": name, "result": 5}},
            ],
        )
        assert set(reply) == {"results"}
        assert [row["id"] for row in reply["results"]] == [name] * 4
        assert set(reply["results"][2]) == {"id", "rev", "log_count"}
        assert reply["results"][3]["status"] == "completed"
        assert wire.call("task.get", id=name) == reply["results"][3]
        assert seq(wire) == before + 1

    def test_it_is_one_journal_line(self, whole: Perdure, wire: Wire) -> None:
        names = [fresh() for _ in range(3)]
        commands = [{"method": "task.create", "params": {"description": "x", "id": name}} for name in names]
        wire.call("batch.apply", commands=commands)
        lines = [line for line in whole.journal() if any(fact["id"] in names for fact in line["facts"])]
        assert len(lines) == 1
        assert [fact["id"] for fact in lines[0]["facts"]] == names

    @pytest.mark.parametrize(
        ("bad", "kind"),
        [
            ({"method": "task.start", "params": {"id": "nobody"}}, "not_found"),
            ({"method": "task.create", "params": {"description": 5}}, "invalid_params"),
            ({"method": "task.create", "params": {"description": "x", "bogus": 5}}, "invalid_params"),
            ({"method": "task.frobnicate", "params": {}}, None),
            ({"method": 5}, "invalid_params"),
            ({"method": "batch.apply", "params": {"commands": []}}, None),
            ({"method": "runtime.shutdown", "params": {}}, None),
        ],
    )
    def test_nothing_is_applied_when_one_of_it_fails(self, wire: Wire, bad: dict[str, Any], kind: str | None) -> None:
        name, before = fresh(), seq(wire)
        create = {"method": "task.create", "params": {"description": "x", "id": name}}
        error = wire.fault("batch.apply", commands=[create, bad])
        assert kind is None or error["data"]["kind"] == kind
        assert wire.fault("task.get", id=name)["data"]["kind"] == "not_found"
        assert seq(wire) == before

    def test_it_touches_rows_of_every_kind_at_once(self, wire: Wire) -> None:
        name, run, before = fresh(), fresh("run"), seq(wire)
        session = {"title": "t", "provider": "p", "model": "m", "working_directory": "/w"}
        reply = wire.call(
            "batch.apply",
            commands=[
                {"method": "task.create", "params": {"description": "x", "id": name}},
                {"method": "session.create", "params": session},
                {"method": "run.put", "params": {"run": {"id": run, "task_id": name, "status": "running"}}},
                {"method": "event.record", "params": {"type": "t", "message": "m"}},
            ],
        )
        assert seq(wire) == before + 1
        assert wire.call("session.get", id=reply["results"][1]["id"])["title"] == "t"
        assert wire.call("run.get", id=run)["task_id"] == name

    def test_the_same_id_twice_in_one_batch_exists_already(self, wire: Wire) -> None:
        name = fresh()
        create = {"method": "task.create", "params": {"description": "x", "id": name}}
        assert wire.fault("batch.apply", commands=[create, create])["data"]["kind"] == "already_exists"
        assert wire.fault("task.get", id=name)["data"]["kind"] == "not_found"


class TestRestarts:
    def test_leases_outlive_a_kill(self, another: Perdure) -> None:
        whole = another
        with whole.wire() as wire:
            first = wire.call("task.create", description="x", tool="a", idempotency_key="k")
            wire.call("task.create", description="x", tool="b")
            claimed = wire.call("task.claim", worker="w", tools=["a"], lease_s=60)
            wire.call("task.log", id=first["id"], message="m")
        whole.kill_runtime()
        with whole.wire() as wire:
            row = wire.call("task.get", id=first["id"])
            assert (row["status"], row["lease"], row["rev"]) == ("running", claimed["lease"], 3)
            assert row["lease_expires_at"] >= claimed["lease_expires_at"]
            assert wire.call("task.create", description="x", tool="a", idempotency_key="k")["id"] == first["id"]
            assert wire.call("task.claim", worker="v", tools=["b"])["lease"] > claimed["lease"]
            assert wire.call("task.complete", id=first["id"], lease=claimed["lease"])["status"] == "completed"

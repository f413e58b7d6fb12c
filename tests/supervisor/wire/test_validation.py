"""Parameters: strict types, unknown names, and all violations at once."""

from typing import Any

import pytest
from msgspec import UNSET

from actors.decisions.batch import Step, Steps
from actors.messages.sessions import SessionRename
from actors.messages.tasks import TaskCreate, TaskStart, TaskUpdate
from actors.model.errors import InvalidParams, UnknownMethod
from supervisor.wire.methods import METHODS
from supervisor.wire.validation import digest, method_named, take_key, validate


def violations(method: str, params: dict[str, Any]) -> dict[str, str]:
    """The violations of what must be refused, by their path."""
    with pytest.raises(InvalidParams) as caught:
        validate(METHODS[method], params)
    return {one["path"]: one["message"] for one in caught.value.details["violations"]}


@pytest.mark.parametrize("row", METHODS.values(), ids=METHODS.keys())
def test_the_example_of_every_method_is_valid(row: Any) -> None:
    assert type(validate(row, row.example)) is (Steps if row.name == "batch.apply" else row.params)


def test_what_is_absent_has_its_default() -> None:
    struct = validate(METHODS["task.create"], {"description": "x"})
    assert struct == TaskCreate(description="x")
    assert isinstance(struct, TaskCreate)
    assert struct.priority == 5


def test_null_and_absent_differ_in_an_update() -> None:
    struct = validate(METHODS["task.update"], {"id": "a", "tool": None})
    assert isinstance(struct, TaskUpdate)
    assert struct.tool is None
    assert struct.description is UNSET


@pytest.mark.parametrize(
    ("method", "params", "paths"),
    [
        ("task.create", {}, {"description"}),
        ("task.create", {"description": 5}, {"description"}),
        ("task.create", {"description": ""}, {"description"}),
        ("task.create", {"description": "x", "priority": "5"}, {"priority"}),
        ("task.create", {"description": "x", "priority": 1.9}, {"priority"}),
        ("task.create", {"description": "x", "priority": True}, {"priority"}),
        ("task.create", {"description": "x", "priority": 10}, {"priority"}),
        ("task.create", {"description": "x", "metadata": []}, {"metadata"}),
        ("task.create", {"description": "x", "depends_on": ["a", 1, None]}, {"depends_on[1]", "depends_on[2]"}),
        ("task.create", {"descripton": "x", "priority": -1}, {"description", "priority", "descripton"}),
        ("task.list", {"status": "done", "limit": 0}, {"status", "limit"}),
        ("task.list", {"limit": 1001}, {"limit"}),
        ("task.log", {"id": "a"}, {""}),
        ("task.log", {"id": "a", "message": "x", "entries": []}, {""}),
        ("task.log", {"id": "a", "entries": [{"message": 1}, {"text": "x"}]},
         {"entries[0].message", "entries[1].message", "entries[1].text"}),
        ("task.fail", {"id": "a", "error": {"kind": "x"}}, {"error.message"}),
        ("task.save", {"task": {"id": 1, "logs": [{}]}}, {"task.id", "task.description", "task.logs[0].message"}),
        ("task.claim", {"worker": "w", "lease_s": 0}, {"lease_s"}),
        ("task.complete", {"id": "a", "lease": 2**63}, {"lease"}),
        ("session.append", {"id": "a", "messages": []}, {"id", "messages"}),
        ("session.append", {"id": "a", "messages": ["x", {}, 3]}, {"id", "messages[0]", "messages[2]"}),
        ("task.get", {"id": "a", "idempotency_key": "k"}, {"idempotency_key"}),
        ("actor.kill", {"name": "tasks", "how": "softly"}, {"how"}),
        ("task.create", {"description": 5, "priority": 11, "id": "..", "bogus": 1},
         {"description", "priority", "id", "bogus"}),
        ("task.create", {"description": "x", "id": "..", "session_id": "hello", "depends_on": ["a", "..", "/"]},
         {"id", "session_id", "depends_on[1]", "depends_on[2]"}),
        ("task.save", {"task": {"id": "..", "description": "x", "created_at": "then", "session_id": "a b"}},
         {"task.id", "task.created_at", "task.session_id"}),
        ("task.save", {"task": {"id": "a", "logs": [{"message": "m", "timestamp": "then"}]}},
         {"task.description", "task.logs[0].timestamp"}),
        ("task.list", {"session_id": "hello"}, {"session_id"}),
        ("run.put", {"run": {"id": "a", "started_at": "soon", "task_id": ".."}}, {"run.started_at", "run.task_id"}),
        ("session.rename", {"id": "nobody", "title": "x" * 201}, {"id", "title"}),
        ("session.rename", {"id": "nobody", "title": "   "}, {"id", "title"}),
    ],
)  # fmt: skip
def test_all_violations_are_told_at_once_with_their_paths(method: str, params: dict[str, Any], paths: set[str]) -> None:
    assert set(violations(method, params)) == paths


def test_an_unknown_parameter_is_told_with_the_nearest_right_name() -> None:
    assert "description" in violations("task.create", {"descripton": "x"})["descripton"]


def test_an_unknown_method_is_told_with_the_nearest_right_name() -> None:
    with pytest.raises(UnknownMethod) as caught:
        method_named("task.craete")
    assert "task.create" in caught.value.hint


def test_ids_of_a_batch_are_judged_with_everything_else() -> None:
    commands = [
        {"method": "task.start", "params": {"id": ".."}},
        {"method": "task.create", "params": {"description": "x", "id": "\0", "session_id": "hello"}},
        {"method": "no.such"},
    ]
    assert set(violations("batch.apply", {"commands": commands})) == {
        "commands[0].params.id",
        "commands[1].params.id",
        "commands[1].params.session_id",
        "commands[2].method",
    }


def test_an_id_is_handed_on_as_it_was_given() -> None:
    struct = validate(METHODS["task.create"], {"description": "x", "id": "a/b", "session_id": "sess_1"})
    assert struct == TaskCreate(description="x", id="a/b", session_id="sess_1")


def test_blanks_around_a_title_do_not_count() -> None:
    title = f"  {'x' * 200}  "
    session_id = "0190163d-8694-739b-aea5-966c26f8ad91"
    assert validate(METHODS["session.rename"], {"id": session_id, "title": title}) == SessionRename(
        id=session_id, title=title
    )


def test_very_many_violations_are_cut() -> None:
    found = violations("session.append", {"id": "a", "messages": list(range(10_000))})
    assert len(found) == 100


def test_the_commands_of_a_batch_are_checked_by_their_own_rows() -> None:
    commands = [
        {"method": "task.create", "params": {"description": "x"}},
        {"method": "task.start", "params": {"id": "a"}},
    ]
    struct = validate(METHODS["batch.apply"], {"commands": commands})
    assert struct == Steps((Step("task.create", TaskCreate(description="x")), Step("task.start", TaskStart(id="a"))))


def test_all_violations_in_a_batch_are_told() -> None:
    commands = [
        {"method": "task.create", "params": {"description": 1, "x": 2}},
        {"method": "task.get", "params": {"id": "a"}},
        {"method": "batch.apply", "params": {"commands": []}},
        {"method": "task.start", "params": 7},
        {"method": "no.such"},
    ]
    assert set(violations("batch.apply", {"commands": commands})) == {
        "commands[0].params.description",
        "commands[0].params.x",
        "commands[1].method",
        "commands[2].method",
        "commands[3].params",
        "commands[4].method",
    }


def test_the_key_is_taken_off_a_mutating_method() -> None:
    params = {"description": "x", "idempotency_key": "k"}
    assert take_key(METHODS["task.create"], params) == "k"
    assert params == {"description": "x"}


def test_the_empty_text_is_a_key() -> None:
    assert take_key(METHODS["task.create"], {"description": "x", "idempotency_key": ""}) == ""


def test_a_method_that_changes_nothing_takes_no_key() -> None:
    params = {"id": "x", "idempotency_key": "k"}
    assert take_key(METHODS["task.get"], params) is None
    assert violations("task.get", params) == {"idempotency_key": "unknown parameter"}


@pytest.mark.parametrize("key", ["x" * 201, "é" * 101, 5, ["k"]])
def test_what_cannot_be_a_key_is_refused_with_the_other_violations(key: Any) -> None:
    with pytest.raises(InvalidParams) as caught:
        take_key(METHODS["task.create"], {"idempotency_key": key})
    assert {one["path"] for one in caught.value.details["violations"]} == {"idempotency_key", "description"}


def test_a_digest_does_not_depend_on_the_order_of_members() -> None:
    assert digest("task.create", {"a": 1, "b": {"c": 2, "d": 3}}) == digest(
        "task.create", {"b": {"d": 3, "c": 2}, "a": 1}
    )


def test_a_digest_depends_on_method_and_values() -> None:
    digests = {digest("task.create", {"a": 1}), digest("task.create", {"a": "1"}), digest("task.save", {"a": 1})}
    assert len(digests) == 3

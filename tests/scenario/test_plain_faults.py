"""Errors over a plain socket: each kind that a client can provoke, with its code, and the connection that goes on.

`storage_failed`, `read_only` and `actor_crashed` need a broken disk or a poisonous command and are shown where those
are made; `internal` is what nobody can provoke on purpose.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.kit.perdure import Perdure, Wire, frame, perdure

FRAME_BYTES_MAX = 65_536


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Perdure]:
    """One Perdure for the whole module, with short frames and without chaos."""
    settings = {"gateway__frame_bytes_max": str(FRAME_BYTES_MAX), "chaos__enabled": "false"}
    with perdure(tmp_path_factory.mktemp("faults"), **settings) as one:
        one.start()
        yield one


@pytest.fixture
def wire(whole: Perdure) -> Iterator[Wire]:
    """A new connection for each test."""
    with whole.wire() as connection:
        yield connection


def made(wire: Wire, **members: Any) -> str:
    """Make a task; return its id."""
    task_id: str = wire.call("task.create", **{"description": "a task", **members})["id"]
    return task_id


def assert_error(error: dict[str, Any], code: int, kind: str) -> None:
    """Hold an error against the table, and against the form that all errors have."""
    assert (error["code"], error["data"]["kind"]) == (code, kind)
    assert error["message"]
    assert error["data"]["hint"]
    assert isinstance(error["data"]["retryable"], bool)


def test_a_line_that_is_not_json_is_a_parse_error_and_the_connection_goes_on(wire: Wire) -> None:
    wire.send(b"hello\n")
    reply = wire.reply()
    assert reply["id"] is None
    assert_error(reply["error"], -32700, "parse_error")
    assert wire.call("runtime.ping")["pong"] is True


@pytest.mark.parametrize(
    "request_line",
    [
        b"1",
        b'"text"',
        b"null",
        b"{}",
        b'{"jsonrpc":"2.0","id":1}',
        b'{"jsonrpc":"1.0","id":1,"method":"runtime.ping"}',
        b'{"jsonrpc":"2.0","id":1,"method":7}',
        b'{"jsonrpc":"2.0","id":1,"method":"runtime.ping","params":7}',
        b'{"jsonrpc":"2.0","id":{},"method":"runtime.ping"}',
        b'{"jsonrpc":"2.0","id":true,"method":"runtime.ping"}',
    ],
)
def test_json_that_is_no_request_is_an_invalid_request(request_line: bytes, wire: Wire) -> None:
    wire.send(request_line + b"\n")
    assert_error(wire.reply()["error"], -32600, "invalid_request")
    assert wire.call("runtime.ping")["pong"] is True


def test_an_unknown_method_is_answered_with_the_nearest_name(wire: Wire) -> None:
    error = wire.fault("task.crate", description="x")
    assert_error(error, -32601, "unknown_method")
    assert "task.create" in error["data"]["hint"]


def test_every_violation_of_the_parameters_is_told_at_once_and_unknown_names_too(wire: Wire) -> None:
    error = wire.fault(
        "task.create", description=5, priority="5", max_attempts=1.9, depends_on=["a", 7], tol="SHELL", metadata=[]
    )
    assert_error(error, -32602, "invalid_params")
    violations = {violation["path"]: violation["message"] for violation in error["data"]["violations"]}
    assert violations.keys() == {"description", "priority", "max_attempts", "depends_on[1]", "tol", "metadata"}
    assert "tool" in violations["tol"]


def test_a_missing_parameter_is_told_by_its_name(wire: Wire) -> None:
    violations = wire.fault("session.create", title="x")["data"]["violations"]
    assert {violation["path"] for violation in violations} == {"provider", "model", "working_directory"}


def test_parameters_by_position_are_refused(wire: Wire) -> None:
    wire.send(b'{"jsonrpc":"2.0","id":1,"method":"task.get","params":["x"]}\n')
    assert_error(wire.reply()["error"], -32602, "invalid_params")


@pytest.mark.parametrize(
    "task_id", ["", "..", ".hidden", "/", "a\x00b", "a\nb", "x" * 201, "é" * 101, "NUL", "con.txt"]
)
def test_an_id_that_could_harm_is_refused(task_id: str, wire: Wire) -> None:
    assert_error(wire.fault("task.create", id=task_id, description="x"), -32602, "invalid_params")


def test_a_path_as_an_id_is_cleaned_and_stays_inside(whole: Perdure, wire: Wire) -> None:
    error = wire.fault("task.create", id="../../etc/passwd", description="x")
    assert_error(error, -32602, "invalid_params")
    assert wire.call("task.create", id="a/../b", description="x")["id"] == "a..b"
    assert_error(wire.fault("task.create", id="a../b", description="x"), -32002, "already_exists")
    assert sorted(path.name for path in whole.folder.iterdir()) == ["coding-agent-state", "records", "stderr.log"]


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("task.get", {"id": "nowhere"}),
        ("task.delete", {"id": "nowhere"}),
        ("session.get", {"id": "0190163d-8694-739b-aea5-966c26f8ad91"}),
        ("run.get", {"id": "nowhere"}),
        ("report.get", {"id": "nowhere"}),
        ("log.read", {"session_id": "0190163d-8694-739b-aea5-966c26f8ad91"}),
        ("actor.restart", {"name": "nobody"}),
        ("event.unsubscribe", {"subscription": "sub_nowhere"}),
        ("output.unsubscribe", {"subscription": "sub_nowhere"}),
    ],
)
def test_what_is_not_there_is_not_found(method: str, params: dict[str, Any], wire: Wire) -> None:
    assert_error(wire.fault(method, **params), -32001, "not_found")


def test_an_id_that_is_taken_already_exists(wire: Wire) -> None:
    made(wire, id="taken")
    assert_error(wire.fault("task.create", id="ta/ken", description="x"), -32002, "already_exists")


def test_a_transition_that_the_status_does_not_allow_changes_nothing(wire: Wire) -> None:
    task_id = made(wire)
    before = wire.call("task.get", id=task_id)
    for method in ("task.complete", "task.reopen"):
        assert_error(wire.fault(method, id=task_id), -32003, "invalid_transition")
    assert wire.call("task.get", id=task_id) == before


def test_a_rev_that_is_not_the_present_one_is_a_conflict(wire: Wire) -> None:
    task_id = made(wire)
    wire.call("task.update", id=task_id, priority=1, if_rev=1)
    error = wire.fault("task.update", id=task_id, priority=2, if_rev=1)
    assert_error(error, -32004, "conflict")
    assert wire.call("task.get", id=task_id)["priority"] == 1


def test_a_claimed_task_is_only_changed_with_its_lease(wire: Wire) -> None:
    made(wire, tool="HELD")
    task = wire.call("task.claim", worker="w", tools=["HELD"])
    for lease in ({}, {"lease": task["lease"] + 1}, {"lease": 0}):
        assert_error(wire.fault("task.complete", id=task["id"], **lease), -32004, "conflict")
        assert_error(wire.fault("task.fail", id=task["id"], error="x", **lease), -32004, "conflict")
    assert_error(wire.fault("task.heartbeat", id=task["id"], lease=0), -32004, "conflict")
    assert_error(wire.fault("task.release", id=task["id"], lease=0), -32004, "conflict")
    assert wire.call("task.complete", id=task["id"], lease=task["lease"])["status"] == "completed"


def test_a_key_that_was_used_for_something_else_is_a_conflict(wire: Wire) -> None:
    wire.call("task.create", description="first", idempotency_key="used")
    error = wire.fault("task.create", description="second", idempotency_key="used")
    assert_error(error, -32004, "conflict")
    error = wire.fault("event.record", type="a", message="b", idempotency_key="used")
    assert_error(error, -32004, "conflict")


def test_unknown_dependencies_and_circles_are_refused(wire: Wire) -> None:
    first = made(wire)
    second = made(wire, depends_on=[first])
    assert_error(wire.fault("task.update", id=first, depends_on=[second]), -32602, "invalid_params")
    assert_error(wire.fault("task.create", description="x", depends_on=["nowhere"]), -32602, "invalid_params")


def test_killing_actors_is_forbidden_unless_chaos_is_enabled(wire: Wire) -> None:
    assert_error(wire.fault("actor.kill", name="tasks", how="crash"), -32010, "forbidden")


def test_a_frame_beyond_the_limit_is_answered_and_ends_the_connection(whole: Perdure) -> None:
    with whole.wire() as wire:
        wire.post("task.create", id="before-the-giant", description="x")
        wire.send(b" " * (FRAME_BYTES_MAX + 1))
        assert wire.reply()["result"]["id"] == "before-the-giant"
        reply = wire.reply()
        assert reply["id"] is None
        assert_error(reply["error"], -32009, "too_large")
        assert wire.reply() is None
    with whole.wire() as another:
        assert another.call("task.get", id="before-the-giant")["rev"] == 1


def test_a_reply_that_no_frame_could_hold_is_too_large(wire: Wire) -> None:
    for _ in range(3):
        made(wire, description="x" * 30_000)
    assert_error(wire.fault("state.get"), -32009, "too_large")


def test_a_line_that_the_end_of_input_cuts_off_is_a_parse_error(whole: Perdure) -> None:
    with whole.wire() as wire:
        wire.send(frame("task.create", 1, id="whole-line", description="x") + frame("task.create", 2)[:-5])
        wire.end_of_input()
        assert wire.reply()["result"]["id"] == "whole-line"
        assert_error(wire.reply()["error"], -32700, "parse_error")
        assert wire.reply() is None


def saving(data: bytes) -> bytes:
    """A request to save `data`, which is put in as it is."""
    return b'{"jsonrpc":"2.0","id":1,"method":"report.save","params":{"data":' + data + b"}}"


DEEP = b"[" * 200 + b"]" * 200
HOSTILE = {
    "NaN": saving(b"NaN"),
    "Infinity": saving(b"-Infinity"),
    "1e400": saving(b"1e400"),
    "an integer of 65 bits": saving(b"18446744073709551616"),
    "an integer of 5000 digits": saving(b"9" * 5000),
    "a key twice": saving(b'1,"data":2'),
    "a key twice, written differently": saving(rb'1,"d\u0061ta":2'),
    "a key twice, deep inside": saving(b'[{"a":1,"a":1}]'),
    "nested deeper than 128": saving(DEEP),
    "never ending": b"[" * 60_000,
    "half a surrogate pair": saving(rb'"\ud800"'),
    "bytes that are not UTF-8": saving(b'"\xff\xfe"'),
    "a surrogate as bytes": saving(b'"\xed\xa0\x80"'),
    "a BOM": b'\xef\xbb\xbf{"jsonrpc":"2.0","id":1,"method":"runtime.ping"}',
    "UTF-16": '{"jsonrpc":"2.0","id":1,"method":"runtime.ping"}'.encode("utf-16-le"),
    "a raw tabulator in a string": saving(b'"a\tb"'),
    "single quotes": b"{'jsonrpc':'2.0','id':1,'method':'runtime.ping'}",
    "a comma too many": b'{"jsonrpc":"2.0","id":1,"method":"runtime.ping",}',
    "two objects on one line": b'{"jsonrpc":"2.0","id":1,"method":"runtime.ping"}{}',
}


@pytest.mark.parametrize("name", HOSTILE)
def test_json_that_is_not_allowed_is_a_parse_error_and_never_reaches_the_journal(name: str, wire: Wire) -> None:
    before = wire.call("runtime.ping")["seq"]
    wire.send(HOSTILE[name] + b"\n")
    reply = wire.reply()
    assert reply["id"] is None
    assert_error(reply["error"], -32700, "parse_error")
    assert wire.call("runtime.ping") == {"pong": True, "seq": before}


def test_the_largest_numbers_and_the_deepest_nesting_that_are_allowed_come_back_unchanged(wire: Wire) -> None:
    deepest: Any = 1
    for _ in range(120):
        deepest = [deepest]
    for data in (2**63 - 1, -(2**63), 2**64 - 1, 1.7976931348623157e308, 5e-324, -0.0, deepest):
        report_id = wire.call("report.save", data=data)["id"]
        back = wire.call("report.get", id=report_id)["data"]
        assert (repr(back), type(back)) == (repr(data), type(data))


def test_a_batch_with_a_hostile_item_is_refused_whole(wire: Wire) -> None:
    good = frame("task.create", 1, id="beside-a-hostile-one", description="x").strip()
    wire.send(b"[" + good + b',{"jsonrpc":"2.0","id":2,"method":"report.save","params":{"data":NaN}}]\n')
    reply = wire.reply()
    assert_error(reply["error"], -32700, "parse_error")
    assert_error(wire.fault("task.get", id="beside-a-hostile-one"), -32001, "not_found")


def test_every_journal_line_is_json_of_one_line(whole: Perdure, wire: Wire) -> None:
    text = json.dumps("\u2028\u2029\x85\x0b\x0c", ensure_ascii=False)
    wire.send(
        b'{"jsonrpc":"2.0","id":1,"method":"report.save","params":{"id":"line-ends","data":%b}}\n' % text.encode()
    )
    assert wire.reply()["result"]["id"] == "line-ends"
    seqs = [line["seq"] for line in whole.journal()]
    assert seqs == list(range(1, wire.call("runtime.ping")["seq"] + 1))

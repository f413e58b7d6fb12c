"""JSON-RPC 2.0, by the specification's own examples."""

import json
from typing import Any

import pytest

from actors.model.errors import Conflict, InvalidParams, InvalidRequest, TooLarge
from supervisor.wire import jsonrpc
from supervisor.wire.jsonrpc import BATCH_LENGTH_MAX, Call, Malformed, parse


def call(**members: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "method": "runtime.ping", **members}


@pytest.mark.parametrize(
    ("given", "encoded"),
    [
        (1, b"1"),
        (-7, b"-7"),
        (2**64 - 1, b"18446744073709551615"),
        (1.5, b"1.5"),
        ("a", b'"a"'),
        ('\u2028é"', '"\u2028é\\""'.encode()),
        (None, b"null"),
    ],
)
def test_an_id_comes_back_as_it_was_given(given: Any, encoded: bytes) -> None:
    assert parse(call(id=given)) == Call("runtime.ping", {}, encoded)


@pytest.mark.parametrize("given", [True, [], {}, [1]])
def test_an_id_of_another_type_is_refused_under_null(given: Any) -> None:
    found = parse(call(id=given))
    assert isinstance(found, Malformed)
    assert isinstance(found.error, InvalidRequest)
    assert found.id == b"null"


def test_a_call_without_an_id_is_a_notification() -> None:
    assert parse(call(params={"a": 1})) == Call("runtime.ping", {"a": 1}, None)


@pytest.mark.parametrize(
    "members",
    [
        {"jsonrpc": "1.0"},
        {"jsonrpc": 2.0},
        {"jsonrpc": None},
        {"method": 1},
        {"method": None},
        {"params": "bar"},
        {"params": None},
        {"params": 7},
    ],
)
def test_what_breaks_the_specification_is_answered_under_its_id(members: dict[str, Any]) -> None:
    found = parse(call(id=3, **members))
    assert isinstance(found, Malformed)
    assert isinstance(found.error, InvalidRequest)
    assert found.id == b"3"


def test_a_call_without_jsonrpc_or_method_is_refused() -> None:
    for value in ({"method": "a", "id": 1}, {"jsonrpc": "2.0", "id": 1}, {}):
        found = parse(value)
        assert isinstance(found, Malformed)
        assert isinstance(found.error, InvalidRequest)


def test_what_is_refused_without_an_id_is_answered_under_null() -> None:
    found = parse({"jsonrpc": "2.0", "method": 1, "params": "bar"})
    assert isinstance(found, Malformed)
    assert found.id == b"null"


def test_parameters_by_position_are_invalid_parameters() -> None:
    found = parse(call(id=3, params=[1, 2]))
    assert isinstance(found, Malformed)
    assert isinstance(found.error, InvalidParams)
    assert found.id == b"3"


def test_a_notification_with_parameters_by_position_is_not_answered() -> None:
    found = parse(call(params=[1, 2]))
    assert isinstance(found, Malformed)
    assert found.id is None


@pytest.mark.parametrize("value", [1, "a", None, True, 1.5])
def test_a_frame_that_is_no_object_is_refused(value: Any) -> None:
    assert isinstance(parse(value), Malformed)


def test_an_empty_batch_is_one_error_and_no_array() -> None:
    assert isinstance(parse([]), Malformed)


def test_each_invalid_item_of_a_batch_is_refused_by_itself() -> None:
    found = parse([1, call(id=1), 2])
    assert isinstance(found, list)
    assert [type(item) for item in found] == [Malformed, Call, Malformed]


def test_a_batch_has_a_limit() -> None:
    found = parse([1] * (BATCH_LENGTH_MAX + 1))
    assert isinstance(found, Malformed)
    assert isinstance(found.error, TooLarge)


def test_a_result_is_spliced_into_its_reply() -> None:
    reply = json.loads(jsonrpc.success(b'"x"', b'{"a":1}'))
    assert reply == {"jsonrpc": "2.0", "id": "x", "result": {"a": 1}}


def test_an_error_reply_has_code_message_kind_hint_and_retryable() -> None:
    reply = json.loads(jsonrpc.failure(b"7", Conflict("rev is 3", rev=3)))
    assert reply == {
        "jsonrpc": "2.0",
        "id": 7,
        "error": {
            "code": -32004,
            "message": "rev is 3",
            "data": {"kind": "conflict", "hint": Conflict.default_hint, "retryable": False, "rev": 3},
        },
    }


def test_details_that_are_not_json_do_not_cost_the_answer() -> None:
    reply = json.loads(jsonrpc.failure(b"1", Conflict("bad name \udcff", path=object(), name="\udcff")))
    assert reply["error"]["data"]["name"] == "?"
    assert reply["error"]["message"] == "bad name ?"


def test_the_replies_of_a_batch_are_an_array() -> None:
    assert json.loads(jsonrpc.batch([b"1", b"2"])) == [1, 2]

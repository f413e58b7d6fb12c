"""Errors there and back again."""

import json

import pytest

from actors.model.errors import ERRORS, Conflict, Internal, InvalidParams, PerdureError
from supervisor.wire import faults, jsonrpc


@pytest.mark.parametrize("error", ERRORS, ids=[error.kind for error in ERRORS])
def test_every_kind_comes_back_as_its_own_class(error: type[PerdureError]) -> None:
    sent = error("what happened", crash_id="c1") if error is Internal else error("what happened")
    reply = json.loads(jsonrpc.failure(b"1", sent))
    back = faults.from_object(reply["error"])
    assert type(back) is error
    assert back.data() == sent.data()
    assert back.message == "what happened"


def test_violations_come_back() -> None:
    back = faults.from_object(faults.to_object(InvalidParams.of("id", "bad")))
    assert isinstance(back, InvalidParams)
    assert back.details["violations"] == [{"path": "id", "message": "bad"}]


def test_a_kind_of_a_newer_server_keeps_what_it_says() -> None:
    fault = {
        "code": -32099,
        "message": "too new",
        "data": {"kind": "too_new", "hint": "wait", "retryable": True, "x": 1},
    }
    back = faults.from_object(fault)
    assert isinstance(back, faults.UnknownFault)
    assert faults.to_object(back) == fault


@pytest.mark.parametrize("fault", [None, 3, "x", [], {}, {"code": "x", "message": None, "data": 7}])
def test_whatever_a_server_sends_becomes_an_error(fault: object) -> None:
    assert isinstance(faults.from_object(fault), PerdureError)


def test_a_detail_named_like_a_keyword_harms_nothing() -> None:
    back = faults.from_object({"code": -32004, "message": "m", "data": {"kind": "conflict", "message": "x", "self": 1}})
    assert type(back) is Conflict
    assert back.message == "m"


def test_codes_and_kinds_are_unique() -> None:
    assert len({error.code for error in ERRORS}) == len(ERRORS) == len({error.kind for error in ERRORS})

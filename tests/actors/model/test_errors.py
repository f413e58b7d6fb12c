"""The errors of the protocol: one root, unique codes, all that a reader needs in the data."""

import pytest

from actors.model import errors
from actors.model.errors import BY_KIND, ERRORS, InvalidParams, Overloaded, PerdureError


def test_every_code_and_every_kind_is_used_once() -> None:
    assert len({error.code for error in ERRORS}) == len(ERRORS) == len(BY_KIND)


def test_no_error_class_is_missing_from_the_list() -> None:
    classes = {
        found
        for found in vars(errors).values()
        if isinstance(found, type) and issubclass(found, PerdureError) and found is not PerdureError
    }
    assert classes == set(ERRORS)


@pytest.mark.parametrize("error", ERRORS)
def test_every_error_says_what_to_do_next(error: type[PerdureError]) -> None:
    data = error("what is wrong").data()
    assert data["kind"] == error.kind
    assert data["hint"]
    assert data["retryable"] is error.retryable


def test_an_instance_may_sharpen_the_hint_and_add_members() -> None:
    error = Overloaded("full", hint="wait", retry_after_s=0.5)
    assert error.data() == {"kind": "overloaded", "hint": "wait", "retryable": True, "retry_after_s": 0.5}


def test_violations_name_their_path() -> None:
    error = InvalidParams.of("task.id", "an id must not begin with a dot")
    assert error.message == "task.id: an id must not begin with a dot"
    assert error.data()["violations"] == [{"path": "task.id", "message": "an id must not begin with a dot"}]

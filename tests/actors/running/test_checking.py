"""What is believed of what an agent says, and what is left out by name."""

from __future__ import annotations

from typing import Any

import pytest

from actors.running.checking import (
    MEMBER_BYTES_MAX,
    MEMBERS_MAX,
    NESTING_MAX,
    REASON_CHARACTERS_MAX,
    TEXT_CHARACTERS_MAX,
    checked,
    text_result,
)
from actors.running.parsing import Noticed, Reported, SessionNamed, Warned


def result_of(value: Any) -> Any:
    (found,) = checked([Reported(value)])
    assert isinstance(found, Reported)
    return found.result


def nested(depth: int) -> list[Any]:
    """So many lists inside one another."""
    value: list[Any] = []
    for _ in range(depth - 1):
        value = [value]
    return value


def test_an_honest_report_stays_as_it_is() -> None:
    said: list[Noticed] = [
        SessionNamed("aa354c37-104d-4ceb-94b3-8366ba743e36"),
        Reported({"text": "naïve ☕", "usage": {"input_tokens": 2**63}, "total_cost_usd": 0.25, "session_id": None}),
        Reported({"text": None}, "it failed"),
        Warned("reconnecting"),
    ]
    assert checked(said) == said


@pytest.mark.parametrize("odd", ["--last", "-x", "../up", "a b", "a\0b", "a\nb", "", "x" * 201, "é", "\ud800"])
def test_a_session_id_that_could_be_anything_else_on_a_command_line_is_passed_over(odd: str) -> None:
    assert checked([SessionNamed(odd)]) == []


@pytest.mark.parametrize(
    "odd",
    [
        2**64,
        -(2**63) - 1,
        float("nan"),
        float("inf"),
        nested(NESTING_MAX),
        {"a": nested(NESTING_MAX - 1)},
        {"a": "\ud800"},
        {"\udfff": 1},
        {1: 2},
        b"bytes",
        ["x" * MEMBER_BYTES_MAX],
    ],
    ids=lambda odd: repr(odd)[:20],
)
def test_a_member_that_no_reader_could_hold_is_left_out_by_name(odd: Any) -> None:
    assert result_of({"text": "done", "usage": odd}) == {"text": "done", "left_out": ["usage"]}


def test_a_member_as_deep_as_may_be_stays() -> None:
    deepest = {"usage": nested(NESTING_MAX - 1)}
    assert result_of(deepest) == deepest


def test_long_text_is_cut_and_says_so() -> None:
    long = "é" * (TEXT_CHARACTERS_MAX + 1)
    assert result_of({"text": long}) == {"text": long[:-1], "left_out": ["text"]}
    (failed, warned) = checked([Reported(None, long), Warned(long)])
    assert isinstance(failed, Reported)
    assert isinstance(warned, Warned)
    assert len(failed.error or "") == len(warned.message) == REASON_CHARACTERS_MAX


def test_half_a_character_becomes_a_question_mark() -> None:
    assert result_of({"text": "a\ud800b", "a\ud800": 1}) == {"text": "a?b", "a?": 1}


def test_members_beyond_the_limit_are_left_out() -> None:
    found = result_of({f"m{number}": number for number in range(MEMBERS_MAX + 5)})
    assert len(found) == MEMBERS_MAX + 1
    assert found["left_out"] == ["…"]


@pytest.mark.parametrize("bare", [None, "text", 7, [1]])
def test_a_result_that_is_no_object_becomes_one(bare: Any) -> None:
    assert result_of(bare) == {"text": bare}


def test_the_text_of_a_file_is_a_result_whatever_its_bytes_are() -> None:
    assert text_result(b"done\n", 5, "p") == {"text": "done\n"}
    assert text_result(b"\xef\xbb\xbfdone", 7, "p") == {"text": "done"}
    assert text_result(b"a\xffb", 3, "p") == {"text": "a�b"}
    assert text_result(b"", 0, "p") == {"text": ""}
    assert text_result(b"half", 9, "p") == {"text": "half", "bytes": 9, "left_out": ["text"], "path": "p"}

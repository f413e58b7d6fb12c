"""Ids and times of others, as rows of ours may hold them."""

from __future__ import annotations

import re
import string

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from actors.model.ids import given_session_id
from supervisor.foreign.members import usable_id

TEXTS = st.text(st.characters(codec="utf-8") | st.sampled_from(string.printable), max_size=300)


UUID = "0b3c4d5e-0000-4000-8000-000000000000"


def session_of(text: str) -> str:
    return given_session_id(usable_id(text))[0]


@pytest.mark.parametrize("text", [UUID, "session_1704067200001", "1704067200001"])
def test_an_id_that_sessions_may_have_stays_as_it_is(text: str) -> None:
    assert usable_id(text) == text


def test_a_plain_word_gets_words_of_ours_around_it_and_stays_readable() -> None:
    assert re.fullmatch(r"session_abc-[0-9a-f]{16}", usable_id("abc"))


@given(TEXTS)
@example("")
@example("\u00aa")
@example("x" * 300)
def test_of_any_text_it_makes_an_id_that_is_taken(text: str) -> None:
    given_session_id(usable_id(text))


@given(TEXTS, TEXTS)
@example("a b", "a-b")
@example("\u00aa", "\u00ba")
@example("x" * 200, "x" * 201)
@example("abc", "session_abc")
@example(UUID, f"{UUID} (copy)")
@example(f"notes on {UUID}", f"a copy of {UUID}")
@example(f"{UUID}:1", f"{UUID}:2")
def test_different_texts_never_become_the_same_session(one: str, other: str) -> None:
    assert (session_of(one) == session_of(other)) == (one == other)

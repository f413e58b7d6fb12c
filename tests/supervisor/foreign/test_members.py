"""Ids and times of others, as rows of ours may hold them."""

from __future__ import annotations

import string

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from actors.model.ids import given_session_id
from supervisor.foreign.members import usable_id

TEXTS = st.text(st.characters(codec="utf-8") | st.sampled_from(string.printable), max_size=300)


@pytest.mark.parametrize("text", ["0b3c4d5e-0000-4000-8000-000000000000", "session_1704067200001", "1704067200001"])
def test_an_id_that_sessions_may_have_stays_as_it_is(text: str) -> None:
    assert usable_id(text) == text


def test_a_plain_word_gets_one_of_ours_before_it() -> None:
    assert usable_id("abc") == "session_abc"


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
def test_different_texts_never_become_the_same_session(one: str, other: str) -> None:
    assert (usable_id(one) == usable_id(other)) == (one == other)

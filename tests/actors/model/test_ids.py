"""What may become an id, and so a file's name."""

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.model.errors import InvalidParams
from actors.model.ids import ID_BYTES_MAX, clean_id, foreign_session_id, given_session_id, new_id, session_id

SESSION = "0190163d-8694-739b-aea5-966c26f8ad91"


def test_forbidden_characters_are_removed_and_the_rest_is_the_id() -> None:
    assert clean_id('task/1\\2:3*4?5"6<7>8|9') == "task123456789"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "///",
        "   ",
        ".",
        "..",
        ".hidden",
        "../../etc",
        "a\x00b",
        "a\nb",
        "a\x85b",
        "CON",
        "con.txt",
        "lpt1",
        "é" * 101,
        "x" * 201,
        "\ud800",
        "e\u0301",
    ],
)
def test_what_could_not_be_a_file_name_everywhere_is_refused(text: str) -> None:
    with pytest.raises(InvalidParams) as caught:
        clean_id(text, "task.id")
    assert caught.value.details["violations"][0]["path"] == "task.id"


@given(st.text())
def test_whatever_is_accepted_stays_inside_its_directory(text: str) -> None:
    try:
        cleaned = clean_id(text)
    except InvalidParams:
        return
    assert not set(cleaned) & set('/\\:*?"<>|\x00')
    assert not cleaned.startswith(".")
    assert 0 < len(cleaned.encode()) <= ID_BYTES_MAX
    assert clean_id(cleaned) == cleaned


def test_new_ids_grow() -> None:
    made = [new_id() for _ in range(1000)]
    assert made == sorted(set(made))
    assert session_id(made[0]) == made[0]


@pytest.mark.parametrize(
    "text", ["", "x", SESSION.upper(), SESSION[:-1], f"{SESSION}0", f"../{SESSION}", f"{SESSION}\n"]
)
def test_a_session_id_is_a_uuid_in_lower_case_and_nothing_else(text: str) -> None:
    with pytest.raises(InvalidParams):
        session_id(text)


@pytest.mark.parametrize("text", [f"sess_{SESSION}", SESSION.upper(), f"rollout-2026-03-01-{SESSION}"])
def test_a_foreign_id_that_holds_a_uuid_is_that_uuid(text: str) -> None:
    assert given_session_id(text)[0] == SESSION


@pytest.mark.parametrize("text", ["session_1704067200001", "1704067200001"])
def test_any_other_foreign_id_is_always_the_same_uuid(text: str) -> None:
    found, foreign = given_session_id(text)
    assert uuid.UUID(found).version == 5
    assert foreign == text
    assert found == foreign_session_id(text)


def test_what_a_client_called_its_session_is_remembered_unless_it_is_the_uuid() -> None:
    assert given_session_id(SESSION) == (SESSION, None)
    assert given_session_id(SESSION.upper()) == (SESSION, None)
    assert given_session_id(f"sess_{SESSION}") == (SESSION, f"sess_{SESSION}")


@pytest.mark.parametrize(
    "text", ["", "x", "not-a-uuid", "../../etc/passwd", f"../{SESSION}", "sess_/x", "session_\x00", "s_" * 200]
)
def test_what_looks_like_no_id_of_a_session_is_refused(text: str) -> None:
    with pytest.raises(InvalidParams):
        given_session_id(text)

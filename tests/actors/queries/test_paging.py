"""Pages and cursors."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.model.errors import InvalidParams
from actors.model.tables import Row
from actors.queries.paging import LOOKED_AT_MAX, PAGE_BYTES_MAX, Listing, cursor_of, page, place_of


def a_row(name: str, size_bytes: int = 0) -> Row:
    return Row(id=name, rev=1, encoded=msgspec.json.encode({"id": name, "x": "x" * size_bytes}))


def paged(rows: list[Row], limit: int, wanted: str = "") -> dict[str, Any]:
    listing = Listing(
        noun="things",
        walk="things",
        rows=rows,
        fits=lambda row: row.id.startswith(wanted),
        place=lambda row: (row.id,),
        show=lambda row: row.encoded,
    )
    decoded: dict[str, Any] = msgspec.json.decode(page(listing, limit))
    return decoded


def names(found: dict[str, Any]) -> list[str]:
    return [row["id"] for row in found["things"]]


def test_the_last_page_has_no_cursor_also_when_it_is_exactly_full() -> None:
    rows = [a_row(name) for name in "abc"]
    assert paged(rows, 3)["next_cursor"] is None
    assert paged([], 3) == {"things": [], "next_cursor": None}


def test_a_cursor_names_the_last_row_looked_at() -> None:
    found = paged([a_row(name) for name in "abc"], 2)
    assert names(found) == ["a", "b"]
    assert place_of("things", found["next_cursor"], 1) == ("b",)


def test_a_page_ends_when_it_has_looked_at_too_much_and_says_where() -> None:
    rows = [a_row(f"a{n:06}") for n in range(LOOKED_AT_MAX)] + [a_row("z")]
    found = paged(rows, 10, wanted="z")
    assert names(found) == []
    assert place_of("things", found["next_cursor"], 1) == (f"a{LOOKED_AT_MAX - 1:06}",)


def test_a_page_ends_when_it_is_too_long_for_a_frame_but_holds_one_row_at_least() -> None:
    rows = [a_row(name, PAGE_BYTES_MAX) for name in "abc"]
    found = paged(rows, 10)
    assert names(found) == ["a"]
    assert found["next_cursor"] is not None


@given(st.text(), st.text())
def test_every_place_survives_being_a_cursor(first: str, second: str) -> None:
    if any("\ud800" <= character <= "\udfff" for character in first + second):
        return
    assert place_of("w", cursor_of("w", (first, second)), 2) == (first, second)


@given(st.text(max_size=40))
def test_any_other_text_is_refused_by_its_name(text: str) -> None:
    with pytest.raises(InvalidParams) as caught:
        place_of("w", text, 2)
    assert caught.value.details["violations"][0]["path"] == "cursor"


def test_a_cursor_of_another_list_is_refused() -> None:
    with pytest.raises(InvalidParams):
        place_of("created", cursor_of("title", ("a", "b")), 2)
    with pytest.raises(InvalidParams):
        place_of("w", cursor_of("w", ("a",)), 2)
    assert place_of("w", None, 2) is None

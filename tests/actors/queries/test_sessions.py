"""Reading sessions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from attrs import frozen

from actors.messages import sessions as ask
from actors.model.errors import InvalidParams, NotFound
from actors.queries.sessions import WALKS, get, list_page, messages
from tests.kit.decided import Bench
from tests.kit.rows import a_session


def session_id(number: int) -> str:
    return f"0190163d-8694-739b-aea5-{number:012x}"


@pytest.fixture
def bench() -> Bench:
    """Three sessions: made in the order 1, 2, 3; accessed last in the order 2, 3, 1; titles b, C, a."""
    bench = Bench()
    for number, title, accessed in ((1, "b", 9), (2, "C", 4), (3, "a", 5)):
        bench.tables.put_row(
            "sessions",
            a_session(
                session_id(number),
                title=title,
                created_at=f"2026-03-01T12:00:0{number}.000Z",
                last_accessed_at=f"2026-03-01T12:00:0{accessed}.000Z",
                working_directory=f"/w/{number % 2}/",
            ),
        )
    return bench


def listed(bench: Bench, **asked: Any) -> tuple[list[int], str | None]:
    found = msgspec.json.decode(list_page(bench.tables, ask.SessionList(**asked), bench.at))
    return [int(session["id"][-1]) for session in found["sessions"]], found["next_cursor"]


ORDERS = {"last_accessed": [1, 3, 2], "created": [3, 2, 1], "title": [3, 1, 2]}


@pytest.mark.parametrize("order", WALKS)
def test_lists_walk_in_the_order_asked_for_page_by_page(bench: Bench, order: str) -> None:
    assert listed(bench, order=order) == (ORDERS[order], None)
    seen: list[int] = []
    cursor: str | None = None
    while True:
        numbers, cursor = listed(bench, order=order, limit=1, cursor=cursor)
        seen += numbers
        if cursor is None:
            break
    assert seen == ORDERS[order]


def test_a_cursor_belongs_to_its_order(bench: Bench) -> None:
    cursor = listed(bench, limit=1)[1]
    with pytest.raises(InvalidParams):
        listed(bench, order="title", cursor=cursor)


@pytest.mark.parametrize("directory", ["/w/1", "/w/1/", "/w//1", "/w/x/../1"])
def test_a_working_directory_is_found_however_it_is_written(bench: Bench, directory: str) -> None:
    assert listed(bench, working_directory=directory)[0] == [1, 3]


def test_lists_are_filtered_by_status_and_activity(bench: Bench) -> None:
    bench.do(ask.SessionClose(id=session_id(2)))
    assert listed(bench, status="closed")[0] == [2]
    assert listed(bench, status="open", activity="active")[0] == [1, 3]
    assert listed(bench, activity="idle")[0] == []


def whole(bench: Bench, number: int) -> Any:
    found = get(bench.tables, ask.SessionGet(id=session_id(number)), bench.at)
    assert isinstance(found, bytes)
    return msgspec.json.decode(found)


def test_reading_a_session_touches_nothing(bench: Bench) -> None:
    before = bench.row("sessions", session_id(1))
    assert whole(bench, 1) == before
    assert bench.row("sessions", session_id(1)) == before
    with pytest.raises(InvalidParams):
        get(bench.tables, ask.SessionGet(id="../x"), bench.at)


class Archive:
    """An archive in which the session 8 lies."""

    def read_archived(self, wanted: str) -> tuple[bytes, str] | None:
        return (b"{}", "1") if wanted == session_id(8) else None


@pytest.mark.parametrize(("number", "hint"), [(9, "session.list shows what there is"), (8, "session.restore")])
def test_of_a_session_that_is_not_there_it_is_said_whether_the_archive_has_it(
    bench: Bench, number: int, hint: str
) -> None:
    asked = get(bench.tables, ask.SessionGet(id=session_id(number)), bench.at)
    assert not isinstance(asked, bytes)
    with pytest.raises(NotFound) as caught:
        asked(Archive())
    assert hint in caught.value.hint
    assert caught.value.details.get("archived", False) is (number == 8)


@frozen
class Page:
    messages: list[bytes]
    next: int | None
    missing: Sequence[tuple[int, int]] = ()


class Store:
    """A file with three messages, of which there were more before."""

    def __init__(self, missing: Sequence[tuple[int, int]] = ()) -> None:
        self._missing = missing

    def read_messages(self, wanted: str, after: int, limit: int, count: int) -> Page:
        assert (wanted, count) == (session_id(1), 0)
        found = [b'{"n":%d}' % n for n in range(after + 1, 4)][:limit]
        return Page(found, after + limit if after + limit < 3 else None, self._missing)


def test_messages_come_from_the_file_page_by_page(bench: Bench) -> None:
    first = messages(bench.tables, ask.SessionMessages(id=session_id(1), limit=2), bench.at)(Store())
    assert msgspec.json.decode(first) == {"messages": [{"n": 1}, {"n": 2}], "next": 2}
    rest = messages(bench.tables, ask.SessionMessages(id=session_id(1), after=2, limit=2), bench.at)(Store())
    assert msgspec.json.decode(rest) == {"messages": [{"n": 3}], "next": None}


def test_the_reply_says_which_messages_are_lost(bench: Bench) -> None:
    reply = messages(bench.tables, ask.SessionMessages(id=session_id(1)), bench.at)(Store([(4, 4), (7, 9)]))
    assert msgspec.json.decode(reply)["missing"] == [[4, 4], [7, 9]]


def test_there_are_no_messages_of_a_session_that_is_not_there(bench: Bench) -> None:
    with pytest.raises(NotFound):
        messages(bench.tables, ask.SessionMessages(id=session_id(9)), bench.at)

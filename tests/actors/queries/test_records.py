"""Reading text logs and reports."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from attrs import define

from actors.messages import records as ask
from actors.model.errors import NotFound
from actors.queries.records import get_report, list_reports, read_log
from tests.kit.decided import Bench

SESSION = "0190163d-8694-739b-aea5-966c26f8ad91"
TEXT = "aé€😀z"


@define
class Store:
    """A log's file, which may hold more than is durable, and reports."""

    data: bytes = b""
    asked: int = 0

    def read_log(self, name: str, offset: int, limit: int) -> tuple[bytes, int]:
        assert name == f"session_{SESSION}"
        self.asked = limit
        found = self.data[offset : offset + limit]
        return found, offset + len(found)

    def read_report(self, report_id: str) -> bytes:
        return b'{"id":"%b"}' % report_id.encode()


@pytest.fixture
def bench() -> Bench:
    bench = Bench()
    bench.do(ask.LogAppend(session_id=SESSION, text=TEXT))
    return bench


def read(bench: Bench, store: Store, **asked: Any) -> tuple[str, int]:
    found = msgspec.json.decode(read_log(bench.tables, ask.LogRead(session_id=SESSION, **asked), bench.at)(store))
    return found["text"], found["next_offset"]


@pytest.mark.parametrize("limit", range(4, 14))
def test_a_log_is_read_in_whole_characters_and_nothing_is_left_out(bench: Bench, limit: int) -> None:
    store = Store(TEXT.encode())
    seen, offset = "", 0
    while offset < len(TEXT.encode()):
        text, following = read(bench, store, offset=offset, limit=limit)
        assert following > offset
        assert "\ufffd" not in text
        seen, offset = seen + text, following
    assert seen == TEXT


def test_bytes_that_are_no_text_do_not_stop_a_reader(bench: Bench) -> None:
    size_bytes = len(TEXT.encode())
    text, following = read(bench, Store(b"\xff" * size_bytes))
    assert text == "\ufffd" * size_bytes
    assert following == size_bytes


def test_nothing_beyond_what_is_durable_is_read(bench: Bench) -> None:
    store = Store(TEXT.encode() + b"not acknowledged yet")
    assert read(bench, store) == (TEXT, len(TEXT.encode()))
    assert read(bench, store, offset=1000) == ("", 1000)


def test_a_session_without_a_log_is_told_so(bench: Bench) -> None:
    with pytest.raises(NotFound):
        read_log(Bench().tables, ask.LogRead(session_id=SESSION), bench.at)


def test_a_report_comes_from_its_file_and_the_list_from_the_rows(bench: Bench) -> None:
    bench.do(ask.ReportSave(data=1, id="b"))
    bench.do(ask.ReportSave(data=2, id="a"))
    assert get_report(bench.tables, ask.ReportGet(id="a"), bench.at)(Store()) == b'{"id":"a"}'
    found = msgspec.json.decode(list_reports(bench.tables, ask.ReportList(), bench.at))
    assert [report["id"] for report in found["reports"]] == ["b", "a"]
    with pytest.raises(NotFound):
        get_report(bench.tables, ask.ReportGet(id="x"), bench.at)

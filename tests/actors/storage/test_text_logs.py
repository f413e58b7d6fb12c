"""Text logs by absolute offset, read at character boundaries; task logs by number."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.storage.text_logs import Grown, whole_characters
from tests.kit.behind import behind

ID = "0191d5a0-0000-7000-8000-000000000001"


def test_writing_the_same_bytes_at_the_same_place_again_changes_nothing(tmp_path: Path) -> None:
    for _ in range(2):
        with behind(tmp_path) as b:
            b.logs.append_at(ID, 0, b"one ")
            b.logs.append_at(ID, 4, b"two")
            b.logs.sync([ID])
            assert b.logs.size_bytes(ID) == 7
    assert (tmp_path / "logs" / f"session_{ID}.log").read_bytes() == b"one two"


def test_a_gap_is_told(tmp_path: Path) -> None:
    with behind(tmp_path) as b:
        assert b.logs.append_at(ID, 0, b"one") == Grown(3, 0)
        assert b.logs.append_at(ID, 5, b"two") == Grown(8, 2)
        assert b.logs.read(ID, 0, 100) == (b"one\0\0two", 8)


def test_a_log_that_is_not_there_is_empty(tmp_path: Path) -> None:
    with behind(tmp_path) as b:
        assert b.logs.size_bytes(ID) == 0
        assert b.logs.read(ID, 0, 100) == (b"", 0)
        assert b.task_logs.last_number("a") == 0
        assert not b.logs.settle(ID, 0)


def test_what_stands_beyond_the_known_length_is_kept_in_quarantine_and_cut(tmp_path: Path) -> None:
    with behind(tmp_path) as b:
        b.logs.append_at(ID, 0, b"known and surplus")
        assert b.logs.settle(ID, 5)
        assert b.logs.read(ID, 0, 100) == (b"known", 5)
        assert b.quarantined() == b" and surplus"
        assert not b.logs.settle(ID, 5)


@pytest.mark.parametrize("limit", [1, 4, 5, 6, 7, 100])
def test_reading_on_from_where_a_read_ended_gives_every_character_whole(tmp_path: Path, limit: int) -> None:
    text = "aé€😀" * 7
    with behind(tmp_path) as b:
        b.logs.append_at(ID, 0, text.encode())
        offset, found = 0, ""
        while offset < len(text.encode()):
            data, following = b.logs.read(ID, offset, limit)
            assert following > offset
            found += data.decode("utf-8")
            offset = following
        assert found == text


@given(st.binary(max_size=12))
def test_cutting_at_a_character_leaves_at_most_three_bytes_and_never_a_character_that_is_whole(data: bytes) -> None:
    end = whole_characters(data)
    assert len(data) - 3 <= end <= len(data)
    shown = data[:end].decode("utf-8", "replace") + data[end:].decode("utf-8", "replace")
    assert shown == data.decode("utf-8", "replace")


@given(st.text(max_size=6), st.integers(0, 24))
def test_text_cut_anywhere_is_valid_up_to_the_cut(text: str, cut: int) -> None:
    data = text.encode()[:cut]
    assert text.startswith(data[: whole_characters(data)].decode("utf-8"))


def test_task_log_entries_are_numbered_and_not_doubled(tmp_path: Path) -> None:
    entries = [b'{"message":"%d"}' % number for number in range(1, 8)]
    with behind(tmp_path) as b:
        assert b.task_logs.append("a", 1, entries[:3]) == 3
        assert b.task_logs.append("a", 2, entries[1:5]) == 2
        b.task_logs.sync(["a"])
    with behind(tmp_path) as b:
        assert b.task_logs.append("a", 4, entries[3:]) == 2
        assert b.task_logs.last_number("a") == 7
        page = b.task_logs.read("a", 2, 3, 1000)
        assert (page.lines, page.next) == (entries[2:5], 5)
        assert b.task_logs.read("a", 5, 3, 1000).next is None

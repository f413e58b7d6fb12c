"""supervisor/cli/words.py: values as people read them, and nothing that disturbs a terminal."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.cli.words import age, counted, dig, duration, local_time, one_line, prose, scalar, size

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.008, "8ms"), (1, "1s"), (59.9, "59s"), (60, "1m"), (3599, "59m"), (7200, "2h"), (86_400 * 3, "3d")],
)
def test_a_duration_is_told_in_its_largest_unit(seconds: float, said: str) -> None:
    assert duration(seconds) == said


def test_an_age_is_the_time_since_a_stamp() -> None:
    assert age("2026-11-21T11:55:00.000Z", NOW) == "5m"


def test_a_stamp_of_the_future_is_now_because_clocks_differ() -> None:
    assert age((NOW + timedelta(hours=1)).isoformat(), NOW) == "now"


@pytest.mark.parametrize("stamp", [None, "", "yesterday", 5])
def test_what_is_no_stamp_has_no_age(stamp: object) -> None:
    assert age(stamp, NOW) == "-"
    assert local_time(stamp) == "-"


@pytest.mark.parametrize(
    ("count", "said"),
    [(0, "0 B"), (999, "999 B"), (1400, "1.4 kB"), (512_000, "512 kB"), (3_200_000_000, "3.2 GB"), (None, "-")],
)
def test_bytes_are_told_in_three_digits(count: object, said: str) -> None:
    assert size(count) == said


def test_one_is_singular() -> None:
    assert (counted(1, "task"), counted(2, "task"), counted(0, "task")) == ("1 task", "2 tasks", "0 tasks")


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "-"),
        ("", "-"),
        ([], "-"),
        ({}, "-"),
        (0, "0"),
        (False, "no"),
        (True, "yes"),
        (["a"], '["a"]'),
        (1.5, "1.5"),
    ],
)
def test_nothing_is_a_dash_and_zero_is_not_nothing(value: object, said: str) -> None:
    assert scalar(value) == said


def test_dig_finds_members_and_gives_nothing_where_one_is_missing() -> None:
    assert dig({"a": {"b": 5}}, "a", "b") == 5
    assert dig({"a": None}, "a", "b") is None
    assert dig([], "a") is None


@pytest.mark.parametrize("evil", ["\x1b[2J", "\r", "\x07", "\u202e", "\u2028", "\x85", "\n", "\x9b31m"])
def test_what_moves_the_cursor_or_turns_the_writing_becomes_a_blank(evil: str) -> None:
    assert one_line(f"before{evil}after").startswith("before ")
    assert evil not in one_line(f"before{evil}after")


def test_prose_keeps_its_lines_and_loses_escapes() -> None:
    assert prose("one\r\ntwo\x1b[31m\tthree\n") == "one\ntwo[31m    three"


@given(st.text(st.characters(exclude_categories=()), max_size=50))
def test_any_text_ends_up_printable_and_on_one_line(text: str) -> None:
    said = one_line(text)
    said.encode()
    assert "\x1b" not in said
    assert "\n" not in said
    assert len(said.splitlines()) <= 1

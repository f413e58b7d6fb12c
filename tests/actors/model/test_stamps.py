"""Times have one form."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.model.stamps import later, normal, posix_of, stamp_of


def test_a_stamp_has_milliseconds_and_a_z() -> None:
    assert stamp_of(0.0015) == "1970-01-01T00:00:00.001Z"
    assert posix_of("1970-01-01T00:01:00.500Z") == 60.5


def test_later_counts_on_over_days() -> None:
    assert later("2026-02-28T23:59:59.999Z", 0.002) == "2026-03-01T00:00:00.001Z"


@pytest.mark.parametrize(
    "text", ["2026-03-01T12:00:00Z", "2026-03-01T13:00:00+01:00", "2026-03-01 12:00:00", "2026-03-01T12:00:00.000000Z"]
)
def test_other_forms_of_the_same_moment_become_the_same_stamp(text: str) -> None:
    assert normal(text) == "2026-03-01T12:00:00.000Z"


@given(st.datetimes(timezones=st.timezones() | st.just(dt.UTC)))
def test_every_moment_that_is_taken_is_read_again_and_sorts_by_time(moment: dt.datetime) -> None:
    try:
        stamp = normal(moment.isoformat())
    except (ValueError, OverflowError):  # in another zone the year 1 or 9999 is over the edge
        return
    assert len(stamp) == len("2026-03-01T12:00:00.000Z")
    assert normal(stamp) == stamp
    assert len(stamp_of(posix_of(stamp))) == len(stamp)
    assert "0001-01-01T00:00:00.000Z" <= stamp <= "9999-12-31T23:59:59.999Z"


@pytest.mark.parametrize("text", ["", "yesterday", "12:00", "1704067200"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        normal(text)

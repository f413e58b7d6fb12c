"""When an alert is raised and when it is cleared: once each, told the time, nothing else."""

from __future__ import annotations

import msgspec
import pytest

from supervisor.runtime.alerts.conditions import UNKNOWN, Condition, Signs
from supervisor.runtime.alerts.standing import Standing

QUIET = Signs(disk_low_bytes=1000, restarts_max=5, restarts_within_s=60.0, lag_max=100)


def lagging(signs: Signs, _stands: bool) -> str | None:
    if signs.files_backlog < 0:
        return UNKNOWN
    return f"{signs.files_backlog} files" if signs.files_backlog else None


def standing(for_s: float = 0.0) -> Standing:
    return Standing([Condition(name="lag", level="warning", find=lagging, hint="hurry", for_s=for_s)])


def look(one: Standing, backlog: int, now_s: float) -> list[tuple[str, str]]:
    signs = msgspec.structs.replace(QUIET, files_backlog=backlog)
    return [(alert.state, alert.message) for alert in one.look(signs, now_s, f"at {now_s:g}")]


def test_an_alert_is_raised_once_and_cleared_once() -> None:
    one = standing()
    told = [look(one, backlog, float(at_s)) for at_s, backlog in enumerate([0, 3, 5, 0, 0, 7])]
    assert told == [[], [("raised", "3 files")], [], [("cleared", "5 files")], [], [("raised", "7 files")]]


def test_what_stands_shows_its_newest_text_and_when_it_was_raised() -> None:
    one = standing()
    look(one, 3, 1.0)
    look(one, 5, 2.0)
    (alert,) = one.alerts()
    assert alert.as_json() == {
        "alert": "lag",
        "state": "raised",
        "level": "warning",
        "message": "5 files",
        "hint": "hurry",
        "since": "at 1",
    }


def test_what_is_over_before_its_time_is_not_told() -> None:
    one = standing(for_s=5.0)
    assert look(one, 3, 10.0) == []
    assert look(one, 0, 12.0) == []
    assert look(one, 3, 13.0) == []
    assert look(one, 3, 17.9) == []
    assert look(one, 3, 18.0) == [("raised", "3 files")]


def test_what_stands_is_cleared_only_when_it_stays_over() -> None:
    one = standing(for_s=5.0)
    look(one, 3, 0.0)
    look(one, 3, 5.0)
    assert look(one, 0, 6.0) == []
    assert look(one, 3, 8.0) == []
    assert look(one, 0, 9.0) == []
    assert look(one, 0, 14.0) == [("cleared", "3 files")]
    assert one.alerts() == []


def test_what_an_earlier_runtime_raised_is_not_raised_again_and_its_end_is_told() -> None:
    one = standing()
    one.inherit({"lag": {"state": "raised", "level": "warning", "message": "9 files", "since": "long ago"}})
    assert look(one, 4, 0.0) == []
    assert [alert.since for alert in one.alerts()] == ["long ago"]
    assert look(one, 0, 1.0) == [("cleared", "4 files")]


@pytest.mark.parametrize(
    "told", [{"lag": {"state": "cleared"}}, {"lag": {}}, {"unknown": {"state": "raised"}}], ids=repr
)
def test_what_is_over_or_unknown_is_not_inherited(told: dict[str, dict[str, str]]) -> None:
    one = standing()
    one.inherit(told)
    assert one.alerts() == []


def test_while_nothing_is_known_whatever_was_told_goes_on() -> None:
    one = standing()
    assert look(one, -1, 0.0) == []
    look(one, 3, 1.0)
    assert look(one, -1, 2.0) == []
    assert [alert.message for alert in one.alerts()] == ["3 files"]

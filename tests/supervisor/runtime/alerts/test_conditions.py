"""The table of alerts: what raises each, and what is not enough."""

from __future__ import annotations

import errno
from typing import Any

import msgspec
import pytest

from actors.ledger import Problem
from actors.model.room import Room
from supervisor.runtime.alerts.conditions import CONDITIONS, UNKNOWN, Signs

QUIET = Signs(
    disk_low_bytes=1000,
    restarts_max=5,
    restarts_within_s=60.0,
    lag_max=100,
    room=Room(free_bytes=5000, reserve_bytes=200),
)
BY_NAME = {condition.name: condition for condition in CONDITIONS}

IO_ERROR = Problem("the disk broke", errno.EIO)
FORBIDDEN = Problem("not allowed", errno.EACCES)
DAMAGED = {"corrupted": True, "seqs_lost": [[3, 4]]}
EDGE = Room(free_bytes=1050, reserve_bytes=200)


def found(name: str, *, stands: bool = False, **signs: Any) -> str | None:
    return BY_NAME[name].find(msgspec.structs.replace(QUIET, **signs), stands)


def test_the_alerts_are_those_that_are_promised() -> None:
    promised = ["save_failed", "disk_low", "corruption", "backup_failed", "permission", "restart_storm", "lag"]
    assert [condition.name for condition in CONDITIONS] == promised
    assert all(condition.hint for condition in CONDITIONS)


def test_when_nothing_is_amiss_nothing_is_told() -> None:
    assert [found(name, stands=stands) for name in BY_NAME for stands in (False, True)] == [None] * 14


@pytest.mark.parametrize(
    ("name", "signs", "says"),
    [
        ("save_failed", {"save_problem": IO_ERROR}, "snapshot could not be written: the disk broke"),
        ("save_failed", {"journal_problem": IO_ERROR}, "journal cannot be written: the disk broke"),
        ("disk_low", {"room": Room(free_bytes=999, reserve_bytes=0)}, "health.disk_low_bytes"),
        (
            "disk_low",
            {"room": Room(free_bytes=100, reserve_bytes=200), "is_refusing": True},
            "state.disk_reserve_bytes",
        ),
        ("corruption", {"recovery": DAMAGED}, "2 journal lines are lost"),
        ("backup_failed", {"backup_problem": IO_ERROR}, "the disk broke"),
        ("permission", {"files_problem": FORBIDDEN}, "forbids writing: not allowed"),
        (
            "permission",
            {"room": Room(free_bytes=5000, reserve_bytes=0, access_problem="open to others")},
            "open to others",
        ),
        ("restart_storm", {"restarts": 5}, "5 restarts within 60 s"),
        ("lag", {"files_backlog": 101}, "101 files"),
        ("lag", {"event_lag": 101}, "101 lines behind"),
    ],
)
def test_each_condition_says_what_is_the_matter(name: str, signs: dict[str, Any], says: str) -> None:
    assert says in str(found(name, **signs))


@pytest.mark.parametrize(
    ("name", "signs"),
    [
        ("disk_low", {"room": EDGE}),
        ("restart_storm", {"restarts": 1}),
        ("lag", {"files_backlog": 51}),
    ],
)
def test_what_stands_goes_on_at_the_edge_where_it_would_not_have_begun(name: str, signs: dict[str, Any]) -> None:
    assert found(name, **signs) is None
    assert found(name, stands=True, **signs) is not None


def test_a_disk_that_breaks_is_no_matter_of_permission() -> None:
    assert found("permission", save_problem=IO_ERROR, journal_problem=IO_ERROR) is None


def test_while_the_writer_recovers_nothing_is_known_of_the_room() -> None:
    assert found("disk_low", room=None) == UNKNOWN
    assert found("permission", room=None) == UNKNOWN

"""Where rows live: columns beside the bytes, and orders that follow every change."""

import msgspec
import pytest

from actors.model.run_table import Runs
from actors.model.session_table import Sessions
from actors.model.tables import Events, Row, any_row, plain_row, seconds_between, task_row
from tests.kit.rows import START, a_run, a_session, a_task

LATER = "2026-03-01T13:00:00.000Z"


def ids(orders: object) -> list[str]:
    return [order[1] for order in orders]  # type: ignore[attr-defined]


def test_a_row_keeps_the_bytes_that_it_was_made_from() -> None:
    encoded = a_task("a", tool="SHELL").encoded
    assert task_row(encoded).encoded is encoded


def test_a_row_holds_the_columns_that_lists_look_at() -> None:
    row = a_task(
        "a", status="completed", priority=2, tool="SHELL", depends_on=("b",), started_at=START, completed_at=LATER
    )
    assert (row.status, row.priority, row.tool, row.depends_on) == ("completed", 2, "SHELL", ("b",))
    assert row.order == (START, "a")
    assert row.seconds == 3600.0


def test_only_a_completed_task_counts_how_long_it_took() -> None:
    assert a_task("a", status="failed", started_at=START, completed_at=LATER).seconds is None


@pytest.mark.parametrize("table", ["tasks", "sessions", "runs", "events"])
def test_what_is_no_row_is_refused_by_its_type(table: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        any_row(table, b'{"id": 7}')


def test_seconds_are_counted_only_between_two_times() -> None:
    assert seconds_between(START, LATER) == 3600.0
    assert seconds_between(LATER, START) == 0.0
    for earlier, later in ((None, LATER), (START, None), ("soon", LATER), ("2026-03-01T12:00:00", LATER)):
        assert seconds_between(earlier, later) is None


def test_sessions_follow_three_orders() -> None:
    sessions = Sessions()
    sessions.put(a_session("b", title="Alpha", created_at=LATER))
    sessions.put(a_session("a", title="beta", last_accessed_at=LATER))
    assert ids(sessions.by_access) == ["b", "a"]
    assert ids(sessions.by_creation) == ["a", "b"]
    assert ids(sessions.by_title) == ["b", "a"]


def test_a_changed_session_moves_in_the_orders_and_a_removed_one_leaves_them() -> None:
    sessions = Sessions()
    sessions.put(a_session("a"))
    sessions.put(a_session("b"))
    sessions.put(a_session("a", title="z", last_accessed_at=LATER))
    assert ids(sessions.by_access) == ["b", "a"]
    assert ids(sessions.by_title) == ["b", "a"]
    sessions.remove("a")
    sessions.remove("a")
    assert [ids(orders) for orders in (sessions.by_access, sessions.by_creation, sessions.by_title)] == [["b"]] * 3


def test_sessions_are_found_by_what_they_are_known_by_and_by_nothing_else() -> None:
    sessions = Sessions()
    sessions.put(a_session("a", external_ids=("x", "y"), alias="login"))
    sessions.put(a_session("b", external_ids=("y",), parent_id="a"))
    assert [sessions.known_by("external_id", key) for key in "xyz"] == [("a",), ("a", "b"), ()]
    sessions.put(a_session("a", external_ids=("z",)))
    assert [sessions.known_by("external_id", key) for key in "xyz"] == [(), ("b",), ("a",)]
    assert sessions.known_by("alias", "login") == ()
    assert sessions.known_by("parent_id", "a") == ("b",)
    sessions.remove("b")
    assert sessions.known_by("parent_id", "a") == sessions.known_by("external_id", "y") == ()


def test_a_working_directory_is_found_however_it_was_written() -> None:
    assert a_session("a", working_directory="/w/x/../y/").working_directory == "/w/y"


def test_live_runs_are_found_by_their_session_until_they_end() -> None:
    runs = Runs()
    runs.put(a_run("r", session_id="s", task_id="t", status="running"))
    assert [run.id for run in runs.live_of_session("s")] == ["r"]
    runs.put(a_run("r", session_id="s", task_id="t", status="exited"))
    assert not list(runs.live_of_session("s"))
    assert runs.by_task == {"t": {"r"}}


def test_a_run_that_moved_or_left_is_in_no_index_any_more() -> None:
    runs = Runs()
    runs.put(a_run("r", session_id="s", task_id="t", status="running"))
    runs.put(a_run("r", session_id="s2", task_id=None, status="running"))
    assert not list(runs.live_of_session("s"))
    assert runs.by_task == {}
    runs.remove("r")
    runs.remove("r")
    assert not list(runs.live_of_session("s2"))
    assert not runs.by_id


def test_only_the_newest_events_stay() -> None:
    events = Events(kept=2)
    for name in "abc":
        events.put(plain_row(b'{"id":"%b","rev":1}' % name.encode()))
    assert list(events.rows) == ["b", "c"]
    assert isinstance(events.get("c"), Row)

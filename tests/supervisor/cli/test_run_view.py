"""supervisor/cli/run_view.py: how runs look, and which code `perdure run` ends with."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from supervisor.cli import run_view
from tests.supervisor.cli.rows import run_row

NOW = datetime(2026, 11, 21, 10, 0, 30, tzinfo=UTC)
BEGUN = "2026-11-21T10:00:00.000Z"


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"status": "exited", "exit_code": 0}, 0),
        ({"status": "exited", "exit_code": 3, "error": {"kind": "exit_code", "message": "exit code 3"}}, 3),
        ({"status": "exited", "signal": 11, "error": {"kind": "signal", "message": "SIGSEGV"}}, 139),
        ({"status": "exited", "exit_code": 0, "error": {"kind": "agent_error", "message": "it says no"}}, 1),
        ({"status": "exited", "signal": 15, "result": "done"}, 0),
        ({"status": "timed_out", "signal": 9, "error": {"kind": "wall_time", "message": "60 s"}}, 137),
        ({"status": "timed_out", "exit_code": 0, "error": {"kind": "wall_time", "message": "60 s"}}, 1),
        ({"status": "cancelled", "signal": 15, "error": {"kind": "stopped", "message": "somebody"}}, 143),
        ({"status": "cancelled", "error": {"kind": "stopped", "message": "before its turn"}}, 125),
        ({"status": "failed_to_start", "error": {"kind": "failed_to_start", "message": "no such"}}, 125),
        ({"status": "interrupted", "error": {"kind": "interrupted", "message": "the host"}}, 125),
    ],
)
def test_the_code_is_the_agents_status_and_0_is_for_success_alone(members: dict[str, Any], code: int) -> None:
    assert run_view.exit_code(run_row(**members)) == code


def test_an_end_that_the_agent_chose_is_not_explained() -> None:
    assert run_view.ending(run_row("a", status="exited", exit_code=3)) is None
    ended = run_row("a", status="timed_out", error={"kind": "wall_time", "message": "more than 5 s"})
    assert run_view.ending(ended) == "run a took too long: more than 5 s"
    assert run_view.ending(run_row("a", status="cancelled")) == "run a was stopped"


def test_a_list_shows_what_there_is_to_say_and_nothing_else() -> None:
    table = run_view.listed([run_row("a"), run_row("b", status="exited", exit_code=2, started_at=BEGUN)], NOW)
    assert [column.name for column in table.columns] == ["ID", "STATUS", "BEGUN", "TOOK", "TASK", "COMMAND"]
    assert [row[1].text for row in table.rows] == ["queued", "exited (2)"]
    table = run_view.listed([run_row("a", tool="CODEX", attempt=2, argv=["codex", "exec", "two words"])], NOW)
    assert [column.name for column in table.columns][2:4] == ["TOOL", "TRY"]
    assert table.rows[0][-1].text == "codex exec 'two words'"


def test_how_long_a_run_took_ends_with_it() -> None:
    live = run_row(status="running", started_at=BEGUN)
    assert run_view.took(live, NOW) == "30s"
    assert run_view.took(live, NOW + timedelta(seconds=30)) == "1m"
    over = run_row(status="exited", started_at=BEGUN, ended_at="2026-11-21T10:00:05.000Z")
    assert run_view.took(over, NOW) == "5s"
    assert run_view.took(run_row(), NOW) == "-"


def test_the_line_of_progress_says_who_is_before_it() -> None:
    assert run_view.waiting(run_row(), 4, 2, NOW) == "the run waits for its turn: 4 running, 2 queued"
    assert run_view.waiting(run_row(attempt=2), 0, 0, NOW) == "attempt 2 waits for its turn"
    assert run_view.waiting(run_row(status="starting"), 0, 0, NOW) == "the run is starting"
    running = run_row(status="running", started_at=BEGUN)
    assert run_view.waiting(running, 0, 0, NOW) == "the run is running for 30s; no output yet"

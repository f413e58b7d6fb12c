"""supervisor/cli/{status,health,events,snapshots,down}.py: what a look shows, also when there is little to see."""

import json
import os
import re
import socket
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from actors.model.errors import Internal
from supervisor.cli import event_view, status_view
from supervisor.cli.entry import run
from supervisor.cli.reach import follow
from supervisor.cli.words import local_time
from supervisor.root.lock import LockInfo, LockRecord, StateLock
from tests.kit.fake_server import FakeServer, Following
from tests.supervisor.cli.conftest import Serve
from tests.supervisor.cli.rows import STAMP

Captured = pytest.CaptureFixture[str]
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)

CRASH = {"reason": "crashed", "exception_type": "ValueError", "message": "five\x1b[2J"}
ACTORS = [
    {"name": "runtime", "path": "runtime", "state": "running", "restarts": 0, "uptime_s": 70.0, "last_crash": None},
    {
        "name": "tasks",
        "path": "runtime/core/tasks",
        "state": "backing_off",
        "restarts": 3,
        "uptime_s": None,
        "last_crash": CRASH,
        "mailbox_depth": 4,
        "mailbox_depth_max": 9,
    },
]
HEALTH: dict[str, Any] = {
    "status": "degraded",
    "reasons": ["runtime/core/tasks is backing_off"],
    "state_dir_exists": True,
    "writeable": True,
    "disk_free_bytes": 5_000_000_000,
    "last_save_time": STAMP,
    "backup_count": 3,
    "durability": "commit",
    "journal": {"seq": 42, "bytes": 1500, "segments": 1, "lag": 0},
    "actors": {"runtime/core/tasks": "backing_off"},
    "quarantine_count": 0,
}
STATUS: dict[str, Any] = {
    "version": "0.1.0",
    "state_path": "/srv/state",
    "socket": "/srv/state/perdure.sock",
    "mode": "ok",
    "reasons": [],
    "seq": 42,
    "started_at": STAMP,
    "pids": {"root": 10, "runtime": 11, "standby": None, "host": None, "agents": []},
    "root": {"restarts": 2, "last_error": "killed by SIGKILL", "phase": "running"},
    "counts": {"tasks": {"pending": 3, "completed": 1, "failed": 0, "total": 4}, "sessions": 2, "runs": 0},
    "recovery": {"case": "B", "base": "state.json", "facts_replayed": 5, "duration_s": 0.02},
    "actors": ACTORS,
}


def running() -> dict[str, Any]:
    return {"runtime.status": lambda _: STATUS, "runtime.health": lambda _: HEALTH}


def test_status_tells_what_runs(serve: Serve, capsys: Captured) -> None:
    serve(running())
    assert run(["status"]) == 0
    shown = capsys.readouterr().out
    for line in (
        "health     degraded: runtime/core/tasks is backing_off",
        "processes  root 10, runtime 11\n",
        "tasks      4 (3 pending, 1 completed)",
        "restarts   2, last error: killed by SIGKILL",
        "recovered  from state.json, 5 facts replayed, in 20ms",
        "crashed: ValueError five [2J",
    ):
        assert line in shown
    assert "\x1b" not in shown


def test_status_tells_of_a_process_that_died_while_the_runtime_never_did(serve: Serve, capsys: Captured) -> None:
    died = {**STATUS, "root": {"restarts": 0, "last_error": "the agent host: killed", "phase": "running"}}
    serve({**running(), "runtime.status": lambda _: died})
    assert run(["status"]) == 0
    shown = capsys.readouterr().out
    assert "last error  the agent host: killed" in shown
    assert "restarts  " not in shown.partition("Actors")[0]


def test_status_as_json_is_what_the_runtime_said(serve: Serve, capsys: Captured) -> None:
    serve(running())
    assert run(["status", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"answers": True, **STATUS, "health": HEALTH}


def test_status_shows_the_lock_while_no_runtime_answers(capsys: Captured, tmp_path: Path) -> None:
    lock = StateLock.acquire(tmp_path, "starting")
    lock.publish(LockRecord(os.getpid(), "restarting", STAMP, 7, "killed by SIGKILL", "/nowhere", 99))
    try:
        assert run(["status", "--state-path", str(tmp_path)]) == 1
        shown = capsys.readouterr().out
        assert "restarting (began " in shown
        assert f"root {os.getpid()}, runtime 99" in shown
        assert "last error  killed by SIGKILL" in shown
        assert run(["status", "--state-path", str(tmp_path), "--json"]) == 1
        said = json.loads(capsys.readouterr().out)
        assert (said["answers"], said["lock"]["restarts"], said["lock"]["held"]) == (False, 7, True)
    finally:
        lock.release()


def test_status_tells_how_the_last_one_ended() -> None:
    ended = LockInfo(False, 10, "stopped", STAMP, 0)
    died = LockInfo(False, 10, "running", STAMP, 3, "it broke")
    [*_, last] = status_view.not_answering("/s", ended, NOW).rows
    assert last[1].text == "stopped in order, 2h ago (process 10)"
    texts = [row[1].text for row in status_view.not_answering("/s", died, NOW).rows]
    assert f"ended without a word while running (since {local_time(STAMP)}, process 10)" in texts
    assert "it broke" in texts


def test_an_answer_without_the_known_members_is_still_shown() -> None:
    assert status_view.running({}, None, NOW)
    assert status_view.healthy({}, NOW)


def test_a_status_that_fails_is_no_answer(serve: Serve) -> None:
    def broken(_: dict[str, Any]) -> None:
        raise Internal("it broke")

    serve({"runtime.status": broken})
    assert run(["status"]) == 1


def test_health_tells_the_word_and_why(serve: Serve, capsys: Captured) -> None:
    serve(running())
    assert run(["health"]) == 0
    shown = capsys.readouterr().out
    assert "because       runtime/core/tasks is backing_off" in shown
    assert "journal       seq 42, 1.5 kB in 1 segment" in shown


def test_health_names_the_alerts_that_stand_and_what_to_do(serve: Serve, capsys: Captured) -> None:
    alert = {"alert": "disk_low", "level": "warning", "message": "5 bytes are free", "hint": "free some"}
    serve({"runtime.health": lambda _: {**HEALTH, "alerts": [alert, {**alert, "alert": "lag"}]}})
    assert run(["health"]) == 0
    shown = capsys.readouterr().out
    assert "alerts        disk_low: 5 bytes are free; free some" in shown
    assert "              lag: 5 bytes are free; free some" in shown


@pytest.mark.parametrize(("word", "exit_code"), [("ok", 0), ("degraded", 0), ("read_only", 1), ("recovering", 1)])
def test_health_ends_with_1_when_nothing_can_be_changed(serve: Serve, word: str, exit_code: int) -> None:
    serve({"runtime.health": lambda _: {**HEALTH, "status": word}})
    assert run(["health", "--json"]) == exit_code


def test_metrics_are_a_row_each_and_histograms_a_count_and_a_mean(serve: Serve, capsys: Captured) -> None:
    metrics = {
        "perdure_tasks": [{"labels": {"status": "pending"}, "value": 3.0}],
        "perdure_commit_seconds_bucket": [{"labels": {"le": "0.1"}, "value": 4.0}],
        "perdure_commit_seconds_count": [{"labels": {}, "value": 4.0}],
        "perdure_commit_seconds_sum": [{"labels": {}, "value": 0.002}],
        "perdure_commit_seconds_created": [{"labels": {}, "value": 1.0}],
        "perdure_disk_free_bytes": [{"labels": {}, "value": 82_537_400_000.0}],
    }
    server = serve({"runtime.metrics": lambda _: metrics})
    assert run(["metrics"]) == 0
    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [
        ["METRIC", "OF", "VALUE"],
        ["perdure_commit_seconds_count", "4", "×", "0.0005", "s"],
        ["perdure_disk_free_bytes", "82.5", "GB"],
        ["perdure_tasks", "status=pending", "3"],
    ]
    assert server.asked == [("runtime.metrics", {"format": "json"})]


def test_openmetrics_are_printed_as_they_are(serve: Serve, capsys: Captured) -> None:
    server = serve({"runtime.metrics": lambda _: {"text": "# TYPE a counter\na_total 1\n# EOF\n"}})
    assert run(["metrics", "--openmetrics"]) == 0
    assert capsys.readouterr().out == "# TYPE a counter\na_total 1\n# EOF\n"
    assert server.asked == [("runtime.metrics", {"format": "openmetrics"})]


def test_actors_stand_below_their_supervisor(serve: Serve, capsys: Captured) -> None:
    serve({"actor.list": lambda _: {"actors": ACTORS}})
    assert run(["actors"]) == 0
    header, runtime, tasks = capsys.readouterr().out.splitlines()
    assert header.split()[:2] == ["ACTOR", "STATE"]
    assert runtime.startswith("runtime    running")
    assert tasks.startswith("    tasks  backing_off")


def columns(line: str) -> list[str]:
    return re.split(r"\s{2,}", line.strip())


def fact(seq: int, kind: str = "task.created", **data: Any) -> dict[str, Any]:
    return {"seq": seq, "ts": STAMP, "kind": kind, "id": f"id{seq}", "rev": 1, "data": data}


def test_events_shows_the_newest_and_goes_on_over_pages(serve: Serve, capsys: Captured) -> None:
    pages = {50: ([fact(51, description="do it")], 80), 80: ([], 90), 90: ([fact(100, "task.logged")], 100)}

    def answer(params: dict[str, Any]) -> dict[str, Any]:
        events, next_seq = pages[params["after_seq"]]
        return {"events": events, "next_seq": next_seq}

    server = serve({"runtime.ping": lambda _: {"seq": 100}, "event.list": answer})
    assert run(["events", "--kinds", "task.*, run.*"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["TIME", "SEQ", "KIND", "ID", "WHAT"]
    assert [columns(line)[1] for line in lines[1:]] == ["51", "100"]
    assert lines[1].endswith("id51  do it")
    assert all(params["kinds"] == ["task.*", "run.*"] for method, params in server.asked if method == "event.list")


def test_events_with_json_gives_an_event_per_line(serve: Serve, capsys: Captured) -> None:
    events = [fact(1), fact(2)]
    serve({"runtime.ping": lambda _: {"seq": 2}, "event.list": lambda _: {"events": events, "next_seq": 2}})
    assert run(["events", "--after", "0", "--json"]) == 0
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == events


def test_where_nothing_happened_events_says_so(serve: Serve, capsys: Captured) -> None:
    serve({"runtime.ping": lambda _: {"seq": 0}})
    assert run(["events"]) == 0
    assert capsys.readouterr().out == "No events.\n"


def test_events_follows_from_where_it_was_told(serve: Serve, capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    happened = {"kind": "task.completed", "id": "a", "rev": 2, "data": {"status": "completed"}}
    line = {"subscription": "s", "seq": 8, "ts": STAMP, "events": [happened]}
    server = serve(
        {
            "runtime.ping": lambda _: {"seq": 9},
            "event.subscribe": lambda _: Following({"subscription": "s", "seq": 9}, [line]),
        }
    )

    def until_interrupted(*arguments: Any) -> Any:
        lines = follow(*arguments)
        yield next(lines)
        raise KeyboardInterrupt

    monkeypatch.setattr("supervisor.cli.events.follow", until_interrupted)
    assert run(["events", "-f", "--after", "7"]) == 0
    assert ("event.subscribe", {"after_seq": 7}) in server.asked
    assert columns(capsys.readouterr().out)[1:] == ["8", "task.completed", "a", "completed"]


@pytest.mark.parametrize(
    ("event", "what"),
    [
        (fact(1, "task.logged", entries=[{"message": "a"}, {"message": "b\nc"}]), "b c"),
        (fact(1, "task.updated", priority=1, updated_at=STAMP), "priority"),
        (fact(1, "event.recorded", type="alert:lag", message="slow"), "slow"),
        (fact(1, "session.appended", message_count=7, messages=[{"role": "user"}, {"role": "tool"}]), "2 messages"),
        ({"kind": "state:saved", "id": None, "seq": None, "ts": STAMP, "data": None}, ""),
        (fact(1, "task.failed", error={"kind": "k", "message": "m"}), "m"),
        (
            {"kind": "service.exited", "data": {"status": "stopped", "exit_code": 4, "signal": None, "pid": None}},
            "exit code 4",
        ),
        ({"kind": "service.exited", "data": {"status": "stopped", "exit_code": None, "signal": 9}}, "signal 9"),
        ({"kind": "service.exited", "data": {"status": "stopped", "exit_code": 0, "signal": None}}, "stopped"),
    ],
)
def test_an_event_is_told_by_the_most_telling_of_its_data(event: dict[str, Any], what: str) -> None:
    [row] = event_view.listed([event], NOW, headed=True).rows
    assert row[4].text == what


def test_save_tells_what_was_saved(serve: Serve, capsys: Captured) -> None:
    serve({"state.save": lambda _: {"path": "/s/state.json", "seq": 9, "bytes": 1234, "duration_s": 0.004}})
    assert run(["save"]) == 0
    assert capsys.readouterr().out == "/s/state.json: seq 9, 1.2 kB, in 4ms\n"


def test_down_where_nothing_runs_does_not_advise_to_start_it(tmp_path: Path, capsys: Captured) -> None:
    assert run(["down", "--state-path", str(tmp_path)]) == 3
    assert capsys.readouterr().err == f"perdure: nothing runs in {tmp_path}: there is nothing to stop\n"


def test_down_asks_and_waits_until_the_lock_is_free(serve: Serve, capsys: Captured) -> None:
    running_here: list[FakeServer] = []

    def shutdown(_: dict[str, Any]) -> dict[str, Any]:
        running_here[0].let_go()
        return {"stopping": True}

    running_here.append(serve({"runtime.shutdown": shutdown}))
    assert run(["down"]) == 0
    assert capsys.readouterr().out == "Stopped.\n"


def test_down_tells_when_it_takes_longer_than_it_may(serve: Serve, capsys: Captured) -> None:
    serve({"runtime.shutdown": lambda _: {"stopping": True}})
    assert run(["down", "--within", "0"]) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert f"kill -9 {os.getpid()}" in told.err


@pytest.mark.parametrize("arguments", [["down"], ["task", "list"]])
def test_an_offline_command_at_work_is_not_disturbed(arguments: list[str], capsys: Captured, tmp_path: Path) -> None:
    lock = StateLock.acquire(tmp_path, "doctor")
    try:
        assert run([*arguments, "--state-path", str(tmp_path)]) == 5
    finally:
        lock.release()
    assert f"perdure doctor (process {os.getpid()}) works on" in capsys.readouterr().err


def test_a_socket_that_a_service_manager_holds_is_tried_although_nothing_runs(serve: Serve) -> None:
    serve({"runtime.health": lambda _: HEALTH}).let_go()
    assert run(["health", "--json"]) == 0


def test_a_socket_that_nobody_listens_on_is_nothing_that_runs(tmp_path: Path, capsys: Captured) -> None:
    with socket.socket(socket.AF_UNIX) as left_over:
        left_over.bind(str(tmp_path / "perdure.sock"))
    assert run(["health", "--state-path", str(tmp_path)]) == 3
    assert f"nothing runs in {tmp_path}" in capsys.readouterr().err

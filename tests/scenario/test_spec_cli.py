"""The command line as the specification words it: exit codes, one line for every failure, JSON where data is printed.

One Perdure serves the tests that need one; nothing runs in the directory of those that need none.
"""

import itertools
import json
import os
import re
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.kit.perdure import Perdure, frame, perdure

NUMBERS = itertools.count(1)
TASK_COMMANDS = ["add", "list", "show", "log", "start", "done", "fail", "cancel", "reopen", "edit", "rm"]
SESSION_COMMANDS = ["list", "show", "tail", "rename", "close", "find", "tree", "sweep", "rm", "restore", "link"]
COMMANDS = [
    *(["task", name] for name in TASK_COMMANDS),
    *(["session", name] for name in SESSION_COMMANDS),
    *([name] for name in ("up", "down", "status", "health", "metrics", "actors", "events", "save", "backups")),
    *([name] for name in ("doctor", "rebuild", "migrate", "rollback", "clean", "demo", "version")),
    *(["import"], ["export", "nanocoder"], ["export", "archive"]),
    ["config", "show"],
    ["config", "check"],
]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Perdure]:
    with perdure(tmp_path_factory.mktemp("cli") / "p") as one:
        one.start()
        yield one


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Perdure]:
    """One that ran once and does not run now."""
    with perdure(tmp_path_factory.mktemp("still") / "p") as one:
        one.start()
        one.call("task.create", description="x", id="x")
        assert one.stop() == 0
        yield one


@pytest.fixture
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Perdure]:
    """One that never ran."""
    with perdure(tmp_path_factory.mktemp("never") / "p") as one:
        yield one


def failed(ended: "subprocess.CompletedProcess[str]", code: int) -> str:
    """Check a failure: its code, nothing on stdout, one line on stderr, no traceback; returns the line."""
    assert ended.returncode == code, ended.stderr
    assert ended.stdout == ""
    assert ended.stderr.endswith("\n")
    assert len(ended.stderr.splitlines()) == 1, ended.stderr
    assert "Traceback" not in ended.stderr
    return ended.stderr


def fine(ended: "subprocess.CompletedProcess[str]") -> str:
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr == ""
    return ended.stdout


def made(whole: Perdure) -> str:
    task_id: str = whole.call("task.create", description="x")["id"]
    return task_id


class TestExitCodes:
    @pytest.mark.parametrize(
        "arguments",
        [
            ["frobnicate"],
            ["task", "frobnicate"],
            ["task", "add"],
            ["task", "add", "x", "--frobnicate"],
            ["task", "add", "x", "--priority", "ten"],
            ["task", "add", "x", "--priority", "10"],
            ["task", "add", "x", "--id", ".."],
            ["task", "show"],
            ["session", "show", "../../etc/passwd"],
            ["events", "--after", "x"],
        ],
    )
    def test_wrong_use_is_two(self, whole: Perdure, arguments: list[str]) -> None:
        failed(whole.ended(*arguments), 2)

    @pytest.mark.parametrize(
        "arguments",
        [
            ["task", "show", "nobody"],
            ["task", "start", "nobody"],
            ["task", "log", "nobody", "x"],
            ["task", "edit", "nobody", "--priority", "1"],
            ["session", "show", str(uuid.UUID(int=5))],
            ["session", "rename", str(uuid.UUID(int=5)), "title"],
            ["session", "close", str(uuid.UUID(int=5))],
        ],
    )
    def test_what_is_not_there_is_four(self, whole: Perdure, arguments: list[str]) -> None:
        failed(whole.ended(*arguments), 4)

    def test_what_exists_already_is_five_and_what_cannot_be_fails(self, whole: Perdure) -> None:
        task_id = made(whole)
        assert task_id in failed(whole.ended("task", "add", "x", "--id", task_id), 5)
        assert whole.ended("task", "done", task_id).returncode in {1, 5}

    def test_a_second_up_is_five_and_names_the_holder(self, whole: Perdure) -> None:
        assert re.search(rf"\b{whole.root_pid}\b", failed(whole.ended("up"), 5))

    @pytest.mark.parametrize("arguments", [["rebuild"], ["clean", "--dry-run"]])
    def test_what_needs_the_lock_is_five_while_it_is_held(self, whole: Perdure, arguments: list[str]) -> None:
        failed(whole.ended(*arguments), 5)

    @pytest.mark.parametrize(
        "arguments",
        [
            ["health"],
            ["metrics"],
            ["actors"],
            ["events"],
            ["save"],
            ["down"],
            ["task", "list"],
            ["task", "add", "x"],
            ["session", "list"],
        ],
    )
    def test_where_nothing_runs_it_is_three(self, stopped: Perdure, arguments: list[str]) -> None:
        failed(stopped.ended(*arguments), 3)

    def test_status_says_that_nothing_runs(self, stopped: Perdure, empty: Perdure) -> None:
        for one in (stopped, empty):
            ended = one.ended("status")
            assert ended.returncode == 3
            assert "Traceback" not in ended.stderr
            assert json.loads(one.ended("status", "--json").stdout)

    def test_looking_makes_no_directory(self, empty: Perdure) -> None:
        for arguments in (["status"], ["task", "list"], ["doctor"], ["backups"], ["down"], ["clean", "--dry-run"]):
            ended = empty.ended(*arguments)
            assert "Traceback" not in ended.stderr
            assert not empty.state_path.exists(), arguments

    def test_a_directory_of_others_is_seven(self, empty: Perdure) -> None:
        empty.state_path.mkdir()
        (empty.state_path / "thesis.txt").write_text("x")
        failed(empty.ended("up"), 7)

    def test_why_it_refused_to_start_stays_in_the_lock(self, tmp_path_factory: pytest.TempPathFactory) -> None:
        with perdure(tmp_path_factory.mktemp("newer") / "p") as one:
            one.start()
            assert one.stop() == 0
            file = one.state_path / "state.json"
            file.write_text(file.read_text().replace('"version":"2.0.0"', '"version":"99.0.0"', 1))
            assert one.ended("up").returncode == 6
            assert json.loads((one.state_path / "perdure.lock").read_text())["last_error"]

    def test_a_signal_to_stop_ends_it_with_nought(self, empty: Perdure) -> None:
        empty.start()
        os.kill(empty.root_pid, signal.SIGINT)
        assert empty.wait() == 0

    def test_down_stops_it_in_order(self, empty: Perdure) -> None:
        empty.start()
        fine(empty.ended("down"))
        assert empty.wait() == 0


class TestConfiguration:
    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("[state]\nautosave_interval = 5\n", ["state.autosave_interval", "autosave_interval_s"]),
            ("[state]\nautosave_interval_s = 'soon'\n", ["autosave_interval_s"]),
            ("[sate]\npath = 'x'\n", ["sate", "state"]),
            ("[state]\ndurability = 'sometimes'\n", ["durability"]),
            ("[sessions]\nmax = 1.5\n", ["sessions.max"]),
            ("[state\n", []),
        ],
    )
    @pytest.mark.parametrize("command", [["config", "check"], ["up"]])
    def test_what_is_wrong_in_a_file_is_named_with_file_and_key(
        self, empty: Perdure, command: list[str], text: str, words: list[str]
    ) -> None:
        file = empty.folder / "mine.toml"
        file.write_text(text)
        told = failed(empty.ended(*command, PERDURE_CONFIG=str(file)), 2)
        assert "mine.toml" in told
        assert all(word in told for word in words), told

    def test_what_is_wrong_in_the_environment_is_named(self, empty: Perdure) -> None:
        told = failed(empty.ended("up", PERDURE_STATE__AUTOSAVE_INTERVAL="5"), 2)
        assert "PERDURE_STATE__AUTOSAVE_INTERVAL_S" in told
        assert "AUTOSAVE_INTERVAL_S" in failed(empty.ended("up", PERDURE_STATE__AUTOSAVE_INTERVAL_S="soon"), 2)

    def test_a_missing_file_is_named(self, empty: Perdure) -> None:
        assert "nowhere.toml" in failed(empty.ended("up", "--config", "nowhere.toml"), 2)

    def test_later_sources_win(self, empty: Perdure) -> None:
        def shown(*options: str, **environment: str) -> Any:
            return json.loads(fine(empty.ended("config", "show", "--json", *options, **environment)))["sessions.max"][
                "value"
            ]

        file = empty.folder / "mine.toml"
        file.write_text("[sessions]\nmax = 7\n")
        assert shown() == 100
        assert shown("--config", str(file)) == 7
        (empty.folder / ".env").write_text("PERDURE_SESSIONS__MAX=8\n")
        assert shown("--config", str(file)) == 8
        assert shown("--config", str(file), PERDURE_SESSIONS__MAX="9") == 9

    def test_the_state_path_comes_from_the_environment_or_its_file(self, tmp_path: Path) -> None:
        def shown(**more: str) -> str:
            environment = {name: value for name, value in os.environ.items() if name != "STATE_PATH"}
            ended = subprocess.run(
                [sys.executable, "-m", "supervisor", "config", "show", "--json"],
                env={**environment, "PYTHONPATH": str(Path.cwd()), **more},
                capture_output=True,
                text=True,
                timeout=60,
                cwd=tmp_path,
                check=False,
            )
            value: str = json.loads(fine(ended))["state.path"]["value"]
            return value

        assert shown().endswith("coding-agent-state")
        (tmp_path / ".env").write_text(f"STATE_PATH={tmp_path}/from-file\n")
        assert shown() == f"{tmp_path}/from-file"
        assert shown(STATE_PATH=f"{tmp_path}/from-environment") == f"{tmp_path}/from-environment"
        assert shown(STATE_PATH="~/deep", HOME="/home/somebody") == "/home/somebody/deep"


class TestOutput:
    @pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
    def test_help_shows_an_example(self, empty: Perdure, arguments: list[str]) -> None:
        out = fine(empty.ended(*arguments, "--help"))
        assert re.search(r"[Ee]xample", out)
        assert "--state-path" in out or arguments[0] in {"version", "demo"}

    @pytest.mark.parametrize(
        "arguments",
        [
            ["status"],
            ["health"],
            ["metrics"],
            ["actors"],
            ["task", "list"],
            ["session", "list"],
            ["session", "find", "x"],
            ["session", "tree"],
            ["session", "sweep", "--dry-run"],
            ["save"],
            ["backups"],
            ["doctor"],
            ["config", "show"],
            ["version"],
            ["task", "add", "x"],
        ],
    )
    def test_data_comes_as_json(self, whole: Perdure, arguments: list[str]) -> None:
        assert isinstance(json.loads(fine(whole.ended(*arguments, "--json"))), dict)
        assert fine(whole.ended(*arguments))

    def test_events_come_as_json_lines_after_the_one_named(self, whole: Perdure) -> None:
        made(whole)
        before = whole.call("runtime.ping")["seq"]
        ids = [made(whole), made(whole)]
        events = [
            json.loads(line) for line in fine(whole.ended("events", "--json", "--after", str(before))).splitlines()
        ]
        assert [event["id"] for event in events] == ids

    def test_a_task_is_carried_through_its_life(self, whole: Perdure) -> None:
        name = f"life-{next(NUMBERS)}"

        def done(*arguments: str) -> Any:
            return json.loads(fine(whole.ended("task", *arguments, "--json")))

        assert done("add", "Some work", "--id", name, "--priority", "1")["priority"] == 1
        assert fine(whole.ended("task", "add", "more", "--depends-on", name)).strip()
        for step, status in (
            (["start", name], "running"),
            (["fail", name, "it broke"], "failed"),
            (["reopen", name], "pending"),
            (["cancel", name], "cancelled"),
            (["reopen", name], "pending"),
            (["start", name], "running"),
            (["done", name], "completed"),
        ):
            assert done(*step)["status"] == status
        assert done("log", name, "a line")["log_count"] == 1
        assert done("edit", name, "--description", "Other work")["description"] == "Other work"
        assert done("show", name) == whole.call("task.get", id=name)
        assert name in {task["id"] for task in done("list")["tasks"]}
        done("rm", name)
        failed(whole.ended("task", "show", name), 4)

    def test_added_tasks_are_named_on_a_line_of_their_own(self, whole: Perdure) -> None:
        assert fine(whole.ended("task", "add", "Write", "--id", f"own-{next(NUMBERS)}")).startswith("own-")

    def test_a_session_is_shown_renamed_closed_and_removed(self, whole: Perdure) -> None:
        session = {"title": "t", "provider": "p", "model": "m", "working_directory": "/w"}
        name = whole.call("session.create", **session, messages=[{"role": "user", "content": "hello"}])["id"]
        assert json.loads(fine(whole.ended("session", "show", name, "--json")))["id"] == name
        assert "hello" in fine(whole.ended("session", "tail", name))
        fine(whole.ended("session", "rename", name, "  new  "))
        assert whole.call("session.get", id=name)["title"] == "new"
        fine(whole.ended("session", "close", name))
        assert whole.call("session.get", id=name)["status"] == "closed"
        fine(whole.ended("session", "rm", name))
        failed(whole.ended("session", "show", name), 4)

    def test_health_says_what_health_says(self, whole: Perdure) -> None:
        health = json.loads(fine(whole.ended("health", "--json")))
        wanted = "status state_dir_exists writeable disk_free_bytes last_save_time last_save_age_s backup_count journal"
        assert set(wanted.split()) <= set(health)

    def test_doctor_finds_what_is_damaged(self, tmp_path_factory: pytest.TempPathFactory) -> None:
        with perdure(tmp_path_factory.mktemp("ill") / "p") as one:
            one.start()
            one.call("task.create", description="x", id="x")
            assert one.stop() == 0
            file = one.state_path / "state.json"
            file.write_bytes(file.read_bytes()[:-100])
            ended = one.ended("doctor")
            assert ended.returncode == 1
            assert "state.json" in ended.stdout
            assert one.ended("doctor", "--repair").returncode == 0
            assert one.ended("doctor").returncode == 0


class TestUp:
    def test_ready_comes_as_one_line_of_json(self, empty: Perdure) -> None:
        ready = empty.start()
        assert set(ready) >= {"pid", "socket", "seq"}
        assert ready["pid"] == empty.root_pid
        assert Path(ready["socket"]).is_socket()

    def test_stdio_serves_one_client_and_ends_with_its_input(self, empty: Perdure) -> None:
        requests = b"".join(frame("task.create", number, description=f"number {number}") for number in range(5))
        ended = subprocess.run(
            [*empty.command("up"), "--stdio"],
            input=requests,
            capture_output=True,
            timeout=60,
            env={**os.environ, **empty.environment},
            cwd=empty.folder,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr
        replies = [json.loads(line) for line in ended.stdout.splitlines()]
        assert sorted(reply["id"] for reply in replies) == list(range(5))
        assert all(reply["jsonrpc"] == "2.0" and reply["result"]["status"] == "pending" for reply in replies)
        assert "Traceback" not in ended.stderr.decode()
        empty.start()
        assert len(empty.call("task.list")["tasks"]) == 5

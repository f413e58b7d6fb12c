"""
The whole of Perdure from the shell: real processes, real exit codes, nothing in between.

Every test has its own state directory, named by STATE_PATH as a person would, and stops what it started.
"""

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from supervisor.root.lock import read_lock

CHECKOUT = Path(__file__).parents[2]
WITHIN_S = 60.0
"""A fail-safe for what takes a second on an idle machine."""


class Shell:
    """A person's shell: `perdure(...)` runs a command to its end."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.state_path = directory / "state"
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("PERDURE_")},
            "PYTHONPATH": str(CHECKOUT),
            "STATE_PATH": str(self.state_path),
        }
        self._ups: list[subprocess.Popen[bytes]] = []

    def perdure(self, *arguments: str, give: str = "") -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "supervisor", *arguments],
            check=False,
            cwd=self.directory,
            env=self.environment,
            capture_output=True,
            text=True,
            input=give,
            timeout=WITHIN_S,
        )

    def said(self, *arguments: str) -> str:
        """What a command prints that has to succeed."""
        done = self.perdure(*arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def up(self, *arguments: str) -> "subprocess.Popen[bytes]":
        """Start Perdure in the background, and wait until it serves."""
        reading, writing = os.pipe()
        with (self.directory / "up.err").open("ab") as errors:
            process = subprocess.Popen(
                [sys.executable, "-m", "supervisor", "up", "--ready-fd", str(writing), *arguments],
                cwd=self.directory,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=errors,
                stderr=errors,
                pass_fds=[writing],
            )
        self._ups.append(process)
        os.close(writing)
        with os.fdopen(reading, "rb") as ready:
            assert select.select([ready], [], [], WITHIN_S)[0], "not ready in time"
            line = ready.readline()
        assert line, (self.directory / "up.err").read_text()
        assert json.loads(line)["pid"] == process.pid
        return process

    def adopt(self, process: "subprocess.Popen[bytes]") -> None:
        """See to it that a process which a test started has gone when the test is over."""
        self._ups.append(process)

    def runtime(self) -> psutil.Process:
        """The runtime's process."""
        pid = json.loads(self.said("status", "--json"))["pids"]["runtime"]
        return psutil.Process(pid)

    def end(self) -> None:
        for process in self._ups:
            if process.poll() is None:
                process.kill()
            process.wait(timeout=WITHIN_S)


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    made = Shell(tmp_path)
    yield made
    made.end()


def wait_until(holds: Callable[[], bool], what: str) -> None:
    deadline_s = time.monotonic() + WITHIN_S
    while not holds():
        assert time.monotonic() < deadline_s, f"never happened: {what}"
        time.sleep(0.02)


def test_a_task_goes_from_added_to_done_and_is_there_after_a_restart(shell: Shell) -> None:
    process = shell.up()
    task_id = shell.said("task", "add", "Write the tests", "--tool", "CODEX", "--priority", "2")
    assert shell.said("task", "list", "--status", "pending").splitlines()[1].startswith(task_id)
    assert shell.said("task", "start", task_id) == f"{task_id}: running"
    assert shell.said("task", "log", task_id[-8:], "half of it") == f"{task_id}: entry 1"
    assert shell.said("task", "done", task_id, "--result", '{"passed": 12}') == f"{task_id}: completed"
    assert "1 completed" in shell.said("status")
    assert shell.said("down") == "Stopped."
    assert process.wait(timeout=WITHIN_S) == 0
    shell.up()
    task = json.loads(shell.said("task", "show", task_id, "--json"))
    assert (task["status"], task["result"], task["logs"][0]["message"]) == ("completed", {"passed": 12}, "half of it")
    kinds = [json.loads(line)["kind"] for line in shell.said("events", "--json", "--kinds", "task.*").splitlines()]
    assert kinds == ["task.created", "task.started", "task.logged", "task.completed"]


def test_every_refusal_has_its_exit_code(shell: Shell) -> None:
    shell.up()
    shell.said("task", "add", "one", "--id", "one")
    codes = {
        ("task", "show", "nobody"): 4,
        ("task", "add", "again", "--id", "one"): 5,
        ("task", "done", "one"): 5,
        ("task", "edit", "one", "--priority", "1", "--if-rev", "9"): 5,
        ("task", "add", "x", "--depends-on", "nobody"): None,
        ("task", "add", "x", "--id", ".."): 2,
        ("task", "add"): 2,
        ("session", "show", "no-uuid"): 4,
        ("session", "show", "../../etc/passwd"): 2,
    }
    for arguments, code in codes.items():
        done = shell.perdure(*arguments)
        assert done.returncode == code if code is not None else done.returncode in {2, 4}, (arguments, done)
        assert done.stderr.startswith("perdure: ")
        assert done.stderr.count("\n") == 1
        assert done.stdout == ""


def test_a_second_up_ends_with_5_and_names_the_first(shell: Shell) -> None:
    first = shell.up()
    second = shell.perdure("up")
    assert second.returncode == 5
    assert str(first.pid) in second.stderr
    assert second.stderr.count("\n") == 1
    assert shell.perdure("status").returncode == 0


def test_a_directory_of_somebody_else_ends_up_with_7_and_stays_untouched(shell: Shell) -> None:
    shell.state_path.mkdir()
    (shell.state_path / "holiday.jpg").write_bytes(b"beach")
    done = shell.perdure("up")
    assert done.returncode == 7
    assert done.stderr.startswith("perdure: ")
    assert [found.name for found in shell.state_path.iterdir()] == ["holiday.jpg"]


def test_a_mistake_in_the_configuration_ends_up_with_2(shell: Shell) -> None:
    (shell.directory / "perdure.toml").write_text("[log]\nlevl = 'info'\n")
    done = shell.perdure("up", "--config", "perdure.toml")
    assert done.returncode == 2
    assert "did you mean log.level?" in done.stderr
    assert not shell.state_path.exists()


def test_where_nothing_runs_commands_end_with_3(shell: Shell) -> None:
    for arguments in (["status"], ["down"], ["task", "list"], ["health"], ["events", "-f"]):
        assert shell.perdure(*arguments).returncode == 3, arguments


def test_status_tells_how_a_killed_perdure_ended(shell: Shell) -> None:
    process = shell.up()
    process.kill()
    process.wait(timeout=WITHIN_S)
    wait_until(lambda: not read_lock(shell.state_path).held, "the lock is free")
    done = shell.perdure("status")
    assert done.returncode == 3
    assert "ended without a word while running" in done.stdout
    assert shell.perdure("task", "add", "x").returncode == 3


def test_a_command_waits_for_a_runtime_that_was_killed(shell: Shell) -> None:
    shell.up()
    shell.runtime().kill()
    task_id = shell.said("task", "add", "after the kill")
    assert json.loads(shell.said("task", "show", task_id, "--json"))["description"] == "after the kill"
    wait_until(lambda: json.loads(shell.said("status", "--json"))["root"]["restarts"] == 1, "the restart is told")


def test_status_shows_the_lock_and_down_stops_the_root_while_the_runtime_hangs(shell: Shell) -> None:
    process = shell.up()
    runtime = shell.runtime()
    runtime.suspend()
    try:
        done = shell.perdure("status")
        assert done.returncode == 1
        assert "no runtime answers" in done.stdout
        assert shell.perdure("down").returncode == 0
    finally:
        with contextlib.suppress(psutil.NoSuchProcess):
            runtime.kill()
    assert process.wait(timeout=WITHIN_S) == 0


def test_following_events_tells_each_as_it_happens_and_survives_a_kill_of_the_runtime(shell: Shell) -> None:
    shell.up()
    following = subprocess.Popen(
        [sys.executable, "-m", "supervisor", "events", "-f", "--json", "--after", "0", "--kinds", "task.*"],
        cwd=shell.directory,
        env=shell.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert following.stdout is not None
        for number in range(3):
            shell.said("task", "add", f"number {number}", "--id", f"t{number}")
            assert json.loads(following.stdout.readline())["id"] == f"t{number}"
            if number == 1:
                shell.runtime().kill()
        following.send_signal(signal.SIGINT)
        assert following.wait(timeout=WITHIN_S) == 0
    finally:
        following.kill()
        following.wait(timeout=WITHIN_S)
        if following.stdout is not None:
            following.stdout.close()


def test_a_snapshot_is_taken_and_listed(shell: Shell) -> None:
    shell.up()
    shell.said("task", "add", "one")
    saved = json.loads(shell.said("save", "--json"))
    assert Path(saved["path"]).is_file()
    shell.said("task", "add", "two")
    shell.said("save")
    assert len(json.loads(shell.said("backups", "--json"))["backups"]) >= 1


def test_health_metrics_and_actors_are_told(shell: Shell) -> None:
    shell.up()
    assert json.loads(shell.said("health", "--json"))["status"] == "ok"
    assert shell.said("metrics", "--openmetrics").endswith("# EOF")
    names = {row["name"] for row in json.loads(shell.said("actors", "--json"))["actors"]}
    assert {"writer", "tasks", "sessions", "gateway"} <= names


def test_stdio_serves_one_client_and_stops_at_the_end_of_input(shell: Shell) -> None:
    request = {"jsonrpc": "2.0", "id": 1, "method": "task.create", "params": {"description": "over stdio", "id": "s"}}
    done = shell.perdure("up", "--stdio", give=json.dumps(request) + "\n")
    assert done.returncode == 0
    [reply] = [json.loads(line) for line in done.stdout.splitlines()]
    assert reply["result"]["id"] == "s"


def test_at_a_terminal_up_tells_where_it_is_and_stops_at_ctrl_c(shell: Shell) -> None:
    ours, theirs = os.openpty()
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", "supervisor", "up"],
            cwd=shell.directory,
            env=shell.environment,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            process_group=0,
        )
        shell.adopt(process)
        said = b""
        while b"stop it  Ctrl-C here" not in said:
            assert select.select([ours], [], [], WITHIN_S)[0], said
            said += os.read(ours, 65536)
        assert str(shell.state_path / "perdure.sock").encode() in said
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=WITHIN_S) == 0
    finally:
        os.close(ours)
        os.close(theirs)

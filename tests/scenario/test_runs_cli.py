"""`perdure run`, `runs`, `logs` and `stop` against the whole of Perdure: real agents, terminals and signals."""

import contextlib
import json
import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.kit.perdure import WITHIN_S, Perdure, eventually
from tests.scenario.conftest import Make

PRINTS = "import os, sys; os.write(1, bytes(range(256)) * 4096); os.write(2, b'\\xff oh\\n'); sys.exit(7)"
COUNTS = (
    "import sys, time\n"
    "for n in range(400):\n"
    "    sys.stdout.buffer.write(b'%05d \\xff\\xc3\\xa9\\n' % n); sys.stdout.buffer.flush(); time.sleep(0.01)\n"
)
COUNTED = b"".join(b"%05d \xff\xc3\xa9\n" % n for n in range(400))


class Shell:
    """`perdure` as a person's shell runs it, on one Perdure; what still runs at the end is killed."""

    def __init__(self, whole: Perdure) -> None:
        self.whole = whole
        self._begun: list[subprocess.Popen[bytes]] = []

    def begin(self, *arguments: str) -> "subprocess.Popen[bytes]":
        name, *rest = arguments
        process = subprocess.Popen(
            [*self.whole.command(name), *rest],
            env={**os.environ, **self.whole.environment},
            cwd=self.whole.folder,
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self._begun.append(process)
        return process

    def run(self, *arguments: str) -> tuple[int, bytes, bytes]:
        """Run a command to its end: its code, output and errors."""
        process = self.begin(*arguments)
        out, err = process.communicate(timeout=WITHIN_S)
        return process.returncode, out, err

    def said(self, *arguments: str) -> str:
        code, out, err = self.run(*arguments)
        assert code == 0, err
        return out.decode().strip()

    def end(self) -> None:
        for process in self._begun:
            if process.poll() is None:
                process.kill()
            process.wait(timeout=WITHIN_S)
            for stream in (process.stdout, process.stderr):
                if stream is not None:
                    stream.close()


@pytest.fixture
def shell(running: Perdure) -> Iterator[Shell]:
    made = Shell(running)
    yield made
    made.end()


def status_of(shell: Shell, run_id: str) -> str:
    return str(shell.whole.call("run.get", id=run_id)["status"])


def newest(shell: Shell, status: str) -> str:
    """Wait for a run in this status; return its id."""

    def found() -> str | None:
        rows = shell.whole.call("run.list", status=status)["runs"]
        return rows[0]["id"] if rows else None

    return str(eventually(found, f"a run is {status}"))


def test_every_byte_and_the_status_are_the_agents_own(shell: Shell) -> None:
    code, out, err = shell.run("run", "--", sys.executable, "-c", PRINTS)
    assert (code, out, err) == (7, bytes(range(256)) * 4096, b"\xff oh\n")
    run_id = json.loads(shell.said("runs", "--json"))["runs"][0]["id"]
    assert shell.run("logs", run_id[-8:]) == (0, bytes(range(256)) * 4096, b"")
    assert shell.run("logs", run_id, "--stderr", "--offset", "1") == (0, b" oh\n", b"")


def test_a_signal_gives_128_and_its_number(shell: Shell) -> None:
    assert shell.run("run", "sh", "-c", "kill -SEGV $$")[0] == 128 + signal.SIGSEGV


def test_it_works_here_with_what_it_is_given(shell: Shell) -> None:
    code, out, _ = shell.run("run", "--env", "GIVEN=a b", "--", "sh", "-c", 'pwd -P; echo "$GIVEN"')
    assert (code, out.decode().splitlines()) == (0, [str(shell.whole.folder.resolve()), "a b"])


@pytest.mark.parametrize(
    ("command", "code", "reason"),
    [
        (
            ["no-such-command-here"],
            127,
            b"could not start: the command no-such-command-here is missing: not found",
        ),
        (["./plain"], 126, b"could not start: ./plain cannot be started: Permission denied"),
        (["./orphan"], 127, b"the program that its first line names is missing"),
        (["--cwd", "/no/such", "true"], 125, b"the working directory /no/such cannot be entered"),
    ],
)
def test_what_cannot_start_ends_as_it_would_in_a_shell_and_says_why(
    shell: Shell, command: list[str], code: int, reason: bytes
) -> None:
    (shell.whole.folder / "plain").write_text("no program")
    (shell.whole.folder / "orphan").write_text("#!/no/such/interpreter\n")
    (shell.whole.folder / "orphan").chmod(0o755)
    found, out, err = shell.run("run", *command)
    assert (found, out) == (code, b"")
    assert reason in err
    assert err.count(b"\n") == 1


def test_attempts_are_followed_until_one_succeeds(shell: Shell, tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    program = f"test -e {flag} && echo second && exit 0; touch {flag}; echo first; exit 9"
    assert shell.run("run", "--max-attempts", "3", "sh", "-c", program)[:2] == (0, b"first\nsecond\n")


def test_a_run_that_takes_too_long_is_ended(shell: Shell) -> None:
    code, out, err = shell.run("run", "--timeout", "0.5", "sh", "-c", "echo begun; exec sleep 600")
    assert (code, out) == (128 + signal.SIGTERM, b"begun\n")
    assert b"took too long" in err


def test_the_output_is_whole_although_the_runtime_is_killed_in_the_middle(shell: Shell) -> None:
    process = shell.begin("run", sys.executable, "-c", COUNTS)
    assert process.stdout is not None
    head = os.read(process.stdout.fileno(), 64)
    psutil.Process(shell.whole.call("runtime.status")["pids"]["runtime"]).kill()
    out, err = process.communicate(timeout=WITHIN_S)
    assert (process.returncode, err) == (0, b"")
    assert head + out == COUNTED


def test_logs_follow_a_run_to_its_end(shell: Shell) -> None:
    run_id = shell.said("run", "--detach", sys.executable, "-c", COUNTS)
    assert shell.run("logs", "-f", run_id) == (0, COUNTED, b"")
    assert status_of(shell, run_id) == "exited"


def test_ctrl_c_in_a_script_stops_the_run_and_all_that_it_began(shell: Shell) -> None:
    process = shell.begin("run", "sh", "-c", "sleep 600 & echo $!; while :; do sleep 1; done")
    assert process.stdout is not None
    child = int(process.stdout.readline())
    run_id = newest(shell, "running")
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=WITHIN_S) == 128 + signal.SIGTERM
    assert status_of(shell, run_id) == "cancelled"
    eventually(lambda: not psutil.pid_exists(child), "the agent's child is gone")


def test_stop_ends_a_run_for_whoever_watches_it(shell: Shell) -> None:
    process = shell.begin("run", "sh", "-c", "trap '' TERM; echo begun; while :; do sleep 0.1; done")
    assert process.stdout is not None
    assert process.stdout.readline() == b"begun\n"
    run_id = newest(shell, "running")
    assert shell.said("stop", run_id, "--grace", "0.2") == f"{run_id}: cancelled"
    assert process.wait(timeout=WITHIN_S) == 128 + signal.SIGKILL
    assert process.stderr is not None
    assert b"was stopped" in process.stderr.read()


class Terminal:
    """A terminal of its own with `perdure` at it."""

    def __init__(self, shell: Shell, *arguments: str) -> None:
        self._ours, theirs = os.openpty()
        self.said = b""
        name, *rest = arguments
        # setsid -c makes it the controlling terminal: Ctrl-C typed there and its going away are the kernel's signals,
        # also where these tests themselves were started to outlive theirs (nohup), which children would inherit.
        self.process = subprocess.Popen(
            ["env", "--default-signal=HUP", "setsid", "-c", *shell.whole.command(name), *rest],
            env={**os.environ, **shell.whole.environment},
            cwd=shell.whole.folder,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=False,
        )
        os.close(theirs)

    def type(self, text: bytes) -> None:
        os.write(self._ours, text)

    def until(self, text: bytes) -> None:
        """Wait until the screen has shown this."""
        deadline_s = time.monotonic() + WITHIN_S
        while text not in self.said:
            left_s = max(0.0, deadline_s - time.monotonic())
            assert select.select([self._ours], [], [], left_s)[0], f"{text!r} was never shown: {self.said!r}"
            self.said += os.read(self._ours, 65536)

    def ended(self) -> int:
        """Wait for the end, reading what is shown: a terminal that nobody reads blocks who writes to it."""
        with contextlib.suppress(OSError):  # EIO: nobody has it open any more
            while select.select([self._ours], [], [], WITHIN_S)[0] and (data := os.read(self._ours, 65536)):
                self.said += data
        return self.process.wait(timeout=WITHIN_S)

    def go_away(self) -> None:
        """As when its window is closed."""
        if self._ours >= 0:
            os.close(self._ours)
            self._ours = -1

    def end(self) -> None:
        self.go_away()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(timeout=WITHIN_S)


@contextlib.contextmanager
def terminal(shell: Shell, *arguments: str) -> Iterator[Terminal]:
    made = Terminal(shell, *arguments)
    try:
        yield made
    finally:
        made.end()


@pytest.mark.parametrize(
    ("answer", "code", "status"),
    [(b"stop\n", 128 + signal.SIGTERM, "cancelled"), (b"no\ns\n", 143, "cancelled"), (b"leave\n", 130, "running")],
)
def test_ctrl_c_at_a_terminal_asks_what_it_means(shell: Shell, answer: bytes, code: int, status: str) -> None:
    with terminal(shell, "run", "sh", "-c", "echo begun; exec sleep 600") as screen:
        screen.until(b"begun")
        run_id = newest(shell, "running")
        screen.type(b"\x03")
        screen.until(b"Stop the run, leave it running, or watch on?")
        screen.type(answer)
        assert screen.ended() == code
    assert status_of(shell, run_id) == status


def test_who_watches_on_misses_nothing(shell: Shell) -> None:
    with terminal(shell, "run", sys.executable, "-c", COUNTS) as screen:
        screen.until(b"00010")
        screen.type(b"\x03")
        screen.until(b"or watch on?")
        screen.type(b"watch\n")
        assert screen.ended() == 0
        assert re.findall(rb"(\d{5}) \xff", screen.said) == [b"%05d" % n for n in range(400)]


def test_a_run_goes_on_when_its_terminal_goes_away(shell: Shell) -> None:
    with terminal(shell, "run", "sh", "-c", "echo begun; exec sleep 600") as screen:
        screen.until(b"begun")
        run_id = newest(shell, "running")
        screen.go_away()
        screen.process.wait(timeout=WITHIN_S)
    assert status_of(shell, run_id) == "running"


def test_who_waits_at_a_terminal_is_told_what_for(make: Make) -> None:
    whole = make(runs__concurrency="1")
    whole.start()
    shell = Shell(whole)
    try:
        first = shell.said("run", "--detach", "sleep", "600")
        with terminal(shell, "run", "echo", "at last") as screen:
            screen.until(b"the run waits for its turn: 1 running")
            shell.said("stop", first)
            screen.until(b"at last")
            assert screen.ended() == 0
    finally:
        shell.end()


def test_a_task_is_added_and_carried_out_in_one(shell: Shell) -> None:
    metadata = json.dumps({"argv": ["echo", "hello"]})
    task_id = shell.said("task", "add", "say hello", "--tool", "SHELL", "--metadata", metadata, "--run")
    eventually(lambda: shell.whole.call("task.get", id=task_id)["status"] == "completed", "the task is done")
    run_id = json.loads(shell.said("runs", "--task", task_id, "--json"))["runs"][0]["id"]
    assert shell.said("logs", run_id) == "hello"


def test_a_tool_that_is_not_configured_leaves_no_task_behind(shell: Shell) -> None:
    code, _, err = shell.run("run", "--tool", "NO_SUCH_TOOL", "do it")
    assert code == 125
    assert b"NO_SUCH_TOOL" in err
    assert shell.whole.call("task.list")["tasks"] == []

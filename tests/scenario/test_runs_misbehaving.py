"""Agents that misbehave, through the whole of Perdure: each ends as its limits say, and nobody else is harmed."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.kit.agents import SCRIPTS, alive, pattern, wait_dead
from tests.kit.perdure import Perdure, eventually, perdure
from tests.kit.whole_runs import OVER, log_of, over, printed_lines, running, runs_of

RESULT = json.dumps({"type": "result", "subtype": "success", "is_error": False, "result": "done", "session_id": "s"})

HANGS_AFTER_ITS_RESULT = f"""
import signal, sys, time
if "deaf" in sys.argv:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
print({RESULT!r}, flush=True)
time.sleep(3600)
"""

TOOLS = """
[tools.TALKER]
argv = ["{python}", "-c", "{{description}}"]
output = "claude-stream-json"
limits = {{ linger_s = 0.2 }}
[tools.SILENT]
argv = ["{python}", "-c", "{{description}}"]
limits = {{ silence_s = 1.0 }}
[tools.LONG]
argv = ["{python}", "-c", "{{description}}"]
limits = {{ wall_s = 1.0 }}
retry = {{ timed_out = true }}
[tools.SHORT]
argv = ["{python}", "-c", "{{description}}", "3000000"]
limits = {{ output_bytes = 1000000 }}
[tools.SMALL]
argv = ["{python}", "-c", "{{description}}"]
limits = {{ memory_bytes = 268435456, files = 20 }}
[tools.LOST]
argv = ["/no/such/command"]
retry = {{ failed_to_start = true }}
"""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Perdure]:
    """One Perdure for all, which none of them may harm; agents that are told to go get half a second."""
    folder = tmp_path_factory.mktemp("p")
    config = folder / "config.toml"
    config.write_text(TOOLS.format(python=sys.executable))
    with perdure(folder, config=str(config), runs__grace_s="0.5", runs__backoff_base_s="0.01") as running:
        running.start()
        yield running


def started(whole: Perdure, tool: str, code: str, **task: Any) -> dict[str, Any]:
    """Have a tool carry out code; the run with its agent."""
    made = whole.call("task.create", description=code, tool=tool, **task)
    run: dict[str, Any] = whole.call("run.start", task_id=made["id"])
    return run


def task_of(whole: Perdure, run: dict[str, Any]) -> dict[str, Any]:
    task: dict[str, Any] = whole.call("task.get", id=run["task_id"])
    return task


@pytest.mark.parametrize("manner", ["obedient", "deaf"])
def test_an_agent_that_hangs_after_its_result_is_ended_and_is_done(whole: Perdure, manner: str) -> None:
    code = HANGS_AFTER_ITS_RESULT.replace('"deaf" in sys.argv', str(manner == "deaf"))
    run = over(whole, started(whole, "TALKER", code)["id"])
    ended_by = signal.SIGKILL if manner == "deaf" else signal.SIGTERM
    assert (run["status"], run["signal"], run["error"]) == ("exited", ended_by, None)
    assert (task_of(whole, run)["status"], run["result"]["text"]) == ("completed", "done")


def test_an_agent_that_ignores_sigterm_is_killed_after_the_grace(whole: Perdure) -> None:
    run = whole.call("run.exec", argv=[sys.executable, "-c", SCRIPTS["deaf"]])
    printed_lines(whole, running(whole, run["id"]), 1)
    stopped = whole.call("run.stop", id=run["id"], grace_s=0.2)
    assert (stopped["status"], stopped["signal"]) == ("cancelled", signal.SIGKILL)
    assert task_of(whole, run)["status"] == "cancelled"


def test_a_grandchild_that_holds_the_output_open_delays_no_end_and_is_gone(whole: Perdure) -> None:
    argv = [sys.executable, "-c", SCRIPTS["leaves"], "setsid double", "goes"]
    run = over(whole, whole.call("run.exec", argv=argv)["id"])
    assert (run["status"], run["exit_code"]) == ("exited", 0)
    assert not alive(int(log_of(whole, run).read_text()))


@pytest.mark.parametrize("megabytes", [64, pytest.param(1000, marks=pytest.mark.long)])
def test_a_flood_without_a_newline_is_stored_whole_and_the_host_stays_small(whole: Perdure, megabytes: int) -> None:
    size = megabytes * 1_000_000
    run = whole.call("run.exec", argv=[sys.executable, "-c", SCRIPTS["flood"], str(size)])
    host = psutil.Process(whole.call("runtime.status")["pids"]["host"])
    peak_bytes = 0

    def ended() -> bool:
        nonlocal peak_bytes
        peak_bytes = max(peak_bytes, host.memory_info().rss)
        return whole.call("run.get", id=run["id"])["status"] in OVER

    eventually(ended, "the flood is over")
    run = over(whole, run["id"])
    assert (run["status"], run["exit_code"], run["stdout"]["bytes"]) == ("exited", 0, size)
    assert_pattern(log_of(whole, run), size)
    assert peak_bytes < 20_000_000


def assert_pattern(path: Path, size: int) -> None:
    """A file is what `flood` prints: compared piece by piece, for it may be large."""
    piece = pattern(9 * 100_000)
    with path.open("rb") as file:
        while data := file.read(len(piece)):
            assert piece.startswith(data)
    assert path.stat().st_size == size


def test_what_exceeds_the_stored_output_is_counted_only(whole: Perdure) -> None:
    run = over(whole, started(whole, "SHORT", SCRIPTS["flood"])["id"])
    assert (run["status"], run["exit_code"], run["stdout"]["bytes"]) == ("exited", 0, 3_000_000)
    assert_pattern(log_of(whole, run), 1_000_000)


def test_an_agent_that_is_silent_for_too_long_times_out(whole: Perdure) -> None:
    code = "import time\nfor _ in range(8): print('.', flush=True); time.sleep(0.2)\ntime.sleep(3600)"
    run = over(whole, started(whole, "SILENT", code)["id"])
    assert (run["status"], run["error"]["kind"], run["signal"]) == ("timed_out", "silence", signal.SIGTERM)
    assert task_of(whole, run)["status"] == "failed"


def test_an_agent_that_takes_too_long_times_out_and_is_tried_again_where_that_is_wanted(whole: Perdure) -> None:
    first = started(whole, "LONG", "import time\nwhile True: print('.'); time.sleep(0.05)", max_attempts=2)
    run = over(whole, first["id"])
    assert (run["status"], run["error"]["kind"]) == ("timed_out", "wall_time")
    again = runs_of(whole, run["task_id"])[-1]
    assert (over(whole, again["id"])["attempt"], task_of(whole, run)["status"]) == (2, "failed")


def test_an_agent_that_wants_more_memory_than_it_may_have_fails(whole: Perdure) -> None:
    run = over(whole, started(whole, "SMALL", "x = bytearray(1 << 30)", max_attempts=1)["id"])
    assert (run["status"], run["exit_code"], run["error"]["kind"]) == ("exited", 1, "exit_code")
    assert "MemoryError" in log_of(whole, run, "stderr").read_text()


def test_an_agent_that_opens_more_files_than_it_may_fails(whole: Perdure) -> None:
    run = over(whole, started(whole, "SMALL", "f = [open('/dev/null') for _ in range(99)]", max_attempts=1)["id"])
    assert (run["status"], run["exit_code"]) == ("exited", 1)
    assert "Too many open files" in log_of(whole, run, "stderr").read_text()


def test_an_agent_in_a_session_of_its_own_with_a_full_pipe_can_be_stopped(whole: Perdure) -> None:
    code = f"import os; os.setsid() if os.fork() == 0 else None\n{SCRIPTS['flood']}"
    run = whole.call("run.exec", argv=[sys.executable, "-c", code, str(1 << 40)])
    eventually(lambda: log_of(whole, run).exists() and log_of(whole, run).stat().st_size > 1_000_000, "it floods")
    pids = [run["pid"], *(child.pid for child in psutil.Process(running(whole, run["id"])["pid"]).children())]
    stopped = whole.call("run.stop", id=run["id"])
    assert stopped["status"] == "cancelled"
    assert stopped["stdout"]["bytes"] == log_of(whole, run).stat().st_size
    for pid in pids[1:]:
        wait_dead(pid)


# What cannot start at all.


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"argv": ["no-such-command-x"]}, "the command no-such-command-x is missing: not found in PATH"),
        ({"argv": ["true"], "cwd": "/no/such/folder"}, "the working directory /no/such/folder cannot be entered"),
        ({"argv": ["FOLDER/plain"]}, "cannot be started: Permission denied"),
        ({"argv": ["FOLDER/garbled"]}, "cannot be started: Exec format error"),
        ({"argv": ["true", "x" * 200_000]}, "Argument list too long"),
        ({"argv": ["true", *["x" * 100_000] * 30]}, "a frame holds 1048576"),
    ],
)
def test_what_cannot_be_started_says_why_and_harms_nobody(whole: Perdure, given: dict[str, Any], reason: str) -> None:
    (whole.folder / "plain").write_text("#!/bin/sh\n")
    (whole.folder / "garbled").write_bytes(b"\x00\x01\x02")
    (whole.folder / "garbled").chmod(0o755)
    before = whole.call("runtime.status")["pids"]
    asked = json.loads(json.dumps(given).replace("FOLDER", str(whole.folder)))
    run = over(whole, whole.call("run.exec", **asked)["id"])
    assert (run["status"], run["error"]["kind"], run["pid"]) == ("failed_to_start", "failed_to_start", None)
    assert reason in run["error"]["message"]
    assert task_of(whole, run)["status"] == "failed"
    assert over(whole, whole.call("run.exec", argv=["true"])["id"])["exit_code"] == 0
    assert whole.call("runtime.status")["pids"] == before


def test_what_could_not_be_started_is_tried_again_where_that_is_wanted(whole: Perdure) -> None:
    first = over(whole, started(whole, "LOST", "nothing", max_attempts=3)["id"])
    task = eventually(lambda: task_of(whole, first)["status"] == "failed" and task_of(whole, first), "it is given up")
    runs = runs_of(whole, first["task_id"])
    assert [(run["attempt"], run["status"]) for run in runs] == [(n, "failed_to_start") for n in (1, 2, 3)]
    assert (task["attempts"], task["error"]["kind"]) == (3, "failed_to_start")


def test_a_host_without_descriptors_fails_a_run_and_starts_the_next_one_when_it_has_some(whole: Perdure) -> None:
    host = whole.call("runtime.status")["pids"]["host"]
    psutil.Process(host).rlimit(psutil.RLIMIT_NOFILE, (psutil.Process(host).num_fds() + 1, 4096))
    run = over(whole, whole.call("run.exec", argv=["true"])["id"])
    assert (run["status"], "Too many open files" in run["error"]["message"]) == ("failed_to_start", True)
    psutil.Process(host).rlimit(psutil.RLIMIT_NOFILE, (4096, 4096))
    assert over(whole, whole.call("run.exec", argv=["true"])["id"])["exit_code"] == 0

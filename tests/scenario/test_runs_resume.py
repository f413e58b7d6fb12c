"""Conversations taken up again, and results left in files, with whole processes: an agent that keeps its sessions."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.kit.perdure import Perdure, eventually
from tests.kit.whole_runs import OVER, RESTLESS, running

VENDOR = """
import json, os, sys, time
how, store = sys.argv[1], sys.argv[2]
def say(**line):
    print(json.dumps(line), flush=True)
if how == "new":
    session = f"thread-{len(os.listdir(store)) + 1}"
    open(os.path.join(store, session), "w").close()
    say(type="thread.started", thread_id=session)
    if len(os.listdir(store)) == 1:
        if os.path.exists(os.path.join(os.path.dirname(store), "waits")):
            time.sleep(300)
        sys.exit(3)
else:
    session = sys.argv[3]
    if os.path.exists(os.path.join(os.path.dirname(store), "refuses")):
        sys.stderr.write(f"no rollout found for {session}\\n")
        sys.exit(1)
    say(type="thread.started", thread_id=session)
say(type="item.completed", item={"type": "agent_message", "text": f"{how} {session}"})
say(type="turn.completed", usage={"input_tokens": 1})
"""
"""Codex in little: a first conversation that fails or hangs, one that is taken up again or refused, and new ones."""


@pytest.fixture
def vendor(make: Any, tmp_path: Path) -> Perdure:
    """A Perdure with the agent above as its tool VENDOR, and one that leaves its result in a file."""
    store = tmp_path / "store"
    store.mkdir()
    (tmp_path / "temporary").mkdir()
    script = tmp_path / "vendor.py"
    script.write_text(VENDOR)
    program = [sys.executable, str(script)]
    writes = ["sh", "-c", 'printf "made by %s" "$1" >"$2"', "sh", "{task_id}", "{result_path}"]
    config = tmp_path / "perdure.toml"
    config.write_text(
        "[runs]\nbackoff_max_s = 0.05\nbackoff_base_s = 0.01\n[tools.VENDOR]\n"
        f"argv = {json.dumps([*program, 'new', str(store)])}\n"
        f"resume = {json.dumps([*program, 'resume', str(store), '{session_id}'])}\n"
        'output = "codex-jsonl"\n'
        f"[tools.WRITER]\nargv = {json.dumps(writes)}\n"
    )
    whole: Perdure = make(**RESTLESS)
    whole.environment |= {"PERDURE_CONFIG": str(config), "TMPDIR": str(tmp_path / "temporary")}
    whole.start()
    return whole


def begun(whole: Perdure, tool: str, **more: Any) -> dict[str, Any]:
    task = whole.call("task.create", description="d", tool=tool, **more)
    run: dict[str, Any] = whole.call("run.start", task_id=task["id"])
    return run


def finished(whole: Perdure, run: dict[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Wait for the end of a run's task; return it and its runs, the oldest first."""

    def done() -> Any:
        task = whole.call("task.get", id=run["task_id"])
        return task if task["status"] not in {"pending", "running"} else None

    task = eventually(done, "the task is over")
    runs = sorted(whole.call("run.list", task_id=task["id"])["runs"], key=lambda one: str(one["id"]))
    assert {one["status"] for one in runs} <= OVER
    return task, runs


def told(run: dict[str, Any]) -> tuple[str, int, str]:
    """How a run began, which attempt it was, and its conversation."""
    how = "resume" if "resume" in run["argv"] else "new"
    return how, run["attempt"], run["vendor_session_id"]


def test_the_second_attempt_takes_up_the_conversation_of_the_first(vendor: Perdure) -> None:
    task, runs = finished(vendor, begun(vendor, "VENDOR"))
    assert [told(run) for run in runs] == [("new", 1, "thread-1"), ("resume", 2, "thread-1")]
    assert task["result"]["text"] == "resume thread-1"


def test_the_third_attempt_begins_afresh_when_the_conversation_is_refused(vendor: Perdure, tmp_path: Path) -> None:
    (tmp_path / "refuses").touch()
    task, runs = finished(vendor, begun(vendor, "VENDOR"))
    expected = [("new", 1, "thread-1"), ("resume", 2, "thread-1"), ("new", 3, "thread-2")]
    assert [told(run) for run in runs] == expected
    assert (task["status"], task["result"]["text"], task["attempts"]) == ("completed", "new thread-2", 3)


def test_a_conversation_that_the_hosts_death_cut_off_goes_on_at_no_cost(vendor: Perdure, tmp_path: Path) -> None:
    (tmp_path / "waits").touch()
    run = begun(vendor, "VENDOR", max_attempts=1)
    running(vendor, run["id"])
    eventually(lambda: vendor.call("run.get", id=run["id"])["vendor_session_id"], "the conversation has a name")
    os.kill(vendor.call("runtime.status")["pids"]["host"], signal.SIGKILL)
    task, runs = finished(vendor, run)
    assert [told(run) for run in runs] == [("new", 1, "thread-1"), ("resume", 1, "thread-1")]
    assert [run["status"] for run in runs] == ["interrupted", "exited"]
    assert task["status"] == "completed"


def test_a_result_in_a_file_is_the_tasks_and_the_file_is_gone(vendor: Perdure, tmp_path: Path) -> None:
    task, (run,) = finished(vendor, begun(vendor, "WRITER", id="t-1"))
    assert (task["status"], task["result"]) == ("completed", {"text": "made by t-1"})
    assert run["result"] == {"text": "made by t-1"}
    path = Path(run["argv"][-1])
    assert path.parent.parent == tmp_path / "temporary"
    eventually(lambda: not path.exists(), "the file of the result is removed")

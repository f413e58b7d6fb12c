"""The root or the agent host dies, in whatever order: nothing is left of any agent, and the next start tells."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from actors.storage.journal_lines import FIRST_PREV, format_lines
from supervisor.agents.tree_of import Look, place_of
from tests.kit.agents import SCRIPTS, wait_dead
from tests.kit.perdure import WITHIN_S, Perdure, watched
from tests.kit.whole_runs import RESTLESS, facts_of, over, printed_lines, running, runs_of

FAMILY = f"""
import subprocess, sys, time
code = {SCRIPTS["leaves"]!r}
for shape in sys.argv[1:]:
    subprocess.Popen([sys.executable, "-c", code, shape, "stays"])
time.sleep(3600)
"""
"""An agent whose children each leave a grandchild of another shape, which ignores SIGTERM and says its pid."""

MARKED = ("plain", "setsid", "double", "setsid double", "setsid double silent")
SHAPES = (*MARKED, "plain env")
"""The last one clears its environment: it is found as long as anybody lives who knows its parents."""


def with_family(whole: Perdure, shapes: tuple[str, ...] = SHAPES) -> tuple[dict[str, Any], set[int]]:
    """Start a task whose agent has a family; its run, and every process of it."""
    argv = [sys.executable, "-c", FAMILY, *shapes]
    made = whole.call("task.create", description="a family", tool="SHELL", metadata={"argv": argv})
    run = running(whole, whole.call("run.start", task_id=made["id"])["id"])
    return run, family_of(whole, run)


def family_of(whole: Perdure, run: dict[str, Any]) -> set[int]:
    """Wait until all of a run's family is there."""
    shapes = run["argv"][3:]
    grandchildren = {int(line) for line in printed_lines(whole, run, len(shapes))}
    look = Look()
    marked = look.marked(f"{place_of(whole.state_path)}:{run['id']}")
    return {run["pid"], *grandchildren, *(process.identity.pid for process in marked)}


def assert_tried_again(whole: Perdure, run: dict[str, Any]) -> None:
    """The run was interrupted, at no cost, and the one after it is at work."""
    before = over(whole, run["id"])
    assert (before["status"], before["error"]["kind"]) == ("interrupted", "interrupted")
    again = runs_of(whole, run["task_id"])[-1]
    assert again["id"] != run["id"]
    again = running(whole, again["id"])
    assert (again["attempt"], again["pid"] != run["pid"]) == (run["attempt"], True)
    task = whole.call("task.get", id=run["task_id"])
    assert (task["status"], task["attempts"]) == ("running", run["attempt"])
    assert facts_of(whole, run["id"]).count("run.ended") == 1
    family_of(whole, again)
    whole.call("run.stop", id=again["id"], grace_s=0)


@contextlib.contextmanager
def all_watched(pids: set[int]) -> Iterator[Any]:
    """Give a function that waits until all of these are gone."""
    with contextlib.ExitStack() as stack:
        waits = [stack.enter_context(watched(pid)) for pid in pids]
        yield lambda: [until_gone_s() for until_gone_s in waits]


def test_nothing_outlives_a_root_that_is_killed_and_the_next_one_tries_again(make: Any) -> None:
    whole: Perdure = make(**RESTLESS)
    whole.start()
    run, family = with_family(whole)
    host = whole.call("runtime.status")["pids"]["host"]
    with all_watched({*family, host}) as until_gone:
        whole.kill_root()
        until_gone()
    whole.start()
    assert_tried_again(whole, run)


def test_nothing_outlives_a_host_that_is_killed_and_a_new_one_tries_again(make: Any) -> None:
    whole: Perdure = make(**RESTLESS)
    whole.start()
    run, family = with_family(whole)
    before = whole.call("runtime.status")["pids"]
    with all_watched(family) as until_gone:
        os.kill(before["host"], signal.SIGKILL)
        until_gone()
    assert_tried_again(whole, run)
    after = whole.call("runtime.status")["pids"]
    assert after["host"] != before["host"]
    assert (after["root"], after["runtime"]) == (before["root"], before["runtime"])


def test_a_host_that_is_stopped_is_found_and_its_agents_are_tried_again_by_another(make: Any) -> None:
    whole: Perdure = make(**RESTLESS, supervisor__heartbeat_s="0.1", supervisor__hung_after_s="2.0")
    whole.start()
    run, family = with_family(whole)
    host = whole.call("runtime.status")["pids"]["host"]
    with all_watched({*family, host}) as until_gone:
        os.kill(host, signal.SIGSTOP)
        until_gone()
    assert_tried_again(whole, run)


@pytest.mark.parametrize("order", ["root first", "host first"])
def test_what_a_root_and_a_host_that_are_killed_together_leave_is_ended_by_the_next_start(
    make: Any, order: str
) -> None:
    whole: Perdure = make(**RESTLESS)
    whole.start()
    run, family = with_family(whole, MARKED)
    host = whole.call("runtime.status")["pids"]["host"]
    os.kill(whole.root_pid, signal.SIGSTOP)  # so that it cannot sweep in between
    os.kill(host, signal.SIGSTOP)  # ... nor the host end anything
    with watched(host) as until_gone_s:
        if order == "host first":
            os.kill(host, signal.SIGKILL)
            until_gone_s()
        whole.kill_root()
        if order == "root first":
            os.kill(host, signal.SIGKILL)
            until_gone_s()
    wait_dead(run["pid"])  # the agent itself has a parent-death signal
    whole.start()
    for pid in family:
        wait_dead(pid)
    assert_tried_again(whole, run)


def test_a_task_that_is_interrupted_too_often_fails(make: Any) -> None:
    whole: Perdure = make(**RESTLESS, runs__interruptions_max="1")
    whole.start()
    made = whole.call("run.exec", argv=["sleep", "300"])
    for number in (1, 2):
        run = running(whole, runs_of(whole, made["task_id"])[-1]["id"])
        assert run["attempt"] == 1
        with watched(run["pid"]) as until_gone_s:
            os.kill(whole.call("runtime.status")["pids"]["host"], signal.SIGKILL)
            until_gone_s()
        assert over(whole, run["id"])["status"] == "interrupted"
        assert len(runs_of(whole, made["task_id"])) == 2, f"after interruption {number}"
    task = whole.call("task.get", id=made["task_id"])
    assert (task["status"], task["error"]["kind"]) == ("failed", "interrupted")


def test_a_stop_in_order_leaves_nothing_and_interrupts_what_ran(make: Any) -> None:
    whole: Perdure = make(**RESTLESS)
    whole.start()
    run, family = with_family(whole)
    with all_watched(family) as until_gone:
        assert whole.stop() == 0
        until_gone()
    left = [process.identity.pid for process in Look().marked(f"{place_of(whole.state_path)}:")]
    assert left == []
    whole.start()
    assert_tried_again(whole, run)


def test_a_pid_that_belongs_to_somebody_else_by_now_is_never_signalled(make: Any) -> None:
    """The run's row is all that is left of the agent; the pid in it is planted: it is another process's."""
    whole: Perdure = make(**RESTLESS)
    whole.start()
    made = whole.call("run.exec", argv=["sleep", "300"])
    run = running(whole, made["id"])
    host = whole.call("runtime.status")["pids"]["host"]
    with watched(run["pid"]) as until_gone_s:
        os.kill(host, signal.SIGSTOP)
        whole.kill_root()
        until_gone_s()
    told = "import signal, sys\nfor n in (1, 2, 15, 18): signal.signal(n, lambda *_: sys.exit(9))\ninput()"
    with subprocess.Popen([sys.executable, "-c", told], stdin=subprocess.PIPE, start_new_session=True) as somebody:
        replant(whole, run["pid"], somebody.pid)
        whole.start()
        planted = over(whole, run["id"])
        assert (planted["status"], planted["pid"], planted["pid_started"]) == ("interrupted", somebody.pid, "1")
        again = running(whole, runs_of(whole, made["task_id"])[-1]["id"])
        assert whole.call("run.stop", id=run["id"], grace_s=0)["status"] == "interrupted"
        assert whole.call("task.cancel", id=made["task_id"])["status"] == "cancelled"
        assert over(whole, again["id"])["status"] == "cancelled"
        whole.stop()
        assert somebody.poll() is None
        somebody.communicate(b"\n", WITHIN_S)
        assert somebody.returncode == 0, "no signal of those that can be seen came either"


def replant(whole: Perdure, pid: int, planted_pid: int) -> None:
    """Write another pid into the journal, with another start time, in lines that are as good as they were."""
    prev = FIRST_PREV
    found = 0
    for segment in whole.segments():
        pieces: list[bytes] = []
        for line in segment.read_bytes().rstrip(b"\0").split(b"\n")[:-1]:
            head = re.fullmatch(rb'\{"v":1,"seq":(\d+),"durable":(\d+),(.*),"prev":"\w+","crc":"\w+"\}', line)
            assert head is not None
            body, changes = re.subn(
                rb'"pid":%d,"pid_started":"\d+"' % pid, b'"pid":%d,"pid_started":"1"' % planted_pid, head[3]
            )
            found += changes
            made, prev = format_lines([body], int(head[1]), int(head[2]), prev)
            pieces += made
        segment.write_bytes(b"".join(pieces))
    assert found == 1

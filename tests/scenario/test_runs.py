"""Agents with whole processes: they outlive the runtime, their output comes once, and nothing of them is left."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

from actors.model.errors import Conflict
from supervisor.cli.reach import until_over
from supervisor.client import connect_trio
from tests.kit.perdure import Perdure, eventually
from tests.kit.whole_runs import RESTLESS, over, running

COUNTER = """
import sys, time, os
for number in range(400):
    sys.stdout.write(f"line {number}\\n")
    sys.stdout.flush()
    time.sleep(0.005)
sys.exit(7 if "fail" in sys.argv else 0)
"""


def crashed(whole: Perdure) -> bool:
    """Crash the runs actor, unless it is still down from before."""
    try:
        whole.call("actor.kill", name="runs", how="crash")
    except Conflict:
        return False
    return True


def test_an_agent_works_on_while_the_runtime_is_killed_again_and_again(make: Any) -> None:
    whole: Perdure = make(**RESTLESS)
    whole.start()
    made = whole.call("run.exec", argv=[sys.executable, "-c", COUNTER])
    pid = running(whole, made["id"])["pid"]
    for _ in range(5):
        whole.kill_runtime()
        assert whole.call("run.get", id=made["id"])["pid"] == pid
    run = over(whole, made["id"])
    assert (run["status"], run["exit_code"], run["pid"]) == ("exited", 0, pid)
    expected = "".join(f"line {number}\n" for number in range(400))
    assert (whole.state_path / run["stdout"]["path"]).read_text() == expected
    assert run["stdout"]["bytes"] == len(expected)
    assert whole.call("task.get", id=run["task_id"])["status"] == "completed"
    ends = [line for line in whole.journal() if any(fact["op"] == "run.ended" for fact in line["facts"])]
    assert [[fact["op"] for fact in line["facts"]] for line in ends] == [["run.ended", "task.completed"]]


def test_what_a_run_prints_is_followed_over_kills_of_the_runs_actor(make: Any) -> None:
    whole: Perdure = make(chaos__enabled="true", **RESTLESS)
    whole.start()
    made = whole.call("run.exec", argv=[sys.executable, "-c", COUNTER, "fail"])
    with whole.wire() as wire:
        wire.call("output.subscribe", id=made["id"], stream="stdout")
        for _ in range(5):
            eventually(lambda: crashed(whole), "the runs actor is crashed")
        text = ""
        while not (event := wire.event())["eof"]:
            assert event["offset"] == len(text)
            text += event["data"]
    assert text + event["data"] == "".join(f"line {number}\n" for number in range(400))
    run = over(whole, made["id"])
    assert (run["exit_code"], run["error"]["kind"]) == (7, "exit_code")
    assert whole.call("task.get", id=run["task_id"])["status"] == "failed"


STEPS = r"""
import os, sys, time
for step in range(4):
    for number in range(50):
        sys.stdout.buffer.write(b"%d %d \xff\xc3\xa9\n" % (step, number))
    sys.stdout.flush()
    while not os.path.exists(f"{sys.argv[1]}-{step}"):
        time.sleep(0.01)
"""
"""Prints fifty lines, and goes on when a file is there."""


async def test_what_a_run_prints_is_followed_byte_for_byte_over_kills_of_the_runtime(make: Any, tmp_path: Path) -> None:
    whole: Perdure = make(**RESTLESS)
    whole.start()
    made = whole.call("run.exec", argv=[sys.executable, "-c", STEPS, str(tmp_path / "step")])
    printed = b""
    steps = 0
    async with connect_trio(whole.state_path) as client, client.follow_output(made["id"], {"stdout": 0}) as pieces:
        async for piece in pieces:
            assert piece.offset == len(printed)
            printed += piece.data
            if printed.count(b"\n") == 50 * (steps + 1):
                if steps < 3:
                    whole.kill_runtime()
                (tmp_path / f"step-{steps}").touch()
                steps += 1
    assert printed == b"".join(b"%d %d \xff\xc3\xa9\n" % (step, number) for step in range(4) for number in range(50))


def test_the_death_of_the_agent_host_is_an_interruption_and_the_task_is_tried_again(make: Any) -> None:
    whole: Perdure = make(**RESTLESS)
    whole.start()
    made = whole.call("run.exec", argv=["sleep", "300"])
    running(whole, made["id"])
    os.kill(whole.call("runtime.status")["pids"]["host"], signal.SIGKILL)
    assert over(whole, made["id"])["status"] == "interrupted"
    runs = whole.call("run.list", task_id=made["task_id"])["runs"]
    again = next(run for run in runs if run["id"] != made["id"])
    assert running(whole, again["id"])["attempt"] == 1
    assert whole.call("run.stop", id=again["id"], grace_s=1)["status"] == "cancelled"
    assert whole.call("task.get", id=made["task_id"])["status"] == "cancelled"


def test_a_start_tells_which_tools_are_not_installed(make: Any, tmp_path: Path) -> None:
    (tmp_path / "tools.toml").write_text('[tools.NOWHERE]\nargv = ["no-such-agent"]\n')
    whole: Perdure = make(config=str(tmp_path / "tools.toml"), **RESTLESS)
    whole.start()
    whole.kill_runtime()
    whole.call("runtime.ping")
    (line,) = [line for line in whole.log() if "not installed" in line["event"]]
    assert "NOWHERE (no-such-agent)" in line["tools"]
    assert line["level"] == "info"


def test_an_end_that_takes_longer_than_a_call_may_is_waited_for(make: Any) -> None:
    whole: Perdure = make()
    whole.start()
    made = whole.call("run.exec", argv=["sh", "-c", "trap '' TERM; echo deaf; while :; do sleep 1; done"])
    running(whole, made["id"])
    eventually(lambda: whole.call("run.output", id=made["id"])["data"] == "deaf\n", "it ignores SIGTERM")
    with whole.client() as client:
        client.timeout_s = 0.5
        over = until_over(client, "run.stop", id=made["id"], grace_s=2)
    assert (over["status"], over["signal"]) == ("cancelled", signal.SIGKILL)


def test_status_names_the_agents_that_live_and_no_others(make: Any) -> None:
    whole: Perdure = make(**RESTLESS)
    whole.start()
    assert whole.call("runtime.status")["pids"]["agents"] == []
    made = whole.call("run.exec", argv=["sleep", "300"])
    pid = running(whole, made["id"])["pid"]
    assert whole.call("runtime.status")["pids"]["agents"] == [pid]
    whole.kill_runtime()
    assert whole.call("runtime.status")["pids"]["agents"] == [pid]
    whole.call("run.stop", id=made["id"], grace_s=1)
    assert whole.call("runtime.status")["pids"]["agents"] == []


def test_cancelling_a_task_leaves_no_process_of_its_agent(make: Any) -> None:
    whole: Perdure = make()
    whole.start()
    made = whole.call("run.exec", argv=["sh", "-c", "setsid sleep 300 & sleep 300"])
    pid = running(whole, made["id"])["pid"]
    assert whole.call("task.cancel", id=made["task_id"])["status"] == "cancelled"
    assert not Path(f"/proc/{pid}").exists()
    assert whole.call("run.get", id=made["id"])["status"] == "cancelled"

"""What the root does when a runtime dies, hangs, refuses or is left alone; with real processes."""

import os
import signal
import time
from pathlib import Path

import psutil
import pytest

from tests.kit.roots import RunningRoot, eventually, running_root, wait_gone

SOON_HUNG = {"supervisor.heartbeat_s": 0.05, "supervisor.hung_after_s": 1.0}
"""Generous against a loaded machine, where a beat may come late, and still soon over."""


@pytest.fixture
def state_path(tmp_path: Path) -> Path:
    return tmp_path / "state"


def runtime_pid(root: RunningRoot) -> int:
    pid: int = root.ask("fake.who")["pid"]
    return pid


def test_a_client_that_connects_while_the_runtime_is_down_is_served_by_the_next_one(state_path: Path) -> None:
    slow = {"supervisor.backoff_base_s": 0.3, "supervisor.healthy_after_s": 3600}
    with running_root(state_path, slow) as root:
        root.wait_ready()
        first = runtime_pid(root)
        os.kill(first, signal.SIGSTOP)
        with root.connect() as waiting:
            waiting.send("fake.who")
            os.kill(first, signal.SIGKILL)
            answer = waiting.receive()
        assert answer["incarnation"] == 2
        assert answer["pid"] != first
        assert root.lock().last_error == "killed by SIGKILL"


def test_a_killed_runtime_leaves_no_zombie(state_path: Path) -> None:
    with running_root(state_path) as root:
        root.wait_ready()
        for _ in range(3):
            os.kill(runtime_pid(root), signal.SIGKILL)
            root.ask("fake.who")
        assert [child.status() for child in root.children()].count(psutil.STATUS_ZOMBIE) == 0
        assert len(root.children()) == 1


def test_a_runtime_whose_loop_is_blocked_is_dumped_killed_and_replaced(state_path: Path) -> None:
    with running_root(state_path, SOON_HUNG) as root:
        root.wait_ready()
        with root.connect() as connection:
            connection.send("fake.hang")
            assert connection.receive() is None
        assert root.ask("fake.who")["incarnation"] == 2
        assert root.lock().last_error == "hung: no sign of life for 1 s"
        dump = [line["text"] for line in root.log() if line.get("event") == "stderr"]
        assert any("_carry_out" in text for text in dump), "the log shows where it hung"


def test_a_stopped_runtime_is_killed_and_replaced(state_path: Path) -> None:
    with running_root(state_path, SOON_HUNG) as root:
        root.wait_ready()
        pid = runtime_pid(root)
        os.kill(pid, signal.SIGSTOP)
        assert wait_gone(pid)
        assert root.ask("fake.who")["incarnation"] == 2
        assert root.lock().last_error == "stopped by a signal: no sign of life for 1 s"


def test_a_stopped_root_that_goes_on_does_not_take_its_runtime_for_hung(state_path: Path) -> None:
    with running_root(state_path, SOON_HUNG) as root:
        root.wait_ready()
        pid = runtime_pid(root)
        root.signal(signal.SIGSTOP)
        time.sleep(2.5)  # the time that passes is what is tested: longer than hung_after_s
        root.signal(signal.SIGCONT)
        root.signal(signal.SIGHUP)
        eventually(lambda: any(order["type"] == "reload" for order in root.ask("fake.orders")), "it works again")
        assert runtime_pid(root) == pid
        assert root.lock().restarts == 0


def test_a_runtime_that_breaks_the_control_channel_is_replaced(state_path: Path) -> None:
    with running_root(state_path) as root:
        root.wait_ready()
        with root.connect() as connection:
            connection.send("fake.garble")
            eventually(lambda: root.lock().restarts == 1, "replaced")
        assert "broke the control channel" in str(root.lock().last_error)
        assert root.ask("fake.who")["incarnation"] == 2


def test_a_crash_loop_ends_with_70_and_says_why(state_path: Path) -> None:
    few = {"supervisor.process_restarts_max": 2, "supervisor.process_within_s": 600}
    with running_root(state_path, few, fake={"crash": {"code": 1}}) as root:
        assert root.wait() == 70
        last = root.errors.splitlines()[-1]
        assert "more than 2 restarts within 600 s" in last
        assert "crashed (exit code 1)" in last
        assert root.lock()[:3] == (False, root.pid, "stopped")
        assert not (state_path / "perdure.sock").exists()


def test_a_crash_loop_goes_on_slowly_where_that_is_configured(state_path: Path) -> None:
    patient = {
        "supervisor.process_restarts_max": 2,
        "supervisor.process_within_s": 600,
        "supervisor.on_exhausted": "slow_retry",
        "supervisor.slow_retry_s": 0.2,
    }
    with running_root(state_path, patient, fake={"crash": {"code": 75, "not_in": [6]}}) as root:
        root.wait_ready()
        assert root.ask("fake.who")["incarnation"] == 6
        assert root.lock().last_error == "could not open its storage (exit code 75)"
        assert any(line.get("exhausted") for line in root.log())


@pytest.mark.parametrize("code", [2, 6, 7])
def test_a_runtime_that_refuses_to_run_here_is_not_tried_again(state_path: Path, code: int) -> None:
    with running_root(state_path, fake={"refuse": {"code": code, "message": "written by version 3"}}) as root:
        assert root.wait() == code
        assert root.errors.splitlines()[-1] == "perdure: written by version 3; look elsewhere"
        left = root.lock()
        assert (left.phase, left.last_error, left.restarts) == ("stopped", "written by version 3", 0)


@pytest.mark.parametrize("halted", [False, True], ids=["running", "stopped"])
def test_a_runtime_is_gone_when_its_root_was_killed(state_path: Path, halted: bool) -> None:
    with running_root(state_path) as root:
        root.wait_ready()
        pid = runtime_pid(root)
        if halted:
            os.kill(pid, signal.SIGSTOP)
        root.signal(signal.SIGKILL)
        assert wait_gone(pid), "it outlived its root"


def test_a_runtime_with_a_blocked_loop_is_gone_when_its_root_was_killed(state_path: Path) -> None:
    with running_root(state_path) as root:
        root.wait_ready()
        pid = runtime_pid(root)
        with root.connect() as connection:
            connection.send("fake.hang")
            root.signal(signal.SIGKILL)
            assert wait_gone(pid)


def test_a_standby_takes_over_and_is_replaced(state_path: Path) -> None:
    with running_root(state_path, standby=True) as root:
        root.wait_ready()
        first, standby = _both(root)
        os.kill(first, signal.SIGKILL)
        assert runtime_pid(root) == standby
        taken_over, next_standby = _both(root)
        assert taken_over == standby
        assert next_standby not in (first, standby)
        assert root.stop() == 0
        assert wait_gone(standby, 0)
        assert wait_gone(next_standby, 0)
        assert (state_path / "saved").read_text() == str(standby)


def test_a_dead_standby_disturbs_nobody(state_path: Path) -> None:
    with running_root(state_path, standby=True) as root:
        root.wait_ready()
        first, standby = _both(root)
        os.kill(standby, signal.SIGKILL)
        assert eventually(lambda: len(root.children()) == 2 and standby not in _both(root), "a new standby")
        assert runtime_pid(root) == first
        assert root.lock().phase == "running"


def test_a_standby_is_gone_when_its_root_was_killed(state_path: Path) -> None:
    with running_root(state_path, standby=True) as root:
        root.wait_ready()
        first, standby = _both(root)
        root.signal(signal.SIGKILL)
        assert wait_gone(first)
        assert wait_gone(standby)


def test_a_runtime_that_cannot_be_spawned_is_tried_again_by_the_rules(tmp_path: Path) -> None:
    few = {"supervisor.process_restarts_max": 1, "supervisor.process_within_s": 600}
    with running_root(tmp_path / "state", few, runtime="/nowhere/at/all") as root:
        assert root.wait() == 70
        assert "/nowhere/at/all" in root.errors


def _both(root: RunningRoot) -> tuple[int, int]:
    """The runtime's pid and the standby's, once there are two children."""
    runtime = runtime_pid(root)
    others = eventually(lambda: [child.pid for child in root.children() if child.pid != runtime], "a standby")
    return runtime, others[0]

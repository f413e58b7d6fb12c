"""The root's side of the agent host: joined with every runtime, replaced when it dies, and nothing left of it."""

import itertools
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest

from supervisor.agents.tree_of import Look, place_of
from tests.kit.agents import agent, alive, wait_dead
from tests.kit.roots import RunningRoot, eventually, running_root, wait_gone

SOON_HUNG = {"supervisor.heartbeat_s": 0.05, "supervisor.hung_after_s": 1.0}


@pytest.fixture
def state_path(tmp_path: Path) -> Path:
    return tmp_path / "state"


@contextmanager
def hosting_root(state_path: Path, settings: dict[str, Any] | None = None, **options: Any) -> Iterator[RunningRoot]:
    """A root with an agent host, whose runtime is attached to it; in the end nothing of the place is alive."""
    with running_root(state_path, settings, host=True, **options) as root:
        root.wait_ready()
        eventually(lambda: attached(root), "the runtime is attached")
        yield root
    eventually(lambda: not marked(state_path), "nothing is left")


def said(root: RunningRoot, kind: str) -> list[dict[str, Any]]:
    """What the host said to the present runtime."""
    return [news for news in root.ask("fake.agents")["news"] if news["type"] == kind]


def attached(root: RunningRoot) -> list[dict[str, Any]]:
    return said(root, "attached")


def host_pid(root: RunningRoot) -> int:
    pid: int = attached(root)[-1]["host_pid"]
    return pid


def spawned(root: RunningRoot, run_id: str, argv: tuple[str, ...]) -> int:
    """Have an agent started; its pid, once it has printed something."""
    assert root.ask("fake.spawn", run_id=run_id, argv=argv)
    eventually(lambda: root.ask("fake.agents")["output_bytes"].get(run_id), f"{run_id} is up")
    pid: int = next(news["pid"] for news in said(root, "started") if news["run_id"] == run_id)
    return pid


def marked(state_path: Path) -> list[int]:
    """Every process that carries the marker of this state directory."""
    return [process.identity.pid for process in Look().marked(f"{place_of(state_path)}:")]


def tree_of(root: RunningRoot) -> list[int]:
    return [child.pid for child in psutil.Process(root.pid).children(recursive=True)]


def test_an_agent_survives_its_runtime_and_the_next_one_hears_of_it(state_path: Path) -> None:
    with hosting_root(state_path) as root:
        pid = spawned(root, "r", agent("deaf"))
        host = host_pid(root)
        for _ in range(2):
            os.kill(root.ask("fake.who")["pid"], signal.SIGKILL)
            rows = eventually(lambda: attached(root), "attached again")[-1]["runs"]
            assert [(row["run_id"], row["pid"], row["ended"]) for row in rows] == [("r", pid, False)]
        assert alive(pid)
        assert host_pid(root) == host


def test_the_root_tells_the_hosts_pid(state_path: Path) -> None:
    with hosting_root(state_path) as root:
        told = [order["pids"] for order in root.ask("fake.orders") if order["type"] == "root"][-1]
        assert told["host"] == host_pid(root)


@pytest.mark.parametrize("shape", ["plain", "setsid double", "setsid double silent"])
def test_a_host_that_is_killed_is_swept_after_and_replaced(state_path: Path, shape: str) -> None:
    with hosting_root(state_path) as root:
        pid = spawned(root, "r", agent("leaves", shape, "stays"))
        first, runtime = host_pid(root), root.ask("fake.who")["pid"]
        others = [process for process in marked(state_path) if process != first]
        assert len(others) == 2, "the agent and its grandchild"
        os.kill(first, signal.SIGKILL)
        last = eventually(lambda: attached(root)[1:], "a new host")[-1]
        assert (last["runs"], last["host_pid"] != first) == ([], True)
        assert not any(alive(other) for other in (pid, *others))
        assert root.ask("fake.who")["pid"] == runtime, "the runtime went on"
        assert root.lock().restarts == 0
        assert [line["event"] for line in root.log()].count("the agent host died") == 1
        assert spawned(root, "again", agent("deaf"))


def test_a_host_that_is_stopped_is_killed_and_replaced(state_path: Path) -> None:
    with hosting_root(state_path, SOON_HUNG) as root:
        pid = spawned(root, "r", agent("deaf"))
        os.kill(host_pid(root), signal.SIGSTOP)
        eventually(lambda: attached(root)[1:], "a new host")
        assert not alive(pid)
        assert root.lock().last_error == "the agent host: hung: no sign of life for 1 s"


def test_a_host_that_can_never_live_leaves_the_runtime_in_peace(state_path: Path) -> None:
    few = {"supervisor.process_restarts_max": 1, "supervisor.process_within_s": 600, "supervisor.backoff_base_s": 0.01}
    with running_root(state_path, few, host_command=["/bin/false"]) as root:
        root.wait_ready()
        who = root.ask("fake.who")
        eventually(lambda: any(line.get("exhausted") for line in root.log()), "it is only tried slowly")
        assert root.ask("fake.who") == who


def test_a_runtime_that_closes_its_door_gets_another(state_path: Path) -> None:
    with hosting_root(state_path) as root:
        pid = spawned(root, "r", agent("deaf"))
        root.ask("fake.leave_agents")
        rows = eventually(lambda: attached(root)[1:], "attached again")[-1]["runs"]
        assert [row["pid"] for row in rows] == [pid]


def test_a_root_without_descriptors_joins_host_and_runtime_when_it_has_some_again(state_path: Path) -> None:
    with hosting_root(state_path) as root:
        pid = spawned(root, "r", agent("deaf"))
        before = root.ask("fake.who"), host_pid(root)
        held = {int(entry.name) for entry in Path(f"/proc/{root.pid}/fd").iterdir()}
        lowest = next(number for number in itertools.count() if number not in held)
        root_process = psutil.Process(root.pid)
        _, hard = root_process.rlimit(psutil.RLIMIT_NOFILE)
        root_process.rlimit(psutil.RLIMIT_NOFILE, (lowest, hard))
        root.ask("fake.leave_agents")
        eventually(lambda: any("cannot be joined" in line["event"] for line in root.log()), "it is told")
        root_process.rlimit(psutil.RLIMIT_NOFILE, (hard, hard))
        rows = eventually(lambda: attached(root)[1:], "attached again")[-1]["runs"]
        assert [row["pid"] for row in rows] == [pid]
        assert (root.ask("fake.who"), host_pid(root)) == before


def test_a_root_that_stops_in_order_ends_every_agent_after_the_runtime(state_path: Path) -> None:
    with hosting_root(state_path) as root:
        pid = spawned(root, "r", agent("leaves", "setsid double", "stays"))
        assert root.stop() == 0
        assert not alive(pid)
        assert marked(state_path) == []
        assert (state_path / "saved").exists()


def test_nothing_outlives_a_root_that_is_killed(state_path: Path) -> None:
    with hosting_root(state_path) as root:
        spawned(root, "r", agent("leaves", "setsid double", "stays"))
        spawned(root, "deaf", agent("deaf"))
        everybody = tree_of(root)
        assert len(everybody) >= 4
        root.process.kill()
        root.wait()
        for pid in everybody:
            wait_dead(pid)


def test_nothing_outlives_a_root_that_is_killed_with_its_host_stopped(state_path: Path) -> None:
    with hosting_root(state_path) as root:
        spawned(root, "deaf", agent("deaf"))
        host = host_pid(root)
        everybody = tree_of(root)
        os.kill(host, signal.SIGSTOP)
        root.process.kill()
        root.wait()
        for pid in everybody:
            wait_dead(pid)


def test_a_root_finds_what_a_root_and_a_host_that_were_killed_together_have_left(state_path: Path) -> None:
    with running_root(state_path, host=True) as root:
        root.wait_ready()
        eventually(lambda: attached(root), "the runtime is attached")
        spawned(root, "r", agent("leaves", "setsid double silent", "stays"))
        left = [pid for pid in marked(state_path) if pid != host_pid(root)]
        host = host_pid(root)
        os.kill(root.pid, signal.SIGSTOP)  # so that it cannot sweep in between
        os.kill(host, signal.SIGKILL)
        root.process.kill()
        root.wait()
        assert wait_gone(host)
        assert any(alive(pid) for pid in left), "the grandchild is out of reach of everybody"
        with hosting_root(state_path):
            assert not any(alive(pid) for pid in left)


def test_a_root_that_an_agent_of_the_same_place_starts_does_not_sweep_itself(state_path: Path) -> None:
    state_path.mkdir(mode=0o700)
    with hosting_root(state_path, environment={"PERDURE_RUN": f"{place_of(state_path)}:r"}) as root:
        assert "PERDURE_RUN" not in root.ask("fake.environment")
        assert spawned(root, "r", agent("deaf"))


def test_a_standby_is_joined_with_the_host_when_it_takes_over(state_path: Path) -> None:
    with hosting_root(state_path, standby=True) as root:
        pid = spawned(root, "r", agent("deaf"))
        os.kill(root.ask("fake.who")["pid"], signal.SIGKILL)
        rows = eventually(lambda: attached(root), "attached")[-1]["runs"]
        assert [row["pid"] for row in rows] == [pid]


def test_the_host_is_small(state_path: Path) -> None:
    with hosting_root(state_path) as root:
        assert psutil.Process(host_pid(root)).memory_info().rss < 20 << 20, sys.version


def test_an_agents_files_are_as_open_as_its_users_wish_though_perdures_are_private(
    state_path: Path, tmp_path: Path
) -> None:
    with hosting_root(state_path, before_exec=partial(os.umask, 0o027)) as root:
        file = tmp_path / "made"
        spawned(root, "r", ("sh", "-c", f"touch {file}; echo done"))
        assert file.stat().st_mode & 0o777 == 0o640
        assert state_path.stat().st_mode & 0o777 == 0o700

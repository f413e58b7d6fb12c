"""A host that runs out of descriptors or processes says so, harms nobody, and goes on when there are some again."""

import itertools
import resource
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from actors.messages.agents import NotStarted, Spawn, Started
from supervisor.agents.control import DoorClosed
from supervisor.agents.spawn import NotSpawned, spawn
from tests.kit.agents import RunningHost, agent, alive, running_host
from tests.kit.process_limits import Most, processes_limited


@pytest.fixture
def allow_processes() -> Iterator[Callable[[int, Most], object]]:
    """Limit how many processes a process may have."""
    with processes_limited() as limit:
        yield limit


def allow_descriptors(host: RunningHost, more: int) -> None:
    """Let the host open so many descriptors beside those that it has."""
    held = {int(entry.name) for entry in Path(f"/proc/{host.pid}/fd").iterdir()}
    free = (number for number in itertools.count() if number not in held)
    most = next(itertools.islice(free, more, None))
    resource.prlimit(host.pid, resource.RLIMIT_NOFILE, (most, 4096))


@pytest.mark.parametrize("more", range(8, 13))
def test_agents_that_begin_leave_descriptors_for_what_ends_them(tmp_path: Path, more: int) -> None:
    """Starting takes more descriptors for a moment than it keeps, and ending takes fewer than that."""
    with running_host(tmp_path) as host:
        link = host.link()
        link.attach()
        allow_descriptors(host, more)
        pids = []
        for number in range(more):
            run_id = f"r{number}"
            if isinstance(link.spawn(run_id, agent("leaves", "setsid double", "stays")), NotStarted):
                break
            pids.append((run_id, int(link.first_line(run_id))))
        assert 0 < len(pids) < more
        for run_id, _pid in pids:
            link.end(run_id)
            link.ended(run_id)
        assert not any(alive(pid) for _, pid in pids)
        assert isinstance(link.spawn("again", ("true",)), Started)


def test_a_door_that_finds_no_descriptor_is_told_as_closed_so_that_another_comes(tmp_path: Path) -> None:
    with running_host(tmp_path) as host:
        first = host.link()
        first.attach()
        allow_descriptors(host, 0)
        second = host.link()
        assert not second.hear(), "its other end is gone"
        assert host.wait_news(DoorClosed).number == 2
        allow_descriptors(host, 100)
        third = host.link()
        third.attach()
        assert isinstance(third.spawn("r", ("true",)), Started)
        assert "without its descriptor" in host.errors


def test_a_host_without_processes_says_so_and_can_spawn_again_when_it_has_some(
    allow_processes: Callable[[int, Most], object], tmp_path: Path
) -> None:
    with running_host(tmp_path) as host:
        link = host.link()
        link.attach()
        allow_processes(host.pid, "1")
        refused = link.spawn("r", ("true",))
        assert isinstance(refused, NotStarted)
        assert refused.code == "EAGAIN"
        assert refused.reason == "true cannot be started: Resource temporarily unavailable"
        allow_processes(host.pid, "max")
        assert isinstance(link.spawn("r", ("true",)), Started)
        assert link.ended("r").exit_code == 0


@pytest.mark.parametrize("code", [BlockingIOError(11, "try again"), MemoryError(), OSError(12, "no memory")])
def test_a_fork_that_fails_leaves_no_descriptor(monkeypatch: pytest.MonkeyPatch, code: Exception) -> None:
    def fail(*_args: object, **_more: object) -> None:
        raise code

    monkeypatch.setattr(subprocess, "Popen", fail)
    before = psutil.Process().num_fds()
    with pytest.raises(NotSpawned, match="true cannot be started"):
        spawn(Spawn(run_id="r", argv=("true",), env={}, cwd="/"), "place:r")
    assert psutil.Process().num_fds() == before

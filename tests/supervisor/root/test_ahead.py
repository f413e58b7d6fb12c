"""A runtime that is sent ahead of its root: taken by it, or ended without a trace."""

import os
import resource
import signal
from pathlib import Path

import psutil
import pytest

from supervisor.root.ahead import sent_ahead
from tests.kit.roots import running_root, wait_gone


@pytest.fixture
def state_path(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def noted(tmp_path: Path) -> Path:
    """Where the driver of a root writes the pid of the runtime that it sent ahead."""
    return tmp_path / "sent-ahead.pid"


def test_it_is_the_first_runtime_and_others_follow_it(state_path: Path, noted: Path) -> None:
    with running_root(state_path, ahead=str(noted)) as root:
        root.wait_ready()
        first = root.ask("fake.who")
        assert (first["pid"], first["incarnation"], first["ppid"]) == (int(noted.read_text()), 1, root.pid)
        os.kill(first["pid"], signal.SIGKILL)
        second = root.ask("fake.who")
        assert second["incarnation"] == 2
        assert second["pid"] != first["pid"]
        assert root.lock().last_error == "killed by SIGKILL"
        assert root.stop() == 0
    assert wait_gone(second["pid"], 0)


def test_it_is_stopped_in_order_with_its_root(state_path: Path, noted: Path) -> None:
    with running_root(state_path, ahead=str(noted)) as root:
        root.wait_ready()
        assert root.stop() == 0
        assert (state_path / "saved").read_text() == noted.read_text(), "it was given time to save"
        assert wait_gone(int(noted.read_text()), 0)


def test_one_that_cannot_live_is_followed_by_another(state_path: Path, noted: Path) -> None:
    with running_root(
        state_path, {"supervisor.process_restarts_max": 1}, ahead=str(noted), runtime="/bin/false"
    ) as root:
        assert root.wait() == 70
        assert wait_gone(int(noted.read_text()), 0)


def test_it_ends_with_a_root_that_is_refused(state_path: Path, noted: Path) -> None:
    with running_root(state_path) as first:
        first.wait_ready()
        with running_root(state_path, ahead=str(noted)) as second:
            assert second.wait() == 5
            assert wait_gone(int(noted.read_text()), 0)
        assert first.ask("fake.who")["incarnation"] == 1


def test_it_ends_with_a_root_that_is_killed(state_path: Path, noted: Path) -> None:
    with running_root(state_path, ahead=str(noted)) as root:
        root.wait_ready()
        root.signal(signal.SIGKILL)
        assert wait_gone(int(noted.read_text()))


def test_one_that_nobody_takes_is_ended_and_leaves_nothing() -> None:
    before = sorted(Path("/proc/self/fd").iterdir())
    with sent_ahead() as ahead:
        assert ahead is not None
        assert psutil.pid_exists(ahead.process.pid)
    assert ahead.process.returncode == -signal.SIGKILL
    assert sorted(Path("/proc/self/fd").iterdir()) == before


@pytest.mark.parametrize("free", range(8))
def test_where_descriptors_are_missing_none_is_sent_and_nothing_is_left_open(free: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    before = sorted(Path("/proc/self/fd").iterdir())
    taken = [os.open(os.devnull, os.O_RDONLY) for _ in range(free + 1)]
    for descriptor in taken:
        os.close(descriptor)
    resource.setrlimit(resource.RLIMIT_NOFILE, (taken[-1], hard))
    try:
        with sent_ahead() as ahead:
            assert ahead is None
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert sorted(Path("/proc/self/fd").iterdir()) == before


def test_none_is_sent_where_a_service_manager_passes_the_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LISTEN_FDS", "1")
    with sent_ahead() as ahead:
        assert ahead is None


def test_it_gets_nothing_that_is_meant_for_its_root(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "PERDURE_RUN"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("PERDURE_LOG__LEVEL", "debug")
    with sent_ahead() as ahead:
        assert ahead is not None
        environment = psutil.Process(ahead.process.pid).environ()
    assert environment["PERDURE_LOG__LEVEL"] == "debug"
    assert not environment.keys() & {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "PERDURE_RUN"}

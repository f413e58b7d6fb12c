"""The root with real processes: starting, being the only one, stopping, signals, and what a service manager sees."""

import contextlib
import ctypes
import json
import signal
from pathlib import Path
from typing import Any

import psutil
import pytest

from supervisor.root.lock import read_lock
from tests.kit.roots import RunningRoot, eventually, running_root, wait_gone


@pytest.fixture
def state_path(tmp_path: Path) -> Path:
    return tmp_path / "state"


def test_a_root_makes_its_directory_serves_and_stops_in_order(state_path: Path) -> None:
    with running_root(state_path) as root:
        ready = root.wait_ready()
        assert ready == {"pid": root.pid, "socket": str(state_path / "perdure.sock"), "seq": 7}
        who = root.ask("fake.who")
        assert who["ppid"] == root.pid
        assert state_path.stat().st_mode & 0o7777 == 0o700
        assert (state_path / "perdure.sock").stat().st_mode & 0o7777 == 0o600
        assert (state_path / "perdure.lock").stat().st_mode & 0o7777 == 0o600
        assert root.stop() == 0
        assert (state_path / "saved").read_text() == str(who["pid"]), "the runtime was given time to save"
        assert not (state_path / "perdure.sock").exists()
        assert read_lock(state_path)[:3] == (False, root.pid, "stopped")
        assert wait_gone(who["pid"], 0)


def test_the_lock_file_says_what_the_root_is_doing(state_path: Path) -> None:
    with running_root(state_path) as root:
        root.wait_ready()
        runtime_pid = root.ask("fake.who")["pid"]
        info = root.lock()
        assert (info.held, info.pid, info.phase, info.restarts) == (True, root.pid, "running", 0)
        assert (info.socket, info.runtime_pid) == (str(state_path / "perdure.sock"), runtime_pid)
        root.ask("fake.exit", code=3)
        second = root.ask("fake.who")
        info = eventually(lambda: (i := root.lock()).phase == "running" and i, "running again")
        assert (info.restarts, info.runtime_pid) == (1, second["pid"])
        assert info.last_error == "crashed (exit code 3)"


def test_a_second_root_is_refused_and_told_who_holds_the_directory(state_path: Path) -> None:
    with running_root(state_path) as first:
        first.wait_ready()
        with running_root(state_path) as second:
            assert second.wait() == 5
            assert f"process {first.pid} already holds {state_path}" in second.errors
            assert len(second.errors.splitlines()) == 1
        assert first.ask("fake.who")["incarnation"] == 1


@pytest.mark.parametrize("times", [10, pytest.param(50, marks=pytest.mark.long)])
def test_of_two_roots_started_together_exactly_one_wins_every_time(tmp_path: Path, times: int) -> None:
    for number in range(times):
        state_path = tmp_path / str(number)
        with running_root(state_path) as one, running_root(state_path) as other:
            eventually(lambda: (one.process.poll(), other.process.poll()) != (None, None), "one of them gives up")
            loser, winner = (one, other) if one.process.poll() is not None else (other, one)
            assert loser.wait() == 5
            assert f"process {winner.pid} already holds" in loser.errors
            winner.wait_ready()
            assert winner.stop() == 0


def test_a_root_starts_unaided_over_what_a_killed_one_left_behind(state_path: Path) -> None:
    with running_root(state_path) as killed:
        killed.wait_ready()
        killed.signal(signal.SIGKILL)
        killed.wait()
    assert (state_path / "perdure.sock").exists()
    assert read_lock(state_path).held is False
    with running_root(state_path) as root:
        root.wait_ready()
        assert root.ask("fake.who")["ppid"] == root.pid


def test_a_stop_kills_a_runtime_that_does_not_obey_when_its_grace_is_over(state_path: Path) -> None:
    with running_root(state_path, {"supervisor.stop_grace_s": 0.2}, fake={"deaf": True}) as root:
        root.wait_ready()
        pid = root.ask("fake.who")["pid"]
        assert root.stop() == 0
        assert wait_gone(pid, 0)
        assert any("did not stop in time" in line["event"] for line in root.log())


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_second_signal_stops_at_once(state_path: Path, number: signal.Signals, code: int) -> None:
    with running_root(state_path, {"supervisor.stop_grace_s": 600}, fake={"deaf": True}) as root:
        root.wait_ready()
        pid = root.ask("fake.who")["pid"]
        root.signal(number)
        eventually(lambda: root.lock().phase == "stopping", "it stops")
        assert eventually(lambda: _signalled_again(root, number), "the second one is obeyed") == code
        assert wait_gone(pid, 0)
        assert not (state_path / "perdure.sock").exists()


def test_a_client_can_ask_for_the_end_of_everything(state_path: Path) -> None:
    with running_root(state_path) as root:
        root.wait_ready()
        root.ask("fake.shutdown")
        assert root.wait() == 0


def test_a_stop_during_a_backoff_stops_at_once(state_path: Path) -> None:
    slow = {"supervisor.backoff_base_s": 3600, "supervisor.backoff_max_s": 3600}
    with running_root(state_path, slow, fake={"crash": {"code": 1}}) as root:
        eventually(lambda: root.lock().restarts == 2 and not root.children(), "two runtimes died")
        assert root.lock().phase == "restarting"
        assert root.stop() == 0


def test_sighup_applies_what_is_live_and_says_what_waits_for_a_restart(tmp_path: Path, state_path: Path) -> None:
    file = tmp_path / "perdure.toml"
    file.write_text("[log]\nlevel = 'info'\n")
    with running_root(state_path, config_file=str(file)) as root:
        root.wait_ready()
        file.write_text("[log]\nlevel = 'debug'\n[gateway]\nconnections_max = 5\n")
        root.signal(signal.SIGHUP)
        order = _order(root, "reload")
        assert order["applied"] == ["log.level"]
        assert order["needs_restart"] == ["gateway.connections_max"]
        assert order["config"]["log"]["level"] == "debug"
        assert order["config"]["gateway"]["connections_max"] == 1024
        told = [line for line in root.log() if line["event"] == "configuration read again"]
        assert told[0]["needs_restart"] == ["gateway.connections_max"]
        root.ask("fake.exit", code=1)
        assert root.ask("fake.who")["incarnation"] == 2
        assert root.stop() == 0


def test_a_bad_new_configuration_changes_nothing_and_is_told(tmp_path: Path, state_path: Path) -> None:
    file = tmp_path / "perdure.toml"
    file.write_text("")
    with running_root(state_path, config_file=str(file)) as root:
        root.wait_ready()
        pid = root.ask("fake.who")["pid"]
        file.write_text("[log]\nlevle = 'debug'\n")
        root.ask("fake.reload")
        assert "levle" in _order(root, "reload_refused")["message"]
        refused = [line for line in root.log() if "the old one stays" in line["event"]]
        assert "log.level" in refused[0]["error"]
        assert root.ask("fake.who")["pid"] == pid


def test_a_ready_descriptor_that_is_not_open_is_a_usage_error(state_path: Path) -> None:
    with running_root(state_path, ready_fd=999) as root:
        assert root.wait() == 2
        assert "--ready-fd 999" in root.errors
        assert not state_path.exists()


def test_nothing_of_the_root_reaches_the_runtime_but_the_two_sockets(state_path: Path) -> None:
    with running_root(state_path, environment={"NOTIFY_SOCKET": "/nowhere", "WATCHDOG_USEC": "1"}) as root:
        root.wait_ready()
        runtime = psutil.Process(root.ask("fake.who")["pid"])
        kept = {"perdure.lock", "perdure.log"}
        assert kept <= {Path(file.path).name for file in psutil.Process(root.pid).open_files()}
        assert not kept & {Path(file.path).name for file in runtime.open_files()}
        environment = root.ask("fake.environment")
        assert not {"NOTIFY_SOCKET", "WATCHDOG_USEC", "LISTEN_FDS"} & environment.keys()


def test_what_the_runtime_prints_ends_up_in_the_log(state_path: Path) -> None:
    line = json.dumps({"ts": "2026-01-01T00:00:00.000Z", "level": "info", "event": "structured"})
    with running_root(state_path) as root:
        root.wait_ready()
        root.ask("fake.print", text=line)
        root.ask("fake.print", text="a library's words")
        eventually(lambda: any(entry.get("text") == "a library's words" for entry in root.log()), "relayed")
        assert any(entry["event"] == "structured" for entry in root.log())
        assert "a library's words" in root.errors


def test_orphans_that_a_root_inherits_are_reaped(state_path: Path) -> None:
    with running_root(state_path, before_exec=_become_subreaper) as root:
        root.wait_ready()
        orphan = root.ask("fake.orphan")
        eventually(lambda: not psutil.pid_exists(orphan), "the orphan is reaped")
        assert root.ask("fake.who")["incarnation"] == 1
        root.ask("fake.exit", code=3)
        root.ask("fake.who")
        assert root.lock().last_error == "crashed (exit code 3)", "the tree got the status of its own child"


def test_a_loader_that_fails_in_any_way_does_not_end_the_root(tmp_path: Path, state_path: Path) -> None:
    file = tmp_path / "perdure.toml"
    file.write_text("")
    with running_root(state_path, config_file=str(file)) as root:
        root.wait_ready()
        file.unlink()
        file.mkdir()
        root.signal(signal.SIGHUP)
        assert str(file) in _order(root, "reload_refused")["message"]
        assert root.stop() == 0


def test_one_order_that_arrives_twice_is_still_an_order_to_stop_in_order(state_path: Path) -> None:
    with running_root(state_path) as root:
        root.wait_ready()
        root.signal(signal.SIGTERM)
        root.signal(signal.SIGINT)
        assert root.wait() == 0


def _signalled_again(root: RunningRoot, number: signal.Signals) -> int | None:
    """The exit code after one more signal; None while it has none."""
    with contextlib.suppress(ProcessLookupError):
        root.signal(number)
    return root.process.poll()


def _become_subreaper() -> None:
    """PR_SET_CHILD_SUBREAPER, which outlives exec: the root is then as process 1 is in a container."""
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)


def _order(root: RunningRoot, kind: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = eventually(
        lambda: [o for o in root.ask("fake.orders") if o["type"] == kind], f"the order {kind}"
    )
    return found[0]

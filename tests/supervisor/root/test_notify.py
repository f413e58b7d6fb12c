"""What a service manager hears, on a real datagram socket."""

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from supervisor.root.notify import Notifier
from tests.kit.roots import WITHIN_S, running_root


class Manager:
    """The service manager's end."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.settimeout(WITHIN_S)
        self.socket.bind("\0" + address[1:] if address.startswith("@") else address)

    def hear(self) -> dict[str, str]:
        return dict(line.split("=", 1) for line in self.socket.recv(4096).decode().splitlines())

    def hear_until(self, name: str) -> dict[str, str]:
        while name not in (heard := self.hear()):
            pass
        return heard


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Manager]:
    name = str(tmp_path / "notify")
    manager = Manager(name if request.param == "path" else f"@perdure-test-{os.getpid()}-{tmp_path.name}")
    yield manager
    manager.socket.close()


def test_a_root_tells_its_whole_life(tmp_path: Path, manager: Manager) -> None:
    environment = {"NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": "100000"}
    with running_root(tmp_path / "state", environment=environment) as root:
        assert "running" in manager.hear_until("READY")["STATUS"]
        manager.hear_until("WATCHDOG")
        root.signal(signal.SIGHUP)
        assert int(manager.hear_until("RELOADING")["MONOTONIC_USEC"]) > 0
        manager.hear_until("READY")
        root.signal(signal.SIGTERM)
        assert manager.hear_until("STOPPING")["STATUS"] == "SIGTERM"
        assert root.wait() == 0


def test_a_hang_that_the_root_deals_with_does_not_starve_the_managers_watchdog(tmp_path: Path) -> None:
    manager = Manager(str(tmp_path / "notify"))
    settings = {"supervisor.heartbeat_s": 0.05, "supervisor.hung_after_s": 0.5}
    environment = {"NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": "100000"}
    with running_root(tmp_path / "state", settings, environment=environment) as root:
        root.wait_ready()
        os.kill(root.ask("fake.who")["pid"], signal.SIGSTOP)
        while "stopped by a signal" not in manager.hear_until("STATUS")["STATUS"]:
            pass
        manager.hear_until("WATCHDOG")
        assert root.ask("fake.who")["incarnation"] == 2
    manager.socket.close()


def test_the_variables_are_taken_out_of_the_environment() -> None:
    environment = {"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": "4000000", "WATCHDOG_PID": str(os.getpid()), "HOME": "/h"}
    notifier = Notifier.taken_from(environment)
    assert environment == {"HOME": "/h"}
    assert notifier.watchdog_s == 2
    notifier.close()


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"NOTIFY_SOCKET": "relative"},
        {"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": "soon"},
        {"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": "4000000", "WATCHDOG_PID": "1"},
    ],
)
def test_a_watchdog_for_somebody_else_or_of_nonsense_is_none(environment: dict[str, str]) -> None:
    notifier = Notifier.taken_from(environment)
    assert notifier.watchdog_s is None
    notifier.close()


def test_a_manager_that_does_not_read_stops_nobody(tmp_path: Path) -> None:
    manager = Manager(str(tmp_path / "notify"))
    notifier = Notifier(manager.address, None)
    for _ in range(10_000):
        notifier.alive()
    manager.socket.close()
    notifier.alive()
    notifier.close()
    notifier.alive()


def test_a_status_is_one_line(tmp_path: Path) -> None:
    manager = Manager(str(tmp_path / "notify"))
    notifier = Notifier(manager.address, None)
    notifier.status("two\nREADY=1")
    assert manager.hear() == {"STATUS": "two READY=1"}
    notifier.close()
    manager.socket.close()

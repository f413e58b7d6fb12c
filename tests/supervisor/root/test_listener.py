"""The listening socket: where it is bound, what it replaces and what it refuses, and a service manager's own."""

import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from supervisor.root.errors import BadActivation, NotAStateDirectory
from supervisor.root.listener import listen
from tests.kit.roots import running_root


@pytest.fixture
def long_path(tmp_path: Path) -> Path:
    path = tmp_path / ("d" * 60) / ("e" * 60)
    path.mkdir(parents=True)
    return path


@pytest.fixture
def short_base(tmp_path: Path) -> Iterator[Path]:
    """A directory with a short name, as XDG_RUNTIME_DIR is; pytest's own have long ones."""
    base = Path(f"/tmp/pd-{os.getpid()}-{abs(hash(tmp_path)) % 10**8}")
    base.mkdir(mode=0o700)
    yield base
    for path in sorted(base.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
    base.rmdir()


def test_the_socket_is_private_from_its_first_moment_and_removed_at_the_end(tmp_path: Path) -> None:
    umask = os.umask(0)
    try:
        listener = listen(tmp_path, {})
    finally:
        os.umask(umask)
    status = (tmp_path / "perdure.sock").stat()
    assert stat.S_ISSOCK(status.st_mode)
    assert status.st_mode & 0o777 == 0o600
    assert not listener.socket.get_inheritable()
    listener.close()
    assert list(tmp_path.iterdir()) == []


def test_a_stale_socket_is_replaced(tmp_path: Path) -> None:
    stale = socket.socket(socket.AF_UNIX)
    stale.bind(str(tmp_path / "perdure.sock"))
    stale.close()
    listener = listen(tmp_path, {})
    client = socket.socket(socket.AF_UNIX)
    client.connect(listener.address)
    client.close()
    listener.close()


@pytest.mark.parametrize("kind", ["symlink", "dangling symlink", "file", "directory"])
def test_what_was_planted_in_the_sockets_place_is_refused_and_left_alone(tmp_path: Path, kind: str) -> None:
    victim = tmp_path / "victim"
    planted = tmp_path / "perdure.sock"
    match kind:
        case "symlink":
            victim.write_text("precious")
            planted.symlink_to(victim)
        case "dangling symlink":
            planted.symlink_to(victim)
        case "file":
            planted.write_text("precious")
        case _:
            planted.mkdir()
    before = os.lstat(planted)
    with pytest.raises(NotAStateDirectory, match="left untouched"):
        listen(tmp_path, {})
    assert os.lstat(planted).st_ino == before.st_ino
    assert kind != "dangling symlink" or not victim.exists()


def test_a_planted_socket_ends_a_root_with_7(tmp_path: Path) -> None:
    state_path = tmp_path / "state"
    state_path.mkdir()
    (state_path / "perdure.sock").symlink_to(tmp_path / "elsewhere")
    with running_root(state_path) as root:
        assert root.wait() == 7
        assert "in the socket's place" in root.errors


def test_a_path_too_long_for_a_socket_is_bound_elsewhere_and_named(long_path: Path, short_base: Path) -> None:
    with running_root(long_path, environment={"XDG_RUNTIME_DIR": str(short_base)}) as root:
        ready = root.wait_ready()
        place = Path(ready["socket"])
        assert place.parent.parent == short_base
        assert place.parent.stat().st_mode & 0o777 == 0o700
        assert (long_path / "perdure.sock.path").read_text() == f"{place}\n"
        assert (long_path / "perdure.sock.path").stat().st_mode & 0o777 == 0o600
        assert root.ask("fake.who")["ppid"] == root.pid
        assert root.lock().socket == str(place)
        assert root.stop() == 0
    assert list(short_base.iterdir()) == []
    assert not (long_path / "perdure.sock.path").exists()


def test_the_other_place_is_the_same_again_after_a_kill(long_path: Path, short_base: Path) -> None:
    environment = {"XDG_RUNTIME_DIR": str(short_base)}
    left_behind = listen(long_path, dict(environment))
    left_behind.socket.close()
    again = listen(long_path, dict(environment))
    assert again.address == left_behind.address
    again.close()


def test_a_trap_in_the_other_place_is_refused(long_path: Path, short_base: Path, tmp_path: Path) -> None:
    environment = {"XDG_RUNTIME_DIR": str(short_base)}
    listener = listen(long_path, dict(environment))
    directory = Path(listener.address).parent
    listener.close()
    directory.symlink_to(tmp_path)
    with pytest.raises(NotAStateDirectory, match="not a directory of ours"):
        listen(long_path, dict(environment))
    assert not (tmp_path / "perdure.sock").exists()


def test_a_planted_pointer_is_replaced_and_not_followed(long_path: Path, short_base: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (long_path / "perdure.sock.path").symlink_to(victim)
    listener = listen(long_path, {"XDG_RUNTIME_DIR": str(short_base)})
    assert victim.read_text() == "precious"
    listener.close()


def test_closing_leaves_alone_what_took_the_sockets_place(tmp_path: Path) -> None:
    listener = listen(tmp_path, {})
    (tmp_path / "perdure.sock").unlink()
    (tmp_path / "perdure.sock").write_text("somebody's")
    listener.close()
    assert (tmp_path / "perdure.sock").read_text() == "somebody's"


def test_a_service_managers_socket_is_served_and_left_to_it(tmp_path: Path) -> None:
    path = tmp_path / "activated.sock"
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(path))
    listening.listen()

    def as_descriptor_3() -> None:
        os.dup2(listening.fileno(), 3)

    environment = {"LISTEN_FDS": "1", "LISTEN_FDNAMES": "perdure"}
    with running_root(
        tmp_path / "state", environment=environment, activated=True, pass_fds=(3,), before_exec=as_descriptor_3
    ) as root:
        listening.close()
        assert root.wait_ready()["socket"] == str(path)
        assert (tmp_path / "state" / "perdure.sock.path").read_text() == f"{path}\n"
        assert root.ask("fake.who")["ppid"] == root.pid
        assert "LISTEN_FDS" not in root.ask("fake.environment")
        assert root.stop() == 0
    assert path.exists()


def test_sockets_meant_for_another_process_are_not_taken(tmp_path: Path) -> None:
    environment = {"LISTEN_FDS": "1", "LISTEN_PID": "1"}
    listener = listen(tmp_path, environment)
    assert listener.address == str(tmp_path / "perdure.sock")
    assert environment == {}
    listener.close()


def test_more_than_one_passed_socket_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadActivation, match="passes 2 sockets"):
        listen(tmp_path, {"LISTEN_FDS": "2", "LISTEN_PID": str(os.getpid())})

"""Who belongs to an agent, and that nobody else is ever signalled."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from supervisor.agents.sweep import Sweep, without_marker
from supervisor.agents.tree_of import MARKER, Identity, Look, place_of, read_process, send, started_of
from tests.kit.agents import alive

SLEEPS = "print(flush=True); input()"


@pytest.fixture
def sleeper() -> Iterator["subprocess.Popen[bytes]"]:
    with sleeping({}) as process:
        yield process


def sleeping(environment: dict[str, str]) -> "subprocess.Popen[bytes]":
    """A process that is up and waits."""
    process = subprocess.Popen(
        [sys.executable, "-c", SLEEPS],
        env={**os.environ, **environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdout is not None
    process.stdout.readline()
    return process


def identity_of(process: "subprocess.Popen[bytes]") -> Identity:
    return Identity(process.pid, started_of(process.pid))


def test_a_process_is_signalled_when_pid_and_start_time_agree(sleeper: "subprocess.Popen[bytes]") -> None:
    assert send(identity_of(sleeper), signal.SIGKILL)
    assert sleeper.wait() == -signal.SIGKILL


@pytest.mark.parametrize("off_by", [-1, 1, 12345])
def test_a_record_of_another_process_with_the_same_pid_is_never_signalled(
    sleeper: "subprocess.Popen[bytes]", off_by: int
) -> None:
    assert not send(Identity(sleeper.pid, started_of(sleeper.pid) + off_by), signal.SIGKILL)
    assert not send(Identity(sleeper.pid, 0), signal.SIGKILL)
    assert sleeper.poll() is None
    sleeper.communicate(b"\n")
    assert sleeper.returncode == 0, "nothing had reached it"


def test_a_process_that_is_gone_is_not_signalled(sleeper: "subprocess.Popen[bytes]") -> None:
    identity = identity_of(sleeper)
    sleeper.communicate(b"\n")
    assert not send(identity, signal.SIGKILL)
    assert started_of(identity.pid) == 0


def test_a_process_of_another_user_cannot_be_signalled_and_nothing_is_raised() -> None:
    process = read_process(1)
    assert process is not None
    if os.geteuid() != 0:
        assert not send(process.identity, signal.SIGCONT)


def test_a_name_with_spaces_and_brackets_does_not_confuse_the_reading(tmp_path: Path) -> None:
    program = tmp_path / "a) S 1 (b"
    program.symlink_to("/bin/sleep")
    with subprocess.Popen([program, "3600"]) as process:
        read = read_process(process.pid)
        process.kill()
    assert read is not None
    assert (read.parent, read.dead) == (os.getpid(), False)
    assert read.identity.started > 0


def test_a_planted_older_process_with_the_agents_numbers_does_not_belong() -> None:
    """Its group has the number that the record names, but it began before the record says."""
    with sleeping({}) as process:
        record = Identity(process.pid, started_of(process.pid) + 500)
        assert Look().tree_of(record, "nowhere:none", set()) == {}
        process.kill()


def test_only_the_marker_of_the_place_counts_and_all_of_it() -> None:
    with sleeping({MARKER: "aa-1:run"}) as one, sleeping({MARKER: "aa-12:run"}) as other:
        look = Look()
        assert [process.identity for process in look.marked("aa-1:run")] == [identity_of(one)]
        assert [process.identity for process in look.marked("aa-1:")] == [identity_of(one)]
        assert list(look.marked("aa-1:ru")) == []
        assert list(look.marked("aa-1:run", since=identity_of(one).started + 1)) == []
        one.kill()
        other.kill()


def test_a_place_is_the_folder_itself_wherever_it_is_moved(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    place = place_of(first)
    first.rename(second)
    first.mkdir()
    assert place_of(second) == place != place_of(first)


# The sweep.


def test_a_sweep_kills_what_carries_the_place_with_its_children_and_nobody_else() -> None:
    place = f"test-{os.getpid()}-{threading.get_ident()}"
    parent = "import subprocess, sys; print(subprocess.Popen(['sleep', '3600'], env={}).pid, flush=True); input()"
    with (
        sleeping({MARKER: f"{place}x:run"}) as other,
        subprocess.Popen(
            [sys.executable, "-c", parent],
            env={**os.environ, MARKER: f"{place}:run"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as left,
    ):
        assert left.stdout is not None
        child = int(left.stdout.readline())
        sweep = Sweep(place)
        assert {identity.pid for identity in sweep.once()} == {left.pid, child}
        left.wait()
        assert other.poll() is None
        while sweep.once():
            pass
        assert not alive(child)
        assert {identity.pid for identity in sweep.killed} == {left.pid, child}
        other.kill()


def test_a_sweep_spares_whom_it_is_told_to_and_what_is_below_them() -> None:
    place = f"test-{os.getpid()}-{threading.get_ident()}"
    with sleeping({MARKER: f"{place}:run"}) as spared:
        assert Sweep(place).once(spared=[spared.pid, 1 << 30]) == frozenset()
        spared.kill()


def test_a_sweep_of_a_root_that_an_agent_has_started_spares_the_root(tmp_path: Path) -> None:
    code = "from supervisor.agents.sweep import Sweep; import sys; print(len(Sweep(sys.argv[1]).once()), 'alive')"
    place = f"test-{os.getpid()}-{threading.get_ident()}"
    done = subprocess.run(
        [sys.executable, "-c", code, place],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3]), MARKER: f"{place}:run"},
        capture_output=True,
        check=True,
        text=True,
    )
    assert done.stdout == "0 alive\n"


def test_the_roots_own_children_do_not_carry_a_marker() -> None:
    assert without_marker({MARKER: "x:y", "PATH": "/bin"}) == {"PATH": "/bin"}

"""An agent's whole tree dies with it, in whatever shape it is, and nobody else does."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from actors.messages.agents import Ended, Started
from supervisor.agents.agent import DRAIN_S, LEFTOVER_GRACE_S
from tests.kit.agents import Link, RunningHost, agent, alive, running_host, wait_dead

SHAPES = ["plain", "setsid", "double", "setsid double", "setsid double silent", "env", "setsid double env"]


def grandchild_of(link: Link, run_id: str) -> int:
    """Wait until the grandchild ignores SIGTERM; its pid."""
    return int(link.first_line(run_id))


@pytest.mark.parametrize("shape", SHAPES)
def test_what_an_agent_leaves_behind_dies_with_it(tmp_path: Path, shape: str) -> None:
    with running_host(tmp_path) as host:
        link = host.link()
        link.attach()
        link.spawn("r", agent("leaves", shape, "goes"))
        ended = link.ended("r")
        pid = int(link.text("r"))
        assert (ended.exit_code, ended.drained, ended.left) == (0, True, ())
        assert not alive(pid)
        link.until(lambda: psutil.Process(host.pid).children() == [], "it is reaped")


@pytest.mark.parametrize("shape", SHAPES)
def test_ending_an_agent_ends_its_tree_though_it_ignores_the_signal(tmp_path: Path, shape: str) -> None:
    with running_host(tmp_path) as host:
        link = host.link()
        link.attach()
        link.spawn("r", agent("leaves", shape, "stays"))
        pid = grandchild_of(link, "r")
        link.end("r", 0.3)
        ended = link.ended("r")
        assert ended.signal == signal.SIGTERM, "the agent itself obeyed"
        assert not alive(pid)
        assert (ended.drained, ended.left) == (True, ())
        link.until(lambda: psutil.Process(host.pid).children() == [], "it is reaped")


def test_the_end_of_one_agent_harms_no_other(tmp_path: Path) -> None:
    with running_host(tmp_path) as host:
        link = host.link()
        link.attach()
        others = {}
        for number, shape in enumerate(SHAPES):
            link.spawn(f"other {number}", agent("leaves", shape, "stays"))
            others[f"other {number}"] = grandchild_of(link, f"other {number}")
        link.spawn("r", agent("leaves", "setsid double", "stays"))
        pid = grandchild_of(link, "r")
        link.end("r")
        link.ended("r")
        assert not alive(pid)
        assert all(alive(other) for other in others.values())
        for run_id in others:
            link.end(run_id)
            link.ended(run_id)
        assert not any(alive(other) for other in others.values())


def test_an_agent_that_ignores_sigterm_is_killed_after_its_grace(tmp_path: Path) -> None:
    with running_host(tmp_path) as host:
        link = host.link()
        link.attach()
        link.spawn("r", agent("deaf"))
        link.first_line("r")
        link.end("r", 3600)
        link.end("r", 0.2)
        assert link.ended("r").signal == signal.SIGKILL, "the shorter grace counts"


def test_an_agent_that_hangs_after_its_result_can_be_ended(tmp_path: Path) -> None:
    with running_host(tmp_path) as host:
        link = host.link()
        link.attach()
        link.spawn("r", agent("hangs_after_result"))
        assert link.first_line("r") == '{"type":"result"}'
        link.end("r", 60)
        assert link.ended("r").signal == signal.SIGTERM


def test_an_agent_that_is_stopped_obeys_all_the_same(tmp_path: Path) -> None:
    with running_host(tmp_path) as host:
        link = host.link()
        link.attach()
        started = link.spawn("r", agent("hangs_after_result"))
        assert isinstance(started, Started)
        link.first_line("r")
        os.kill(started.pid, signal.SIGSTOP)
        link.end("r", 3600)
        assert link.ended("r").signal == signal.SIGTERM


def test_an_agent_whose_pipes_are_full_can_be_ended_and_what_it_wrote_is_delivered(tmp_path: Path) -> None:
    with running_host(tmp_path) as host:
        link = host.link()
        link.acknowledges = False
        link.attach()
        link.spawn("r", agent("flood", 10_000_000))
        link.until(lambda: len(link.written.get(("r", "stdout"), b"")) >= 256 << 10, "the window is full")
        link.end("r")
        link.acknowledges = True
        link.attach()
        ended = link.ended("r")
        assert ended.signal == signal.SIGKILL
        assert ended.stdout_bytes == len(link.written["r", "stdout"]) > 256 << 10, "the pipe's content came, too"


def test_a_tree_that_goes_on_forking_is_outrun(tmp_path: Path) -> None:
    with running_host(tmp_path) as host:
        link = host.link()
        link.attach()
        link.spawn("r", agent("breeds"))
        link.first_line("r")
        link.until(lambda: len(host.left()) > 10, "it has bred")
        link.end("r")
        assert link.ended("r").left == ()
        assert [line for line in host.left() if "supervisor.agents.host" not in line] == []


def test_a_stranger_that_holds_the_pipe_delays_the_end_by_a_bounded_time(tmp_path: Path) -> None:
    """The pipe is opened by a process that is not of the tree, which no rule may kill."""
    with running_host(tmp_path) as host:
        link = host.link()
        link.attach()
        started = link.spawn("r", agent("hangs_after_result"))
        assert isinstance(started, Started)
        link.first_line("r")
        path = f"/proc/{started.pid}/fd/1"
        code = f"f = open('{path}', 'wb', 0); f.write(b'from outside'); print(flush=True); input()"
        outside = [sys.executable, "-c", code]
        with subprocess.Popen(outside, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as stranger:
            assert stranger.stdout is not None
            stranger.stdout.readline()
            link.end("r")
            ended = link.ended("r")
            assert stranger.poll() is None
            stranger.kill()
        assert not ended.drained
        assert link.text("r").endswith("from outside")
        assert ended.stdout_bytes == len(link.text("r"))


def test_an_orphan_whose_owner_cannot_be_told_lives_until_every_possible_owner_is_dead(tmp_path: Path) -> None:
    with running_host(tmp_path) as host:
        link = host.link()
        link.attach()
        link.spawn("early", agent("deaf"))
        link.first_line("early")
        link.spawn("r", agent("leaves", "setsid double env silent", "goes"))
        link.ended("r")
        pid = int(link.text("r"))
        assert alive(pid), "it may be the early one's"
        link.end("early")
        link.ended("early")
        wait_dead(pid)


def test_orphans_are_reaped_while_their_agent_runs(tmp_path: Path) -> None:
    with running_host(tmp_path) as host:
        link = host.link()
        link.attach()
        code = "for i in 1 2 3 4 5; do (true & true); done; echo done; exec sleep 3600"
        started = link.spawn("r", ("sh", "-c", code))
        assert isinstance(started, Started)
        link.first_line("r")
        link.until(
            lambda: [child.pid for child in psutil.Process(host.pid).children()] == [started.pid],
            "only the agent is left",
        )


def test_graces_are_shorter_than_anybody_would_wait() -> None:
    assert LEFTOVER_GRACE_S + DRAIN_S <= 5


# The host's own end.


def host_with_a_tree(host: RunningHost) -> list[int]:
    """Agents of several shapes; their pids and their grandchildren's."""
    link = host.link()
    link.attach()
    pids = []
    for number, shape in enumerate(SHAPES):
        run_id = f"run {number}"
        started = link.spawn(run_id, agent("leaves", shape, "stays"))
        assert isinstance(started, Started)
        pids += [started.pid, grandchild_of(link, run_id)]
    link.spawn("deaf", agent("deaf"))
    link.first_line("deaf")
    return pids


def test_the_end_of_the_roots_channel_ends_everything(tmp_path: Path) -> None:
    with running_host(tmp_path) as host:
        pids = host_with_a_tree(host)
        before_s = time.monotonic()
        host.root.close()
        assert host.wait() == 0
        took_s = time.monotonic() - before_s
        assert not [pid for pid in pids if alive(pid)]
        assert host.left() == []
        assert took_s < 30, "two seconds on an idle machine"


@pytest.mark.parametrize("ended_by", [lambda host: host.root.close(), lambda host: host.process.terminate()])
def test_a_runtime_that_outlives_the_host_does_not_hear_how_agents_end_with_it(
    tmp_path: Path, ended_by: Callable[[RunningHost], None]
) -> None:
    with running_host(tmp_path) as host:
        link = host.link()
        link.attach()
        link.spawn("r", ("sleep", "600"))
        ended_by(host)
        while link.hear():
            pass
        assert host.wait() == 0
        assert not [one for one in link.news if isinstance(one, Ended)]


def test_sigterm_ends_everything(tmp_path: Path) -> None:
    with running_host(tmp_path) as host:
        pids = host_with_a_tree(host)
        host.process.terminate()
        assert host.wait() == 0
        assert not [pid for pid in pids if alive(pid)]


def test_a_terminals_signals_end_nothing(tmp_path: Path) -> None:
    with running_host(tmp_path) as host:
        link = host.link()
        link.attach()
        for number in (signal.SIGINT, signal.SIGHUP):
            host.process.send_signal(number)
        link.spawn("r", ("true",))
        assert link.ended("r").exit_code == 0


def test_a_root_that_says_nonsense_ends_everything(tmp_path: Path) -> None:
    with running_host(tmp_path) as host:
        pids = host_with_a_tree(host)
        host.root.sendall(b"\xff\xff\xff\xff")
        assert host.wait() == 0
        assert not [pid for pid in pids if alive(pid)]
        assert "the root broke the protocol" in host.errors


def test_an_agent_dies_with_a_host_that_is_killed(tmp_path: Path) -> None:
    with running_host(tmp_path) as host:
        link = host.link()
        link.attach()
        started = link.spawn("r", agent("deaf"))
        assert isinstance(started, Started)
        link.first_line("r")
        host.process.kill()
        host.wait()
        wait_dead(started.pid)


def test_the_host_takes_nothing_of_its_environment_into_agents_but_the_marker(tmp_path: Path) -> None:
    with running_host(tmp_path) as host:
        link = host.link()
        link.attach()
        link.spawn("r", ("/usr/bin/env",), env={})
        link.ended("r")
        assert link.text("r") == f"PERDURE_RUN={host.place}:r\n"

"""Output and exit status reach the runtime once each, whoever dies in between."""

import os
import socket
from pathlib import Path

import psutil
import pytest

from actors.messages.agents import Bury, Ended, Offsets, Output, Spawn, Started
from supervisor.agents import protocol
from supervisor.agents.buffers import UNACKNOWLEDGED_BYTES_MAX
from supervisor.agents.control import DoorClosed
from supervisor.agents.frames import encode
from tests.kit.agents import Link, agent, pattern, running_host

PIPE_BYTES = 1 << 16


def test_both_streams_come_whole_and_the_exit_status_comes_after_them(tmp_path: Path) -> None:
    with running_host(tmp_path) as host:
        link = host.link()
        link.attach()
        link.spawn("r", agent("lines", 40, 0.001))
        ended = link.ended("r")
        assert link.text("r").splitlines() == [f"line {number}" for number in range(40)]
        assert link.text("r", "stderr").splitlines() == [f"error {number}" for number in range(0, 40, 10)]
        assert (ended.exit_code, ended.signal, ended.drained, ended.left) == (0, None, True, ())
        assert (ended.stdout_bytes, ended.stderr_bytes) == (len(link.text("r")), len(link.text("r", "stderr")))


@pytest.mark.parametrize("number", [0, 1, 143, -9, -15, -11])
def test_the_exit_status_is_the_agents_own(tmp_path: Path, number: int) -> None:
    with running_host(tmp_path) as host:
        link = host.link()
        link.attach()
        link.spawn("r", agent("exits", number))
        ended = link.ended("r")
        assert (ended.exit_code, ended.signal) == ((None, -number) if number < 0 else (number, None))


def test_a_flood_without_a_newline_comes_whole_and_memory_stays_small(tmp_path: Path) -> None:
    size = 30_000_000
    with running_host(tmp_path) as host:
        link = host.link()
        link.attach()
        link.spawn("r", agent("flood", size))
        link.ended("r")
        assert link.written["r", "stdout"] == pattern(size)
        assert psutil.Process(host.pid).memory_info().rss < 20 << 20


def test_agents_that_begin_while_others_flood_cost_these_nothing_but_room(tmp_path: Path) -> None:
    size = 3_000_000
    with running_host(tmp_path) as host:
        link = host.link()
        link.attach()
        names = [f"r{number}" for number in range(20)]
        for name in names:
            link.order(name, agent("flood", size))
        for name in names:
            assert link.ended(name).exit_code == 0
            assert link.written[name, "stdout"] == pattern(size)
        assert psutil.Process(host.pid).memory_info().rss < 20 << 20


def test_what_nobody_acknowledges_blocks_the_agent_and_is_not_lost(tmp_path: Path) -> None:
    size = 1_000_000
    with running_host(tmp_path) as host:
        link = host.link()
        link.acknowledges = False
        link.attach()
        started = link.spawn("r", agent("flood", size))
        assert isinstance(started, Started)
        held = bytearray()
        link.until(
            lambda: len(link.written.get(("r", "stdout"), held)) == UNACKNOWLEDGED_BYTES_MAX, "the window is full"
        )
        link.until(lambda: psutil.Process(started.pid).status() == psutil.STATUS_SLEEPING, "the agent waits")
        link.close()
        again = host.link(after=link)
        again.attach()
        again.ended("r")
        assert again.written["r", "stdout"] == pattern(size)


def test_an_agent_goes_on_while_no_runtime_is_there(tmp_path: Path) -> None:
    with running_host(tmp_path) as host:
        link = host.link()
        link.attach()
        link.spawn("r", agent("lines", 100, 0.01))
        link.first_line("r")
        link.close()
        again = host.link(after=link)
        attached = again.attach()
        assert [row.run_id for row in attached.runs] == ["r"]
        assert again.ended("r").exit_code == 0
        assert again.text("r").splitlines() == [f"line {number}" for number in range(100)]


def test_an_end_that_nobody_heard_is_told_to_every_runtime_until_it_is_buried(tmp_path: Path) -> None:
    with running_host(tmp_path) as host:
        link = host.link()
        link.attach()
        link.order("r", agent("exits", 3))
        link.wait(Started)
        link.close()
        for _ in range(2):
            link = host.link()
            link.attach()
            assert link.ended("r").exit_code == 3
            link.close()
        link = host.link()
        assert link.attach().runs[0].ended
        link.ended("r")
        link.send(Bury(run_id="r"))
        assert link.attach().runs == ()
        link.spawn("other", ("true",))
        link.ended("other")
        assert not [news for news in link.news if isinstance(news, Ended)], "once"


def test_a_run_that_goes_on_is_not_buried(tmp_path: Path) -> None:
    with running_host(tmp_path) as host:
        link = host.link()
        link.attach()
        link.spawn("r", agent("deaf"))
        link.send(Bury(run_id="r"))
        assert [row.run_id for row in link.attach().runs] == ["r"]


def test_a_runtime_that_attaches_anew_over_the_same_connection_hears_everything_again(tmp_path: Path) -> None:
    with running_host(tmp_path) as host:
        link = host.link()
        link.acknowledges = False
        link.attach()
        link.spawn("r", agent("lines", 20, 0))
        link.ended("r")
        first = link.text("r")
        link.news.clear()
        link.attach({})
        link.ended("r")
        assert b"".join(news.data for news in link.news if isinstance(news, Output) and news.stream == "stdout") == (
            first.encode()
        )


def test_the_offsets_that_are_named_are_where_it_goes_on(tmp_path: Path) -> None:
    with running_host(tmp_path) as host:
        link = host.link()
        link.acknowledges = False
        link.attach()
        link.spawn("r", agent("flood", 1000))
        link.ended("r")
        link.news.clear()
        link.attach({"r": Offsets(stdout=990)})
        link.ended("r")
        assert [(news.offset, news.data) for news in link.news if isinstance(news, Output)] == [
            (990, pattern(1000)[990:])
        ]


def test_a_new_runtime_takes_the_place_of_one_that_is_stopped(tmp_path: Path) -> None:
    with running_host(tmp_path) as host:
        stopped = host.link()
        stopped.acknowledges = False
        stopped.attach()
        stopped.spawn("r", agent("flood", 300_000))
        link = host.link(after=stopped)
        link.attach()
        link.ended("r")
        assert link.written["r", "stdout"] == pattern(300_000)
        stopped.news.clear()
        while stopped.hear():
            pass
        assert not [news for news in stopped.news if isinstance(news, Ended)], "the former one is closed"


def test_a_runtime_that_dies_at_any_byte_of_its_orders_is_followed_by_one_that_hears_all(tmp_path: Path) -> None:
    with running_host(tmp_path) as host:
        length, said_bytes = 0, 1
        while length <= said_bytes:
            run_id = f"r{length:03}"  # of the same length for every cut
            frames = b"".join(
                encode(message)
                for message in (
                    protocol.Attach(version=protocol.VERSION, runs={}),
                    Spawn(run_id=run_id, argv=("echo", run_id), env={"PATH": os.environ["PATH"]}, cwd="/"),
                    protocol.Acknowledge(run_id=run_id, stream="stdout", offset=0),
                )
            )
            said_bytes = len(frames)
            dying = host.door()
            dying.sendall(frames[:length])
            dying.close()
            link = host.link()
            link.attach()
            started = link.spawn(run_id, ("echo", run_id))
            assert isinstance(started, Started)
            assert link.ended(run_id).exit_code == 0
            assert link.text(run_id) == f"{run_id}\n"
            link.send(Bury(run_id=run_id))
            link.close()
            length += 1 if length < 5 else 7


def test_a_runtime_that_dies_at_any_byte_of_what_it_hears_is_followed_by_one_that_hears_all(tmp_path: Path) -> None:
    with running_host(tmp_path) as host:
        link = host.link()
        link.acknowledges = False
        link.attach()
        link.spawn("r", agent("lines", 30, 0))
        link.ended("r")
        whole = (link.text("r"), link.text("r", "stderr"))
        for length in range(0, 700, 37):
            dying = Link(host.door())
            dying.send(protocol.Attach(version=protocol.VERSION, runs={}))
            dying.socket.recv(length or 1)
            dying.close()
        last = host.link()
        last.attach()
        assert last.ended("r").exit_code == 0
        assert (last.text("r"), last.text("r", "stderr")) == whole


def test_a_runtime_that_breaks_the_protocol_loses_its_connection_and_nothing_else(tmp_path: Path) -> None:
    for_breaking = [b"\xff\xff\xff\xff", b"\0\0\0\1\xc0", encode(Bury(run_id="x"))]
    with running_host(tmp_path) as host:
        link = host.link()
        link.attach()
        link.spawn("r", agent("lines", 5, 0.01))
        for wrong in for_breaking:
            bad = host.door()
            bad.sendall(wrong)
            bad.settimeout(60)
            assert _read_to_end(bad) == b""
            bad.close()
        again = host.link(after=link)
        again.attach()
        assert again.ended("r").exit_code == 0
        assert host.errors.count("the runtime broke the protocol") == len(for_breaking)


def test_another_version_is_refused_by_name(tmp_path: Path) -> None:
    with running_host(tmp_path) as host:
        link = host.link()
        link.send(protocol.Attach(version=99, runs={}))
        assert link.wait(protocol.Refused).version == protocol.VERSION
        assert not link.hear()


def test_the_root_is_told_when_a_door_has_closed_and_of_no_door_that_was_replaced(tmp_path: Path) -> None:
    with running_host(tmp_path) as host:
        first = host.link()
        first.attach()
        second = host.link()
        second.attach()
        second.close()
        assert host.wait_news(DoorClosed).number == 2


def test_a_runtime_that_orders_and_never_reads_does_not_fill_the_hosts_memory(tmp_path: Path) -> None:
    with running_host(tmp_path) as host:
        link = host.link()
        link.attach()
        link.socket.settimeout(0.5)
        frame = encode(Spawn(run_id="r", argv=("/no/such",), env={}, cwd="/no/such/folder"))
        with pytest.raises(TimeoutError):
            for _ in range(10_000):
                link.socket.sendall(frame * 100)
        assert psutil.Process(host.pid).memory_info().rss < 40 << 20
        link.close()
        again = host.link()
        again.attach()
        again.spawn("other", ("true",))
        assert again.ended("other").exit_code == 0


def _read_to_end(peer: socket.socket) -> bytes:
    data = b""
    while chunk := peer.recv(4096):
        data += chunk
    return data

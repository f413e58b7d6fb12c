"""The runtime's end of the way to the agent host, with a real host behind it."""

import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import structlog
import trio

from actors.messages.agents import Attached, Bury, End, Ended, NotStarted, Offsets, Output, Spawn, Started
from actors.running.link import Link, Reachable
from supervisor.agents.frames import encode
from supervisor.agents.protocol import Refused
from supervisor.runtime import agents_link
from supervisor.runtime.agents_link import AgentsLink
from tests.kit.agents import RunningHost, agent, running_host

WITHIN_S = 60.0


@attrs.define(eq=False)
class Actor:
    """What the runs actor does with a link, as far as it matters here."""

    heard: list[Any] = attrs.field(factory=list)
    written: dict[tuple[str, str], bytearray] = attrs.field(factory=dict)
    """(run, stream) → the log file, as the writer would have it."""
    link: AgentsLink | None = None
    reached: int = 0
    attaches: bool = True
    """Whether it attaches as soon as there is a connection."""
    _moved: trio.Event = attrs.field(factory=trio.Event)

    def hear(self, news: Any) -> None:
        assert self.link is not None
        if isinstance(news, Reachable):
            self.reached += 1
            if self.attaches:
                self.link.attach({run_id: self.offsets(run_id) for run_id, _ in self.written})
        elif isinstance(news, Output):
            written = self.written.setdefault((news.run_id, news.stream), bytearray())
            assert news.offset <= len(written)
            written += news.data[len(written) - news.offset :]
            self.link.acknowledge(news.run_id, news.stream, len(written))
        else:
            self.heard.append(news)
        self._moved.set()

    def offsets(self, run_id: str) -> Offsets:
        lengths = {stream: len(self.written.get((run_id, stream), b"")) for stream in ("stdout", "stderr")}
        return Offsets(**lengths)

    async def until(self, holds: Callable[[], Any]) -> Any:
        with trio.fail_after(WITHIN_S):
            while not (value := holds()):
                self._moved = trio.Event()
                await self._moved.wait()
        return value

    async def until_reached(self, times: int) -> None:
        await self.until(lambda: self.reached == times)

    async def wait(self, kind: type[Any], count: int = 1) -> Any:
        found = await self.until(lambda: [news for news in self.heard if isinstance(news, kind)][count - 1 : count])
        return found[0]


@asynccontextmanager
async def linked(folder: Path) -> AsyncIterator[tuple[Actor, AgentsLink, RunningHost, socket.socket]]:
    """A link that runs, with no door yet; the socket is the root's."""
    ours, theirs = socket.socketpair()
    with running_host(folder) as host, ours, theirs:
        actor = Actor()
        actor.link = AgentsLink(theirs, actor.hear, structlog.get_logger())
        async with trio.open_nursery() as nursery:
            nursery.start_soon(actor.link.run)
            yield actor, actor.link, host, ours
            nursery.cancel_scope.cancel()


def give(doors: socket.socket, host: RunningHost) -> None:
    """Do what the root does."""
    with host.door() as door:
        socket.send_fds(doors, [b"d"], [door.fileno()])


def spawn(run_id: str, argv: tuple[str, ...]) -> Spawn:
    return Spawn(run_id=run_id, argv=argv, env={"PATH": "/usr/bin:/bin"}, cwd="/")


async def test_an_agent_is_started_heard_and_buried(tmp_path: Path) -> None:
    async with linked(tmp_path) as (actor, link, host, doors):
        give(doors, host)
        attached = await actor.wait(Attached)
        assert (attached.host_pid, attached.runs) == (host.pid, ())
        link.send(spawn("r", agent("flood", 2_000_000)))
        assert (await actor.wait(Started)).run_id == "r"
        assert (await actor.wait(Ended)).stdout_bytes == 2_000_000 == len(actor.written["r", "stdout"])
        link.send(Bury(run_id="r"))
        link.attach({})
        assert (await actor.wait(Attached, 2)).runs == ()


async def test_orders_without_a_host_are_dropped_and_never_wait(tmp_path: Path) -> None:
    async with linked(tmp_path) as (actor, link, host, doors):
        assert not link.is_reachable
        link.send(spawn("lost", ("true",)))
        link.send(End(run_id="lost", grace_s=1))
        link.acknowledge("lost", "stdout", 5)
        link.attach({})
        give(doors, host)
        assert (await actor.wait(Attached)).runs == ()
        assert link.is_reachable


async def test_a_new_door_replaces_the_former_and_nothing_is_lost(tmp_path: Path) -> None:
    async with linked(tmp_path) as (actor, link, host, doors):
        give(doors, host)
        await actor.wait(Attached)
        link.send(spawn("r", agent("lines", 200, 0.005)))
        for count in range(2, 8):
            await actor.until(lambda: actor.written.get(("r", "stdout")))
            give(doors, host)
            await actor.wait(Attached, count)
        await actor.wait(Ended)
        assert actor.written["r", "stdout"].decode().splitlines() == [f"line {number}" for number in range(200)]
        assert actor.reached == 7


async def test_what_was_meant_for_the_connection_before_does_not_break_the_new_one(tmp_path: Path) -> None:
    async with linked(tmp_path) as (actor, link, host, doors):
        actor.attaches = False
        give(doors, host)
        await actor.until_reached(1)
        link.acknowledge("r", "stdout", 5)
        link.send(End(run_id="r", grace_s=1))
        link.attach({})
        assert (await actor.wait(Attached)).runs == ()
        assert link.is_reachable


async def test_an_order_that_no_frame_holds_is_answered_as_not_started(tmp_path: Path) -> None:
    async with linked(tmp_path) as (actor, link, host, doors):
        give(doors, host)
        await actor.wait(Attached)
        link.send(spawn("r", ("echo", "x" * (2 << 20))))
        refused = await actor.wait(NotStarted)
        assert (refused.run_id, refused.code) == ("r", "E2BIG")


async def test_a_host_that_dies_leaves_a_link_that_takes_the_next_one(tmp_path: Path) -> None:
    (tmp_path / "next").mkdir()
    async with linked(tmp_path) as (actor, link, host, doors):
        give(doors, host)
        await actor.wait(Attached)
        host.process.kill()
        with trio.fail_after(WITHIN_S):
            while link.is_reachable:  # noqa: ASYNC110  it tells nobody
                await trio.sleep(0.01)
        with running_host(tmp_path / "next") as second:
            give(doors, second)
            assert (await actor.wait(Attached, 2)).host_pid == second.pid


async def test_a_host_that_talks_nonsense_is_left_after_a_pause(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(agents_link, "BROKEN_PAUSE_S", 0.05)
    async with linked(tmp_path) as (_actor, link, host, doors):
        ours, theirs = socket.socketpair()
        with ours:
            with theirs:
                socket.send_fds(doors, [b"d"], [theirs.fileno()])
            ours.sendall(b"\xff\xff\xff\xff")
            stream = trio.SocketStream(trio.socket.from_stdlib_socket(ours))
            with trio.fail_after(WITHIN_S):
                while await stream.receive_some(4096):
                    pass
        assert not link.is_reachable
        give(doors, host)
        await _actor.wait(Attached)


async def test_a_host_that_dies_at_any_byte_of_what_it_says_is_followed_by_one_that_is_heard(tmp_path: Path) -> None:
    said = b"".join(
        encode(message)
        for message in (
            Attached(version=1, host_pid=1, host_started=1, runs=()),
            Started(run_id="r", pid=2, pid_started=3),
            Output(run_id="r", stream="stdout", offset=0, data=b"a line\n"),
            Ended(run_id="r", exit_code=0, signal=None, stdout_bytes=7, stderr_bytes=0),
        )
    )
    async with linked(tmp_path) as (actor, link, host, doors):
        for length in range(len(said) + 1):
            heard = len(actor.heard)
            ours, theirs = socket.socketpair()
            with ours:
                with theirs:
                    socket.send_fds(doors, [b"d"], [theirs.fileno()])
                ours.sendall(said[:length])
            await actor.until_reached(length + 1)
            with trio.fail_after(WITHIN_S):
                while link.is_reachable:  # noqa: ASYNC110  it tells nobody
                    await trio.sleep(0.001)
            assert len(actor.heard) - heard <= 3
        assert bytes(actor.written["r", "stdout"]) == b"a line\n"
        give(doors, host)
        await actor.until(lambda: any(isinstance(news, Attached) and news.host_pid == host.pid for news in actor.heard))


async def test_a_host_of_another_version_is_left_and_the_log_says_so(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(agents_link, "BROKEN_PAUSE_S", 0.05)
    with structlog.testing.capture_logs() as lines:
        async with linked(tmp_path) as (actor, link, host, doors):
            ours, theirs = socket.socketpair()
            with ours:
                with theirs:
                    socket.send_fds(doors, [b"d"], [theirs.fileno()])
                ours.sendall(encode(Refused(version=99)))
                await actor.until(lambda: actor.reached)
                with trio.fail_after(WITHIN_S):
                    while link.is_reachable:  # noqa: ASYNC110  it tells nobody
                        await trio.sleep(0.001)
            give(doors, host)
            await actor.wait(Attached)
    assert [line["problem"] for line in lines if "problem" in line] == ["the host speaks version 99, this is 1"]


async def test_a_host_that_does_not_read_costs_a_bounded_amount_of_memory(tmp_path: Path) -> None:
    async with linked(tmp_path) as (actor, link, _host, doors):
        ours, theirs = socket.socketpair()
        with ours:
            with theirs:
                socket.send_fds(doors, [b"d"], [theirs.fileno()])
            await actor.until(lambda: actor.reached)
            order = spawn("r", ("echo", "x" * 500_000))
            for _ in range(100):
                link.send(order)
            assert not link.is_reachable, "it was given up"


async def test_the_task_may_crash_and_run_again_with_the_same_link(tmp_path: Path) -> None:
    ours, theirs = socket.socketpair()
    with running_host(tmp_path) as host, ours, theirs:
        actor = Actor()
        actor.link = AgentsLink(theirs, actor.hear, structlog.get_logger())
        for life in (1, 2):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(actor.link.run)
                give(ours, host)
                await actor.wait(Attached, life)
                nursery.cancel_scope.cancel()
            assert not actor.link.is_reachable
        assert host.news()


def test_the_link_is_what_the_runs_actor_asks_for() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        link: Link = AgentsLink(theirs, lambda _news: None, structlog.get_logger())
        link.attach({})

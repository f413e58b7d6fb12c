"""Both ways to know which sockets are ready serve clients alike."""

import json
import selectors
import socket
from pathlib import Path

import pytest

from supervisor.gateway import pump
from supervisor.gateway.limits import Limits
from supervisor.gateway.readiness import GONE, READ, WRITE, EpollReadiness, Readiness, SelectorReadiness
from tests.kit.gateway_harness import call, create, serving


def by_selector() -> Readiness:
    return SelectorReadiness(selectors.DefaultSelector())


@pytest.mark.parametrize("make", [EpollReadiness, by_selector])
def test_a_socket_tells_what_it_is_watched_for(make: type[EpollReadiness]) -> None:
    ours, theirs = socket.socketpair()
    ready = make()
    with ours, theirs:
        ready.register(ours.fileno(), READ)
        assert ready.poll() == []
        theirs.send(b"x")
        assert ready.poll() == [(ours.fileno(), READ)]
        ready.modify(ours.fileno(), READ | WRITE)
        assert ready.poll() == [(ours.fileno(), READ | WRITE)]
        ready.modify(ours.fileno(), 0)
        assert ready.poll() == []
        ready.modify(ours.fileno(), WRITE)
        assert ready.poll() == [(ours.fileno(), WRITE)]
        ready.unregister(ours.fileno())
        assert ready.poll() == []
    ready.close()


def test_epoll_tells_that_the_other_side_is_gone_though_nobody_asked() -> None:
    ours, theirs = socket.socketpair()
    ready = EpollReadiness()
    with ours:
        ready.register(ours.fileno(), 0)
        theirs.close()
        assert ready.poll() == [(ours.fileno(), GONE)]
    ready.close()


async def test_the_gateway_serves_with_selectors_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pump, "readiness", by_selector)
    async with serving(tmp_path, limits=Limits(in_flight_max=4)) as server:
        client = await server.client()
        server.actors["tasks"].answer = lambda _: b'"' + b"r" * 100_000 + b'"'
        await client.send(*(create(n) for n in range(50)), call(call_id="last"))
        assert set(await client.replies(51)) == {*range(50), "last"}
        await client.send_bytes(json.dumps(call()).encode())
        await client.stream.aclose()
        await server.until_connections(0)

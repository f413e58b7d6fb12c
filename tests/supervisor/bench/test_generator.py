"""supervisor/bench/generator.py, load.py, echo.py: the load generator in its own process, against real sockets."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from supervisor.bench.generator import Shape, is_limit, limit_rate, load, order_of
from supervisor.bench.load import PROTOCOLS, Order

Answer = Callable[[bytes], bytes]


class LineServer:
    """Answers each line of each connection with what `answer` says; remembers how many were unanswered at once."""

    def __init__(self, path: str, answer: Answer, connections: int) -> None:
        self.lines: list[bytes] = []
        self._answer = answer
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(path)
        self._listener.listen(connections)
        self._threads = [threading.Thread(target=self._serve) for _ in range(connections)]
        for thread in self._threads:
            thread.start()

    def _serve(self) -> None:
        client, _ = self._listener.accept()
        with client, client.makefile("rb") as read:
            for line in read:
                self.lines.append(line)
                answer = self._answer(line)
                if not answer:
                    return
                client.sendall(answer)

    def close(self) -> None:
        for thread in self._threads:
            thread.join(30)
        self._listener.close()


Serve = Callable[[Answer, int], LineServer]


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    return "s.sock"


@pytest.fixture
def serve(path: str) -> Iterator[Serve]:
    servers: list[LineServer] = []

    def begin(answer: Answer, connections: int) -> LineServer:
        servers.append(LineServer(path, answer, connections))
        return servers[-1]

    yield begin
    for server in servers:
        server.close()


def exactly(path: str, requests: int, connections: int = 1, depth: int = 1) -> Order:
    return Order(socket=path, protocol="perdure", connections=connections, depth=depth, prefix="p", requests=requests)


def test_so_many_requests_are_sent_each_once_and_each_is_answered(serve: Serve, path: str) -> None:
    server = serve(lambda _line: b"{}\n", 2)
    outcome = load(exactly(path, 101, connections=2, depth=7))
    assert sum(outcome.sent) == 101 == outcome.replies == len(set(server.lines))
    assert outcome.p50_ms <= outcome.p90_ms <= outcome.p99_ms <= outcome.max_ms


def test_a_timed_run_waits_for_every_request_that_it_sent(serve: Serve, path: str) -> None:
    server = serve(lambda _line: b"{}\n", 1)
    outcome = load(order_of(path, "perdure", Shape(1, 4), "p", 0.1))
    assert outcome.sent == [len(server.lines)]
    assert 0 < outcome.replies <= outcome.sent[0]


def test_a_rate_of_errors_is_none(serve: Serve, path: str) -> None:
    serve(lambda _line: b'{"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"no"}}\n', 1)
    with pytest.raises(RuntimeError, match="5 of 5 requests were answered with an error"):
        load(exactly(path, 5))


def test_a_server_that_hangs_up_ends_the_run(serve: Serve, path: str) -> None:
    serve(lambda _line: b"", 1)
    with pytest.raises(RuntimeError, match=r"hung up|reset by peer"):
        load(exactly(path, 5))


def test_its_own_limit_is_what_it_reaches_against_a_server_that_only_answers() -> None:
    assert limit_rate(Shape(4, 2), 0.1) > 0


@pytest.mark.parametrize(("rate", "limited"), [(79.0, False), (81.0, True)])
def test_a_rate_close_to_its_own_limit_is_not_believed(rate: float, limited: bool) -> None:
    assert is_limit(rate, 100.0) is limited


def test_the_frames_of_redis_say_the_lengths_of_their_parts() -> None:
    frame = PROTOCOLS["redis"][0]("r", 3)(12)
    assert frame.startswith(b"*3\r\n$3\r\nSET\r\n$13\r\nr-3-000000012\r\n$300\r\nx")
    assert frame.endswith(b"x\r\n")

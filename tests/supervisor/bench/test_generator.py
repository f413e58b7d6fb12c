"""supervisor/bench/generator.py, load.py, load.c, echo.py, echo.c: in processes of their own, on real sockets.

Each test of what they do is made of both kinds, in C and in Python.
"""

from __future__ import annotations

import fcntl
import socket
import termios
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from supervisor.bench import programs
from supervisor.bench.generator import Shape, is_limit, limit, load, order_of
from supervisor.bench.load import Order

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


@pytest.fixture(params=["C", "Python"])
def language(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Each test is made of both kinds."""
    if request.param == "Python":
        yield request.param
        return
    with programs.best_programs(tmp_path) as used:
        if used.language != "C":
            pytest.skip("there is no compiler")
        yield request.param


pytestmark = pytest.mark.usefixtures("language")


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


def test_an_error_whose_mark_is_cut_in_two_is_counted(path: str) -> None:
    reply = b'{"jsonrpc":"2.0","id":1,"error":{"code":-32000}}\n'
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(path)
        listener.listen(1)

        def serve() -> None:
            client, _ = listener.accept()
            with client, client.makefile("rb") as read:
                read.readline()
                client.sendall(reply[:36])
                # Only what was taken from the socket can be cut: the rest goes when nothing waits there any more.
                while fcntl.ioctl(client, termios.TIOCOUTQ, b"\0" * 4) != b"\0" * 4:
                    time.sleep(0.001)
                client.sendall(reply[36:])
                read.readline()

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            with pytest.raises(RuntimeError, match="1 of 1 requests were answered with an error"):
                load(exactly(path, 1))
        finally:
            thread.join(30)


def test_its_own_limit_is_what_it_reaches_against_a_server_that_only_answers() -> None:
    reached = limit(Shape(4, 2), 0.1)
    assert reached.rate > 0
    assert 0 < reached.cpu_us < 1e6


@pytest.mark.parametrize(("rate", "limited"), [(79.0, False), (81.0, True)])
def test_a_rate_close_to_its_own_limit_is_not_believed(rate: float, limited: bool) -> None:
    assert is_limit(rate, 100.0) is limited

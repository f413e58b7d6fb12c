"""The load generator: N connections with D requests in flight each, closed loop, one process, one epoll.

`python -m supervisor.bench.load`, its `Order` as JSON on standard input, its `Outcome` as JSON on standard output.
Replies are counted by their line ends and never parsed: replies of one connection may come in any order, so a latency
is the time from the oldest request in flight to the reply, which is right on average. Every request that was sent is
waited for; so what was acknowledged follows from how many each connection sent.
"""

from __future__ import annotations

import gc
import select
import socket
import sys
import time
from array import array
from collections import deque
from collections.abc import Callable
from typing import Final

import msgspec

from supervisor.bench.figures import percentile

READ_BYTES: Final = 256 * 1024
DRAIN_S: Final = 60.0
"""How long the last replies may take: a Perdure that was killed is back long before."""

BODY: Final = b"x" * 300
"""The tasks are of 300 bytes."""


class Order(msgspec.Struct, frozen=True):
    """What to do. It ends after `seconds`, or when `requests` were sent, whichever is given."""

    socket: str
    protocol: str
    connections: int
    depth: int
    prefix: str
    """What the names of all that is made begin with."""
    seconds: float = 0.0
    warm_s: float = 0.0
    """Not counted, at the beginning."""
    requests: int = 0


class Outcome(msgspec.Struct, frozen=True):
    """What came of it."""

    replies: int
    """Within the time counted."""
    seconds: float
    errors: int
    sent: list[int]
    """By connection, from the beginning to the end; each was answered."""
    cpu_share: float
    """Of one core, the generator's own."""
    p50_ms: float
    p90_ms: float
    p99_ms: float
    max_ms: float

    @property
    def rate(self) -> float:
        """Replies a second."""
        return self.replies / self.seconds

    @property
    def cpu_us(self) -> float:
        """Processor time of the generator for each reply, in microseconds; 0 without any."""
        return self.cpu_share * self.seconds / self.replies * 1e6 if self.replies else 0.0


def perdure(prefix: str, connection: int) -> Callable[[int], bytes]:
    """Return the frames of `task.create`, by their number."""
    head = b'{"jsonrpc":"2.0","id":'
    middle = b',"method":"task.create","params":{"id":"%b-%d-' % (prefix.encode(), connection)
    tail = b'","description":"%b"}}\n' % BODY
    return lambda number: b"%b%d%b%d%b" % (head, number, middle, number, tail)


def redis(prefix: str, connection: int) -> Callable[[int], bytes]:
    """Return the frames of Redis's SET of a value as long as a task's description, by their number."""
    name = b"%b-%d-" % (prefix.encode(), connection)
    tail = b"\r\n$%d\r\n%b\r\n" % (len(BODY), BODY)
    width = len(name) + 9
    return lambda number: b"*3\r\n$3\r\nSET\r\n$%d\r\n%b%09d%b" % (width, name, number, tail)


PROTOCOLS: Final[dict[str, tuple[Callable[[str, int], Callable[[int], bytes]], bytes]]] = {
    "perdure": (perdure, b'"error":{"code"'),
    "redis": (redis, b"-ERR"),
}
"""Name → its frames, and how an error is known in what comes back (a new task's row has no such text)."""


class _Connection:
    """One socket, its requests in flight."""

    def __init__(self, order: Order, number: int) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.connect(order.socket)
        self.socket.settimeout(0)
        self.frame = PROTOCOLS[order.protocol][0](order.prefix, number)
        self.sent = 0
        self.in_flight: deque[float] = deque()
        self.unsent = b""
        self.tail = b""
        """The end of what was read last: the mark of an error may be cut in two."""

    def ask(self, count: int) -> bool:
        """Send so many more requests; return whether all of them left."""
        first = self.sent
        self.sent += count
        self.in_flight.extend([time.perf_counter()] * count)
        self.unsent += self.frame(first) if count == 1 else b"".join(map(self.frame, range(first, self.sent)))
        return self.flush()

    def flush(self) -> bool:
        """Send what waits; return whether nothing does any more."""
        try:
            gone = self.socket.send(self.unsent)
        except BlockingIOError:
            return False
        self.unsent = self.unsent[gone:]
        return not self.unsent


class Generator:
    """See the module's text."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self._mark = PROTOCOLS[order.protocol][1]
        self._connections: dict[int, _Connection] = {}
        self._poll = select.epoll()
        self._latencies_s = array("d")
        self._replies = 0
        self._errors = 0
        self._left = order.requests or sys.maxsize

    def run(self) -> Outcome:
        """Do it. Raises RuntimeError when a connection is lost or the last replies do not come."""
        order = self._order
        for number in range(order.connections):
            connection = _Connection(order, number)
            self._connections[connection.socket.fileno()] = connection
            self._poll.register(connection.socket, select.EPOLLIN)
        for connection in self._connections.values():
            self._ask(connection, order.depth)
        if order.warm_s:
            self._work_until(time.perf_counter() + order.warm_s)
        self._replies = 0
        self._latencies_s = array("d")
        begun_s, begun_cpu_s = time.perf_counter(), time.process_time()
        self._work_until(begun_s + order.seconds if order.seconds else float("inf"))
        took_s = time.perf_counter() - begun_s
        cpu_share = (time.process_time() - begun_cpu_s) / took_s
        replies, latencies_s = self._replies, self._latencies_s
        self._left = 0
        self._work_until(time.perf_counter() + DRAIN_S)
        if any(connection.in_flight for connection in self._connections.values()):
            raise RuntimeError(f"no reply within {DRAIN_S:g} s")
        for connection in self._connections.values():
            connection.socket.close()
        self._poll.close()
        return self._outcome(replies, latencies_s, took_s, cpu_share)

    def _outcome(self, replies: int, latencies_s: array[float], took_s: float, cpu_share: float) -> Outcome:
        ordered = sorted(latencies_s) or [float("nan")]
        return Outcome(
            replies=replies,
            seconds=took_s,
            errors=self._errors,
            sent=[connection.sent for connection in self._connections.values()],
            cpu_share=cpu_share,
            p50_ms=percentile(ordered, 50) * 1000,
            p90_ms=percentile(ordered, 90) * 1000,
            p99_ms=percentile(ordered, 99) * 1000,
            max_ms=ordered[-1] * 1000,
        )

    def _work_until(self, deadline_s: float) -> None:
        """Answer every reply with the next request, until then or until nothing is in flight any more."""
        while True:
            left_s = deadline_s - time.perf_counter()
            if left_s <= 0 or not any(connection.in_flight for connection in self._connections.values()):
                return
            ready = self._poll.poll(min(left_s, DRAIN_S))
            if not ready and left_s > DRAIN_S:
                raise RuntimeError(f"no reply within {DRAIN_S:g} s")
            for descriptor, event in ready:
                connection = self._connections[descriptor]
                if event & select.EPOLLOUT and connection.flush():
                    self._poll.modify(descriptor, select.EPOLLIN)
                if event & ~select.EPOLLOUT:
                    self._take(connection)

    def _take(self, connection: _Connection) -> None:
        data = connection.socket.recv(READ_BYTES)
        if not data:
            raise RuntimeError("the server hung up")
        now_s = time.perf_counter()
        count = data.count(b"\n")
        mark, read = self._mark, connection.tail + data
        if mark in read:
            self._errors += read.count(mark)
        connection.tail = read[-(len(mark) - 1) :]
        taken, note = connection.in_flight.popleft, self._latencies_s.append
        for _ in range(count):
            note(now_s - taken())
        self._replies += count
        self._ask(connection, count)

    def _ask(self, connection: _Connection, count: int) -> None:
        count = min(count, self._left)
        if count and not connection.ask(count):
            self._poll.modify(connection.socket, select.EPOLLIN | select.EPOLLOUT)
        self._left -= count


def main() -> None:
    """Read the order, carry it out, tell what came of it."""
    order = msgspec.json.decode(sys.stdin.buffer.read(), type=Order)
    gc.disable()  # a collection would look like a slow reply; nothing here makes cycles
    outcome = Generator(order).run()
    sys.stdout.buffer.write(msgspec.json.encode(outcome))


if __name__ == "__main__":
    main()

"""What hostile and careless clients do to a Perdure, each as a block in which it goes on."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import psutil

from supervisor.client.address import socket_path
from tests.kit.perdure import Perdure, frame

WITHIN_S: Final = 60.0
KIB: Final = 1024
MIB: Final = 1024 * KIB

HOSTILE: Final = (
    b'{"a":' * 10_000,
    b"[" * 60_000,
    b'{"jsonrpc":"2.0","id":1,"method":"task.create","params":{"description":NaN}}',
    b'{"jsonrpc":"2.0","id":1,"id":2,"method":"runtime.ping"}',
    b'{"jsonrpc":"2.0","id":1,"method":"task.create","params":{"description":"\\ud800"}}',
    b'{"jsonrpc":"2.0","id":1,"method":"task.create","params":{"description":"x","metadata":{"n":'
    + b"9" * 5000
    + b"}}}",
    b"\xef\xbb\xbf{}",
    '{"jsonrpc":"2.0"}'.encode("utf-16"),
    b"\xff\xfe\x00",
    b"[" + b"{}," * 5_000 + b"{}]",
)
"""Lines that must end in an error reply, and never in the journal."""


def memory_bytes(whole: Perdure) -> int:
    """The resident memory of the runtime."""
    found: int = psutil.Process(whole.runtime_pid()).memory_info().rss
    return found


@contextlib.contextmanager
def connections(whole: Perdure, number: int) -> Iterator[list[socket.socket]]:
    """So many open connections."""
    path = socket_path(whole.state_path)
    with contextlib.ExitStack() as stack:
        made = []
        for _ in range(number):
            one = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
            one.settimeout(WITHIN_S)
            _connect(one, path)
            made.append(one)
        yield made


@contextlib.contextmanager
def idle(whole: Perdure, number: int) -> Iterator[None]:
    """So many connections, of which each has asked once."""
    with connections(whole, number) as made:
        for one in made:
            one.sendall(frame("runtime.ping", 1))
        for one in made:
            assert b'"pong":true' in one.recv(4096)
        yield


@contextlib.contextmanager
def dripping(whole: Perdure, number: int) -> Iterator[None]:
    """So many connections that send one byte of a line after the other, until they are cut off."""
    with connections(whole, number) as made:

        def drip() -> None:
            for one in made:
                with contextlib.suppress(OSError):
                    one.sendall(b" ")

        with _meanwhile(drip, 0.02):
            yield


@contextlib.contextmanager
def deaf(whole: Perdure, number: int, task_id: str) -> Iterator[None]:
    """So many connections that ask for a long task, over and over, and never read an answer."""
    ask = frame("task.get", 1, id=task_id) * 20
    with connections(whole, number) as made:
        for one in made:
            one.setblocking(False)

        def asks() -> None:
            for one in made:
                with contextlib.suppress(OSError):
                    one.send(ask)

        with _meanwhile(asks, 0.001):
            yield


@contextlib.contextmanager
def swollen(whole: Perdure, number: int, size_bytes: int) -> Iterator[None]:
    """So many connections that send a line which does not end, as far as it is taken from them."""
    piece = b"x" * (64 * KIB)
    sent = dict.fromkeys(range(number), 0)
    with connections(whole, number) as made:
        for one in made:
            one.setblocking(False)

        def swell() -> None:
            for place, one in enumerate(made):
                with contextlib.suppress(OSError):
                    while sent[place] < size_bytes:
                        sent[place] += one.send(piece)

        with _meanwhile(swell, 0.001):
            yield


@contextlib.contextmanager
def hostile(whole: Perdure, number: int) -> Iterator[None]:
    """So many connections that send what is no JSON, or none that is allowed, again and again, and read the answers."""
    lines = b"".join(line + b"\n" for line in HOSTILE)
    with connections(whole, number) as made:

        def send() -> None:
            for one in made:
                one.sendall(lines)
                answers = 0
                while answers < len(HOSTILE):
                    answers += one.recv(1 << 20).count(b"\n")

        with _meanwhile(send, 0.001):
            yield


@contextlib.contextmanager
def _meanwhile(work: Callable[[], None], pause_s: float) -> Iterator[None]:
    """Do something over and over in a thread until the block ends."""
    over = threading.Event()

    def run() -> None:
        while not over.wait(pause_s):
            work()

    thread = threading.Thread(target=run, name="attack", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(WITHIN_S)


def _connect(one: socket.socket, path: str) -> None:
    """Connect; where too many wait already, wait with them."""
    deadline_s = time.monotonic() + WITHIN_S
    while True:
        try:
            one.connect(path)
        except BlockingIOError:
            assert time.monotonic() < deadline_s, f"{Path(path)} takes no more connections"
            time.sleep(0.001)
        else:
            return

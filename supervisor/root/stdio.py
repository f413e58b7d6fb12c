"""
Standard input and output as the relay uses them: a thread each, because they may be anything.

They may be files, which epoll refuses, or a terminal or pipe shared with others, whose descriptor must not be made
non-blocking under them. So one daemon thread reads and waits until the loop has taken what it read; another one writes
what the loop gives it and tells when that is done. Neither holds more than one piece.

`Stdio.take` moves both away from the numbers 0 and 1: what this process, a library or a child prints on standard output
from then on goes to standard error, and cannot break the protocol.
"""

import os
import queue
import select
import threading
from collections.abc import Callable
from typing import Final

import msgspec
import trio

_CHUNK_BYTES: Final = 256 * 1024


class Stdio(msgspec.Struct, frozen=True):
    """The two descriptors, both ours and close-on-exec."""

    reader_fd: int
    writer_fd: int

    @classmethod
    def take(cls) -> "Stdio":
        """Move standard input and output out of everybody else's way."""
        taken = cls(os.dup(0), os.dup(1))
        nothing = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        os.dup2(nothing, 0)
        os.dup2(2, 1)
        os.close(nothing)
        return taken


class Reader:
    """Gives out what arrives; made inside a trio run."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._token = trio.lowlevel.current_trio_token()
        self._give, self._given = trio.open_memory_channel[bytes](0)
        threading.Thread(target=self._read, name="standard input", daemon=True).start()

    async def receive(self) -> bytes:
        """Wait for the next piece; empty at the end of input."""
        return await self._given.receive()

    def _read(self) -> None:
        data = b"?"
        while data:
            data = self._read_once()
            try:
                trio.from_thread.run(self._give.send, data, trio_token=self._token)
            except (trio.RunFinishedError, trio.Cancelled, trio.BrokenResourceError):
                return

    def _read_once(self) -> bytes:
        while True:
            try:
                return os.read(self._descriptor, _CHUNK_BYTES)
            except BlockingIOError:  # somebody else made it so
                _wait(self._descriptor, select.POLLIN)
            except OSError:
                return b""  # a terminal that is gone: the same as the end of input


class Writer:
    """Writes lines; made inside a trio run."""

    def __init__(self, descriptor: int) -> None:
        self.broken = False
        """Whether the reader of our output is gone."""
        self._descriptor = descriptor
        self._token = trio.lowlevel.current_trio_token()
        self._turn = trio.Lock()
        self._orders: queue.SimpleQueue[tuple[bytes, Callable[[], None]]] = queue.SimpleQueue()
        threading.Thread(target=self._write, name="standard output", daemon=True).start()

    async def send(self, data: bytes) -> None:
        """Write all of it; returns when that is done, or when nobody reads any more (`broken`)."""
        async with self._turn:
            done = trio.Event()
            self._orders.put((data, done.set))
            await done.wait()

    def _write(self) -> None:
        while True:
            data, done = self._orders.get()
            if not self.broken:
                self._write_all(data)
            try:
                self._token.run_sync_soon(done)
            except trio.RunFinishedError:
                return

    def _write_all(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[os.write(self._descriptor, rest) :]
            except BlockingIOError:
                _wait(self._descriptor, select.POLLOUT)
            except OSError:
                self.broken = True
                return


def _wait(descriptor: int, events: int) -> None:
    poll = select.poll()
    poll.register(descriptor, events)
    poll.poll()

"""
The runtime's end of the control channel, and what makes a runtime die with its root.

A runtime must never outlive the root that holds its lock. Two things see to it, because each is blind where the other
sees: a thread that waits for the channel's end of file ends the process even when the loop is blocked; the kernel's
parent-death signal (Linux) ends it even when it is stopped, or when one call keeps every thread from running.

`arm` is the first thing that a runtime does, before its slow imports: from then on it may sit there as a standby,
waiting for the `Hello` that makes it the runtime.

Signals: the root alone decides about stopping, and says so through the channel. What a terminal sends to the whole
process group (SIGINT, SIGHUP) is ignored here; SIGTERM and SIGKILL sent to a runtime end it, and the root starts the
next one. SIGUSR1 prints the stacks of all threads to stderr, which is the root's pipe.
"""

import ctypes
import faulthandler
import os
import select
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from typing import Final

import trio

from supervisor.root.control import Beat, ControlBroken, Hello, Lines, News, Order, decode_order, encode
from supervisor.root.errors import ExitCode

UNSENT_BYTES_MAX: Final = 1 << 20
"""What waits for a root that does not read (it is stopped); beats beyond it are left out, they would be stale."""

_PR_SET_PDEATHSIG: Final = 1
_CHUNK_BYTES: Final = 65536
_HUNG_UP: Final = select.POLLHUP | select.POLLERR | getattr(select, "POLLRDHUP", 0)


class RootGone(Exception):
    """The root closed the channel; the process is about to end."""


class RuntimeLink:
    """The runtime's way to its root: `arm`, `hello`, then `next_order` and `send` for the rest of its life."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._lines = Lines()
        self._arrived: Iterator[bytes] = iter(())
        self._unsent = bytearray()
        self._sending = threading.Lock()

    @classmethod
    def arm(cls, control_fd: int) -> "RuntimeLink":
        """Tie this process's life to the root's and give the link; from the main thread, before anything slow."""
        die_with_parent()
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        faulthandler.enable()
        faulthandler.register(signal.SIGUSR1, all_threads=True)
        control = socket.socket(fileno=control_fd)
        control.set_inheritable(False)
        control.settimeout(0)
        threading.Thread(target=_end_with_root, args=(control_fd,), name="root watcher", daemon=True).start()
        return cls(control)

    def hello(self) -> Hello:
        """
        Wait, blocking, until the root says that this process is the runtime.

        Raises `ControlBroken` when it says something else, `RootGone` when it says nothing any more.
        """
        order: Order | None = None
        while (order := self._arrived_order()) is None:
            select.select([self._control], [], [])
            self._read()
        if not isinstance(order, Hello):
            raise ControlBroken(f"{type(order).__name__} before Hello")
        if os.getppid() != order.root_pid:
            raise RootGone(f"the parent is process {os.getppid()}, the root is {order.root_pid}")
        return order

    async def next_order(self) -> Order:
        """Wait for the next order. Raises `RootGone`, `ControlBroken`."""
        while (order := self._arrived_order()) is None:
            await trio.lowlevel.wait_readable(self._control)
            self._read()
        return order

    def send(self, news: News) -> None:
        """Tell the root; from any thread, never waits. What a stopped root has not read yet is sent with the next."""
        with self._sending:
            if not isinstance(news, Beat) or len(self._unsent) < UNSENT_BYTES_MAX:
                self._unsent += encode(news)
            self._send_unsent()

    async def beat_every(self, heartbeat_s: float) -> None:
        """Show the root that this loop turns, until cancelled."""
        while True:
            self.send(Beat())
            await trio.sleep(heartbeat_s)

    def _send_unsent(self) -> None:
        try:
            while self._unsent:
                sent = self._control.send(self._unsent)
                del self._unsent[:sent]
        except (BlockingIOError, InterruptedError):
            return
        except OSError:  # the root is gone, and in a moment so are we
            self._unsent.clear()

    def _arrived_order(self) -> Order | None:
        for line in self._arrived:
            return decode_order(line)
        return None

    def _read(self) -> None:
        try:
            data = self._control.recv(_CHUNK_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            raise RootGone(str(error)) from None
        if not data:
            raise RootGone("end of file on the control channel")
        self._lines.feed(data)
        self._arrived = iter(self._lines)


def die_with_parent() -> None:
    """
    Have the kernel kill this process when the thread that spawned it ends (Linux; elsewhere only the channel tells).

    The root spawns from its main thread, which lives as long as the root does.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _end_with_root(control_fd: int) -> None:
    """Wait for nothing but the hang-up: what arrives is the loop's to read."""
    poll = select.poll()
    poll.register(control_fd, _HUNG_UP & ~(select.POLLHUP | select.POLLERR))
    while not any(events & _HUNG_UP for _, events in poll.poll()):
        pass
    os._exit(ExitCode.GAVE_UP)

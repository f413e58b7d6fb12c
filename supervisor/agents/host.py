"""
The agent host's process: `python -m supervisor.agents.host --control-fd N`, one thread around one poll.

Theory of operation. Each turn waits for the control socket, the runtime's connection, the pipes that have room behind
them, the death of a child, or the earliest deadline; then every agent goes on as far as it can, and what came of it is
posted. Nothing else blocks, and every queue is bounded by what is behind it: a runtime that does not read leaves its
output in the windows, full windows leave it in the pipes, full pipes block the agents.

It never outlives its purpose: when the root's end of the control socket closes (or SIGTERM comes) all trees get
`CLOSE_GRACE_S`, then SIGKILL, and the process ends before `CLOSE_S` is over.
"""

from __future__ import annotations

import math
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable
from typing import Final

from supervisor.agents import control, protocol
from supervisor.agents.cgroup import Groups
from supervisor.agents.connection import Connection, ConnectionEnded
from supervisor.agents.frames import ProtocolBroken
from supervisor.agents.runs import Runs
from supervisor.agents.spawn import be_subreaper, wake_when_parent_dies
from supervisor.agents.strays import kill_descendants

CLOSE_GRACE_S: Final = 0.8
CLOSE_S: Final = 1.7
"""From the end of the control channel to the end of this process, whatever resists."""
DOOR_PAUSE_S: Final = 1.0
"""Before another door is asked for in place of one that was of no use: the root makes the next at once."""


class Host:
    """See the module's text."""

    def __init__(self, root: socket.socket) -> None:
        self._root = Connection(root, control.TO_HOST)
        self._runtime: Connection | None = None
        self._door_number = 0
        self._next_door_at_s = math.inf
        """When to ask for a door in place of one that was lost."""
        self._runs = Runs()
        self._heartbeat_s = math.inf
        self._alive_at_s = math.inf
        self._closing_at_s: float | None = None
        self._is_told_to_leave = False
        self._woken_fd = _wake_by_signals(self._note_sigterm)

    def run(self) -> None:
        """Serve until the root is gone or says so."""
        while not self._is_done():
            ready = self._wait()
            for handle in ready:
                handle()
            self._runs.advance(time.monotonic())
            if self._runtime is not None and self._runtime.attached:
                self._runs.post_output(self._runtime)
            self._beat()
            self._flush()
        kill_descendants()
        if self._runs.groups is not None:
            self._runs.groups.clear()

    # Waiting.

    def _wait(self) -> list[Callable[[], None]]:
        """Wait for whatever comes first; return what is to be done about it."""
        poll = select.poll()
        handlers: dict[int, Callable[[], None]] = {}

        def register(descriptor: int, events: int, handle: Callable[[], None]) -> None:
            poll.register(descriptor, events)
            handlers[descriptor] = handle

        register(self._woken_fd, select.POLLIN, self._woken)
        if self._closing_at_s is None:
            register(self._root.socket.fileno(), self._root.events, self._hear_root)
        if self._runtime is not None:
            register(self._runtime.socket.fileno(), self._runtime.events, self._hear_runtime)
        for pipe in self._runs.pipes():
            register(pipe.descriptor, select.POLLIN, pipe.read)
        wait_s = self._next_deadline_s() - time.monotonic()
        ready = poll.poll(None if wait_s == math.inf else max(0, math.ceil(wait_s * 1000)))
        return [handlers[descriptor] for descriptor, _ in ready]

    def _next_deadline_s(self) -> float:
        closing_s = math.inf if self._closing_at_s is None else self._closing_at_s + CLOSE_S
        return min(self._alive_at_s, self._next_door_at_s, closing_s, self._runs.wakes_at_s)

    def _woken(self) -> None:
        """Some signal came: SIGCHLD, in all likelihood."""
        os.read(self._woken_fd, 4096)
        if self._is_told_to_leave:
            self._leave()
        self._runs.child_died()

    def _note_sigterm(self) -> None:
        """A signal's handler may run in the middle of anything: what it asks for is done in the loop, by `_woken`."""
        self._is_told_to_leave = True

    # The root.

    def _hear_root(self) -> None:
        try:
            for message in self._root.messages():
                match message:
                    case control.Serve() as serve:
                        self._runs.place, self._runs.umask = serve.place, serve.umask
                        self._runs.groups = Groups.detect(serve.place) if serve.cgroups else None
                        self._heartbeat_s = serve.heartbeat_s
                        self._alive_at_s = time.monotonic()
                        groups = self._runs.groups
                        self._root.post(
                            control.Here(
                                pid=os.getpid(),
                                cgroups=None if groups is None else groups.base,
                                limits_memory=groups is not None and groups.limits_memory,
                            )
                        )
                    case control.Door(number=number):
                        self._open_door(number)
        except ConnectionEnded:
            self._leave()
        except ProtocolBroken as error:
            _complain(f"the root broke the protocol: {error}")
            self._leave()

    def _open_door(self, number: int) -> None:
        if self._runtime is not None:
            self._runtime.close()
            self._runtime = None
        self._door_number = number
        self._next_door_at_s = math.inf
        if self._root.descriptors:
            self._runtime = Connection(socket.socket(fileno=self._root.descriptors.popleft()), protocol.TO_HOST)
        else:
            _complain("a door came without its descriptor: there are too many open files")
            self._want_door_in(DOOR_PAUSE_S)

    def _leave(self) -> None:
        """Begin the end of everything, and tell the runtime nothing of it.

        It lives for a moment longer, or goes on with the next host, and would take the ends that its agents are put to
        for ends of their own.
        """
        if self._closing_at_s is not None:
            return
        if self._runtime is not None:
            self._runtime.close()
            self._runtime = None
        self._next_door_at_s = math.inf
        self._closing_at_s = time.monotonic()
        self._alive_at_s = math.inf
        self._runs.end_all(self._closing_at_s, CLOSE_GRACE_S)

    def _is_done(self) -> bool:
        if self._closing_at_s is None:
            return False
        late = time.monotonic() >= self._closing_at_s + CLOSE_S
        return late or self._runs.processes == 0

    # The runtime.

    def _hear_runtime(self) -> None:
        runtime = self._runtime
        if runtime is None:
            return
        try:
            for message in runtime.messages():
                self._runs.obey(runtime, message)
        except ConnectionEnded:
            self._part(runtime)
        except ProtocolBroken as error:
            _complain(f"the runtime broke the protocol: {error}")
            self._part(runtime, DOOR_PAUSE_S)

    def _part(self, runtime: Connection, pause_s: float = 0.0) -> None:
        """Let a connection go; the root makes a new one where there still is a runtime."""
        runtime.close()
        if self._runtime is runtime:
            self._runtime = None
            # A runtime that never said a word may have had no descriptor for its end.
            self._want_door_in(pause_s if runtime.attached else DOOR_PAUSE_S)

    def _want_door_in(self, pause_s: float) -> None:
        self._next_door_at_s = time.monotonic() + pause_s

    def _beat(self) -> None:
        now_s = time.monotonic()
        if now_s >= self._alive_at_s:
            self._alive_at_s = now_s + self._heartbeat_s
            if self._root.is_flushed:  # a root that is stopped will not miss the beats it did not read
                self._root.post(control.Alive(agents=self._runs.processes))
        if now_s >= self._next_door_at_s:
            self._next_door_at_s = math.inf
            self._root.post(control.DoorClosed(number=self._door_number))

    def _flush(self) -> None:
        if self._runtime is not None:
            try:
                self._runtime.flush()
            except ConnectionEnded:
                self._part(self._runtime)
        try:
            self._root.flush()
        except ConnectionEnded:
            self._leave()


def _wake_by_signals(note_sigterm: Callable[[], None]) -> int:
    """Return a descriptor that wakes the poll: for SIGCHLD, and for SIGTERM, which begins the end."""
    woken_fd, wake_fd = os.pipe()
    os.set_blocking(woken_fd, False)
    os.set_blocking(wake_fd, False)
    signal.set_wakeup_fd(wake_fd, warn_on_full_buffer=False)
    # Handlers, not SIG_IGN, which agents would inherit over exec.
    for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda _number, _frame: None)
    signal.signal(signal.SIGTERM, lambda _number, _frame: note_sigterm())
    return woken_fd


def _complain(text: str) -> None:
    """Tell the log: the root relays what is printed here."""
    sys.stderr.write(f"agent host: {text}\n")
    sys.stderr.flush()


def main(argv: list[str]) -> int:
    """Be the host; return the exit code. No argparse: it would cost a megabyte."""
    if len(argv) != 3 or argv[1] != "--control-fd" or not argv[2].isdecimal():  # noqa: PLR2004  what is said here
        sys.stderr.write("usage: supervisor.agents.host --control-fd N; only the root starts it\n")
        return 2
    wake_when_parent_dies()
    be_subreaper()
    root = socket.socket(fileno=int(argv[2]))
    root.set_inheritable(False)
    Host(root).run()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))

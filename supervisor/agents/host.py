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

from actors.messages.agents import OUTPUT_BYTES_MAX, Attached, Bury, End, NotStarted, Offsets, Output, Spawn
from supervisor.agents import control, protocol, reaper
from supervisor.agents.agent import Agent, Phase, Pipe
from supervisor.agents.connection import Connection, ConnectionEnded
from supervisor.agents.frames import ProtocolBroken
from supervisor.agents.spawn import NotSpawned, be_subreaper, spawn, wake_when_parent_dies
from supervisor.agents.strays import kill_descendants, kill_strays
from supervisor.agents.tree_of import Look, started_of

CLOSE_GRACE_S: Final = 0.8
CLOSE_S: Final = 1.7
"""From the end of the control channel to the end of this process, whatever resists."""
AGENTS_MAX: Final = 1000
"""Each holds two pipes and up to half a megabyte of output; the scheduler's own limit is far below."""


class Host:
    """See the module's text."""

    def __init__(self, root: socket.socket) -> None:
        self._root = Connection(root, control.TO_HOST)
        self._runtime: Connection | None = None
        self._agents: dict[str, Agent] = {}
        self._place = ""
        self._heartbeat_s = math.inf
        self._alive_at_s = math.inf
        self._closing_at_s: float | None = None
        self._look: Look | None = None
        """The present turn's, made when somebody asks."""
        self._woken_fd = _wake_by_signals(self._close)

    def run(self) -> None:
        """Serve until the root is gone or says so."""
        while not self._is_done():
            ready = self._wait()
            self._look = None
            for handle in ready:
                handle()
            self._advance()
            self._post_output()
            self._flush()
        kill_descendants()

    # Waiting.

    def _wait(self) -> list[Callable[[], None]]:
        """Wait for whatever comes first; return what is to be done about it."""
        poll = select.poll()
        handlers: dict[int, Callable[[], None]] = {}

        def register(descriptor: int, events: int, handle: Callable[[], None]) -> None:
            poll.register(descriptor, events)
            handlers[descriptor] = handle

        register(self._woken_fd, select.POLLIN, self._children_died)
        if self._closing_at_s is None:
            register(self._root.socket.fileno(), self._root.events, self._hear_root)
        if self._runtime is not None:
            register(self._runtime.socket.fileno(), self._runtime.events, self._hear_runtime)
        for agent in self._agents.values():
            for pipe in agent.pipes:
                if pipe.wants_reading:
                    register(pipe.descriptor, select.POLLIN, pipe.read)
        wait_s = self._next_deadline_s() - time.monotonic()
        ready = poll.poll(None if wait_s == math.inf else max(0, math.ceil(wait_s * 1000)))
        return [handlers[descriptor] for descriptor, _ in ready]

    def _next_deadline_s(self) -> float:
        closing_s = math.inf if self._closing_at_s is None else self._closing_at_s + CLOSE_S
        agents_s = min((agent.wakes_at_s for agent in self._agents.values()), default=math.inf)
        return min(self._alive_at_s, closing_s, agents_s)

    def _children_died(self) -> None:
        os.read(self._woken_fd, 4096)
        reaper.reap_orphans({agent.identity.pid for agent in self._agents.values() if agent.has_process})
        now_s = time.monotonic()
        for agent in self._agents.values():
            agent.child_died(now_s)

    # The root.

    def _hear_root(self) -> None:
        try:
            for message in self._root.messages():
                match message:
                    case control.Serve(place=place, heartbeat_s=heartbeat_s):
                        self._place, self._heartbeat_s = place, heartbeat_s
                        self._alive_at_s = time.monotonic()
                        self._root.post(control.Here(pid=os.getpid()))
                    case control.Door():
                        self._open_door()
        except ConnectionEnded:
            self._close()
        except ProtocolBroken as error:
            _complain(f"the root broke the protocol: {error}")
            self._close()

    def _open_door(self) -> None:
        if not self._root.descriptors:
            _complain("a door came without its descriptor")
            return
        if self._runtime is not None:
            self._runtime.close()
        self._runtime = Connection(socket.socket(fileno=self._root.descriptors.popleft()), protocol.TO_HOST)

    def _close(self) -> None:
        """Begin the end of everything."""
        if self._closing_at_s is None:
            self._closing_at_s = time.monotonic()
            self._alive_at_s = math.inf
            for agent in self._agents.values():
                agent.end(self._closing_at_s, CLOSE_GRACE_S)

    def _is_done(self) -> bool:
        if self._closing_at_s is None:
            return False
        late = time.monotonic() >= self._closing_at_s + CLOSE_S
        return late or not any(agent.has_process for agent in self._agents.values())

    # The runtime.

    def _hear_runtime(self) -> None:
        runtime = self._runtime
        if runtime is None:
            return
        try:
            for message in runtime.messages():
                self._obey(runtime, message)
        except ConnectionEnded:
            self._part(runtime)
        except ProtocolBroken as error:
            _complain(f"the runtime broke the protocol: {error}")
            self._part(runtime)

    def _obey(self, runtime: Connection, message: protocol.ToHost) -> None:
        if runtime.attached == isinstance(message, protocol.Attach):
            raise ProtocolBroken(f"{type(message).__name__} {'again' if runtime.attached else 'before Attach'}")
        match message:
            case protocol.Attach():
                self._attach(runtime, message)
            case Spawn():
                self._spawn(runtime, message)
            case protocol.Acknowledge(run_id=run_id, stream=stream, offset=offset):
                if run_id in self._agents:
                    self._pipe(run_id, stream).window.acknowledge(offset)
            case End(run_id=run_id, grace_s=grace_s):
                if run_id in self._agents:
                    self._agents[run_id].end(time.monotonic(), grace_s)
            case Bury(run_id=run_id):
                if run_id in self._agents and self._agents[run_id].phase is Phase.OVER:
                    self._agents.pop(run_id).close()

    def _attach(self, runtime: Connection, attach: protocol.Attach) -> None:
        if attach.version != protocol.VERSION:
            runtime.post(protocol.Refused(version=protocol.VERSION))
            runtime.flush()
            raise ProtocolBroken(f"version {attach.version}, this is {protocol.VERSION}")
        runtime.attached = True
        rows = tuple(agent.row() for agent in self._agents.values())
        host_started = started_of(os.getpid())
        runtime.post(Attached(version=protocol.VERSION, host_pid=os.getpid(), host_started=host_started, runs=rows))
        for agent in self._agents.values():
            offsets: Offsets | None = attach.runs.get(agent.run_id)
            agent.end_is_told = False
            for pipe in agent.pipes:
                pipe.window.rewind(None if offsets is None else getattr(offsets, pipe.stream))

    def _spawn(self, runtime: Connection, order: Spawn) -> None:
        agent = self._agents.get(order.run_id)
        try:
            if agent is None:
                agent = self._agents[order.run_id] = self._new_agent(order)
        except NotSpawned as refusal:
            runtime.post(NotStarted(run_id=order.run_id, reason=refusal.reason[:2000], code=refusal.code))
            return
        runtime.post(agent.started())

    def _new_agent(self, order: Spawn) -> Agent:
        if self._closing_at_s is not None:
            raise NotSpawned("the agent host is stopping", "ESHUTDOWN")
        if len(self._agents) >= AGENTS_MAX:
            raise NotSpawned(f"the agent host has {AGENTS_MAX} agents already", "EAGAIN")
        marker = f"{self._place}:{order.run_id}"
        return Agent(order.run_id, marker, spawn(order, marker))

    def _pipe(self, run_id: str, stream: str) -> Pipe:
        return next(pipe for pipe in self._agents[run_id].pipes if pipe.stream == stream)

    def _part(self, runtime: Connection) -> None:
        """Let a connection go; the root makes a new one where there still is a runtime."""
        runtime.close()
        if self._runtime is runtime:
            self._runtime = None
            self._root.post(control.DoorClosed())

    # What happens by itself.

    def _advance(self) -> None:
        now_s = time.monotonic()
        for agent in self._agents.values():
            had_process = agent.has_process
            agent.advance(now_s, self._look_now)
            if had_process and not agent.has_process:
                kill_strays([one.identity for one in self._agents.values() if one.has_process])
        if now_s >= self._alive_at_s:
            self._alive_at_s = now_s + self._heartbeat_s
            if self._root.is_flushed:  # a root that is stopped will not miss the beats it did not read
                self._root.post(control.Alive(agents=sum(agent.has_process for agent in self._agents.values())))

    def _look_now(self) -> Look:
        if self._look is None:
            self._look = Look()
        return self._look

    def _post_output(self) -> None:
        """Give each agent's streams their turns, a chunk at a time, while the runtime reads."""
        runtime = self._runtime
        if runtime is None or not runtime.attached:
            return
        posted = True
        while posted and runtime.wants_output:
            posted = False
            for agent in list(self._agents.values()):
                posted = self._post_some(runtime, agent) or posted
        # The longest waiting is first next time.
        if self._agents and not runtime.wants_output:
            first = next(iter(self._agents))
            self._agents[first] = self._agents.pop(first)

    def _post_some(self, runtime: Connection, agent: Agent) -> bool:
        posted = False
        for pipe in agent.pipes:
            if runtime.wants_output and (chunk := pipe.window.next_chunk(OUTPUT_BYTES_MAX)) is not None:
                offset, data = chunk
                runtime.post(Output(run_id=agent.run_id, stream=pipe.stream, offset=offset, data=data))
                posted = True
        all_sent = all(pipe.window.is_sent for pipe in agent.pipes)
        if all_sent and not agent.end_is_told and (ended := agent.ended()) is not None:
            agent.end_is_told = True
            runtime.post(ended)
        return posted

    def _flush(self) -> None:
        if self._runtime is not None:
            try:
                self._runtime.flush()
            except ConnectionEnded:
                self._part(self._runtime)
        try:
            self._root.flush()
        except ConnectionEnded:
            self._close()


def _wake_by_signals(close: Callable[[], None]) -> int:
    """Return a descriptor that wakes the poll: for SIGCHLD, and for SIGTERM, which begins the end."""
    woken_fd, wake_fd = os.pipe()
    os.set_blocking(woken_fd, False)
    os.set_blocking(wake_fd, False)
    signal.set_wakeup_fd(wake_fd, warn_on_full_buffer=False)
    # Handlers, not SIG_IGN, which agents would inherit over exec.
    for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda _number, _frame: None)
    signal.signal(signal.SIGTERM, lambda _number, _frame: close())
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

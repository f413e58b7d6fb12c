"""An agent host without processes: keeps agents as `supervisor.agents.host` does, and answers over a link in-process.

A test plays the agents (`write`, `exit`), cuts the connection, and replaces the host by a new one, which knows nothing.
Orders are counted, so that a test can tell what took effect from what was only said twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from attrs import define, field

from actors.kernel.ref import Ref
from actors.messages.agents import (
    OUTPUT_BYTES_MAX,
    AgentRow,
    Attached,
    Bury,
    End,
    Ended,
    NotStarted,
    Offsets,
    Order,
    Output,
    Spawn,
    Started,
    Stream,
)
from actors.running.link import Reachable, Unreachable

STREAMS: tuple[Stream, ...] = ("stdout", "stderr")


@define(eq=False)
class Process:
    """An agent that a test plays."""

    spawn: Spawn
    pid: int
    written: dict[str, bytearray] = field(factory=lambda: {stream: bytearray() for stream in STREAMS})
    acknowledged: dict[str, int] = field(factory=lambda: dict.fromkeys(STREAMS, 0))
    ended: Ended | None = None
    asked_to_end: list[float] = field(factory=list)


@define(eq=False)
class FakeHost:
    """The host, and the link to it: what an actor holds as its `Link`."""

    home: Ref | None = None
    """The runs actor; without one nobody is told anything."""
    pid: int = 1
    processes: dict[str, Process] = field(factory=dict)
    refuses: dict[str, str] = field(factory=dict)
    """Commands (argv[0]) that cannot be started, and why."""
    spawned: Counter[str] = field(factory=Counter)
    """How often an agent really began, by run."""
    buried: Counter[str] = field(factory=Counter)
    orders: list[Order] = field(factory=list)
    is_connected: bool = True
    is_attached: bool = False
    obeys: bool = True
    """Whether agents that are asked to end do."""

    # What the actor says

    def attach(self, offsets: Mapping[str, Offsets]) -> None:
        """See `Link`."""
        self.is_attached = self.is_connected
        if not self.is_connected:
            return
        rows = tuple(
            AgentRow(run_id=run_id, pid=one.pid, pid_started=one.pid * 10, ended=one.ended is not None)
            for run_id, one in self.processes.items()
        )
        self._tell(Attached(version=1, host_pid=self.pid, host_started=self.pid * 100, runs=rows))
        for run_id, one in self.processes.items():
            begin = offsets.get(run_id)
            for stream in STREAMS:
                offset = one.acknowledged[stream] if begin is None else getattr(begin, stream)
                self._output(run_id, stream, offset)
            if one.ended is not None:
                self._tell(one.ended)

    def send(self, order: Order) -> None:
        """See `Link`."""
        if not self.is_attached:
            return
        self.orders.append(order)
        if isinstance(order, Spawn):
            self._spawn(order)
        elif isinstance(order, End):
            process = self.processes.get(order.run_id)
            if process is not None and process.ended is None:
                process.asked_to_end.append(order.grace_s)
                if self.obeys:
                    self.exit(order.run_id, signal=15)
        elif isinstance(order, Bury):
            process = self.processes.get(order.run_id)
            if process is not None and process.ended is not None:
                del self.processes[order.run_id]
                self.buried[order.run_id] += 1

    def acknowledge(self, run_id: str, stream: Stream, offset: int) -> None:
        """See `Link`."""
        process = self.processes.get(run_id)
        if self.is_attached and process is not None:
            assert offset <= len(process.written[stream]), "nobody can have written what never was"
            process.acknowledged[stream] = max(process.acknowledged[stream], offset)

    # What a test does

    def write(self, run_id: str, data: bytes, stream: Stream = "stdout") -> None:
        """The agent prints."""
        process = self.processes[run_id]
        offset = len(process.written[stream])
        process.written[stream] += data
        if self.is_attached:
            self._output(run_id, stream, offset)

    def exit(
        self, run_id: str, exit_code: int | None = None, signal: int | None = None, result: bytes | None = None
    ) -> None:
        """The agent ends; `result` is what it left in its file."""
        process = self.processes[run_id]
        if signal is None and exit_code is None:
            exit_code = 0
        process.ended = Ended(
            run_id=run_id,
            exit_code=exit_code,
            signal=signal,
            stdout_bytes=len(process.written["stdout"]),
            stderr_bytes=len(process.written["stderr"]),
            result=result,
            result_bytes=len(result or b""),
        )
        if self.is_attached:
            self._tell(process.ended)

    def disconnect(self) -> None:
        """The connection breaks; agents go on."""
        self.is_connected = self.is_attached = False
        self._tell(Unreachable())

    def connect(self) -> None:
        """There is a connection again, perhaps to another host."""
        self.is_connected = True
        self._tell(Reachable())

    def die(self) -> None:
        """The host dies, and every agent with it; a new one comes up."""
        self.disconnect()
        self.pid += 1
        self.processes.clear()
        self.connect()

    def _spawn(self, order: Spawn) -> None:
        known = self.processes.get(order.run_id)
        if known is None and order.argv[0] in self.refuses:
            self._tell(NotStarted(run_id=order.run_id, reason=self.refuses[order.argv[0]], code="ENOENT"))
            return
        if known is None:
            self.spawned[order.run_id] += 1
            known = self.processes[order.run_id] = Process(order, 1000 * self.pid + len(self.spawned))
        self._tell(Started(run_id=order.run_id, pid=known.pid, pid_started=known.pid * 10))

    def _output(self, run_id: str, stream: Stream, offset: int) -> None:
        data = bytes(self.processes[run_id].written[stream])
        for begin in range(offset, len(data), OUTPUT_BYTES_MAX):
            piece = data[begin : begin + OUTPUT_BYTES_MAX]
            self._tell(Output(run_id=run_id, stream=stream, offset=begin, data=piece))

    def _tell(self, news: Any) -> None:
        if self.home is not None:
            self.home.tell(news)

"""
The runs that a host has, from their `Spawn` to their `Bury`: what the runtime orders, and what it is told of them.

The table outlives every connection. Output is told as far as the connection takes it; what it does not take stays in
the windows of the agents.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator
from typing import Final

from actors.messages.agents import OUTPUT_BYTES_MAX, Attached, Bury, End, NotStarted, Output, Spawn
from supervisor.agents import protocol, reaper
from supervisor.agents.agent import Agent, Phase, Pipe
from supervisor.agents.buffers import share_of
from supervisor.agents.cgroup import Group, Groups
from supervisor.agents.connection import Connection
from supervisor.agents.frames import ProtocolBroken
from supervisor.agents.results import remove_result
from supervisor.agents.spawn import NotSpawned, spawn
from supervisor.agents.strays import kill_strays
from supervisor.agents.tree_of import Look, started_of

AGENTS_MAX: Final = 1000
"""Each holds two pipes and at least 32 KiB of output; the scheduler's own limit is far below."""


class Runs:
    """See the module's text."""

    def __init__(self) -> None:
        self.place = ""
        """Marks the agents; see `tree_of.place_of`."""
        self.umask = -1
        self.groups: Groups | None = None
        """Where agents get control groups, if they do."""
        self._agents: dict[str, Agent] = {}
        self._look: Look | None = None
        """The present turn's, made when somebody asks."""
        self._is_closing = False

    @property
    def processes(self) -> int:
        """How many agents have one."""
        return sum(agent.has_process for agent in self._agents.values())

    @property
    def wakes_at_s(self) -> float:
        """When `advance` is wanted at the latest."""
        return min((agent.wakes_at_s for agent in self._agents.values()), default=math.inf)

    def pipes(self) -> Iterator[Pipe]:
        """Give the pipes that want reading."""
        for agent in self._agents.values():
            for pipe in agent.pipes:
                if pipe.wants_reading:
                    yield pipe

    def end_all(self, now_s: float, grace_s: float) -> None:
        """End every tree, and start nothing more."""
        self._is_closing = True
        for agent in self._agents.values():
            agent.end(now_s, grace_s)

    def child_died(self) -> None:
        """Reap orphans, and let every agent see whether it was its own."""
        reaper.reap_orphans({agent.identity.pid for agent in self._agents.values() if agent.has_process})
        now_s = time.monotonic()
        for agent in self._agents.values():
            agent.child_died(now_s)

    def advance(self, now_s: float) -> None:
        """Let every agent go on as far as it can."""
        self._look = None
        for agent in self._agents.values():
            had_process = agent.has_process
            agent.advance(now_s, self._look_now)
            if had_process and not agent.has_process:
                self._remove(agent.group)
                kill_strays([one.identity for one in self._agents.values() if one.has_process])

    def obey(self, runtime: Connection, message: protocol.ToHost) -> None:
        """Carry out an order. Raises `ProtocolBroken`."""
        if not (runtime.attached or isinstance(message, protocol.Attach)):
            raise ProtocolBroken(f"{type(message).__name__} before Attach")
        if isinstance(message, protocol.Attach):
            self._attach(runtime, message)
            return
        agent = self._agents.get(message.run_id)
        match message:
            case Spawn():
                self._spawn(runtime, agent, message)
            case protocol.Acknowledge() if agent is not None:
                agent.pipe(message.stream).window.acknowledge(message.offset)
            case End() if agent is not None:
                agent.end(time.monotonic(), message.grace_s)
            case Bury() if agent is None or agent.phase is Phase.OVER:
                self._bury(message)
            case _:
                pass  # a run that is buried, or was never here: the order came late

    def post_output(self, runtime: Connection) -> None:
        """Give each agent's streams their turns, a chunk at a time, while the runtime reads."""
        posted = True
        while posted and runtime.wants_output:
            posted = False
            for agent in self._agents.values():
                posted = _post_some(runtime, agent) or posted
        if self._agents and not runtime.wants_output:
            first = next(iter(self._agents))  # whoever was first is last the next time
            self._agents[first] = self._agents.pop(first)

    def _attach(self, runtime: Connection, attach: protocol.Attach) -> None:
        if attach.version != protocol.VERSION:
            runtime.post(protocol.Refused(version=protocol.VERSION))
            runtime.flush()
            raise ProtocolBroken(f"version {attach.version}, this is {protocol.VERSION}")
        runtime.attached = True
        runtime.post(
            Attached(
                version=protocol.VERSION,
                host_pid=os.getpid(),
                host_started=started_of(os.getpid()),
                runs=tuple(agent.row() for agent in self._agents.values()),
            )
        )
        for agent in self._agents.values():
            offsets = attach.runs.get(agent.run_id)
            agent.end_is_told = False
            for pipe in agent.pipes:
                pipe.window.rewind(None if offsets is None else getattr(offsets, pipe.stream))

    def _spawn(self, runtime: Connection, agent: Agent | None, order: Spawn) -> None:
        try:
            if agent is None:
                agent = self._agents[order.run_id] = self._new_agent(order)
                self._share_out()
        except NotSpawned as refusal:
            runtime.post(
                NotStarted(
                    run_id=order.run_id,
                    reason=refusal.reason[:2000],
                    code=refusal.code,
                    exit_status=refusal.exit_status,
                )
            )
        else:
            runtime.post(agent.started())

    def _new_agent(self, order: Spawn) -> Agent:
        if self._is_closing:
            raise NotSpawned("the agent host is stopping", "ESHUTDOWN")
        if len(self._agents) >= AGENTS_MAX:
            raise NotSpawned(f"the agent host has {AGENTS_MAX} agents already", "EAGAIN")
        marker = f"{self.place}:{order.run_id}"
        group = self.groups.make(order.memory_bytes_max) if self.groups is not None else None
        try:
            spawned = spawn(order, marker, self.umask, group)
        except NotSpawned:
            self._remove(group)
            raise
        return Agent(order.run_id, marker, spawned, result_path=order.result_path, group=group)

    def _remove(self, group: Group | None) -> None:
        if self.groups is not None and group is not None:
            self.groups.remove(group)

    def _bury(self, order: Bury) -> None:
        if self._agents.pop(order.run_id, None) is not None:
            self._share_out()
        if order.result_path is not None:
            remove_result(order.result_path)

    def _share_out(self) -> None:
        """Give every stream its share of what may be held."""
        share_bytes = share_of(2 * len(self._agents))
        for agent in self._agents.values():
            for pipe in agent.pipes:
                pipe.window.bytes_max = share_bytes

    def _look_now(self) -> Look:
        if self._look is None:
            self._look = Look()
        return self._look


def _post_some(runtime: Connection, agent: Agent) -> bool:
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

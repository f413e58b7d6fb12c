"""The agents that are followed, made from the rows of active runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from actors.agents.agent import Agent
from actors.agents.output import AgentOutput
from actors.decisions.runs_making import limits_of, task_of, tool_named
from actors.domain import Place
from actors.messages.agents import Offsets, Stream
from actors.model.run import Run
from actors.model.service import TOOL_PREFIX
from actors.running.limits import Watch
from actors.running.parsing import ParserOf
from actors.running.tools import Tool


class Followed:
    """By run id. `send` takes errands of their output to the disk, `acknowledge` tells the host how far that is."""

    def __init__(
        self,
        place: Place,
        parser_of: ParserOf,
        send: Callable[[Any, Any], None],
        acknowledge: Callable[[str, Stream, int], None],
    ) -> None:
        self._place = place
        self._parser_of = parser_of
        self._send = send
        self._acknowledge = acknowledge
        self._agents: dict[str, Agent] = {}

    def __iter__(self) -> Iterator[Agent]:
        return iter(self._agents.values())

    def get(self, run_id: str) -> Agent | None:
        """Return the agent of a run, None when it is not followed."""
        return self._agents.get(run_id)

    def add(self, run: Run, written: tuple[int, int] = (0, 0)) -> Agent:
        """Follow a run, of whose two streams so much is written already."""
        tool = self._tool_of(run)
        limits = limits_of(task_of(self._place.ledger.tables, run), tool or Tool(name="", argv=()))
        now_s = self._place.clock.monotonic_s()
        agent = Agent(
            run_id=run.id,
            tool=tool,
            watch=Watch(limits=limits, begun_s=now_s, heard_s=now_s),
            output=AgentOutput(
                run.id,
                written,
                limits.output_bytes,
                self._parser_of("text" if tool is None else tool.output),
                send=self._send,
                acknowledge=self._acknowledge,
            ),
            vendor_session_id=run.vendor_session_id,
        )
        if run.result is not None or run.error is not None:
            agent.watch.reported_s = now_s
        self._agents[run.id] = agent
        return agent

    def _tool_of(self, run: Run) -> Tool | None:
        """A service's life is run by the service's own tool; no task can name that one."""
        if run.task_id is None and run.tool is not None and run.tool.startswith(TOOL_PREFIX):
            spec = self._place.rules.runs.services.get(run.tool.removeprefix(TOOL_PREFIX))
            return None if spec is None else spec.tool
        return tool_named(run.tool, self._place.rules)

    def remove(self, run_id: str) -> bool:
        """Follow a run no more; return whether it was followed."""
        return self._agents.pop(run_id, None) is not None

    def offsets(self) -> Mapping[str, Offsets]:
        """Return up to where the output of each is written."""
        return {agent.run_id: agent.output.offsets() for agent in self}

    def watched(self) -> Iterable[Agent]:
        """Return those whose deadlines count: not over, and not about to be ended."""
        return [agent for agent in self if agent.ending is None and not agent.end_asked]

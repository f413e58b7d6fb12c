"""The end of an agent becomes a fact only when all that it wrote is durable."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from actors.agents.agent import Agent
from actors.agents.notes import Notes
from actors.decisions.decision import Rules
from actors.decisions.runs_ends import Ending
from actors.decisions.runs_making import result_path
from actors.errands import Errands
from actors.messages.agents import Ended
from actors.messages.questions import SyncOutput
from actors.running.checking import text_result


class Synced(msgspec.Struct, frozen=True):
    """A run's output is durable."""

    run_id: str


class Ends:
    """See the module's text."""

    def __init__(self, errands: Errands, notes: Notes, rules: Callable[[], Rules]) -> None:
        self._errands = errands
        self._rules = rules
        self._notes = notes

    def heard(self, agent: Agent, news: Ended) -> None:
        """The host saw it end. What is noted already stays; only that it was interrupted can be corrected."""
        if agent.ending is None or agent.ending.happening == "interrupt":
            agent.ending = Ending(
                happening="exit",
                exit_code=news.exit_code,
                signal=news.signal,
                stdout_bytes=news.stdout_bytes,
                stderr_bytes=news.stderr_bytes,
                reason=agent.warning,
                result=self._left_by(news),
            )
            self.try_to_finish(agent)

    def _left_by(self, news: Ended) -> dict[str, Any] | None:
        if news.result is None or not news.result.strip():
            return None
        return text_result(news.result, news.result_bytes, result_path(news.run_id, self._rules()))

    def concluded(self, agent: Agent, happening: str, reason: str, exit_status: int | None = None) -> None:
        """Nobody saw it end, but over it is: `refuse` (there is no process) or `interrupt` (its host is gone)."""
        if agent.ending is None:
            agent.ending = Ending(
                happening=happening,
                stdout_bytes=agent.output.size_bytes("stdout"),
                stderr_bytes=agent.output.size_bytes("stderr"),
                reason=reason,
                exit_status=exit_status,
            )
        self.try_to_finish(agent)

    def try_to_finish(self, agent: Agent) -> None:
        """Sync once everything is written; the end is a fact after that."""
        if agent.ending is None or agent.is_finishing or not agent.output.idle:
            return
        agent.is_finishing = True
        self._notes.noticed(agent, agent.output.finish())
        self._errands.send(SyncOutput(agent.run_id), Synced(agent.run_id))

    def synced(self, agent: Agent) -> None:
        """Its output is durable."""
        if agent.ending is not None:
            self._notes.ended(
                agent.run_id, msgspec.structs.replace(agent.ending, reason=agent.ending.reason or agent.warning)
            )

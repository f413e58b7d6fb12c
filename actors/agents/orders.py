"""Orders to the agent host: begin this agent, end that one, forget a third.

They go to whatever host is attached. Which host was there when a run's turn came is remembered beyond a crash of the
actor (`ordered_by`): an order that may have been lost on the way to that very host may be given again.
"""

from __future__ import annotations

from actors.agents.agent import Agent
from actors.decisions.runs_making import brought, named_result_path, result_path, task_of
from actors.domain import Place
from actors.messages.agents import Bury, End, Spawn
from actors.model.run import Run
from actors.running.link import Host, Link
from actors.running.tools import Tool


class Orders:
    """See the module's text. It belongs to one incarnation."""

    def __init__(self, place: Place, link: Link, ordered_by: dict[str, Host]) -> None:
        self._place = place
        self._link = link
        self._ordered_by = ordered_by
        self._graces: dict[str, float] = {}
        self.host: Host | None = None
        """The host that is attached; None while none is."""

    def may_be_lost(self, run: Run) -> bool:
        """Return whether a run's agent was ordered, or is about to be, from the host that is attached now."""
        return run.status == "starting" and self.host is not None and self._ordered_by.get(run.id) == self.host

    def spawn(self, run: Run, tool: Tool) -> None:
        """Have an agent begin; idempotent."""
        rules = self._place.rules.runs
        task = task_of(self._place.ledger.tables, run)
        given = brought(task).env if task is not None else {}
        self._link.send(
            Spawn(
                run_id=run.id,
                argv=run.argv,
                env={**rules.env, **tool.env, **given},
                cwd=run.cwd or rules.cwd,
                memory_bytes_max=tool.limits.memory_bytes,
                files_max=tool.limits.files,
                result_path=named_result_path(run, self._place.rules),
            )
        )

    def grant(self, run_id: str, grace_s: float) -> None:
        """Give a run this long between SIGTERM and SIGKILL, should it be ended."""
        self._graces[run_id] = grace_s

    def end(self, agent: Agent) -> None:
        """Have an agent ended, once."""
        if not agent.end_sent and self.host is not None:
            agent.end_sent = True
            of_tool_s = None if agent.tool is None else agent.tool.grace_s
            grace_s = self._graces.get(agent.run_id, self._place.rules.runs.grace_s if of_tool_s is None else of_tool_s)
            self._link.send(End(run_id=agent.run_id, grace_s=grace_s))

    def end_stranger(self, run_id: str) -> None:
        """Have an agent ended that belongs to no run."""
        self._link.send(End(run_id=run_id, grace_s=0.0))

    def forget(self, run_id: str) -> None:
        """A run is over, or was never followed."""
        self._ordered_by.pop(run_id, None)
        self._graces.pop(run_id, None)

    def bury(self, run_id: str) -> None:
        """Let the host be rid of an agent that is over, and of the result that it left."""
        self._link.send(Bury(run_id=run_id, result_path=result_path(run_id, self._place.rules)))

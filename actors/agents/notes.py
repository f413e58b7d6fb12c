"""What becomes known of agents, on its way into the journal: their process, what their parser noticed, their end."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from actors.agents.agent import Agent
from actors.decisions.runs_ends import Ending, ended
from actors.decisions.runs_life import end_asked, identified, reported, started
from actors.kernel.clock import Clock
from actors.own_work import OwnWork
from actors.running.limits import Overdue
from actors.running.parsing import Noticed, Reported, SessionNamed


class Notes:
    """See the module's text; a run's facts are made in the order in which they are noted."""

    def __init__(self, own: OwnWork, clock: Clock) -> None:
        self._own = own
        self._clock = clock

    def started(self, run_id: str, pid: int, pid_started: int) -> None:
        """The agent's process is there."""
        self._own.add(run_id, "run.begin", partial(started, run_id=run_id, pid=pid, pid_started=pid_started))

    def noticed(self, agent: Agent, noticed: Iterable[Noticed]) -> None:
        """The agent's parser noticed something."""
        for one in noticed:
            if isinstance(one, SessionNamed):
                if one.id != agent.vendor_session_id:
                    agent.vendor_session_id = one.id
                    decide = partial(identified, run_id=agent.run_id, vendor_session_id=one.id)
                    self._own.add(agent.run_id, "run.identify", decide)
            elif isinstance(one, Reported):
                agent.watch.reported_s = self._clock.monotonic_s()
                self._own.add(agent.run_id, "run.report", partial(reported, run_id=agent.run_id, said=one))
            else:
                agent.warning = one.message

    def overdue(self, agent: Agent, kind: Overdue) -> None:
        """A deadline that is a limit has passed: the agent's end is asked, and a fact before it is ordered."""
        limits = agent.watch.limits
        long = f"ran for {limits.wall_s} s" if kind == "wall_time" else f"was silent for {limits.silence_s} s"
        decide = partial(end_asked, run_id=agent.run_id, kind=kind, message=long)
        self._own.add(agent.run_id, "run.ask_end", decide)

    def ended(self, run_id: str, ending: Ending) -> None:
        """The run is over, and its output is durable."""
        self._own.add(run_id, "run.end", partial(ended, run_id=run_id, ending=ending))

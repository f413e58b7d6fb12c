"""What the host has and what the rows say, held together: see the package's text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from actors.agents.agent import Agent
from actors.agents.ends import Ends, Synced
from actors.agents.followed import Followed
from actors.agents.notes import Notes
from actors.agents.orders import Orders
from actors.agents.output import Chunk, Replay
from actors.decisions.runs_life import ending_of
from actors.domain import Place
from actors.errands import Errands, Returned
from actors.kernel.ref import Ref
from actors.messages.agents import AgentRow, Attached, Ended, News, NotStarted, Output, Started
from actors.messages.questions import MeasureOutput
from actors.model.run import ACTIVE, Run
from actors.model.tables import decode_run
from actors.own_work import OwnWork
from actors.running.link import Host, Link, Reachable, Unreachable
from actors.running.parsing import ParserOf


class _Mark(msgspec.Struct, frozen=True):
    """Told to oneself when attaching: news before it are of the time before."""

    number: int


class _Measured(msgspec.Struct, frozen=True):
    """How far output is written, for a start."""


class Agents:
    """See the module's text."""

    def __init__(
        self,
        place: Place,
        home: Ref,
        link: Link,
        parser_of: ParserOf,
        ordered_by: dict[str, Host],
        errands: Errands,
        own: OwnWork,
    ) -> None:
        self._place = place
        self._home = home
        self._link = link
        self._errands = errands
        self._followed = Followed(place, parser_of, errands.send, link.acknowledge)
        self._orders = Orders(place, link, ordered_by)
        self._notes = Notes(own, place.clock)
        self._ends = Ends(errands, self._notes, lambda: place.rules)
        self._marks = 0
        self._mark_seen = False
        self._is_measured = False

    @property
    def host(self) -> Host | None:
        """The host that is attached; None while none is."""
        return self._orders.host

    def begin(self) -> None:
        """Learn how far output is written, then attach."""
        run_ids = tuple(self._place.ledger.tables.runs.active)
        if run_ids:
            self._errands.send(MeasureOutput(run_ids), _Measured())
        else:
            self._measured({})

    def attach(self) -> None:
        """Begin anew with whatever host there is."""
        if not self._is_measured:
            return
        for agent in self._followed:
            agent.output.restart()
            agent.end_sent = False
        self._orders.host = None
        self._mark_seen = False
        self._marks += 1
        self._home.tell(_Mark(self._marks))
        self._link.attach(self._followed.offsets())

    def returned(self, returned: Returned) -> None:
        """Take the answer to an errand."""
        about, value = returned.errand.about, returned.value
        if isinstance(about, _Measured):
            self._measured(value)
            return
        agent = self._followed.get(about.run_id)
        if agent is None:
            return
        if isinstance(about, Chunk):
            agent.output.wrote(about)
            self._ends.try_to_finish(agent)
        elif isinstance(about, Replay):
            self._notes.noticed(agent, agent.output.replayed(about, value))
            self._ends.try_to_finish(agent)
        elif isinstance(about, Synced):
            self._ends.synced(agent)

    def heard(self, news: News | Reachable | Unreachable | _Mark) -> None:
        """Take news from the host, unless they are of a time before it was attached."""
        if isinstance(news, Reachable):
            self.attach()
        elif isinstance(news, Unreachable):
            self._orders.host = None
        elif isinstance(news, _Mark):
            self._mark_seen = self._mark_seen or news.number == self._marks
        elif isinstance(news, Attached):
            if self._mark_seen and self.host is None:
                self._attached(news)
        elif self.host is not None:
            agent = self._followed.get(news.run_id)
            if agent is None:
                self._heard_of_stranger(news)
            else:
                self._heard_of(agent, news)

    def changed(self, run_ids: Iterable[str]) -> list[str]:
        """Look at rows that changed: order what is to start, end what is to end; return the runs that are over."""
        over: list[str] = []
        for run_id in run_ids:
            row = self._place.ledger.tables.runs.get(run_id)
            if row is not None and row.is_own and row.status in ACTIVE:
                if self._is_measured:
                    self._see(decode_run(row.encoded))
            elif row is None or row.is_own:
                self._forget(run_id)
                over.append(run_id)
        return over

    def end_within(self, run_id: str, grace_s: float) -> None:
        """Whoever asked for a run's end wants this grace; a shorter one replaces one that runs."""
        self._orders.grant(run_id, grace_s)
        if (agent := self._followed.get(run_id)) is not None:
            agent.end_sent = False

    def due_in_s(self) -> float:
        """Return the seconds until a deadline may have passed."""
        return min((agent.watch.due_s() for agent in self._followed.watched()), default=float("inf")) - self._now()

    def tick(self) -> None:
        """End the agents whose deadlines have passed."""
        for agent in self._followed.watched():
            overdue = agent.watch.overdue(self._now())
            if overdue is None:
                continue
            agent.end_asked = True
            if overdue == "linger":
                self._orders.end(agent)
            else:
                self._notes.overdue(agent, overdue)

    # What the host has, and what it says

    def _measured(self, sizes: Mapping[str, tuple[int, int]]) -> None:
        self._is_measured = True
        runs = self._place.ledger.tables.runs
        for run_id in runs.active:
            self._followed.add(decode_run(runs.rows[run_id].encoded), sizes.get(run_id, (0, 0)))
        self.attach()

    def _attached(self, news: Attached) -> None:
        self._orders.host = (news.host_pid, news.host_started)
        there = {row.run_id: row for row in news.runs}
        runs = self._place.ledger.tables.runs
        for run_id in list(runs.active):
            run = decode_run(runs.rows[run_id].encoded)
            agent = self._followed.get(run_id) or self._followed.add(run)
            if run_id in there:
                self._is_there(agent, run, there[run_id])
            elif agent.ending is None:
                self._is_missing(agent, run)
        for run_id, row in there.items():
            if run_id not in runs.active and not row.ended:
                self._orders.end_stranger(run_id)

    def _is_there(self, agent: Agent, run: Run, row: AgentRow) -> None:
        if run.status == "starting":
            self._notes.started(run.id, row.pid, row.pid_started)
        if ending_of(run) is not None:
            self._orders.end(agent)

    def _is_missing(self, agent: Agent, run: Run) -> None:
        if self._orders.may_be_lost(run) and ending_of(run) is None:
            self._spawn(agent, run)
        else:
            self._ends.concluded(agent, "interrupt", reason="the agent host is gone, and the agent with it")

    def _heard_of(self, agent: Agent, news: Started | NotStarted | Output | Ended) -> None:
        if isinstance(news, Output):
            agent.watch.heard_s = self._now()
            self._notes.noticed(agent, agent.output.take(news))
        elif isinstance(news, Started):
            self._notes.started(news.run_id, news.pid, news.pid_started)
        elif isinstance(news, NotStarted):
            self._ends.concluded(agent, "refuse", reason=news.reason, exit_status=news.exit_status)
        else:
            self._ends.heard(agent, news)

    def _heard_of_stranger(self, news: Started | NotStarted | Output | Ended) -> None:
        """Nothing waits for it any more: let the host be rid of it."""
        if isinstance(news, Output):
            self._link.acknowledge(news.run_id, news.stream, news.offset + len(news.data))
        elif isinstance(news, Ended):
            self._orders.bury(news.run_id)

    # Beginnings, and what is left after an end

    def _see(self, run: Run) -> None:
        agent = self._followed.get(run.id)
        if agent is None:
            agent = self._followed.add(run)
            if self.host is not None:  # the one that was asked, or one that came since and knows nothing of it
                self._is_missing(agent, run)
        if ending_of(run) is not None:
            self._orders.end(agent)

    def _spawn(self, agent: Agent, run: Run) -> None:
        if agent.tool is None:
            self._ends.concluded(agent, "refuse", reason=f"the tool {run.tool} is not configured any more")
        else:
            self._orders.spawn(run, agent.tool)

    def _forget(self, run_id: str) -> None:
        """The end is a durable fact."""
        self._orders.forget(run_id)
        if self._followed.remove(run_id):
            self._orders.bury(run_id)

    def _now(self) -> float:
        return self._place.clock.monotonic_s()


HEARD: Final = (Reachable, Unreachable, _Mark, Attached, Started, NotStarted, Output, Ended)
"""What `heard` takes."""

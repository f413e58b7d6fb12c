"""The agents of this incarnation of the runs actor: orders to the host, news from it, deadlines, ends.

    row starting ──► Spawn ─► Started ─► fact run.started
    Output ─────► written, parsed ─► facts run.identified, run.reported
    row with a reason to end, a deadline ──► End
    Ended ─► all output written ─► synced ─► fact run.ended (and the task's) ─► Bury

Everything hangs on rows as they are durable, and on what the host says it has: at every `Attached` both are compared.
A run that the host does not have is `interrupted`, for agents do not outlive their host; unless its order may have been
lost on the way to this very host, which is then given again: it is idempotent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Final

import attrs

from actors.agent_output import AgentOutput, Chunk, Replay
from actors.decisions import runs as decisions
from actors.decisions.runs_ends import Ending, ended
from actors.domain import Place
from actors.errands import Errands, Returned
from actors.kernel.ref import Ref
from actors.messages.agents import (
    AgentRow,
    Attached,
    Bury,
    End,
    Ended,
    News,
    NotStarted,
    Output,
    Spawn,
    Started,
)
from actors.messages.questions import MeasureOutput, SyncOutput
from actors.model.run import ACTIVE, Run
from actors.model.tables import decode_run
from actors.model.task import Task
from actors.own_work import OwnWork
from actors.running.limits import Watch
from actors.running.link import Link, Reachable, Unreachable
from actors.running.parsing import Noticed, ParserOf, Reported, SessionNamed
from actors.running.tools import Tool

WARNING_CHARACTERS_MAX: Final = 2000
"""Of an agent's last complaint, for the row; the whole of it is in its log."""

Host = tuple[int, int]
"""Pid and start time: one host, and no other after it."""


@attrs.frozen
class _Mark:
    """Told to oneself when attaching: news before it are of the time before."""

    number: int


@attrs.frozen
class _Measured:
    """How far output is written, for a start."""


@attrs.frozen
class _Synced:
    """A run's output is durable."""

    run_id: str


@attrs.define(eq=False)
class Agent:
    """One run that is active, as far as this incarnation follows it."""

    run_id: str
    tool: Tool | None
    watch: Watch
    output: AgentOutput
    ending: Ending | None = None
    """How it ended, once that is known; its fact may still have to wait for output."""
    is_finishing: bool = False
    end_asked: bool = False
    """A deadline passed, and its end is on the way into the journal."""
    end_sent: bool = False
    vendor_session_id: str | None = None
    warning: str = ""


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
        self._parser_of = parser_of
        self._ordered_by = ordered_by
        """Which host was there when a run's turn came; outlives the actor, not the runtime."""
        self._errands = errands
        self._own = own
        self._agents: dict[str, Agent] = {}
        self._graces: dict[str, float] = {}
        self._host: Host | None = None
        self._marks = 0
        self._mark_seen = False
        self._is_measured = False

    @property
    def host(self) -> Host | None:
        """The host that is attached; None while none is."""
        return self._host

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
        for agent in self._agents.values():
            agent.output.restart()
            agent.end_sent = False
        self._host = None
        self._mark_seen = False
        self._marks += 1
        self._home.tell(_Mark(self._marks))
        self._link.attach({run_id: agent.output.offsets() for run_id, agent in self._agents.items()})

    def returned(self, returned: Returned) -> None:
        """Take the answer to an errand."""
        about, value = returned.errand.about, returned.value
        if isinstance(about, Chunk):
            if (agent := self._agents.get(about.run_id)) is not None:
                agent.output.wrote(about)
                self._try_to_finish(agent)
        elif isinstance(about, Replay):
            if (agent := self._agents.get(about.run_id)) is not None:
                self._notice(agent, agent.output.replayed(about, value))
                self._try_to_finish(agent)
        elif isinstance(about, _Synced):
            self._end(about.run_id)
        elif isinstance(about, _Measured):
            self._measured(value)

    def heard(self, news: News | Reachable | Unreachable | _Mark) -> None:
        """Take news from the host, unless they are of a time before it was attached."""
        if isinstance(news, Reachable):
            self.attach()
        elif isinstance(news, Unreachable):
            self._host = None
        elif isinstance(news, _Mark):
            self._mark_seen = self._mark_seen or news.number == self._marks
        elif isinstance(news, Attached):
            if self._mark_seen and self._host is None:
                self._attached(news)
        elif self._host is not None:
            agent = self._agents.get(news.run_id)
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
        self._graces[run_id] = grace_s
        if (agent := self._agents.get(run_id)) is not None:
            agent.end_sent = False

    def due_in_s(self) -> float:
        """Return the seconds until a deadline may have passed."""
        following = (agent for agent in self._agents.values() if agent.ending is None and not agent.end_asked)
        return min((agent.watch.due_s() for agent in following), default=float("inf")) - self._now()

    def tick(self) -> None:
        """End the agents whose deadlines have passed."""
        for agent in self._agents.values():
            overdue = agent.watch.overdue(self._now())
            if overdue is None or agent.ending is not None or agent.end_asked:
                continue
            agent.end_asked = True
            if overdue == "linger":
                self._send_end(agent)
                continue
            limits = agent.watch.limits
            long = f"ran for {limits.wall_s} s" if overdue == "wall_time" else f"was silent for {limits.silence_s} s"
            decide = partial(decisions.end_asked, run_id=agent.run_id, kind=overdue, message=long)
            self._own.add(agent.run_id, "run.ask_end", decide)

    # What the host has, and what it says

    def _measured(self, sizes: Mapping[str, tuple[int, int]]) -> None:
        self._is_measured = True
        tables = self._place.ledger.tables
        for run_id in tables.runs.active:
            self._follow(decode_run(tables.runs.rows[run_id].encoded), sizes.get(run_id, (0, 0)))
        self.attach()

    def _attached(self, news: Attached) -> None:
        self._host = (news.host_pid, news.host_started)
        there = {row.run_id: row for row in news.runs}
        runs = self._place.ledger.tables.runs
        for run_id in list(runs.active):
            run = decode_run(runs.rows[run_id].encoded)
            agent = self._agents.get(run_id) or self._follow(run, (0, 0))
            if run_id in there:
                self._is_there(agent, run, there[run_id])
            elif agent.ending is None:
                self._is_missing(agent, run)
        for run_id, row in there.items():
            if run_id not in runs.active and not row.ended:
                self._link.send(End(run_id=run_id, grace_s=0.0))

    def _is_there(self, agent: Agent, run: Run, row: AgentRow) -> None:
        if run.status == "starting":
            self._note_start(run.id, row.pid, row.pid_started)
        if decisions.ending_of(run) is not None:
            self._send_end(agent)

    def _is_missing(self, agent: Agent, run: Run) -> None:
        may_be_lost = run.status == "starting" and self._ordered_by.get(run.id) == self._host
        if may_be_lost and decisions.ending_of(run) is None:
            self._spawn(agent, run)
        else:
            self._note_end(agent, "interrupt", reason="the agent host is gone, and the agent with it")

    def _heard_of(self, agent: Agent, news: Started | NotStarted | Output | Ended) -> None:
        if isinstance(news, Output):
            agent.watch.heard_s = self._now()
            self._notice(agent, agent.output.take(news))
        elif isinstance(news, Started):
            self._note_start(news.run_id, news.pid, news.pid_started)
        elif isinstance(news, NotStarted):
            self._note_end(agent, "refuse", reason=news.reason)
        elif agent.ending is None or agent.ending.happening == "interrupt":
            agent.ending = Ending(
                happening="exit",
                exit_code=news.exit_code,
                signal=news.signal,
                stdout_bytes=news.stdout_bytes,
                stderr_bytes=news.stderr_bytes,
                reason=agent.warning,
            )
            self._try_to_finish(agent)

    def _heard_of_stranger(self, news: Started | NotStarted | Output | Ended) -> None:
        """Nothing waits for it any more: let the host be rid of it."""
        if isinstance(news, Output):
            self._link.acknowledge(news.run_id, news.stream, news.offset + len(news.data))
        elif isinstance(news, Ended):
            self._link.send(Bury(run_id=news.run_id))

    def _notice(self, agent: Agent, noticed: Iterable[Noticed]) -> None:
        for one in noticed:
            if isinstance(one, SessionNamed):
                if one.id != agent.vendor_session_id:
                    agent.vendor_session_id = one.id
                    decide = partial(decisions.identified, run_id=agent.run_id, vendor_session_id=one.id)
                    self._own.add(agent.run_id, "run.identify", decide)
            elif isinstance(one, Reported):
                agent.watch.reported_s = self._now()
                self._own.add(agent.run_id, "run.report", partial(decisions.reported, run_id=agent.run_id, said=one))
            else:
                agent.warning = one.message[:WARNING_CHARACTERS_MAX]

    def _note_start(self, run_id: str, pid: int, pid_started: int) -> None:
        self._own.add(run_id, "run.begin", partial(decisions.started, run_id=run_id, pid=pid, pid_started=pid_started))

    # Ends

    def _note_end(self, agent: Agent, happening: str, reason: str) -> None:
        if agent.ending is None:
            agent.ending = Ending(
                happening=happening,
                stdout_bytes=agent.output.size_bytes("stdout"),
                stderr_bytes=agent.output.size_bytes("stderr"),
                reason=reason,
            )
        self._try_to_finish(agent)

    def _try_to_finish(self, agent: Agent) -> None:
        """Sync once everything is written; the end is a fact after that."""
        if agent.ending is None or agent.is_finishing or not agent.output.idle:
            return
        agent.is_finishing = True
        self._notice(agent, agent.output.finish())
        self._errands.send(SyncOutput(agent.run_id), _Synced(agent.run_id))

    def _end(self, run_id: str) -> None:
        agent = self._agents.get(run_id)
        if agent is not None and agent.ending is not None:
            ending = attrs.evolve(agent.ending, reason=agent.ending.reason or agent.warning)
            self._own.add(run_id, "run.end", partial(ended, run_id=run_id, ending=ending))

    def _forget(self, run_id: str) -> None:
        """The end is a durable fact."""
        self._ordered_by.pop(run_id, None)
        self._graces.pop(run_id, None)
        if self._agents.pop(run_id, None) is not None:
            self._link.send(Bury(run_id=run_id))

    def _send_end(self, agent: Agent) -> None:
        if not agent.end_sent and self._host is not None:
            agent.end_sent = True
            grace_s = self._graces.get(agent.run_id, self._place.rules.runs.grace_s)
            self._link.send(End(run_id=agent.run_id, grace_s=grace_s))

    # Beginnings

    def _see(self, run: Run) -> None:
        agent = self._agents.get(run.id)
        if agent is None:
            agent = self._follow(run, (0, 0))
            if self._host is not None and run.status == "starting" and self._ordered_by.get(run.id) == self._host:
                self._spawn(agent, run)
        if decisions.ending_of(run) is not None:
            self._send_end(agent)

    def _follow(self, run: Run, written: tuple[int, int]) -> Agent:
        tool = self._tool(run)
        limits = decisions.limits_of(self._task(run), tool or Tool(name="", argv=()))
        now_s = self._now()
        agent = Agent(
            run_id=run.id,
            tool=tool,
            watch=Watch(limits=limits, begun_s=now_s, heard_s=now_s),
            output=AgentOutput(
                run.id,
                written,
                limits.output_bytes,
                self._parser_of("text" if tool is None else tool.output),
                send=self._errands.send,
                acknowledge=self._link.acknowledge,
            ),
            vendor_session_id=run.vendor_session_id,
        )
        if run.result is not None or run.error is not None:
            agent.watch.reported_s = now_s
        self._agents[run.id] = agent
        return agent

    def _spawn(self, agent: Agent, run: Run) -> None:
        if agent.tool is None:
            self._note_end(agent, "refuse", reason=f"the tool {run.tool} is not configured any more")
            return
        rules = self._place.rules.runs
        task = self._task(run)
        given = decisions.brought(task).env if task is not None else {}
        self._link.send(
            Spawn(
                run_id=run.id,
                argv=run.argv,
                env={**rules.env, **agent.tool.env, **given},
                cwd=run.cwd or rules.cwd,
                memory_bytes_max=agent.tool.limits.memory_bytes,
                files_max=agent.tool.limits.files,
            )
        )

    def _tool(self, run: Run) -> Tool | None:
        return decisions.tool_named(run.tool, self._place.rules)

    def _task(self, run: Run) -> Task | None:
        return decisions.task_of(self._place.ledger.tables, run)

    def _now(self) -> float:
        return self._place.clock.monotonic_s()


HEARD: Final = (Reachable, Unreachable, _Mark, Attached, Started, NotStarted, Output, Ended)
"""What `heard` takes."""

"""The runs actor: queues runs, lets them begin in turn, follows their agents, and says how they ended.

Who waits for an end (`run.stop`, or a command of the tasks actor whose task has an agent) is kept in the `Hall`, which
outlives a crash of this actor; when the end is durable, the command goes back to the actor that has to decide it.
Runs that somebody else carries out are only recorded; the lives of services are runs, too (`service_lives`). Runs that
have been over for long leave for the archive.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

from actors.agents.agents import HEARD, Agents
from actors.decisions.decision import At, Decision, encode, needed_row
from actors.decisions.records import RUNS
from actors.decisions.runs import HANDLERS, STOP
from actors.decisions.runs_life import STOPPED, WITHDRAWN, end_asked
from actors.decisions.runs_retention import overdue
from actors.domain import Domain, Place
from actors.errands import Errands, Returned
from actors.hall import Hall, Held
from actors.kernel.actor import Context
from actors.kernel.mailbox import Letter
from actors.messages.proposal import RowsChanged
from actors.messages.request import Failed, Request
from actors.messages.runs import OutputSubscribe, OutputUnsubscribe, RunStop
from actors.messages.services import LifeBegin, LifeEnd
from actors.messages.withdrawal import Withdrawal
from actors.model.draft import Draft
from actors.model.errors import Forbidden, PerdureError
from actors.model.ids import clean_id
from actors.model.run import ACTIVE
from actors.model.tables import RunRow
from actors.outputs import Follower, Outputs
from actors.own_work import OwnWork
from actors.queries import runs as reading
from actors.queries import services as reading_services
from actors.retention import Retention
from actors.service_lives import HANDLERS as OF_SERVICES
from actors.service_lives import ServiceLives
from actors.turns import Turns


class Runs(Domain):
    """See the module's text."""

    def __init__(self, place: Place, context: Context, hall: Hall | None = None) -> None:
        handlers = {**RUNS, **HANDLERS, RunStop: STOP, **OF_SERVICES}
        super().__init__(place, context, handlers, {**reading.QUERIES, **reading_services.QUERIES})
        self._hall = hall or Hall()
        self._errands = Errands(self._home, place.writer, place.clock)
        self._own = OwnWork(self.propose_own, place.clock, place.mailbox.wake)
        self._agents = Agents(
            place,
            self._home,
            self._hall.link,
            self._hall.parser_of,
            self._hall.ordered_by,
            self._errands,
            self._own,
        )
        self._turns = Turns(place, self._own, self._hall.ordered_by, self._hall.rng)
        self._outputs = Outputs(place, self._hall.followers, self._errands)
        self._lives = ServiceLives(self._home, self._hall.beginning, self._hall.ordered_by, self._own)
        self._retention = Retention(place, "runs")
        self._walked_to: str | None = None

    async def setup(self) -> None:
        """Start from what is durable; whoever waits for an end goes on waiting."""
        await super().setup()
        self._turns.begin()
        self._agents.begin()
        for held in self._hall.held:
            self._ask_ends(held)
        waited_for = {run_id for held in self._hall.held for run_id in held.run_ids}
        self._let_go([run_id for run_id in waited_for if not self._is_active(run_id)])
        await self._lives.begin(self._draft, self.at())
        self._hall.changed()

    def told(self, tell: Any) -> None:
        """Take news from the host, answers from the disk, and what became durable."""
        if isinstance(tell, Returned):
            self._returned(tell)
        elif isinstance(tell, RowsChanged):
            self._turns.tasks_changed(tell.task_ids)
            self._turns.runs_changed(tell.run_ids)
            over = self._agents.changed(tell.run_ids)
            for run_id in over:
                self._outputs.grown(run_id)
            self._let_go(over)
            if tell.run_ids or tell.service_ids:
                self._hall.changed()
        elif isinstance(tell, HEARD):
            self._agents.heard(tell)
        else:
            super().told(tell)

    def take(self, letter: Letter) -> None:
        """A command of another actor waits for runs to end first."""
        if not isinstance(letter, Withdrawal):
            super().take(letter)
            return
        tables = self._place.ledger.tables
        runs = (row for task_id in letter.task_ids for row in tables.runs.of_task(task_id))
        run_ids = {row.id for row in runs if row.is_own and row.status in ACTIVE}
        self._hold(Held(letter.request, letter.home, run_ids, WITHDRAWN))

    def consider(self, request: Request, at: At) -> Letter | None:
        """Stopping an agent takes time; following an output is neither a fact nor a query."""
        asked = request.params
        if isinstance(asked, LifeBegin | LifeEnd) and not request.answered:
            return self._consider_life(request, asked, at)
        if request.answered or not isinstance(asked, RunStop | OutputSubscribe | OutputUnsubscribe):
            return super().consider(request, at)
        try:
            if isinstance(asked, OutputUnsubscribe):
                self._outputs.remove(asked.subscription, request.notify)
                request.done(encode({"subscription": asked.subscription}))
                return None
            row = needed_row(self._draft, "runs", clean_id(asked.id))
            if isinstance(asked, OutputSubscribe):
                self._subscribe(request, asked, row.id)
                return None
        except PerdureError as error:
            return self.answer(request, Failed(error))
        if isinstance(row, RunRow) and row.is_own and row.status in ACTIVE and row.service is None:
            self._hold(Held(request, self._home, {row.id}, STOPPED, asked.grace_s))
            return None
        return super().consider(request, at)

    def at(self) -> At:
        """Return the present circumstances of a decision."""
        return self._retention.at()

    def due_in_s(self) -> float:
        """Return the seconds until there is something to do."""
        parts = (self._errands, self._own, self._agents, self._turns, self._outputs, self._retention)
        return min(part.due_in_s() for part in parts)

    async def tick(self) -> None:
        """Watch deadlines, let runs begin, and get into the journal and to the disk what waits."""
        self._agents.tick()
        self._turns.fill(self._agents.host)
        self._lives.tick(self._agents.host)
        self._outputs.tick()
        self._errands.push()
        self._own.push()
        if self._retention.look(self.propose_own):
            self._retention.take(self.propose_own, partial(self._leave, self._walked_to))

    def _consider_life(self, request: Request, asked: LifeBegin | LifeEnd, at: At) -> Letter | None:
        """A life begins only where there is a host; one that is ended has its own grace."""
        if isinstance(asked, LifeEnd):
            self._agents.end_within(asked.run_id, asked.grace_s)
        elif not self._lives.may_begin(request, asked, self._agents.host):
            return None
        return super().consider(request, at)

    def _returned(self, returned: Returned) -> None:
        if not self._errands.accept(returned):
            return
        if isinstance(returned.errand.about, Follower):
            self._outputs.returned(returned)
        else:
            self._agents.returned(returned)
            run_id = getattr(returned.errand.about, "run_id", None)
            if run_id is not None:
                self._outputs.grown(run_id)

    def _subscribe(self, request: Request, asked: OutputSubscribe, run_id: str) -> None:
        """Answer at once: the reply leaves before the first notification."""
        if request.notify is None:
            raise Forbidden("this connection takes no notifications", hint="use run.output")
        subscription = self._outputs.add(run_id, asked, request.notify)
        request.done(b'{"subscription":"%b"}' % subscription.encode())

    def _leave(self, after: str | None, draft: Draft, at: At) -> Decision:
        part = overdue(draft, at, after)
        self._walked_to = part.after
        self._retention.took(more=part.after is not None)
        return part.decision

    def _hold(self, held: Held) -> None:
        self._hall.held.append(held)
        self._ask_ends(held)
        self._let_go(())

    def _ask_ends(self, held: Held) -> None:
        messages = {
            STOPPED: "somebody stopped it",
            WITHDRAWN: "its task was cancelled or deleted",
        }
        for run_id in held.run_ids:
            if held.grace_s is not None:
                self._agents.end_within(run_id, held.grace_s)
            decide = partial(end_asked, run_id=run_id, kind=held.kind, message=messages[held.kind])
            self._own.add(run_id, "run.ask_end", decide)

    def _let_go(self, over: Iterable[str]) -> None:
        """Send the commands on whose runs are all over."""
        waiting: list[Held] = []
        for held in self._hall.held:
            held.run_ids.difference_update(over)
            if held.run_ids:
                waiting.append(held)
            else:
                held.home.take_back([held.request])
        self._hall.held[:] = waiting

    def _is_active(self, run_id: str) -> bool:
        row = self._place.ledger.tables.runs.get(run_id)
        return row is not None and row.status in ACTIVE

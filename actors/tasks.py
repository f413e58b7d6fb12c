"""The tasks actor: decides what tasks are, keeps the leases of those that workers claimed, and carries out batches.

A lease whose worker was silent for too long is given back by the actor itself, through the journal like any command. A
heartbeat is no fact: it moves a deadline in memory. Tasks completed long ago leave for the archive.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, Final

import attrs

from actors.decisions import batch, claims, records, runs, sessions, tasks
from actors.decisions.batch import Steps
from actors.decisions.decision import At, Decision, encode, needed_task
from actors.decisions.tasks_retention import overdue
from actors.domain import Domain, Place
from actors.kernel.actor import Context
from actors.kernel.mailbox import Letter
from actors.kernel.ref import RETRY_AFTER_S, Ref
from actors.leases import Leases
from actors.messages.proposal import Settled
from actors.messages.request import Done, Failed, Request
from actors.messages.tasks import TaskCancel, TaskDelete, TaskHeartbeat
from actors.messages.withdrawal import Withdrawal
from actors.model.draft import Draft
from actors.model.errors import Overloaded, PerdureError
from actors.model.facts import Fact
from actors.model.ids import clean_id
from actors.model.run import ACTIVE
from actors.model.stamps import later
from actors.model.tables import Order
from actors.queries.tasks import QUERIES
from actors.retention import Retention

EXPIRED_PER_LINE: Final = 100
"""Leases given back in one journal line."""

EXPIRE_AGAIN_S: Final = 1.0
"""A lease that could not be given back (the disk is read-only) is tried again after this."""

HANDLERS: Final = {**tasks.HANDLERS, **claims.HANDLERS}

ENDING: Final = (TaskCancel, TaskDelete)
"""What ends a task on which an agent may be working."""

BY_ITSELF: Final = frozenset({*ENDING, Steps, TaskHeartbeat})
"""What is not simply a command or a query."""

BATCH: Final = batch.handler({**HANDLERS, **sessions.HANDLERS, **records.HANDLERS, **runs.HANDLERS})
"""A batch may hold whatever is decided from rows alone, whoever owns them: the writer compares their revs."""


class Tasks(Domain):
    """See the module's text."""

    def __init__(self, place: Place, context: Context, runs_ref: Ref | None = None) -> None:
        super().__init__(place, context, {**HANDLERS, Steps: BATCH}, QUERIES)
        self._runs = runs_ref
        """Where tasks have agents; they are ended there before their task is cancelled or deleted."""
        self._leases = Leases()
        self._retention = Retention(place, "tasks")
        self._walked_to: Order | None = None

    async def setup(self) -> None:
        """Start from what is durable; every lease has its full length again."""
        await super().setup()
        rows = self._place.ledger.tables.tasks.rows
        for _made, task_id in self._place.ledger.tables.tasks.by_status.get("running", ()):
            self._leases.follow(task_id, rows[task_id].encoded, self._now())

    def told(self, tell: Any) -> None:
        """Follow the claims that became durable, and those that ended."""
        super().told(tell)
        if isinstance(tell, Settled):
            for proposal in tell.proposals:
                for fact, row in zip(proposal.facts, proposal.rows, strict=True):
                    if fact.op == "task.claimed" or fact.id in self._leases:
                        self._follow(fact, None if row is None else row.encoded)

    def heeds(self, facts: Sequence[Fact]) -> bool:
        """A claim's lease begins when the claim is durable."""
        for fact in facts:  # noqa: SIM110 - on the hot path: a generator costs as much again
            if fact.op == "task.claimed":
                return True
        return False

    def consider(self, request: Request, at: At) -> Letter | None:
        """A heartbeat is neither a fact nor a query: it is checked like a command and answered like one."""
        asked = request.params
        if type(asked) not in BY_ITSELF:
            return super().consider(request, at)
        if not request.answered and (with_agents := self._with_agents(asked)):
            self._withdraw(request, with_agents)
            return None
        if request.answered or not isinstance(asked, TaskHeartbeat):
            return super().consider(request, at)
        try:
            return self.answer(request, Done(self._heartbeat(asked, at)))
        except PerdureError as error:
            return self.answer(request, Failed(error))

    def due_in_s(self) -> float:
        """Return the seconds until a lease may have expired, or the next slice of retention."""
        return min(self._leases.due_in_s(self._now()), self._retention.due_in_s())

    async def tick(self) -> None:
        """Give back expired leases, and let tasks leave that were completed long ago."""
        now_s = self._now()
        if self._leases.due_in_s(now_s) <= 0 and self._place.writer.room:
            expired = self._leases.expired(now_s, EXPIRED_PER_LINE, EXPIRE_AGAIN_S)
            self.propose_own("task.expire", partial(_given_back, expired))
        if self._retention.look(self.propose_own):
            self._retention.take(self.propose_own, partial(self._leave, self._walked_to))

    def at(self) -> At:
        """Return the present circumstances of a decision."""
        return self._retention.at()

    def _with_agents(self, asked: Any) -> tuple[str, ...]:
        """Return the tasks that a command cancels or deletes while an agent works on them."""
        if isinstance(asked, Steps):
            return tuple(task_id for step in asked.commands for task_id in self._with_agents(step.params))
        if self._runs is None or not isinstance(asked, ENDING):
            return ()
        try:
            task_id = clean_id(asked.id)
        except PerdureError:
            return ()  # deciding it says what is wrong
        of_task = self._place.ledger.tables.runs.of_task(task_id)
        return (task_id,) if any(row.is_own and row.status in ACTIVE for row in of_task) else ()

    def _withdraw(self, request: Request, task_ids: tuple[str, ...]) -> None:
        """Let the runs actor end the agents; the command comes back then."""
        if self._runs is not None and not self._runs.offer([Withdrawal(request, self._home, task_ids)]):
            request.fail(Overloaded("too much waits for the runs actor", retry_after_s=RETRY_AFTER_S))

    def _follow(self, fact: Fact, encoded: bytes | None) -> None:
        if fact.kind.table == "tasks":
            self._leases.follow(fact.id, encoded, self._now())

    def _heartbeat(self, asked: TaskHeartbeat, at: At) -> bytes:
        task = needed_task(self._draft, clean_id(asked.id))
        tasks.check_lease(task, asked.lease)
        lease = self._leases.get(task.id)
        length_s = asked.lease_s or (at.rules.lease_s if lease is None else lease.length_s)
        if lease is not None and lease.token == asked.lease:
            self._leases.extend(task.id, length_s, self._now())
        return encode(attrs.evolve(task, lease_expires_at=later(at.stamp, length_s)))

    def _leave(self, after: Order | None, draft: Draft, at: At) -> Decision:
        part = overdue(draft, at, after)
        self._walked_to = part.after
        self._retention.took(more=part.after is not None)
        return part.decision

    def _now(self) -> float:
        return self._place.clock.monotonic_s()


def _given_back(expired: list[tuple[str, int]], draft: Draft, at: At) -> Decision:
    facts = (fact for task_id, lease in expired for fact in claims.expire(draft, task_id, lease, at).facts)
    return Decision(tuple(facts), ())

"""What the actors that own rows have in common: decide on a draft, propose to the writer, answer when it is durable.

A command becomes a proposal, a query an answer from the durable tables. Errors and empty results that rest on facts not
yet durable become barriers: they leave when those facts are safe, so nobody learns what could still be lost. When the
writer refuses or fails a proposal, the draft is forgotten and the command is decided again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs

from actors.decisions.decision import At, Decision, Handler, Rules
from actors.kernel.clock import Clock
from actors.kernel.mailbox import Letter, Mailbox
from actors.kernel.ref import Ref
from actors.ledger import Ledger
from actors.messages.proposal import Expected, Forget, Proposal, Read, Settled
from actors.messages.request import Done, Failed, Outcome, Request
from actors.model.draft import Draft
from actors.model.errors import Conflict, PerdureError
from actors.model.facts import Fact
from actors.model.keys import Command, KeyRecord
from actors.model.state import Tables

Answer = bytes | Callable[[Any], bytes]
"""What a query gives: the encoded result, or a job for the writer's background thread when the disk must be asked."""

Query = Callable[[Tables, Any, At], Answer]


@attrs.define(eq=False, kw_only=True)
class Place:
    """Where an actor stands: its mailbox, the way down, what it reads, its time, and its rules, which may change."""

    mailbox: Mailbox
    writer: Ref
    ledger: Ledger
    clock: Clock
    rules: Rules


class Domain:
    """The behaviour of an actor that owns rows; each noun adds its tables of handlers and queries, and its timers."""

    def __init__(self, place: Place, handlers: Mapping[type, Handler], queries: Mapping[type, Query]) -> None:
        self._place = place
        self._home = Ref(place.mailbox)
        self._handlers = handlers
        self._queries = queries
        self._draft = Draft(place.ledger.tables)
        self._epoch = 0

    async def setup(self) -> None:
        """Start from what is durable."""
        self._draft = Draft(self._place.ledger.tables)
        self._epoch = self._place.ledger.epoch

    async def handle(self, tells: Sequence[Any], letters: Sequence[Letter]) -> None:
        """Decide everything that waited and hand it on, without a checkpoint between the two."""
        await self._place.writer.room_for(len(letters))
        for tell in tells:
            self.told(tell)
        handed_on = [
            going
            for letter in self._place.mailbox.each(letters)
            if isinstance(letter, Request) and (going := self._consider(letter)) is not None
        ]
        self._place.writer.offer(handed_on)

    def told(self, tell: Any) -> None:
        """Take in what the writer says of earlier proposals."""
        if isinstance(tell, Settled):
            for proposal in tell.proposals:
                self._draft.settle(proposal.facts, proposal.rows)
                if proposal.command.key is not None:
                    self._draft.pending_keys.pop(proposal.command.key, None)
        elif isinstance(tell, Forget):
            self._draft.clear()

    def due_in_s(self) -> float:
        """Nothing is due by itself."""
        return float("inf")

    async def tick(self) -> None:
        """Nothing is due by itself."""

    async def teardown(self) -> None:
        """Nothing to leave behind: what was handed on is the writer's."""

    def at(self) -> At:
        """Return the present circumstances of a decision."""
        return At(stamp=self._place.clock.stamp(), rules=self._place.rules)

    def propose_own(self, method: str, decide: Callable[[Draft, At], Decision]) -> None:
        """Decide and hand on something that nobody asked for: an expired lease, a retention."""
        if not self._place.writer.room:
            return  # the next tick tries again
        decision = decide(self._draft, self.at())
        if decision.facts:
            request = Request(method, None, _nobody)
            own = self._proposal(request, decision, Done(b"null"))
            self._place.writer.offer([own])

    def _consider(self, request: Request) -> Proposal | Read | None:
        if request.answered:
            return None  # answered by the incarnation before, which crashed at a later letter
        query = self._queries.get(type(request.params))
        try:
            if query is None:
                return self._decide(request)
            answer = query(self._place.ledger.tables, request.params, self.at())
        except PerdureError as error:
            return self._answer(request, Failed(error))
        if not isinstance(answer, bytes):
            return Read(request, answer)
        request.done(answer)
        return None

    def _decide(self, request: Request) -> Proposal | None:
        handler = self._handlers[type(request.params)]
        repeated = self._remembered(request)
        if repeated is not None:
            return self._answer(request, Done(handler.reply(self._draft, repeated.ids)))
        decision = handler.decide(self._draft, request.params, self.at())
        remembered = request.key is not None and bool(decision.ids)
        if not decision.facts and not remembered:
            return self._answer(request, Done(handler.reply(self._draft, decision.ids)))
        proposal = self._proposal(request, decision, None)
        proposal.outcome = Done(handler.reply(self._draft, decision.ids))
        return proposal

    def _remembered(self, request: Request) -> KeyRecord | None:
        record = self._draft.key(request.key) if request.key is not None else None
        if record is not None and record.hash != request.digest:
            raise Conflict(
                "this idempotency_key was used for another command",
                hint="a key belongs to one command with its parameters: make a new one",
                seq=record.seq,
            )
        return record

    def _answer(self, request: Request, outcome: Outcome) -> Proposal | None:
        """Answer now when everything known is durable, behind a barrier when it is not."""
        if not self._draft.pending and not self._draft.pending_keys:
            request.answer(outcome)
            return None
        return Proposal(
            request=request,
            home=self._home,
            epoch=self._epoch,
            command=Command(method=request.method),
            facts=(),
            rows=(),
            expects=(),
            outcome=outcome,
        )

    def _proposal(self, request: Request, decision: Decision, outcome: Outcome | None) -> Proposal:
        expects = tuple(self._expected(decision.facts))
        rows = self._draft.stage(decision.facts)
        command = Command(
            method=request.method, ref=request.ref, key=request.key, hash=request.digest, ids=decision.ids
        )
        if request.key is not None:
            self._draft.pending_keys[request.key] = KeyRecord(
                key=request.key, seq=0, hash=request.digest or "", ids=decision.ids, at=self._place.clock.stamp()
            )
        return Proposal(
            request=request,
            home=self._home,
            epoch=self._epoch,
            command=command,
            facts=decision.facts,
            rows=rows,
            expects=expects,
            outcome=outcome or Done(b"null"),
        )

    def _expected(self, facts: Sequence[Fact]) -> list[Expected]:
        addresses = dict.fromkeys((fact.kind.table, fact.id) for fact in facts)
        return [(table, row_id, self._draft.rev(table, row_id)) for table, row_id in addresses]


def _nobody(_outcome: Outcome) -> None:
    """Nobody waits for what an actor does by itself."""

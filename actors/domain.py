"""What the actors that own rows have in common: decide on a draft, propose to the writer, answer when it is durable.

A command becomes a proposal, a query an answer from the durable tables. Errors and empty results that rest on facts not
yet durable become barriers: they leave when those facts are safe, so nobody learns what could still be lost. When the
writer refuses or fails a proposal, the draft is forgotten and the command is decided again.

What an actor does by itself (an expired lease, a retention) goes the same way: a request of its own (`Own`), which is
decided again like any other when the writer refuses it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs
import trio

from actors.decisions.decision import NOTHING, At, Decision, Handler, Rules
from actors.kernel.actor import Context
from actors.kernel.clock import Clock
from actors.kernel.mailbox import Letter, Mailbox
from actors.kernel.patience import patiently
from actors.kernel.ref import Ref
from actors.ledger import Ledger
from actors.messages.proposal import Expected, Forget, Proposal, Read, Settled
from actors.messages.request import Done, Failed, Outcome, Request
from actors.model.draft import Address, Draft, addresses_of
from actors.model.errors import Conflict, Internal, PerdureError
from actors.model.facts import Fact
from actors.model.ids import new_id
from actors.model.keys import Command, KeyRecord
from actors.queries.query import Query


@attrs.define(eq=False, kw_only=True)
class Place:
    """Where an actor stands: its mailbox, the way down, what it reads, its time, and its rules, which may change."""

    mailbox: Mailbox
    writer: Ref
    ledger: Ledger
    clock: Clock
    rules: Rules
    lives: int = 0
    """How many incarnations there were."""


@attrs.frozen
class Own:
    """The parameters of what an actor does by itself."""

    decide: Callable[[Draft, At], Decision]


class Domain:
    """The behaviour of an actor that owns rows; each noun adds its tables of handlers and queries, and its timers."""

    def __init__(
        self, place: Place, context: Context, handlers: Mapping[type, Handler], queries: Mapping[type, Query]
    ) -> None:
        self._place = place
        self._context = context
        self._home = Ref(place.mailbox)
        self._handlers: dict[type, Handler] = {**handlers, Own: OWN}
        self._queries = queries
        self._draft = Draft(place.ledger.tables)
        self._epoch = 0
        self._taken_back = place.mailbox.taken_back
        """What has come back up to here rests on the draft no more."""
        self._follows = place.lives > 0
        """Whether an incarnation before this one may have handed on what is not durable yet."""
        place.lives += 1

    async def setup(self) -> None:
        """Start from what is durable."""
        self._draft = Draft(self._place.ledger.tables)
        self._epoch = self._place.ledger.epoch
        self._taken_back = self._place.mailbox.taken_back

    async def handle(self, tells: Sequence[Any], letters: Sequence[Letter]) -> None:
        """Decide everything that waited and hand it on, without a checkpoint between the two."""
        for tell in tells:
            self.told(tell)
        if not letters:
            return
        mailbox = self._place.mailbox
        taken_back = mailbox.taken_back
        if self._follows:
            await self.settled()
        if self._place.writer.room < len(letters):
            await patiently(self._context, lambda: self._place.writer.room_for(len(letters)))
        if mailbox.taken_back != taken_back:
            mailbox.postpone(len(letters))  # what came back meanwhile was sent before these
            return
        at = self.at()
        handed_on: list[Letter] = []
        for letter in mailbox.each(letters):
            if not isinstance(letter, Request):
                self.take(letter)
            elif (going := self.consider(letter, at)) is not None:
                handed_on.append(going)
        self._place.writer.offer(handed_on)

    def told(self, tell: Any) -> None:
        """Take in what the writer says of earlier proposals."""
        if isinstance(tell, Settled):
            for proposal in tell.proposals:
                self._draft.settle(proposal.addresses, proposal.rows)
                if proposal.command.key is not None:
                    self._draft.pending_keys.pop(proposal.command.key, None)
        elif isinstance(tell, Forget):
            self._draft.clear()
            self._epoch = self._place.ledger.epoch
            self._taken_back = self._place.mailbox.taken_back

    def heeds(self, facts: Sequence[Fact]) -> bool:
        """Return whether this actor has something to do as soon as these facts are durable."""
        del facts
        return False

    def take(self, letter: Letter) -> None:
        """Take what is no request."""
        letter.fail(Internal(f"{self._place.mailbox.name} answers no such question"))

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

    def propose_own(
        self, method: str, decide: Callable[[Draft, At], Decision], reply: Callable[[Outcome], None] | None = None
    ) -> bool:
        """Do something that nobody asked for; return False when the writer has no room for it at present.

        `reply` learns how it ended. A command that was refused because its rows changed is decided again by itself.
        """
        if not self._place.writer.room:
            return False
        request = Request(method, Own(decide), reply or _nobody, ref=f"{self._place.mailbox.name}-{new_id()}")
        going = self.consider(request, self.at())
        if going is not None:
            self._place.writer.offer([going])
        return True

    def consider(self, request: Request, at: At) -> Letter | None:
        """Decide or answer a request; return what is to be handed on to the writer, if anything is."""
        if request.answered:
            return None  # answered by the incarnation before, which crashed at a later letter
        if self._taken_back != self._place.mailbox.taken_back:
            self.told(Forget())  # it is on its way, but this is decided now
        query = self._queries.get(type(request.params))
        try:
            if query is None:
                return self._decide(request, at)
            answer = query(self._place.ledger.tables, request.params, at)
        except PerdureError as error:
            if query is None:
                return self.answer(request, Failed(error))
            request.fail(error)  # it rests on what is durable
            return None
        if not isinstance(answer, bytes):
            return Read(request, answer.row_id, answer.job)
        request.done(answer)
        return None

    def answer(self, request: Request, outcome: Outcome) -> Proposal | None:
        """Answer now when everything known is durable, behind a barrier when it is not."""
        if not self._draft.pending and not self._draft.pending_keys:
            request.answer(outcome)
            return None
        return self._barrier(request, outcome)

    def _barrier(self, request: Request, outcome: Outcome) -> Proposal:
        return Proposal(
            request=request,
            home=self._home,
            epoch=self._epoch,
            command=Command(method=request.method),
            facts=(),
            addresses=(),
            rows=(),
            expects=(),
            outcome=outcome,
        )

    async def settled(self) -> None:
        """Wait until nothing that was handed on is under way: it is durable, or was told to have failed, or is back."""
        if not (self._follows or self._draft.pending or self._draft.pending_keys):
            return
        settled = trio.Event()

        def heard(_outcome: Outcome) -> None:
            settled.set()

        self._place.mailbox.set_when_back(settled)
        await patiently(self._context, lambda: self._place.writer.room_for(1))
        method = f"{self._place.mailbox.name}.settle"
        request = Request(method, Own(lambda _draft, _at: NOTHING), heard)
        self._place.writer.offer([self._barrier(request, Done(b"null"))])
        await patiently(self._context, settled.wait)
        self._follows = False

    def _decide(self, request: Request, at: At) -> Proposal | None:
        handler = self._handlers[type(request.params)]
        if not self._draft.pending and not self._draft.pending_keys:
            self._epoch = self._place.ledger.epoch  # nothing here rests on an older one
        if request.key is not None and (repeated := self._remembered(request, request.key)) is not None:
            return self.answer(request, Done(handler.reply(self._draft, repeated.ids)))
        self._draft.relied_on.clear()
        decision = handler.decide(self._draft, request.params, at)
        remembered = request.key is not None and bool(decision.ids)
        if not decision.facts and not remembered:
            return self.answer(request, Done(handler.reply(self._draft, decision.ids)))
        return self._proposal(request, decision, handler, at)

    def _remembered(self, request: Request, key: str) -> KeyRecord | None:
        record = self._draft.key(key)
        if record is not None and record.hash != request.digest:
            raise Conflict(
                "this idempotency_key was used for another command",
                hint="a key belongs to one command with its parameters: make a new one",
                seq=record.seq,
            )
        return record

    def _proposal(self, request: Request, decision: Decision, handler: Handler, at: At) -> Proposal:
        addresses = addresses_of(decision.facts)
        expects = self._expected(addresses)
        rows = self._draft.stage(decision.facts)
        outcome = Done(handler.reply(self._draft, decision.ids))
        command = Command(
            method=request.method, ref=request.ref, key=request.key, hash=request.digest, ids=decision.ids
        )
        if request.key is not None:
            self._draft.pending_keys[request.key] = KeyRecord(
                key=request.key, seq=0, hash=request.digest or "", ids=decision.ids, at=at.stamp
            )
        return Proposal(
            request=request,
            home=self._home,
            epoch=self._epoch,
            command=command,
            facts=decision.facts,
            addresses=addresses,
            rows=rows,
            expects=expects,
            outcome=outcome,
            wakes_home=self.heeds(decision.facts),
        )

    def _expected(self, addresses: Sequence[Address]) -> tuple[Expected, ...]:
        draft = self._draft
        if not draft.relied_on and len(addresses) == 1:  # most commands: it need not be made unique
            table, row_id = addresses[0]
            return ((table, row_id, draft.rev(table, row_id)),)
        expects: dict[Address, int | str] = {**draft.relied_on}
        for table, row_id in addresses:
            expects[table, row_id] = draft.rev(table, row_id)
        return tuple((table, row_id, found) for (table, row_id), found in expects.items())


def _decide_own(draft: Draft, own: Own, at: At) -> Decision:
    return own.decide(draft, at)


OWN = Handler(_decide_own, lambda _lookup, _ids: b"null")
"""How an actor's own requests are decided: by themselves."""


def _nobody(_outcome: Outcome) -> None:
    """Nobody waits for what an actor does by itself."""

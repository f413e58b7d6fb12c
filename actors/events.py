"""The events actor: records events, answers who asks for them, and lets clients follow the journal.

Live events (`state:saved`, `actor:crashed`) go to whoever listens at the moment. Those that are also to be recorded
wait in `Subscriptions`, which outlives a crash of this actor, until the disk takes them.
"""

from __future__ import annotations

from typing import Any, Final

from actors.decisions.decision import At, Decision
from actors.decisions.records import EVENTS, record_event
from actors.domain import Domain, Place
from actors.following import Following
from actors.kernel.actor import Context
from actors.kernel.mailbox import Letter
from actors.ledger import Mode
from actors.messages import records as ask
from actors.messages.proposal import Committed, Live
from actors.messages.request import Delivery, Failed, Outcome, Request
from actors.model.draft import Draft
from actors.model.errors import Forbidden, PerdureError
from actors.queries.events import lister
from actors.subscriptions import Subscriptions, live_body

RETRY_S: Final = 1.0
"""How often a disk that does not take events is tried."""


class Events(Domain):
    """See the module's text."""

    def __init__(self, place: Place, context: Context, subscriptions: Subscriptions) -> None:
        super().__init__(place, context, EVENTS, {ask.EventList: lister(place.ledger)})
        self._subscriptions = subscriptions
        self._following = Following(place, subscriptions)
        self._record_at_s = 0.0

    def told(self, tell: Any) -> None:
        """Pass live events on at once; what is durable is passed on when everything told was taken in."""
        if isinstance(tell, Live):
            self._live(tell)
        elif not isinstance(tell, Committed):
            super().told(tell)

    def consider(self, request: Request, at: At) -> Letter | None:
        """Subscriptions are neither facts nor queries: they begin and end here."""
        asked = request.params
        if request.answered or not isinstance(asked, ask.EventSubscribe | ask.EventUnsubscribe):
            return super().consider(request, at)
        try:
            if isinstance(asked, ask.EventSubscribe):
                self._subscribe(request, asked)
            else:
                self._subscriptions.remove(asked.subscription, request.notify)
                request.done(b'{"subscription":"%b"}' % asked.subscription.encode())
        except PerdureError as error:
            request.answer(Failed(error))
        return None

    def due_in_s(self) -> float:
        """Return the seconds until somebody can be served, or something recorded."""
        record_in_s = self._record_at_s - self._now() if self._subscriptions.unrecorded else float("inf")
        return min(record_in_s, self._following.due_in_s())

    async def tick(self) -> None:
        """Record what waits, and serve those who are behind."""
        self._record()
        if len(self._subscriptions):
            self._following.turn()

    def _subscribe(self, request: Request, asked: ask.EventSubscribe) -> None:
        """Answer at once: the reply leaves before the first notification."""
        if request.notify is None:
            raise Forbidden("this connection takes no notifications", hint="use event.list")
        seq = self._place.ledger.tables.seq
        after_seq = seq if asked.after_seq is None else asked.after_seq
        made = self._subscriptions.add(request.notify, asked.kinds, after_seq + 1)
        request.done(b'{"subscription":"%b","seq":%d}' % (made.id.encode(), seq))

    def _live(self, live: Live) -> None:
        if live.recorded:
            self._subscriptions.unrecorded.append(live)
        wanting = [one for one in self._subscriptions.all() if one.matches(live.kind)]
        body = live_body(live, self._place.clock.stamp()) if wanting else b""
        for one in wanting:
            if one.send(body) is Delivery.CLOSED:
                self._subscriptions.drop(one)

    def _record(self) -> None:
        """Write live events into the journal, one line each, while the disk takes them."""
        waiting = self._subscriptions.unrecorded
        while waiting and self._now() >= self._record_at_s:
            if self._place.ledger.mode is not Mode.OK or not self._propose(waiting[0]):
                self._record_at_s = self._now() + RETRY_S
                return
            waiting.popleft()

    def _propose(self, live: Live) -> bool:
        def decide(draft: Draft, at: At) -> Decision:
            asked = ask.EventRecord(
                type=live.kind,
                level=str(live.data.get("level", "warning")),
                message=str(live.data.get("message", live.kind)),
                detail=live.data,
            )
            return record_event(draft, asked, at)

        def heard(outcome: Outcome) -> None:
            if isinstance(outcome, Failed):
                self._subscriptions.unrecorded.append(live)
                self._record_at_s = self._now() + RETRY_S

        return self.propose_own("event.record", decide, heard)

    def _now(self) -> float:
        return self._place.clock.monotonic_s()

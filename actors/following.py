"""Following: brings every subscriber up to what is durable, in bounded steps.

Subscribers near the end are served from the lines in memory. Those further behind are served from the journal, one page
at a time, read by the writer's background thread while everybody else goes on. Each keeps its place until a
notification was taken, so what it gets is gap-free and in order; where lines are left out, it is told which.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import attrs

from actors.domain import Place
from actors.kernel.ref import Ask
from actors.messages.questions import ReadLines
from actors.messages.request import Delivery
from actors.model.errors import PerdureError
from actors.model.state import Line
from actors.subscriptions import LineNotice, Subscription, Subscriptions

VISITS_PER_TURN: Final = 2000
"""Lines offered to subscribers before the actor looks into its mailbox again: about 5 ms."""

PAGE_LINES: Final = 200
"""Lines read from the journal at once for those who are far behind."""

SLOW_AGAIN_S: Final = 0.25
"""How often a client that does not take its notifications is tried."""

RETRY_S: Final = 1.0
"""How often a journal that could not be read is tried."""


@attrs.define(eq=False, kw_only=True)
class Page(Ask):
    """A page of the journal on its way; its answer wakes the actor."""

    wake: Callable[[], None]
    ended: bool = False
    lines: Sequence[Line] | None = None
    """None at the end: the journal could not be read."""

    def answer(self, value: Any) -> None:
        """Take the lines."""
        self.lines = value
        self.ended = True
        self.wake()

    def fail(self, error: PerdureError) -> None:
        """Take note that there are none; the writer has said why."""
        del error
        self.ended = True
        self.wake()


class Following:
    """See the module's text. It belongs to one incarnation; the subscribers' places do not."""

    def __init__(self, place: Place, subscriptions: Subscriptions) -> None:
        self._place = place
        self._ledger = place.ledger
        self._subscriptions = subscriptions
        self._page: Page | None = None
        self._read_at_s = 0.0

    def due_in_s(self) -> float:
        """Return the seconds until somebody can be served."""
        page_is_coming = self._page is not None and not self._page.ended
        due_s = float("inf")
        for one in self._behind():
            if self._is_recent(one):
                due_s = min(due_s, one.again_at_s)
            elif not page_is_coming:
                due_s = min(due_s, max(one.again_at_s, self._read_at_s))
        return due_s - self._now()

    def turn(self) -> None:
        """Serve those who are behind, each as far as one turn goes."""
        behind = [one for one in self._behind() if one.again_at_s <= self._now()]
        self._tell_slow(behind)
        recent = [one for one in behind if self._is_recent(one)]
        if recent:
            self._deliver(self._ledger.recent.since(min(one.next_seq for one in recent)) or (), recent)
        if self._page is not None and self._page.ended:
            page, self._page = self._page, None
            self._take(page, behind)
        far = [one for one in behind if one.again_at_s <= self._now() and self._is_far(one)]
        if far and self._page is None and self._now() >= self._read_at_s:
            self._ask_for_page(far[0].next_seq)

    def _behind(self) -> list[Subscription]:
        return [one for one in self._subscriptions.all() if one.next_seq <= self._ledger.tables.seq]

    def _is_recent(self, one: Subscription) -> bool:
        first_seq = self._ledger.recent.first_seq
        return first_seq is not None and one.next_seq >= first_seq

    def _is_far(self, one: Subscription) -> bool:
        return one.next_seq <= self._ledger.tables.seq and not self._is_recent(one)

    def _tell_slow(self, behind: Sequence[Subscription]) -> None:
        """Who was slow for too long goes on from the end, and is told what that leaves out."""
        seq = self._ledger.tables.seq
        for one in behind:
            if one.again_at_s and seq - one.next_seq >= self._subscriptions.lag_lines_max:
                self._note(one, one.send_gap(seq), seq)

    def _deliver(self, lines: Sequence[Line], to: Sequence[Subscription]) -> None:
        """Send each line to those who wait for it; a slow one stays at its place."""
        visits = 0
        for line in lines:
            if visits >= VISITS_PER_TURN or line.seq > self._ledger.tables.seq:
                return
            notice = LineNotice(line)
            for one in to:
                if one.next_seq <= line.seq and one.again_at_s <= self._now():
                    self._send(one, notice)
                    visits += 1

    def _send(self, one: Subscription, notice: LineNotice) -> None:
        """Send a line, or pass it over when nothing in it is wanted."""
        seq = notice.line.seq
        if one.next_seq < seq:
            # What lies between its place and this line is not kept any more, or was lost to damage.
            self._note(one, one.send_gap(seq - 1), seq - 1)
            if one.next_seq < seq:
                return
        body = notice.body(one)
        if body is None:
            one.next_seq = seq + 1
        else:
            self._note(one, one.send(body), seq)

    def _note(self, one: Subscription, delivery: Delivery, seq: int) -> None:
        """Take note of what became of a notification that tells everything up to `seq`."""
        if delivery is Delivery.SENT:
            one.next_seq = seq + 1
            one.again_at_s = 0.0
        elif delivery is Delivery.SLOW:
            one.again_at_s = self._now() + SLOW_AGAIN_S
        else:
            one.again_at_s = float("inf")
            self._subscriptions.drop(one)

    def _ask_for_page(self, from_seq: int) -> None:
        page = Page(ReadLines(from_seq, PAGE_LINES), wake=self._place.mailbox.wake)
        if self._place.writer.offer([page]):
            self._page = page
        else:
            self._read_at_s = self._now() + RETRY_S

    def _take(self, page: Page, behind: Sequence[Subscription]) -> None:
        """Serve everybody who stands inside a page, so that two side by side do not read everything twice."""
        if page.lines is None:
            self._read_at_s = self._now() + RETRY_S
            return
        from_seq: int = page.message.from_seq
        if not page.lines:
            self._tell_missing(from_seq, behind)
            return
        readers = [one for one in behind if from_seq <= one.next_seq <= page.lines[-1].seq]
        self._deliver(page.lines, readers)
        for one in readers:
            self._subscriptions.put_last(one)

    def _tell_missing(self, from_seq: int, behind: Sequence[Subscription]) -> None:
        """The journal has nothing from there on: what memory does not hold either is a gap."""
        seq = self._ledger.tables.seq
        first_seq = self._ledger.recent.first_seq
        to_seq = seq if first_seq is None else min(seq, first_seq - 1)
        for one in behind:
            if from_seq <= one.next_seq <= to_seq:
                self._note(one, one.send_gap(to_seq), to_seq)

    def _now(self) -> float:
        return self._place.clock.monotonic_s()

"""Subscriptions: who follows the journal from which line on, and how a line becomes a notification.

They belong to the runtime and not to the events actor, so they survive its crashes. A subscription is only a place in
the journal (`next_seq`); nothing is queued for it. A client that does not take its notifications stays at its place
until it does; when more than `lag_lines_max` lines wait for it, it is told of a gap instead, once it takes again.

A line's body is encoded once for all who follow with the same filter; only the subscription's id differs.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Final

import attrs
import msgspec

from actors.messages.proposal import Live
from actors.messages.request import Delivery
from actors.model.errors import NotFound, Overloaded
from actors.model.ids import new_id
from actors.model.state import Line
from actors.queries.events import Kinds, matcher

SUBSCRIPTIONS_MAX: Final = 4096
"""Four for each of the connections that there may be by default; beyond that somebody leaks them."""

LAG_LINES_MAX: Final = 10_000
"""Lines that may wait for one subscriber, unless the configuration says otherwise."""

UNRECORDED_MAX: Final = 1000
"""Live events that wait for the disk to take them; the oldest leave first, for a broken disk brings many alike."""

Notify = Callable[[bytes], Delivery]

_encode = msgspec.json.Encoder().encode


class _Event(msgspec.Struct):
    kind: str
    id: str | None
    rev: int | None
    data: Any


@attrs.define(eq=False, kw_only=True)
class Subscription:
    """One follower."""

    id: str
    notify: Notify
    kinds: Kinds
    next_seq: int
    """The first line that it has not got."""
    matches: Callable[[str], bool]
    again_at_s: float = 0.0
    """Monotonic: a slow one is not tried before."""

    def send(self, body: bytes, method: bytes = b"event") -> Delivery:
        """Push one notification, given what follows the subscription's id in it."""
        head = b'{"jsonrpc":"2.0","method":"%b","params":{"subscription":"%b",' % (method, self.id.encode())
        return self.notify(head + body)

    def send_gap(self, to_seq: int) -> Delivery:
        """Tell that the lines from its place up to `to_seq` are left out."""
        return self.send(b'"from":%d,"to":%d}}\n' % (self.next_seq, to_seq), b"event.gap")


class Subscriptions:
    """All subscriptions, and the live events that wait to be recorded."""

    def __init__(self, lag_lines_max: int = LAG_LINES_MAX) -> None:
        self.lag_lines_max = lag_lines_max
        self.unrecorded: deque[Live] = deque(maxlen=UNRECORDED_MAX)
        self._by_id: dict[str, Subscription] = {}

    def __len__(self) -> int:
        return len(self._by_id)

    def all(self) -> list[Subscription]:
        """Return all of them, those that have waited longest for their turn first."""
        return list(self._by_id.values())

    def lag(self, seq: int) -> int:
        """Return how many of the lines up to `seq` the follower has not got who is furthest behind."""
        return max((seq + 1 - one.next_seq for one in self._by_id.values()), default=0)

    def add(self, notify: Notify, kinds: Kinds, next_seq: int) -> Subscription:
        """Begin to follow; raises Overloaded when there are too many."""
        if len(self._by_id) >= SUBSCRIPTIONS_MAX:
            self._drop_closed()
        if len(self._by_id) >= SUBSCRIPTIONS_MAX:
            raise Overloaded(
                f"there are {SUBSCRIPTIONS_MAX} subscriptions already",
                hint="end some with event.unsubscribe, or close connections",
                retry_after_s=1.0,
            )
        made = Subscription(id=f"sub_{new_id()}", notify=notify, kinds=kinds, next_seq=next_seq, matches=matcher(kinds))
        self._by_id[made.id] = made
        return made

    def remove(self, subscription_id: str, notify: Notify | None) -> None:
        """Stop following; raises NotFound unless it is this connection's own."""
        found = self._by_id.get(subscription_id)
        if found is None or found.notify != notify:
            raise NotFound(
                f"this connection has no subscription {subscription_id}",
                hint="a subscription ends with its connection",
                id=subscription_id,
            )
        del self._by_id[subscription_id]

    def drop(self, subscription: Subscription) -> None:
        """Forget one whose connection is closed."""
        self._by_id.pop(subscription.id, None)

    def _drop_closed(self) -> None:
        """Forget those whose connections closed before anything was sent that would have told so."""
        for one in self.all():
            if one.notify(b"") is Delivery.CLOSED:
                self.drop(one)

    def put_last(self, subscription: Subscription) -> None:
        """Let all others have their turn first."""
        if self._by_id.pop(subscription.id, None) is not None:
            self._by_id[subscription.id] = subscription


class LineNotice:
    """One line on its way to the subscribers."""

    def __init__(self, line: Line) -> None:
        self.line = line
        self._bodies: dict[Kinds, bytes | None] = {}

    def body(self, subscription: Subscription) -> bytes | None:
        """Return what follows the subscription's id; None when nothing in the line is wanted."""
        kinds = subscription.kinds
        if kinds not in self._bodies:
            wanted = [fact for fact in self.line.facts if subscription.matches(fact.op)]
            events = [_Event(fact.op, fact.id, fact.rev, fact.data) for fact in wanted]
            self._bodies[kinds] = _body(self.line.seq, self.line.ts, events) if events else None
        return self._bodies[kinds]


def live_body(live: Live, stamp: str) -> bytes:
    """Return what follows the subscription's id for an event that is not journalled: its seq is null."""
    return _body(None, stamp, [_Event(live.kind, None, None, live.data)])


def _body(seq: int | None, stamp: str, events: list[_Event]) -> bytes:
    return b'"seq":%b,"ts":%b,"events":%b}}\n' % (_encode(seq), _encode(stamp), _encode(events))

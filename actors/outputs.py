"""Following what runs print: brings every follower of an output up to what is written, in bounded steps.

A follower is only a place in a stream. It is served from the run's log, read by the writer's background thread, one
piece at a time; one that does not take its notifications stays at its place until it does. Text is cut at characters,
so no character is torn between two notifications. Each says where the next one begins: bytes that are no text cannot be
counted in it. The last one of a stream says `eof`, and then it is over.

The followers belong to the runtime and not to the runs actor, so they survive its crashes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import attrs
import msgspec

from actors.domain import Place
from actors.errands import Errands, Returned
from actors.messages.agents import Stream
from actors.messages.questions import ReadOutput
from actors.messages.request import Delivery
from actors.messages.runs import OutputSubscribe
from actors.model.errors import NotFound, Overloaded
from actors.model.ids import new_id
from actors.model.run import LIVE
from actors.model.tables import decode_run
from actors.queries.runs import shown
from actors.subscriptions import Notify

FOLLOWERS_MAX: Final = 4096
"""Streams followed; as many as there may be subscriptions to the journal."""

PIECE_BYTES: Final = 64 * 1024
"""Read and sent at once."""

SLOW_AGAIN_S: Final = 0.25
"""How often a client that does not take its notifications is tried."""

_encode = msgspec.json.Encoder().encode


@attrs.define(eq=False, kw_only=True)
class Follower:
    """One who follows one stream of one run."""

    id: str
    notify: Notify
    run_id: str
    stream: Stream
    offset: int
    is_behind: bool = True
    """Whether there may be more than it has got."""
    is_reading: bool = False
    again_at_s: float = 0.0


Followers = dict[int, Follower]
"""By a number of their own; a subscription to both streams is two of them with one id."""


class Outputs:
    """See the module's text. It belongs to one incarnation."""

    def __init__(self, place: Place, followers: Followers, errands: Errands) -> None:
        self._place = place
        self._followers = followers
        self._errands = errands
        for one in followers.values():
            one.is_behind, one.is_reading = True, False

    def add(self, run_id: str, asked: OutputSubscribe, notify: Notify) -> str:
        """Begin to follow; return the subscription's id. Raises Overloaded when there are too many."""
        if len(self._followers) >= FOLLOWERS_MAX:
            self._drop_closed()
        if len(self._followers) >= FOLLOWERS_MAX:
            raise Overloaded(f"{FOLLOWERS_MAX} outputs are followed already", retry_after_s=1.0)
        subscription = f"sub_{new_id()}"
        streams: Iterable[Stream] = ("stdout", "stderr") if asked.stream is None else (asked.stream,)
        for stream in streams:
            one = Follower(id=subscription, notify=notify, run_id=run_id, stream=stream, offset=asked.offset)
            self._followers[id(one)] = one
        return subscription

    def remove(self, subscription: str, notify: Notify | None) -> None:
        """Stop following; raises NotFound unless it is this connection's own."""
        found = [number for number, one in self._followers.items() if one.id == subscription and one.notify == notify]
        if not found:
            raise NotFound(
                f"this connection follows no output as {subscription}",
                hint="a subscription is over with the run, and with its connection",
                id=subscription,
            )
        for number in found:
            del self._followers[number]

    def grown(self, run_id: str) -> None:
        """More of a run's output is written, or it is over."""
        for one in self._followers.values():
            if one.run_id == run_id:
                one.is_behind = True

    def due_in_s(self) -> float:
        """Return the seconds until somebody can be served."""
        due = (one.again_at_s for one in self._followers.values() if one.is_behind and not one.is_reading)
        return min(due, default=float("inf")) - self._now()

    def tick(self) -> None:
        """Read for those who are behind."""
        for one in self._followers.values():
            if one.is_behind and not one.is_reading and one.again_at_s <= self._now():
                one.is_reading = True
                one.is_behind = False
                self._errands.send(ReadOutput(one.run_id, one.stream, one.offset, PIECE_BYTES), one)

    def returned(self, returned: Returned) -> None:
        """Send what was read, unless nobody wants it any more."""
        one: Follower = returned.errand.about
        data = returned.value
        if self._followers.get(id(one)) is not one:
            return
        one.is_reading = False
        row = self._place.ledger.tables.runs.get(one.run_id)
        # Asked now and not when it was read: a run that ended meanwhile has told `grown`, and is read once more.
        is_over = (row is None or decode_run(row.encoded).status not in LIVE) and not one.is_behind
        is_end = is_over and len(data) < PIECE_BYTES
        text, size_bytes = shown(data, "utf-8", is_end=is_end)
        if not size_bytes and not is_end:
            return
        self._send(one, text, size_bytes, is_end=is_end)

    def _send(self, one: Follower, text: str, size_bytes: int, *, is_end: bool) -> None:
        params = {
            "subscription": one.id,
            "stream": one.stream,
            "offset": one.offset,
            "next_offset": one.offset + size_bytes,
            "data": text,
            "eof": is_end,
        }
        delivery = one.notify(_encode({"jsonrpc": "2.0", "method": "output", "params": params}) + b"\n")
        if delivery is Delivery.CLOSED or (delivery is Delivery.SENT and is_end):
            self._followers.pop(id(one), None)
        elif delivery is Delivery.SENT:
            one.offset += size_bytes
            one.is_behind = True
            one.again_at_s = 0.0
        else:
            one.is_behind = True
            one.again_at_s = self._now() + SLOW_AGAIN_S

    def _drop_closed(self) -> None:
        for number, one in list(self._followers.items()):
            if one.notify(b"") is Delivery.CLOSED:
                del self._followers[number]

    def _now(self) -> float:
        return self._place.clock.monotonic_s()

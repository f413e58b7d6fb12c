"""
The subscriptions of one client, which outlive the connections they were made on.

The client knows a subscription by the id that its first runtime gave it; each later runtime gives it another one.
Here the two are told apart, and how far the client has seen is kept, so that the next runtime is asked for exactly
what follows.
"""

from typing import Any, Final

import msgspec
import orjson
from attrs import define, field

SUBSCRIBE: Final = "event.subscribe"
UNSUBSCRIBE: Final = "event.unsubscribe"


class _Place(msgspec.Struct):
    """Where a subscription stands: members of its reply, of `event` and of `event.gap`."""

    subscription: str
    seq: int | None = None
    to: int | None = None


_PLACE: Final = msgspec.json.Decoder(_Place)


@define(eq=False)
class Following:
    """A subscription of the client's."""

    params: dict[str, Any]
    known_as: str
    """The id that the client knows."""
    is_now: str
    """The present runtime's id for it."""
    seen_seq: int


@define(eq=False)
class Subscriptions:
    """All that one client follows."""

    _all: list[Following] = field(factory=list, init=False)

    def begin(self, params: dict[str, Any], result: msgspec.Raw) -> None:
        """Note what the reply to a subscription with `params` began."""
        place = _place(result)
        if place is not None:
            after_seq = params.get("after_seq")
            seen_seq = after_seq if isinstance(after_seq, int) else place.seq or 0
            self._all.append(Following(params, place.subscription, place.subscription, seen_seq))

    def end(self, params: dict[str, Any]) -> dict[str, Any] | None:
        """Forget the subscription that the client wants no more; return the parameters that the runtime understands."""
        for following in self._all:
            if following.known_as == params.get("subscription"):
                self._all.remove(following)
                return {**params, "subscription": following.is_now}
        return None

    def to_resume(self) -> list[tuple[Following, dict[str, Any]]]:
        """Return each subscription with the parameters that make it go on where the client has seen it."""
        return [(one, {**one.params, "after_seq": one.seen_seq}) for one in self._all]

    def translate(self, line: bytes, params: msgspec.Raw) -> bytes:
        """Return a notification as the client is to get it, and note how far that brings the client."""
        place = _place(params)
        following = next((one for one in self._all if place and one.is_now == place.subscription), None)
        if place is None or following is None:
            return line
        following.seen_seq = max(following.seen_seq, place.seq or 0, place.to or 0)
        if following.is_now == following.known_as:
            return line
        value = orjson.loads(line)
        value["params"]["subscription"] = following.known_as
        return orjson.dumps(value)


def resumed(following: Following, result: msgspec.Raw) -> None:
    """Note under which id the present runtime resumed a subscription."""
    place = _place(result)
    if place is not None:
        following.is_now = place.subscription


def _place(raw: msgspec.Raw) -> _Place | None:
    try:
        return _PLACE.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None

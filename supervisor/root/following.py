"""
The subscriptions of one client, to the journal and to outputs, which outlive the connections they were made on.

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
OUTPUT_SUBSCRIBE: Final = "output.subscribe"
OUTPUT_UNSUBSCRIBE: Final = "output.unsubscribe"

_STREAMS: Final = ("stdout", "stderr")


class _Place(msgspec.Struct):
    """Where a subscription stands: members of its reply, of `event`, of `event.gap` and of `output`."""

    subscription: str
    seq: int | None = None
    to: int | None = None
    stream: str | None = None
    next_offset: int | None = None
    eof: bool = False


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
class FollowingOutput:
    """An output that the client follows; the streams of one subscription may stand at different places."""

    params: dict[str, Any]
    known_as: str
    are_now: set[str]
    """The present runtime's ids for it: one for each stream, once it was resumed."""
    seen: dict[str, int]
    """Where each stream goes on that is not at its end."""


@define(eq=False)
class Subscriptions:
    """All that one client follows."""

    _all: list[Following] = field(factory=list, init=False)
    _outputs: list[FollowingOutput] = field(factory=list, init=False)

    def begin(self, params: dict[str, Any], result: msgspec.Raw) -> None:
        """Note what the reply to a subscription with `params` began."""
        place = _place(result)
        if place is not None:
            after_seq = params.get("after_seq")
            seen_seq = after_seq if isinstance(after_seq, int) else place.seq or 0
            self._all.append(Following(params, place.subscription, place.subscription, seen_seq))

    def begin_output(self, params: dict[str, Any], result: msgspec.Raw) -> None:
        """Note what the reply to a subscription to an output began."""
        place = _place(result)
        if place is not None:
            offset = params.get("offset") or 0
            streams = _STREAMS if params.get("stream") is None else (params["stream"],)
            seen = dict.fromkeys(streams, offset)
            self._outputs.append(FollowingOutput(params, place.subscription, {place.subscription}, seen))

    def end_output(self, params: dict[str, Any]) -> list[dict[str, Any]]:
        """As `end`; one set of parameters for each id that the runtime knows."""
        for following in self._outputs:
            if following.known_as == params.get("subscription"):
                self._outputs.remove(following)
                return [{**params, "subscription": now} for now in sorted(following.are_now)]
        return []

    def end(self, params: dict[str, Any]) -> dict[str, Any] | None:
        """Forget the subscription that the client wants no more; return the parameters that the runtime understands."""
        for following in self._all:
            if following.known_as == params.get("subscription"):
                self._all.remove(following)
                return {**params, "subscription": following.is_now}
        return None

    def outputs_to_resume(self) -> list[tuple[FollowingOutput, dict[str, Any]]]:
        """Return each stream that is not at its end with the parameters that make it go on."""
        found: list[tuple[FollowingOutput, dict[str, Any]]] = []
        for one in self._outputs:
            one.are_now.clear()
            found += [(one, {**one.params, "stream": stream, "offset": at}) for stream, at in one.seen.items()]
        return found

    def to_resume(self) -> list[tuple[Following, dict[str, Any]]]:
        """Return each subscription with the parameters that make it go on where the client has seen it."""
        return [(one, {**one.params, "after_seq": one.seen_seq}) for one in self._all]

    def translate(self, line: bytes, params: msgspec.Raw) -> bytes:
        """Return a notification as the client is to get it, and note how far that brings the client."""
        place = _place(params)
        if place is not None and place.stream is not None:
            return self._translate_output(line, place)
        following = next((one for one in self._all if place and one.is_now == place.subscription), None)
        if place is None or following is None:
            return line
        following.seen_seq = max(following.seen_seq, place.seq or 0, place.to or 0)
        return line if following.is_now == following.known_as else _renamed(line, following.known_as)

    def _translate_output(self, line: bytes, place: _Place) -> bytes:
        following = next((one for one in self._outputs if place.subscription in one.are_now), None)
        if following is None or place.stream is None:
            return line
        if place.eof:
            following.seen.pop(place.stream, None)
            if not following.seen:
                self._outputs.remove(following)
        elif place.next_offset is not None:
            following.seen[place.stream] = place.next_offset
        return line if place.subscription == following.known_as else _renamed(line, following.known_as)


def resumed(following: Following | FollowingOutput, result: msgspec.Raw) -> None:
    """Note under which id the present runtime resumed a subscription."""
    place = _place(result)
    if place is None:
        return
    if isinstance(following, FollowingOutput):
        following.are_now.add(place.subscription)
    else:
        following.is_now = place.subscription


def _renamed(line: bytes, known_as: str) -> bytes:
    value = orjson.loads(line)
    value["params"]["subscription"] = known_as
    return orjson.dumps(value)


def _place(raw: msgspec.Raw) -> _Place | None:
    try:
        return _PLACE.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None

"""
What one client has asked and not been answered yet, kept so that a runtime's death costs it nothing but time.

No sockets here: lines of the client go in (`take_request`), lines for the runtime come out (`to_send`), lines of the
runtime go in (`take_reply`) and lines for the client come out. Between two connections (`connected`) everything that is
not answered is to be sent again, in the order in which it was asked. What makes that safe:

- Every mutating request without an `idempotency_key` is given one before it is sent for the first time, so a repeat
  changes nothing and is answered with the row (SPEC section 3).
- A mutating notification gets an id as well; its reply is swallowed. Otherwise nobody could know whether it arrived.
- A method that takes no key and does something (`wire.names.ONCE`) is not sent twice: when the connection is lost
after it was sent, it is answered `connection_lost`.
- A subscription is made again on the next connection from the last seq (of an output: the last byte) that the client
  has seen, under the id that the client knows.

Ids stay the client's own; a reply is matched to the oldest request of its id. Lines that are not a request are sent
as they are: the runtime's answer to them (id null) is the right one.
"""

import os
from collections import deque
from collections.abc import Iterator
from typing import Any, Final

import msgspec
import orjson
from attrs import define, field

from actors.model.errors import ParseError, PerdureError, ShuttingDown
from supervisor.client.errors import ConnectionLost
from supervisor.root.following import (
    OUTPUT_SUBSCRIBE,
    OUTPUT_UNSUBSCRIBE,
    SUBSCRIBE,
    UNSUBSCRIBE,
    Following,
    FollowingOutput,
    Subscriptions,
    resumed,
)
from supervisor.wire import jsonrpc, strict_json
from supervisor.wire.jsonrpc import NULL_ID, Call, Malformed
from supervisor.wire.names import MUTATING, ONCE

OWN_ID: Final = "perdure-relay:"
"""Ids of requests that the client did not number begin with this; no client is answered under such an id."""

_KEY: Final = "idempotency_key"


class _Head(msgspec.Struct):
    """As much of a runtime's line as is looked at; results are not decoded."""

    id: int | float | str | msgspec.UnsetType | None = msgspec.UNSET
    method: str | msgspec.UnsetType = msgspec.UNSET
    params: msgspec.Raw = msgspec.Raw(b"{}")
    result: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


_LINE: Final = msgspec.json.Decoder(_Head | list[_Head])

Match = str
"""What a request and its reply have in common: their ids as text."""


@define(eq=False)
class _Asked:
    """A line for the runtime that waits to be sent, or for its reply."""

    line: bytes
    match: Match | None = None
    """None: no reply will come, so it is forgotten when it is sent."""
    ids: tuple[bytes, ...] = ()
    """Under which the client waits; empty when it does not."""
    is_batch: bool = False
    once: bool = False
    follows: dict[str, Any] | None = None
    """Parameters of a subscription that the reply will begin."""
    follows_output: dict[str, Any] | None = None
    resumes: Following | FollowingOutput | None = None
    sent: bool = field(default=False, init=False)


class Conversation:
    """One client's side of the relay."""

    def __init__(self) -> None:
        self.unanswered_bytes = 0
        """Of requests; whoever feeds this stops when it is too much."""
        self._asked: dict[int, _Asked] = {}
        """By their order."""
        self._waiting: dict[Match, deque[int]] = {}
        self._unsent: deque[int] = deque()
        self._subscriptions = Subscriptions()
        self._numbers = 0

    @property
    def over(self) -> bool:
        """Whether nobody waits for anything."""
        return not self._asked

    def take_request(self, line: bytes) -> None:
        """Take one line of the client's."""
        try:
            value = strict_json.loads(line)
        except ParseError:
            self._ask(_Asked(line, match=_match(NULL_ID), ids=(NULL_ID,)))
            return
        parsed = jsonrpc.parse(value)
        if isinstance(parsed, list):
            self._ask(self._batch(value, parsed))
        elif isinstance(parsed, Malformed):
            self._ask(_Asked(line) if parsed.id is None else _Asked(line, match=_match(parsed.id), ids=(parsed.id,)))
        else:
            self._ask(self._single(line, value, parsed))

    def take_reply(self, line: bytes) -> bytes | None:
        """Take one line of the runtime's; return what the client is to get, None when it is not the client's."""
        try:
            found = _LINE.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return line
        if isinstance(found, list):
            asked = self._answered(_match(*(_id_of(head) for head in found)))
            return line if asked is not None and asked.ids else None
        if found.method is not msgspec.UNSET:
            return self._subscriptions.translate(line, found.params)
        asked = self._answered(_match(_id_of(found)))
        if asked is None:
            return None  # of a connection that the runtime will not serve: the client has asked nothing on it
        if found.result is not msgspec.UNSET:
            if asked.follows is not None:
                self._subscriptions.begin(asked.follows, found.result)
            elif asked.follows_output is not None:
                self._subscriptions.begin_output(asked.follows_output, found.result)
            elif asked.resumes is not None:
                resumed(asked.resumes, found.result)
        return line if asked.ids else None

    def connected(self) -> None:
        """Begin on a new connection: subscriptions first, then everything that is not answered."""
        for number in [number for number, asked in self._asked.items() if asked.resumes is not None]:
            self._forget(number)
        again = list(self._asked)
        self._unsent.clear()
        for following, params in self._subscriptions.to_resume():
            self._ask_unasked(SUBSCRIBE, params, following)
        for output, params in self._subscriptions.outputs_to_resume():
            self._ask_unasked(OUTPUT_SUBSCRIBE, params, output)
        self._unsent.extend(again)

    def lost(self) -> list[bytes]:
        """Take the loss of the connection; return what the client is to be told at once."""
        once = [number for number, asked in self._asked.items() if asked.once and asked.sent]
        error = ConnectionLost("the connection to the runtime was lost while this was under way")
        return [line for number in once for line in _failures(self._forget(number), error)]

    def to_send(self) -> bytes:
        """Return what the runtime is to get next, empty when there is nothing."""
        lines: list[bytes] = []
        while self._unsent:
            number = self._unsent.popleft()
            asked = self._asked.get(number)
            if asked is None:
                continue
            asked.sent = True
            lines.append(asked.line + b"\n")
            if asked.match is None:
                self._forget(number)
        return b"".join(lines)

    def give_up(self) -> list[bytes]:
        """Forget everything; return the error replies for those who still wait."""
        error = ShuttingDown("Perdure stops; whether this took effect is unknown")
        return [line for number in list(self._asked) for line in _failures(self._forget(number), error)]

    # Requests.

    def _single(self, line: bytes, value: dict[str, Any], call: Call) -> _Asked:
        changed = self._keyed(value, call)
        hidden = call.id is None and call.method in MUTATING
        if hidden:
            value["id"] = self._own_id()
            changed = True
        ended = self._subscriptions.end(call.params) if call.method == UNSUBSCRIBE else None
        if ended is not None:
            value["params"] = ended
            changed = True
        if call.method == OUTPUT_UNSUBSCRIBE and (all_ended := self._subscriptions.end_output(call.params)):
            value["params"], *others = all_ended
            changed = True
            for params in others:
                self._ask_unasked(OUTPUT_UNSUBSCRIBE, params)
        call_id = orjson.dumps(value["id"]) if hidden else call.id
        return _Asked(
            orjson.dumps(value) if changed else line,
            match=None if call_id is None else _match(call_id),
            ids=() if call.id is None else (call.id,),
            once=call.method in ONCE,
            follows=call.params if call.method == SUBSCRIBE else None,
            follows_output=call.params if call.method == OUTPUT_SUBSCRIBE else None,
        )

    def _batch(self, value: list[Any], parsed: list[Call | Malformed]) -> _Asked:
        changing = [index for index, item in enumerate(parsed) if isinstance(item, Call) and item.method in MUTATING]
        for item, call in zip(value, parsed, strict=True):
            if isinstance(call, Call):
                self._keyed(item, call)
        ids = [call.id for call in parsed if call.id is not None]
        reply_ids = list(ids)
        if not ids and changing:
            value[changing[0]]["id"] = own_id = self._own_id()
            reply_ids = [orjson.dumps(own_id)]
        return _Asked(
            orjson.dumps(value),
            match=_match(*reply_ids) if reply_ids else None,
            ids=tuple(ids),
            is_batch=True,
            once=any(isinstance(call, Call) and call.method in ONCE for call in parsed),
        )

    def _keyed(self, value: dict[str, Any], call: Call) -> bool:
        """Give a mutating call a key if it has none; whether it was given one."""
        if call.method not in MUTATING or call.params.get(_KEY) is not None:
            return False
        value["params"] = {**call.params, _KEY: os.urandom(16).hex()}
        return True

    def _ask(self, asked: _Asked) -> None:
        self._numbers += 1
        self._asked[self._numbers] = asked
        self._unsent.append(self._numbers)
        self.unanswered_bytes += len(asked.line)
        if asked.match is not None:
            self._waiting.setdefault(asked.match, deque()).append(self._numbers)

    def _ask_unasked(
        self, method: str, params: dict[str, Any], resumes: Following | FollowingOutput | None = None
    ) -> None:
        """Ask what the client did not; the reply is swallowed."""
        own_id = self._own_id()
        line = orjson.dumps({"jsonrpc": "2.0", "id": own_id, "method": method, "params": params})
        self._ask(_Asked(line, match=_match(orjson.dumps(own_id)), resumes=resumes))

    def _own_id(self) -> str:
        self._numbers += 1
        return f"{OWN_ID}{self._numbers}"

    # Replies.

    def _answered(self, match: Match) -> _Asked | None:
        """Take the oldest request that this answers."""
        numbers = self._waiting.get(match)
        return self._forget(numbers[0]) if numbers else None

    def _forget(self, number: int) -> _Asked:
        asked = self._asked.pop(number)
        self.unanswered_bytes -= len(asked.line)
        if asked.match is not None:
            numbers = self._waiting[asked.match]
            numbers.remove(number)
            if not numbers:
                del self._waiting[asked.match]
        return asked


def _match(*ids: bytes) -> Match:
    """The same for the same ids in any order, however they were written."""
    return " ".join(sorted(orjson.dumps(orjson.loads(call_id)).decode() for call_id in ids))


def _id_of(head: _Head) -> bytes:
    return NULL_ID if head.id is msgspec.UNSET else orjson.dumps(head.id)


def _failures(asked: _Asked, error: PerdureError) -> Iterator[bytes]:
    """The reply, or the batch of replies, that tells everybody who waits for this line."""
    replies = [jsonrpc.failure(call_id, error) for call_id in asked.ids]
    if asked.is_batch and replies:
        yield jsonrpc.batch(replies)
    else:
        yield from replies

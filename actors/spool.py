"""Taking in what the session hook left in spool/ while nobody answered it.

Each file is a `session.seen` with the time at which it was, and with the key under which the hook may have asked before
it gave up: so what was recorded then is not recorded twice. A file goes when what it says is durable; one that says
nothing that can be understood goes to quarantine.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Final, Literal

import msgspec

from actors.decisions.decision import At
from actors.domain import Place
from actors.errands import Errands, Returned
from actors.kernel.mailbox import Letter
from actors.kernel.ref import Ref
from actors.messages.bounds import Params, Word
from actors.messages.questions import ReadSpool, RemoveSpooled, SetAsideSpooled
from actors.messages.request import Done, Outcome, Request
from actors.messages.sessions import SessionSeen
from actors.model.errors import UNDECODABLE, Conflict, InvalidParams, PerdureError, TooLarge
from actors.model.stamps import given_stamp

LOOK_EVERY_S: Final = 5.0
"""A sighting is news for people who look at lists."""

FILES_AT_ONCE: Final = 50

_REFUSALS: Final = (InvalidParams, TooLarge)

Consider = Callable[[Request, At], Letter | None]


class _Spooled(Params, frozen=True, kw_only=True):
    """A file of the spool."""

    v: Literal[1]
    at: Word
    key: Word
    method: Literal["session.seen"]
    params: SessionSeen


_decode = msgspec.json.Decoder(_Spooled).decode


class _Waiting(msgspec.Struct, frozen=True):
    name: str
    at: str
    request: Request


class SpoolIntake:
    """Belongs to one incarnation of the actor that decides about sessions."""

    def __init__(self, place: Place, home: Ref) -> None:
        self._place = place
        self._errands = Errands(home, place.writer, place.clock)
        self._due_s = place.clock.monotonic_s()
        self._asked = False
        self._waiting: deque[_Waiting] = deque()
        self._under_way: set[str] = set()

    def due_in_s(self) -> float:
        """Return the seconds until there is something to do."""
        if self._waiting:
            return 0.0
        own_s = float("inf") if self._asked or self._under_way else self._due_s - self._place.clock.monotonic_s()
        return max(0.0, min(own_s, self._errands.due_in_s()))

    def returned(self, returned: Returned) -> None:
        """Take what the disk answered."""
        if not self._errands.accept(returned) or not isinstance(returned.errand.message, ReadSpool):
            return
        self._asked = False
        self._due_s = self._place.clock.monotonic_s() + LOOK_EVERY_S
        for name, content in returned.value:
            self._take(name, content)

    def tick(self, consider: Consider, at: At) -> None:
        """Look into the spool when it is time, and have decided what was found there as far as the writer has room."""
        self._errands.push()
        while self._waiting and self._place.writer.room:
            waiting = self._waiting.popleft()
            # It was seen then, and not now; and never later than now, whatever the hook's clock said.
            going = consider(waiting.request, msgspec.structs.replace(at, stamp=min(waiting.at, at.stamp)))
            if going is not None:
                self._place.writer.offer([going])
        if not self._asked and not self._under_way and self._due_s <= self._place.clock.monotonic_s():
            self._asked = True
            self._errands.send(ReadSpool(FILES_AT_ONCE), None)

    def _take(self, name: str, content: bytes) -> None:
        try:
            spooled = _decode(content)
            at = given_stamp(spooled.at, "at")
        except (*UNDECODABLE, InvalidParams) as error:
            self._errands.send(SetAsideSpooled(name, f"it is no sighting of a session: {error}"), None)
            return
        self._under_way.add(name)

        def heard(outcome: Outcome) -> None:
            self._heard(name, outcome)

        # Another digest than the gateway's: if the key is known, the hook was heard after all.
        request = Request(spooled.method, spooled.params, heard, ref=f"spool-{name}", key=spooled.key, digest="")
        self._waiting.append(_Waiting(name, at, request))

    def _heard(self, name: str, outcome: Outcome) -> None:
        self._under_way.discard(name)
        error: PerdureError | None = None if isinstance(outcome, Done) else outcome.error
        question: Any = None
        if error is None or isinstance(error, Conflict):
            question = RemoveSpooled(name)
        elif isinstance(error, _REFUSALS):
            question = SetAsideSpooled(name, error.message)
        if question is not None:  # else the disk refused: the file is read again by and by
            self._errands.send(question, None)

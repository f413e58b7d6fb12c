"""When retention works: at the start, then daily, in slices, and not while the clock is in doubt.

What leaves is decided elsewhere (`decisions.sessions_retention`, `tasks_retention`, `runs_retention`). An actor owns
one of these for its rows, takes slice after slice until nothing is left to do, and decides everything under its `at`.

That the clock is in doubt is an event (`retention:suspended`), with the last moment that was believed, and so is the
end of that doubt (`retention:resumed`). So the doubt outlives an actor and a runtime: lines that were written under the
wrong time must not make the next incarnation believe it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from actors.clock_watch import ClockWatch
from actors.decisions.decision import At, Decision
from actors.decisions.records import record_event
from actors.domain import Place
from actors.messages.records import EventRecord
from actors.messages.request import Failed, Outcome
from actors.model.draft import Draft
from actors.model.stamps import posix_of, stamp_of
from actors.model.state import Tables

DAY_S: Final = 86_400.0

PAUSE_S: Final = 0.02
"""Between two slices, so that commands get their turn and the disk does not see retention only."""

SUSPENDED: Final = "retention:suspended"
RESUMED: Final = "retention:resumed"

RETRY_S: Final = 60.0
"""After a slice that the writer had no room for, or could not write."""

Decide = Callable[[Draft, At], Decision]
Propose = Callable[[str, Decide, Callable[[Outcome], None]], bool]


class Retention:
    """See the module's text. It belongs to one incarnation of an actor."""

    def __init__(self, place: Place, noun: str) -> None:
        self._place = place
        self._noun = noun
        self._due_s = self._now()
        standing = _standing(place.ledger.tables, noun)
        self._believed: str | float | None = standing or _newest(place.ledger.tables)
        """The last moment of which nobody doubts that it was then: as the journal tells it, or in POSIX seconds."""
        self._watch = ClockWatch(place.clock.posix_s(), self._now(), _seconds(self._believed))
        self._suspended_since = standing is not None
        """Whether the journal says that the clock is in doubt."""
        self._untold = self._watch.doubt if standing is None else None

    def at(self) -> At:
        """Return the present circumstances of a decision."""
        return At(
            stamp=self._place.clock.stamp(),
            rules=self._place.rules,
            steady=self._watch.doubt is None,
            held_since=str(self._place.ledger.identity.get("created_at") or ""),
        )

    def due_in_s(self) -> float:
        """Return the seconds until the next slice; while the clock is in doubt, the serve loop's own beat is enough."""
        return self._due_s - self._now() if self._watch.doubt is None else float("inf")

    def look(self, propose: Propose) -> bool:
        """Look whether the clock jumped, and record what is to be told of it; return whether a slice is due now."""
        now_s, monotonic_s = self._place.clock.posix_s(), self._now()
        if self._watch.look(now_s, monotonic_s):
            self._untold = self._watch.doubt
        elif self._watch.doubt is None:
            self._believed = now_s
        if self._untold is not None or self._suspended_since:
            self._tell(propose)
        return self._watch.doubt is None and monotonic_s >= self._due_s

    def take(self, propose: Propose, decide: Decide) -> None:
        """Take a slice; `decide` calls `took`."""
        if not propose(f"{self._noun}.retention", decide, self._heard_of_slice):
            self._due_s = self._now() + RETRY_S

    def took(self, *, more: bool) -> None:
        """A slice was decided; without `more` the next one is due in a day."""
        self._due_s = self._now() + (PAUSE_S if more else DAY_S)

    def _tell(self, propose: Propose) -> None:
        """Record once per doubt that nothing is archived because of its age, and once that it is over."""
        if self._untold is not None:
            if propose("retention.suspended", self._suspended, self._heard_of_telling):
                self._untold, self._suspended_since = None, True
        elif self._suspended_since and self._watch.doubt is None:
            self._suspended_since = not propose("retention.resumed", self._resumed, self._heard_of_the_end)

    def _heard_of_slice(self, outcome: Outcome) -> None:
        if isinstance(outcome, Failed):
            self._due_s = self._now() + RETRY_S

    def _heard_of_telling(self, outcome: Outcome) -> None:
        if isinstance(outcome, Failed):
            self._untold = self._watch.doubt

    def _heard_of_the_end(self, outcome: Outcome) -> None:
        if isinstance(outcome, Failed):
            self._suspended_since = True

    def _resumed(self, draft: Draft, at: At) -> Decision:
        message = f"{self._noun} are archived because of their age again: the clock is believed"
        return record_event(draft, EventRecord(type=RESUMED, message=message, detail={"of": self._noun}), at)

    def _suspended(self, draft: Draft, at: At) -> Decision:
        doubt = self._watch.doubt or "the clock jumped"
        believed = stamp_of(self._believed) if isinstance(self._believed, float) else self._believed
        asked = EventRecord(
            type=SUSPENDED,
            level="warning",
            message=f"no {self._noun} are archived because of their age: {doubt}",
            detail={"of": self._noun, "doubt": doubt, "believed": believed},
        )
        return record_event(draft, asked, at)

    def _now(self) -> float:
        return self._place.clock.monotonic_s()


class _Told(msgspec.Struct):
    type: str = ""
    detail: Any = None


_decode_told = msgspec.json.Decoder(_Told).decode


def _standing(tables: Tables, noun: str) -> str | None:
    """Return when the clock was believed last, if the newest word on it is that it is in doubt; None otherwise."""
    for row in reversed(tables.events.rows.values()):
        if b'"retention:' not in row.encoded:
            continue
        told = _decode_told(row.encoded)
        if not isinstance(told.detail, dict) or told.detail.get("of") != noun:
            continue
        believed = told.detail.get("believed")
        return believed if told.type == SUSPENDED and isinstance(believed, str) and _seconds(believed) else None
    return None


def _newest(tables: Tables) -> str:
    """Return when the newest line was written, as far as is known; else when a session was accessed last."""
    return tables.stamp or (tables.sessions.by_access[-1][0] if len(tables.sessions) else "")


def _seconds(stamp: str) -> float | None:
    try:
        return posix_of(stamp) if stamp else None
    except ValueError:
        return None  # another tool's session, with a time of its own kind

"""Which sessions leave for the archive by themselves: the least recently accessed beyond a limit, and unused ones.

A session that was imported counts as unused from its import on, however old it is: it was not here before.

Nothing is deleted: a session that leaves is in archive/ with its file, the journal says why (`session.archived`), and
`session.restore` brings it back. A session with a live run never leaves. While the clock cannot be believed nobody
leaves: neither when its jump was noticed (`At.steady`), nor while some session was accessed in what is now the future,
for then the order of last access means nothing.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from itertools import islice
from typing import Final

from actors.decisions.decision import At, Decision
from actors.model.draft import Draft
from actors.model.facts import Fact
from actors.model.stamps import later
from actors.model.tables import Order, Row, SessionRow, decode_session

SLICE: Final = 100
"""Sessions that leave in one journal line: more would keep commands waiting that share its commit."""

DAY_S: Final = 86_400.0

FUTURE_S: Final = 3600.0
"""A session that was accessed this much later than now tells that the clock was put back."""


def beyond_limit(draft: Draft, at: At) -> tuple[Fact, ...]:
    """Return what leaves because a session that is not in the draft yet joins."""
    if not at.rules.sessions_max or len(draft.tables.sessions) + draft.waiting() < at.rules.sessions_max:
        return ()
    changed = draft.changed("sessions")
    excess = _excess(draft, changed, at) + 1
    return _archived(draft, changed, excess, "limit", at) if excess > 0 else ()


def overdue(draft: Draft, at: At) -> Decision:
    """Return the next slice of what leaves because it is unused for too long or beyond the limit."""
    changed = draft.changed("sessions")
    cutoff = later(at.stamp, -at.rules.sessions_keep_days * DAY_S)
    ages = at.rules.sessions_keep_days and at.held_since <= cutoff
    unused = _archived(draft, changed, SLICE, "unused", at, cutoff) if ages else ()
    excess = _excess(draft, changed, at)
    if unused or not at.rules.sessions_max or excess <= 0:
        return Decision(unused, ())
    return Decision(_archived(draft, changed, excess, "limit", at), ())


def _excess(draft: Draft, changed: dict[str, Row | None], at: At) -> int:
    durable = draft.tables.sessions.rows
    pending = sum((row is not None) - (row_id in durable) for row_id, row in changed.items())
    return len(durable) + pending - at.rules.sessions_max


def _archived(
    draft: Draft, changed: dict[str, Row | None], number: int, reason: str, at: At, before: str | None = None
) -> tuple[Fact, ...]:
    """Return the facts by which the least recently accessed leave, those last accessed `before` a stamp only."""
    if not _clock_is_believable(draft, at):
        return ()
    leaving = (
        session_id
        for _accessed, session_id in _by_access(draft, changed, before)
        if next(draft.tables.runs.live_of_session(session_id), None) is None
        and (before is None or not _came_after(draft, session_id, before))
    )
    return tuple(
        Fact(
            op="session.archived",
            id=session_id,
            rev=draft.next_rev("sessions", session_id),
            data={"reason": reason},
        )
        for session_id in islice(leaving, min(number, SLICE))
    )


def _came_after(draft: Draft, session_id: str, before: str) -> bool:
    """Whether a session was imported after this moment: here it has not been unused for longer than it is here."""
    row = draft.row("sessions", session_id)
    if row is None or b'"imported"' not in row.encoded:
        return False
    imported = decode_session(row.encoded).metadata.get("imported")
    marks = imported.values() if isinstance(imported, dict) else ()
    return any(isinstance(mark, dict) and str(mark.get("at", "")) > before for mark in marks)


def _clock_is_believable(draft: Draft, at: At) -> bool:
    newest = draft.tables.sessions.by_access[-1][0] if len(draft.tables.sessions) else ""
    return at.steady and newest <= later(at.stamp, FUTURE_S)


def _by_access(draft: Draft, changed: dict[str, Row | None], before: str | None) -> Iterator[Order]:
    """Yield (last access, id) as decided so far, the one that waits longest first."""
    end = None if before is None else (before, "")
    durable = draft.tables.sessions.by_access.irange(maximum=end, inclusive=(True, False))
    pending = sorted(
        row.order for row in changed.values() if isinstance(row, SessionRow) and (end is None or row.order < end)
    )
    return heapq.merge((order for order in durable if order[1] not in changed), pending)

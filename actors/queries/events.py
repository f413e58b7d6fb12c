"""Reading events: every fact of the journal is one. Pages are made of whole lines, so no page ends inside a command."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

import msgspec

from actors.decisions.decision import At
from actors.ledger import Ledger
from actors.messages import records as ask
from actors.model.state import Line, Tables
from actors.queries.paging import PAGE_BYTES_MAX
from actors.queries.query import Answer, FromDisk, Query

LINES_READ: Final = 500
"""Lines read from the disk at once."""

LINES_LOOKED_AT: Final = 20_000
"""Lines of the disk looked at for one page; the next page goes on from there."""

Kinds = tuple[str, ...] | None


class _Listed(msgspec.Struct):
    seq: int
    ts: str
    kind: str
    id: str
    rev: int
    data: Any


_encode = msgspec.json.Encoder().encode


def matcher(kinds: Kinds) -> Callable[[str], bool]:
    """Return what tells whether a kind is wanted: named exactly (`task.created`), by a prefix (`task.*`), or all."""
    if kinds is None:
        return lambda _kind: True
    exact = frozenset(kinds)
    prefixes = tuple(kind[:-1] for kind in kinds if kind.endswith("*"))
    return lambda kind: kind in exact or kind.startswith(prefixes)


class _Page:
    """One answer of `event.list` while it grows."""

    def __init__(self, asked: ask.EventList) -> None:
        self.next_seq = asked.after_seq
        self._limit = asked.limit
        self._matches = matcher(asked.kinds)
        self._events: list[bytes] = []
        self._bytes = 0

    def take(self, lines: Iterable[Line], until: int) -> bool:
        """Add lines up to `until`; return False when the page is full."""
        for line in lines:
            if line.seq > until:
                return False
            wanted = [fact for fact in line.facts if self._matches(fact.op)]
            too_many = len(self._events) + len(wanted) > self._limit
            if self._events and wanted and (too_many or self._bytes > PAGE_BYTES_MAX):
                return False
            for fact in wanted:
                shown = _encode(_Listed(line.seq, line.ts, fact.op, fact.id, fact.rev, fact.data))
                self._events.append(shown)
                self._bytes += len(shown)
            self.next_seq = line.seq
        return True

    def encoded(self) -> bytes:
        """Return {events, next_seq}."""
        return b'{"events":[%b],"next_seq":%d}' % (b",".join(self._events), self.next_seq)


def lister(ledger: Ledger) -> Query:
    """Return the query `event.list`: from the newest lines in memory, or from the journal when it asks for older ones.

    A line with more facts than `limit` is still given whole. `next_seq` is the `after_seq` of the next page.
    """

    def list_page(tables: Tables, asked: ask.EventList, _at: At) -> Answer:
        until = tables.seq
        page = _Page(asked)
        if asked.after_seq >= until:
            return page.encoded()
        recent = ledger.recent.since(asked.after_seq + 1)
        if recent is None:
            return FromDisk("", lambda store: _from_disk(store, page, until))
        page.take(recent, until)
        return page.encoded()

    return list_page


def _from_disk(store: Any, page: _Page, until: int) -> bytes:
    for _ in range(LINES_LOOKED_AT // LINES_READ):
        lines: list[Line] = store.read_lines(page.next_seq + 1, LINES_READ)
        if not lines:
            page.next_seq = until  # what was there is not kept any more, or was lost to damage
            break
        if not page.take(lines, until) or page.next_seq >= until:
            break
    return page.encoded()

"""A draft: facts that were decided and are not durable yet, laid over the durable tables.

An actor decides on its draft, so a command sees those decided before it although the disk is still busy with them. When
the writer says that lines are settled, the draft forgets them: the tables hold them now. When it says that they failed,
the draft forgets them too, and what was decided on them is decided again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from actors.model.errors import TooLarge
from actors.model.facts import FACTS, Fact
from actors.model.keys import KeyRecord
from actors.model.session_table import Index
from actors.model.state import Lookup, Tables, rows_after
from actors.model.tables import Row

ROW_BYTES_MAX: Final = 24 << 20
"""More than one frame says, and far below what a line of the snapshot or, indented, a task's file may have (64 MiB)."""

Address = tuple[str, str]
"""(table, row id)"""


def addresses_of(facts: Sequence[Fact]) -> tuple[Address, ...]:
    """Return where the row of each fact is."""
    return tuple([(FACTS[fact.op].table, fact.id) for fact in facts])


class Draft:
    """An overlay of rows over a Lookup; also nests, so that a batch can be thrown away as a whole."""

    def __init__(self, tables: Tables, below: Lookup | None = None) -> None:
        self.tables = tables
        """The durable tables, for what only they have: indexes and orders."""
        self._below: Lookup = below if below is not None else tables
        self.pending: dict[Address, Row | None] = {}
        self.pending_keys: dict[str, KeyRecord] = {}
        self.relied_on: dict[Address, int | str] = {}
        """What the decision under way rests on besides the rows that it changes: those of others, as they are without
        it, and who has a key of an index. Only the lowest draft keeps it."""
        self.lease_max = 0
        """The highest fencing token given out by this draft."""
        self._gone_revs: dict[Address, int] = {}

    def row(self, table: str, row_id: str) -> Row | None:
        """Return the row as decided so far."""
        address = (table, row_id)
        return self.pending[address] if address in self.pending else self._below.row(table, row_id)

    def key(self, key: str) -> KeyRecord | None:
        """Return what is remembered of an idempotency key."""
        return self.pending_keys.get(key) or self._below.key(key)

    def rev(self, table: str, row_id: str) -> int:
        """Return the row's rev, 0 when it is not there: what a decision is made on, and the writer checks."""
        row = self.row(table, row_id)
        return 0 if row is None else row.rev

    def next_rev(self, table: str, row_id: str) -> int:
        """Return the rev that the next fact about this row has."""
        row = self.row(table, row_id)
        if row is not None:
            return row.rev + 1
        return max(self.tables.first_rev(table, row_id), self._gone_revs.get((table, row_id), 0) + 1)

    def changed(self, table: str) -> dict[str, Row | None]:
        """Return the rows of a table that are not durable yet, by id."""
        below = self._below.changed(table) if isinstance(self._below, Draft) else {}
        return below | {row_id: row for (name, row_id), row in self.pending.items() if name == table}

    def rely_on(self, table: str, row_id: str) -> None:
        """Have the writer check that the row is as it is now; one that the same batch has changed it checks anyway."""
        if not isinstance(self._below, Draft):
            self.relied_on[table, row_id] = self.rev(table, row_id)
        elif (table, row_id) not in self.pending:
            self._below.rely_on(table, row_id)

    def rely_on_key(self, index: Index, key: str) -> None:
        """Have the writer check that those sessions have the key then who have it now, before this decision."""
        if isinstance(self._below, Draft):
            self._below.rely_on_key(index, key)
        else:
            self.relied_on[f"sessions.{index}", key] = self.tables.sessions.holders(
                index, key, self.changed("sessions")
            )

    def waiting(self) -> int:
        """Return how many rows are not durable yet, those of the drafts below included."""
        return len(self.pending) + (self._below.waiting() if isinstance(self._below, Draft) else 0)

    def stage(self, facts: Sequence[Fact]) -> list[Row | None]:
        """Lay facts over; return the rows they leave. Raises TooLarge, and changes nothing, for a row too long."""
        rows = rows_after(self, facts)
        for row in rows:
            if row is not None and len(row.encoded) > ROW_BYTES_MAX:
                raise TooLarge(
                    f"{row.id} would have {len(row.encoded)} bytes, and a row has {ROW_BYTES_MAX} at most",
                    hint="store what is long in a file and its path here",
                )
        for address, fact, row in zip(addresses_of(facts), facts, rows, strict=True):
            self.pending[address] = row
            if row is None:
                self._gone_revs[address] = fact.rev
        return rows

    def settle(self, addresses: Sequence[Address], rows: Sequence[Row | None]) -> None:
        """Forget what became durable; rows that were changed again since stay."""
        pending = self.pending
        for address, row in zip(addresses, rows, strict=True):
            if address in pending and pending[address] is row:
                del pending[address]

    def clear(self) -> None:
        """Forget everything that is not durable (fencing tokens excepted: they never repeat)."""
        self.pending.clear()
        self.pending_keys.clear()

    def next_lease(self) -> int:
        """Return a fencing token higher than any before it."""
        self.lease_max = max(self.lease_max, self.tables.lease_max, self._lease_below()) + 1
        return self.lease_max

    def _lease_below(self) -> int:
        return self._below.lease_max if isinstance(self._below, Draft) else 0

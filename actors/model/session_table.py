"""The sessions' table: by last access for lists and for who leaves first, by creation and by title for lists.

Beside the orders it has indexes: by what a session is known elsewhere, called, descended from and recognised by.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final, Literal

from sortedcontainers import SortedList

from actors.model.tables import Order, Row, SessionRow, Table

Index = Literal["alias", "external_id", "parent_id", "last_uuid", "fingerprint"]

KEYS: Final[Mapping[Index, Callable[[SessionRow], tuple[str, ...]]]] = {
    "alias": lambda row: () if row.alias is None else (row.alias,),
    "external_id": lambda row: row.external_ids,
    "parent_id": lambda row: () if row.parent_id is None else (row.parent_id,),
    "last_uuid": lambda row: row.last_uuids,
    "fingerprint": lambda row: row.fingerprints,
}
"""Index → the keys under which it knows a session."""


class Sessions(Table[SessionRow]):
    """Sessions, also in every order that a list may have, and by every key that a search may have."""

    def __init__(self) -> None:
        super().__init__()
        self.by_access: SortedList[Order] = SortedList()
        self.by_creation: SortedList[Order] = SortedList()
        self.by_title: SortedList[Order] = SortedList()
        self._orders: tuple[tuple[SortedList[Order], Callable[[SessionRow], Order]], ...] = (
            (self.by_access, lambda row: row.order),
            (self.by_creation, lambda row: (row.created_at, row.id)),
            (self.by_title, lambda row: (row.title.casefold(), row.id)),
        )
        self._indexes: dict[Index, dict[str, dict[str, None]]] = {name: {} for name in KEYS}

    def known_by(self, index: Index, key: str) -> Iterable[str]:
        """Return the ids of the sessions that have this key, in the order in which they came."""
        return tuple(self._indexes[index].get(key, ()))

    def holders(self, index: Index, key: str, changed: Mapping[str, Row | None]) -> str:
        """Return the ids of those who have this key when these rows are changed, in order, as one text."""
        found = {row_id for row_id in self._indexes[index].get(key, ()) if row_id not in changed}
        found |= {row.id for row in changed.values() if isinstance(row, SessionRow) and key in KEYS[index](row)}
        return " ".join(sorted(found))

    def put(self, row: SessionRow) -> None:
        """Make or replace the row."""
        before = self.rows.get(row.id)
        self.rows[row.id] = row
        for orders, key in self._orders:
            now = key(row)
            if before is not None:
                if key(before) == now:
                    continue
                orders.remove(key(before))
            orders.add(now)
        for index, keys in KEYS.items():
            wanted = keys(row)
            had = () if before is None else keys(before)
            if had != wanted:
                self._leave(index, had, row.id)
                for one in wanted:
                    self._indexes[index].setdefault(one, {})[row.id] = None

    def remove(self, row_id: str) -> None:
        """Take the row out."""
        row = self.rows.pop(row_id, None)
        if row is not None:
            for orders, key in self._orders:
                orders.remove(key(row))
            for index, keys in KEYS.items():
                self._leave(index, keys(row), row_id)

    def _leave(self, index: Index, keys: Iterable[str], row_id: str) -> None:
        found = self._indexes[index]
        for key in keys:
            ids = found.get(key)
            if ids is not None:
                ids.pop(row_id, None)
                if not ids:
                    del found[key]

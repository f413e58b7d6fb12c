"""The sessions' table: by last access for lists and for who leaves first, by creation and by title for lists."""

from __future__ import annotations

from collections.abc import Callable

from sortedcontainers import SortedList

from actors.model.tables import Order, SessionRow, Table


class Sessions(Table[SessionRow]):
    """Sessions, also in every order that a list may have."""

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

    def remove(self, row_id: str) -> None:
        """Take the row out."""
        row = self.rows.pop(row_id, None)
        if row is not None:
            for orders, key in self._orders:
                orders.remove(key(row))

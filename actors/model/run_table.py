"""The runs' table: by id for lists, by task, and the live ones.

Those are found by session, which nothing may archive meanwhile, and Perdure's own by whether they wait for their turn
or have an agent.
"""

from __future__ import annotations

from collections.abc import Iterator

from sortedcontainers import SortedList

from actors.model.run import LIVE
from actors.model.tables import RunRow, Table


class Runs(Table[RunRow]):
    """Runs, also by their ids in order, by the task they belong to, and the live ones by session."""

    def __init__(self) -> None:
        super().__init__()
        self.by_id: SortedList[str] = SortedList()
        self.by_task: dict[str, set[str]] = {}
        self.queued: SortedList[str] = SortedList()
        """Perdure's own that wait; the ids grow with time."""
        self.active: SortedList[str] = SortedList()
        """Perdure's own that have an agent, or are about to."""
        self.lives: set[str] = set()
        """Those of the active ones that are a service's life."""
        self._live_by_session: dict[str, set[str]] = {}

    def put(self, row: RunRow) -> None:
        """Make or replace the row."""
        before = self.rows.get(row.id)
        if before is None:
            self.by_id.add(row.id)
        else:
            self._unlink(before)
        self.rows[row.id] = row
        if row.task_id is not None:
            self.by_task.setdefault(row.task_id, set()).add(row.id)
        if row.session_id is not None and row.status in LIVE:
            self._live_by_session.setdefault(row.session_id, set()).add(row.id)
        if row.is_own and row.status in LIVE:
            (self.queued if row.status == "queued" else self.active).add(row.id)
            if row.service is not None:
                self.lives.add(row.id)

    def remove(self, row_id: str) -> None:
        """Take the row out."""
        row = self.rows.pop(row_id, None)
        if row is not None:
            self.by_id.remove(row_id)
            self._unlink(row)

    def live_of_session(self, session_id: str) -> Iterator[RunRow]:
        """Yield the runs of a session that have not ended."""
        return (self.rows[run_id] for run_id in self._live_by_session.get(session_id, ()))

    def of_task(self, task_id: str) -> list[RunRow]:
        """Return the runs of a task, the oldest first."""
        return [self.rows[run_id] for run_id in sorted(self.by_task.get(task_id, ()))]

    def _unlink(self, row: RunRow) -> None:
        if row.is_own and row.status in LIVE:
            (self.queued if row.status == "queued" else self.active).remove(row.id)
            self.lives.discard(row.id)
        for index, name in ((self.by_task, row.task_id), (self._live_by_session, row.session_id)):
            found = index.get(name) if name is not None else None
            if name is not None and found is not None:
                found.discard(row.id)
                if not found:
                    del index[name]

"""Whose turn it is: keeps the schedule true to the rows, and lets as many runs begin as there may be at once.

Only while a host is attached: an order that nobody takes would be an interruption. A run whose task was taken away
(cancelled, deleted, claimed by a worker) leaves the queue at once.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from random import Random

from actors.decisions.runs_life import dropped, order
from actors.domain import Place
from actors.model.tables import RunRow, TaskRow, decode_run
from actors.own_work import OwnWork
from actors.running.attempts import delay_s
from actors.running.link import Host
from actors.running.schedule import Schedule, Waiting


class Turns:
    """See the module's text. It belongs to one incarnation."""

    def __init__(self, place: Place, own: OwnWork, ordered_by: dict[str, Host], rng: Random) -> None:
        self._place = place
        self._own = own
        self._ordered_by = ordered_by
        self._rng = rng
        self._schedule = Schedule()
        self._ordering: set[str] = set()
        """Runs whose turn has come, and whose order is on its way into the journal."""

    def begin(self) -> None:
        """Start from what is durable."""
        self.runs_changed(list(self._place.ledger.tables.runs.queued))

    def runs_changed(self, run_ids: Iterable[str]) -> None:
        """Let those wait that are queued, and no others."""
        for run_id in run_ids:
            row = self._place.ledger.tables.runs.get(run_id)
            if row is None or not row.is_own or row.status != "queued":
                self._schedule.remove(run_id)
            elif run_id not in self._ordering:
                self._place_run(row)

    def tasks_changed(self, task_ids: Iterable[str]) -> None:
        """Look again at the runs of these tasks, and of those that wait for them."""
        dependents = self._place.ledger.tables.tasks.dependents
        for task_id in task_ids:
            for affected in (task_id, *dependents.get(task_id, ())):
                run_id = self._schedule.run_of(affected)
                if run_id is not None:
                    self.runs_changed((run_id,))

    def due_in_s(self) -> float:
        """Return the seconds until a delay is over."""
        return self._schedule.due_s() - self._now()

    def fill(self, host: Host | None) -> None:
        """Let runs begin as long as there is room."""
        self._look_at_orders()
        active = self._place.ledger.tables.runs.active
        lives = self._place.ledger.tables.runs.lives
        room = self._place.rules.runs.concurrency - (len(active) - len(lives))
        room -= sum(1 for run_id in self._ordering if run_id not in active)
        while host is not None and room > 0:
            stamp = self._place.clock.stamp()
            waiting = self._schedule.best(stamp, self._place.rules.ageing_s, self._now())
            if waiting is None:
                return
            self._schedule.remove(waiting.run_id)
            self._ordering.add(waiting.run_id)
            self._ordered_by[waiting.run_id] = host
            self._own.add(waiting.run_id, "run.order", partial(order, run_id=waiting.run_id))
            room -= 1

    def _look_at_orders(self) -> None:
        """What was not decided to begin after all goes on waiting."""
        over = [run_id for run_id in self._ordering if run_id not in self._own]
        self._ordering.difference_update(over)
        self.runs_changed(over)

    def _place_run(self, row: RunRow) -> None:
        tables = self._place.ledger.tables
        task = tables.tasks.get(row.task_id or "")
        if task is None or task.status != "pending":
            self._schedule.remove(row.id)
            if row.id not in self._own:
                self._own.add(row.id, "run.drop", partial(dropped, run_id=row.id))
            return
        attempt = decode_run(row.encoded).attempt
        not_before_s = None
        if attempt > 1 and self._schedule.run_of(task.id) != row.id:
            not_before_s = self._now() + delay_s(attempt, self._place.rules.runs, self._rng)
        waiting = Waiting(run_id=row.id, task_id=task.id, priority=task.priority, order=(task.order[0], row.id))
        self._schedule.put(waiting, blocked=self._is_blocked(task), not_before_s=not_before_s)

    def _is_blocked(self, task: TaskRow) -> bool:
        rows = (self._place.ledger.tables.tasks.get(needed) for needed in task.depends_on)
        return any(row is None or row.status != "completed" for row in rows)

    def _now(self) -> float:
        return self._place.clock.monotonic_s()

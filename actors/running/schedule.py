"""Which run is next: by urgency (the task's priority, less one level per `ageing_s` of waiting), then by age. Pure.

Waiting runs stand in one sorted lane per priority. Ageing lifts all of a lane alike, the oldest most, so the best of
all is the best of the lanes' heads, and nothing starves: whoever waits long enough is as urgent as anything can be, and
then age decides. Runs whose task waits for others, and those whose delay is not over, stand aside.
"""

from __future__ import annotations

import heapq
from collections import defaultdict

import msgspec
from sortedcontainers import SortedList

from actors.model.tables import Order, seconds_between


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """A queued run, as far as its turn depends on it."""

    run_id: str
    task_id: str
    priority: int
    order: Order
    """(when its task was made, the run's id)"""


class Schedule:
    """See the module's text."""

    def __init__(self) -> None:
        self._lanes: defaultdict[int, SortedList[Order]] = defaultdict(SortedList)
        self._ready: dict[str, Waiting] = {}
        self._by_task: dict[str, str] = {}
        self._blocked: dict[str, Waiting] = {}
        self._delayed: list[tuple[float, str]] = []
        self._not_before: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._by_task)

    def run_of(self, task_id: str) -> str | None:
        """Return the run of a task that waits here."""
        return self._by_task.get(task_id)

    def put(self, waiting: Waiting, *, blocked: bool, not_before_s: float | None = None) -> None:
        """Let a run wait, or wait differently; its delay, once known, stays unless another is given."""
        self._take_out(waiting.run_id)
        self._by_task[waiting.task_id] = waiting.run_id
        if not_before_s is not None and waiting.run_id not in self._not_before:
            self._not_before[waiting.run_id] = not_before_s
            heapq.heappush(self._delayed, (not_before_s, waiting.run_id))
        if blocked:
            self._blocked[waiting.run_id] = waiting
        else:
            self._ready[waiting.run_id] = waiting
            if waiting.run_id not in self._not_before:
                self._lanes[waiting.priority].add(waiting.order)

    def remove(self, run_id: str) -> None:
        """Take a run out: it has begun, or will not."""
        waiting = self._ready.get(run_id) or self._blocked.get(run_id)
        self._take_out(run_id)
        self._not_before.pop(run_id, None)
        if waiting is not None:
            del self._by_task[waiting.task_id]

    def due_s(self) -> float:
        """Return when the next delay is over."""
        return self._delayed[0][0] if self._delayed else float("inf")

    def best(self, stamp: str, ageing_s: float, now_s: float) -> Waiting | None:
        """Return the run whose turn it is; None when none can begin."""
        self._end_delays(now_s)
        heads = [self._ready[lane[0][1]] for lane in self._lanes.values() if lane]
        return min(heads, key=lambda one: (_level(one, stamp, ageing_s), one.order), default=None)

    def _end_delays(self, now_s: float) -> None:
        while self._delayed and self._delayed[0][0] <= now_s:
            due_s, run_id = heapq.heappop(self._delayed)
            if self._not_before.get(run_id) != due_s:
                continue  # of a run that was taken out, and perhaps waits anew
            del self._not_before[run_id]
            if (waiting := self._ready.get(run_id)) is not None:
                self._lanes[waiting.priority].add(waiting.order)

    def _take_out(self, run_id: str) -> None:
        waiting = self._ready.pop(run_id, None)
        if waiting is not None and run_id not in self._not_before:
            lane = self._lanes[waiting.priority]
            lane.remove(waiting.order)
            if not lane:
                del self._lanes[waiting.priority]
        self._blocked.pop(run_id, None)


def _level(waiting: Waiting, stamp: str, ageing_s: float) -> int:
    """A file that a person edited may hold a time that is none; such a task has no age."""
    age_s = seconds_between(waiting.order[0], stamp) or 0.0
    return max(0, waiting.priority - int(age_s / ageing_s))

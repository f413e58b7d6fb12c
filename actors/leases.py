"""Leases: who holds a claimed task, and until when on the monotonic clock; pure, no trio.

The journal knows who holds a task and for how long the claim was, not the deadline: heartbeats are not journalled, and
a restart gives every lease its full length again (SPEC section 6). So a jump of the wall clock ends no lease.

Deadlines wait in a heap. A heartbeat that moves one back changes the table only; the heap's entry finds out when it
comes up, and goes back in with the new deadline. So a worker that beats often costs no memory.
"""

from __future__ import annotations

import heapq
from typing import Final

import attrs
import msgspec

from actors.messages.bounds import LEASE_S_MAX
from actors.messages.tasks import LEASE_S_DEFAULT
from actors.model.tables import seconds_between

LEASE_S_MIN: Final = 0.01
"""Shorter ones are a row's that a person edited; the default is meant then."""

STALE_MAX: Final = 1000
"""Stale entries of the heap, besides one for each lease, before it is made anew."""


@attrs.define(eq=False)
class Lease:
    """One claim in force."""

    token: int
    length_s: float
    deadline_s: float
    entry_s: float = float("inf")
    """The heap's entry that counts; any other of this task is stale."""


class _Held(msgspec.Struct):
    lease: int | None = None
    lease_expires_at: str | None = None
    started_at: str | None = None


_held = msgspec.json.Decoder(_Held).decode


class Leases:
    """See the module's text."""

    def __init__(self) -> None:
        self._by_task: dict[str, Lease] = {}
        self._deadlines: list[tuple[float, str]] = []

    def __len__(self) -> int:
        return len(self._by_task)

    def __contains__(self, task_id: str) -> bool:
        return task_id in self._by_task

    def get(self, task_id: str) -> Lease | None:
        """Return a task's lease, None when nobody holds it."""
        return self._by_task.get(task_id)

    def follow(self, task_id: str, encoded: bytes | None, now_s: float) -> None:
        """Take in a task's row as it is durable: a new claim begins its full length, an ended one is forgotten."""
        held = _held(encoded) if encoded is not None else _Held()
        known = self._by_task.get(task_id)
        if held.lease is None:
            self._by_task.pop(task_id, None)
        elif known is None or known.token != held.lease:
            length_s = _length_s(held)
            self._by_task[task_id] = lease = Lease(held.lease, length_s, now_s + length_s)
            self._enter(task_id, lease)

    def extend(self, task_id: str, length_s: float, now_s: float) -> None:
        """Let the lease last so much longer from now on."""
        lease = self._by_task[task_id]
        lease.length_s, lease.deadline_s = length_s, now_s + length_s
        if lease.deadline_s < lease.entry_s:
            self._enter(task_id, lease)

    def due_in_s(self, now_s: float) -> float:
        """Return the seconds until a deadline may have passed."""
        return self._deadlines[0][0] - now_s if self._deadlines else float("inf")

    def expired(self, now_s: float, number_max: int, again_in_s: float) -> list[tuple[str, int]]:
        """Return (task, token) of leases whose time is over; those not given back by then return `again_in_s` later."""
        found: list[tuple[str, int]] = []
        while self._deadlines and self._deadlines[0][0] <= now_s and len(found) < number_max:
            due_s, task_id = heapq.heappop(self._deadlines)
            lease = self._by_task.get(task_id)
            if lease is None or due_s != lease.entry_s:
                continue
            if lease.deadline_s <= now_s:
                found.append((task_id, lease.token))
                lease.deadline_s = now_s + again_in_s
            self._enter(task_id, lease)
        return found

    def _enter(self, task_id: str, lease: Lease) -> None:
        lease.entry_s = lease.deadline_s
        heapq.heappush(self._deadlines, (lease.entry_s, task_id))
        if len(self._deadlines) > 2 * len(self._by_task) + STALE_MAX:
            self._deadlines = [(lease.entry_s, task_id) for task_id, lease in self._by_task.items()]
            heapq.heapify(self._deadlines)


def _length_s(held: _Held) -> float:
    """Return how long the claim was made for: from its start to its end, as the row tells."""
    length_s = seconds_between(held.started_at, held.lease_expires_at)
    if length_s is None or length_s < LEASE_S_MIN:
        return LEASE_S_DEFAULT
    return min(length_s, LEASE_S_MAX)

"""
Moves over tasks.

A client's own tasks carry a tool of its own, so nobody else touches them: after each answer it knows what their rows
are. The tasks of the pool are everybody's: they are claimed with leases, and some leases are left to run out.
"""

from __future__ import annotations

import time
from typing import Any, Final

from supervisor.chaos.author import Author

POOL: Final = "POOL"
"""The tool of tasks that everybody claims."""
LEASE_S: Final = 30.0
SHORT_LEASE_S: Final = 1.0
"""Of claims that are left to run out."""
TASKS_KNOWN: Final = 12
"""Own tasks that are worked on; older ones are left as they are."""
LOST: Final = ("conflict", "invalid_transition", "not_found")
"""What a worker must expect when it finishes what it claimed: the lease may have run out."""

STEPS: Final[dict[str, tuple[str, ...]]] = {
    "pending": ("start", "cancel", "update", "log", "delete", "save"),
    "running": ("complete", "fail", "log", "update", "cancel"),
    "completed": ("reopen", "log"),
    "failed": ("reopen", "delete", "log"),
    "cancelled": ("reopen", "delete"),
}
"""What can be done to a task of this status."""


class OwnTasks:
    """Moves over tasks that nobody else touches."""

    def __init__(self, author: Author) -> None:
        self._author = author
        self._hand = author.hand
        self._tasks: dict[str, dict[str, Any]] = {}

    def create(self) -> None:
        """Make a task."""
        task_id = f"{self._author.name}-{self._author.next()}"
        members = {"tool": f"OWN-{self._author.name}", "metadata": {"by": self._author.name}}
        self._keep(self._hand.do("task.create", {"id": task_id, "description": f"task {task_id}", **members}))
        while len(self._tasks) > TASKS_KNOWN:
            self._tasks.pop(next(iter(self._tasks)))

    def step(self) -> None:
        """Take one of them a step further, and read what came of it."""
        if not self._tasks:
            self.create()
            return
        task = self._author.rng.choice(list(self._tasks.values()))
        step = self._author.rng.choice(STEPS[task["status"]])
        answer = self._hand.do(f"task.{step}", self._params(step, task))
        if answer is not None and step == "delete":
            self._tasks.pop(task["id"])
        elif answer is not None:
            self._keep(self._hand.do("task.get", {"id": task["id"]}))

    def _params(self, step: str, task: dict[str, Any]) -> dict[str, Any]:
        author = self._author
        if step == "save":
            return {"task": {**task, "description": author.text()}}
        if step == "log" and author.sometimes(0.3):
            return {"id": task["id"], "entries": [{"message": author.text()} for _ in range(2)]}
        more: dict[str, dict[str, Any]] = {
            "cancel": {"reason": author.text()},
            "complete": {"result": {"n": author.next()}},
            "fail": {"error": author.text()},
            "update": {"if_rev": task["rev"], "description": author.text(), "priority": author.rng.randrange(10)},
            "log": {"message": author.text()},
        }
        return {"id": task["id"], **more.get(step, {})}

    def _keep(self, task: Any) -> None:
        if task is not None:
            self._tasks[task["id"]] = task


class Pool:
    """Moves over tasks that all clients claim."""

    def __init__(self, author: Author) -> None:
        self._author = author
        self._hand = author.hand
        self._stale: list[tuple[dict[str, Any], float]] = []
        """Claims left to run out: task and lease, and when they do."""

    def add(self) -> None:
        """Make a task for whoever has time."""
        task_id = f"pool-{self._author.name}-{self._author.next()}"
        self._hand.do("task.create", {"id": task_id, "description": "whoever has time", "tool": POOL})

    def claim(self) -> None:
        """Claim one and finish it, give it back, or leave it lying."""
        author = self._author
        lapses = author.sometimes(0.2)
        lease_s = SHORT_LEASE_S if lapses else LEASE_S
        task = self._hand.do("task.claim", {"worker": author.name, "tools": [POOL], "lease_s": lease_s})
        if task is None:
            return
        claim = {"id": task["id"], "lease": task["lease"]}
        if lapses:
            self._stale.append((claim, time.monotonic() + lease_s))
            return
        if author.sometimes(0.3):
            self._hand.do("task.heartbeat", claim, allowed=LOST)
        self._hand.do("task.log", {**claim, "message": author.text()}, allowed=LOST)
        if author.sometimes(0.2):
            self._hand.do("task.release", claim, allowed=LOST)
        else:
            self._hand.do("task.complete", {**claim, "result": {"by": author.name}}, allowed=LOST)

    def use_stale_lease(self) -> None:
        """Finish with a lease that ran out: fine while nobody else has the task, refused from then on."""
        ripe = [stale for stale in self._stale if stale[1] < time.monotonic()]
        if ripe:
            self._stale.remove(ripe[0])
            self._hand.do("task.complete", {**ripe[0][0], "result": {"late": self._author.name}}, allowed=LOST)

"""
What a client does: a table of moves, each drawn by weight, each over what the client knows to be its own.

A client's tasks carry a tool of its own, so nobody else touches them: after each answer it knows exactly what their
rows are. The tasks of the pool are everybody's: they are claimed with leases, and some leases are left to run out.
Texts are used once in a trial, so that anything that took effect twice is seen by its text.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from random import Random
from typing import Any, Final

from supervisor.chaos.hand import Hand
from supervisor.trials.agent import command_line

POOL: Final = "POOL"
BATCH: Final = 3
"""Tasks that one `batch.apply` makes."""
SESSIONS_MAX: Final = 4
LEASE_S: Final = 30.0
SHORT_LEASE_S: Final = 1.0
AGENT_S: Final = (0.2, 1.5)
TASKS_KNOWN: Final = 12
"""Own tasks that are worked on; older ones are left as they are."""

STEPS: Final[dict[str, tuple[str, ...]]] = {
    "pending": ("start", "cancel", "update", "log", "delete", "save"),
    "running": ("complete", "fail", "log", "update", "cancel"),
    "completed": ("reopen", "log"),
    "failed": ("reopen", "delete", "log"),
    "cancelled": ("reopen", "delete"),
}
"""What can be done to a task of this status."""


class Moves:
    """The moves of one client, and what it knows."""

    def __init__(self, hand: Hand, name: str, rng: Random) -> None:
        self._hand = hand
        self._name = name
        self._rng = rng
        self._number = 0
        self._tasks: dict[str, dict[str, Any]] = {}
        self._sessions: dict[str, int] = {}
        """Open sessions of its own, and how many messages they have."""
        self._deleted: list[str] = []
        self._stale: list[tuple[str, int, float]] = []
        """Claims left to run out: task, lease, when it does."""
        self._table: list[tuple[int, Callable[[], object]]] = [
            (10, self._create),
            (24, self._step),
            (6, self._batch),
            (2, self._batch_that_fails),
            (8, self._pool),
            (4, self._claim),
            (2, self._use_stale_lease),
            (2, self._make_session),
            (10, self._say),
            (3, self._change_session),
            (6, self._write_log),
            (4, self._record),
            (3, self._report),
            (2, self._put_run),
            (1, self._run_agent),
            (5, self._repeat),
            (2, self._repeat_differently),
            (12, self._read_task),
            (4, self._read_batches),
            (4, self._ping),
        ]

    def one(self) -> None:
        """Make the next move."""
        (move,) = self._rng.choices([move for _, move in self._table], weights=[weight for weight, _ in self._table])
        move()

    # --- tasks of its own

    def _create(self) -> None:
        task_id = f"{self._name}-{self._next()}"
        made = self._hand.do(
            "task.create",
            id=task_id,
            description=f"task {task_id}",
            tool=f"OWN-{self._name}",
            metadata={"by": self._name},
        )
        self._keep(made)
        while len(self._tasks) > TASKS_KNOWN:
            self._tasks.pop(next(iter(self._tasks)))

    def _step(self) -> None:
        if not self._tasks:
            self._create()
            return
        task = self._rng.choice(list(self._tasks.values()))
        {
            "start": lambda: self._keep(self._hand.do("task.start", id=task["id"])),
            "cancel": lambda: self._keep(self._hand.do("task.cancel", id=task["id"], reason=self._text())),
            "complete": lambda: self._keep(self._hand.do("task.complete", id=task["id"], result={"n": self._next()})),
            "fail": lambda: self._keep(self._hand.do("task.fail", id=task["id"], error=self._text())),
            "reopen": lambda: self._keep(self._hand.do("task.reopen", id=task["id"])),
            "update": lambda: self._update(task),
            "save": lambda: self._keep(self._hand.do("task.save", task={**task, "description": self._text()})),
            "log": lambda: self._log(task),
            "delete": lambda: self._delete(task),
        }[self._rng.choice(STEPS[task["status"]])]()
        self._look(task["id"])

    def _update(self, task: dict[str, Any]) -> None:
        changes = {"description": self._text(), "priority": self._rng.randrange(10)}
        self._keep(self._hand.do("task.update", id=task["id"], if_rev=task["rev"], **changes))

    def _log(self, task: dict[str, Any]) -> None:
        if self._rng.random() < 0.7:
            answer = self._hand.do("task.log", id=task["id"], message=self._text())
        else:
            entries = [{"message": self._text(), "level": "info", "type": "user"} for _ in range(2)]
            answer = self._hand.do("task.log", id=task["id"], entries=entries)
        if answer is not None:
            self._look(task["id"])

    def _delete(self, task: dict[str, Any]) -> None:
        if self._hand.do("task.delete", id=task["id"]) is not None:
            self._tasks.pop(task["id"], None)

    def _look(self, task_id: str) -> None:
        """Read what was just written."""
        if task_id in self._tasks:
            self._keep(self._hand.do("task.get", id=task_id))

    def _keep(self, task: Any) -> None:
        if task is not None:
            self._tasks[task["id"]] = task

    # --- several at once

    def _batch(self) -> None:
        mark = f"batch-{self._name}-{self._next()}"
        commands = self._creations(mark)
        commands.append(("event.record", {"type": "chaos:batch", "message": mark}))
        if self._sessions:
            session = self._rng.choice(list(self._sessions))
            commands.append(
                ("session.append", {"id": session, "messages": [{"role": "user", "content": self._text()}]})
            )
            self._sessions[session] += 1
        self._hand.do("batch.apply", marks={"batch": mark}, commands=self._as_commands(commands))

    def _batch_that_fails(self) -> None:
        mark = f"batch-{self._name}-{self._next()}"
        commands = [*self._creations(mark), ("task.complete", {"id": f"nowhere-{mark}"})]
        self._hand.do(
            "batch.apply", allowed=("not_found",), marks={"batch": mark}, commands=self._as_commands(commands)
        )

    def _creations(self, mark: str) -> list[tuple[str, dict[str, Any]]]:
        return [("task.create", {"id": f"{mark}-{n}", "description": mark, "tool": "BATCH"}) for n in range(BATCH)]

    def _as_commands(self, commands: list[tuple[str, dict[str, Any]]]) -> list[dict[str, Any]]:
        return [{"method": method, "params": params} for method, params in commands]

    # --- the pool

    def _pool(self) -> None:
        task_id = f"pool-{self._name}-{self._next()}"
        self._hand.do("task.create", id=task_id, description="whoever has time", tool=POOL)

    def _claim(self) -> None:
        lapses = self._rng.random() < 0.2
        lease_s = SHORT_LEASE_S if lapses else LEASE_S
        task = self._hand.do("task.claim", worker=self._name, tools=[POOL], lease_s=lease_s)
        if task is None:
            return
        if lapses:
            self._stale.append((task["id"], task["lease"], time.monotonic() + lease_s))
            return
        lease = {"id": task["id"], "lease": task["lease"]}
        lost = ("conflict", "invalid_transition", "not_found")
        if self._rng.random() < 0.3:
            self._hand.do("task.heartbeat", allowed=lost, **lease)
        self._hand.do("task.log", allowed=lost, message=self._text(), **lease)
        if self._rng.random() < 0.2:
            self._hand.do("task.release", allowed=lost, **lease)
        else:
            self._hand.do("task.complete", allowed=lost, result={"by": self._name}, **lease)

    def _use_stale_lease(self) -> None:
        """Try to finish with a lease that ran out: fine while nobody else has the task, refused from then on."""
        ripe = [claim for claim in self._stale if claim[2] < time.monotonic()]
        if not ripe:
            return
        self._stale.remove(ripe[0])
        task_id, lease, _ = ripe[0]
        refusals = ("conflict", "invalid_transition", "not_found")
        self._hand.do("task.complete", allowed=refusals, id=task_id, lease=lease, result={"late": self._name})

    # --- sessions, logs, reports, runs

    def _make_session(self) -> None:
        if len(self._sessions) >= SESSIONS_MAX:
            return
        members = {"title": self._text(), "provider": "chaos", "model": "none", "working_directory": "/chaos"}
        made = self._hand.do("session.create", **members)
        if made is not None:
            self._sessions[made["id"]] = 0

    def _say(self) -> None:
        session = self._session()
        if session is None:
            return
        number = self._rng.choice((1, 1, 1, 3))
        messages = [{"role": "user", "content": self._text()} for _ in range(number)]
        if self._hand.do("session.append", id=session, messages=messages) is not None:
            self._sessions[session] += number

    def _change_session(self) -> None:
        session = self._session()
        if session is None:
            return
        change = self._rng.choice(("rename", "load", "save", "close", "delete", "restore"))
        if change == "rename":
            self._hand.do("session.rename", id=session, title=self._text())
        elif change == "save":
            self._hand.do("session.save", id=session, metadata={"n": self._next()})
        elif change == "load":
            self._hand.do("session.load", id=session)
        elif change == "close":
            self._hand.do("session.close", id=session, outcome="done")
            del self._sessions[session]
        elif change == "delete":
            self._hand.do("session.delete", id=session)
            del self._sessions[session]
            self._deleted.append(session)
        elif self._deleted:
            self._hand.do("session.restore", id=self._deleted.pop())

    def _session(self) -> str | None:
        if not self._sessions:
            self._make_session()
        return self._rng.choice(list(self._sessions)) if self._sessions else None

    def _write_log(self) -> None:
        session = self._session()
        if session is not None:
            self._hand.do("log.append", session_id=session, text=self._text() + "\n")

    def _record(self) -> None:
        self._hand.do("event.record", type="chaos:note", message=self._text())

    def _report(self) -> None:
        self._hand.do("report.save", id=f"{self._name}-{self._rng.randrange(3)}", data={"text": self._text()})

    def _put_run(self) -> None:
        run = {"id": f"put-{self._name}-{self._rng.randrange(5)}", "status": "running", "result": {"n": self._next()}}
        self._hand.do("run.put", run=run)

    def _run_agent(self) -> None:
        seconds = round(self._rng.uniform(*AGENT_S), 2)
        argv = command_line(str(self._hand.scratch / f"{self._name}-{self._next()}"), seconds)
        run = self._hand.do("run.exec", argv=argv, marks={"seconds": seconds, "copy": argv[-2]})
        if run is not None and self._rng.random() < 0.2:
            self._hand.do("run.stop", id=run["id"], grace_s=1.0, allowed=("invalid_transition", "not_found"))

    # --- again, and looking

    def _repeat(self) -> None:
        """Send a command that was acknowledged once more, as after a lost connection."""
        if self._hand.done:
            asked = self._rng.choice(self._hand.done)
            self._hand.do(asked.method, key=asked.key, marks={"repeats": asked.number}, **asked.params)

    def _repeat_differently(self) -> None:
        """Use an old key for something else."""
        if self._hand.done:
            asked = self._rng.choice(self._hand.done)
            self._hand.do(
                "event.record", key=asked.key, allowed=("conflict",), type="chaos:other", message=self._text()
            )

    def _read_task(self) -> None:
        task_id = f"w{self._rng.randrange(4)}-{self._rng.randrange(1, self._number + 2)}"
        self._hand.do("task.get", allowed=("not_found",), id=task_id)

    def _read_batches(self) -> None:
        """Read the newest tasks of batches, from where the last reading ended."""
        self._hand.read_on("task.list", tool="BATCH", limit=30)

    def _ping(self) -> None:
        self._hand.do("runtime.ping")

    def _next(self) -> int:
        self._number += 1
        return self._number

    def _text(self) -> str:
        return f"{self._name} says {self._next()}"

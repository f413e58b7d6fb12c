"""A long queue of tasks that wait for one another and matter differently, while the runtime dies again and again."""

from __future__ import annotations

import shlex
from collections import Counter
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.kit.perdure import Perdure, eventually

CONCURRENCY = 4

PASSED_OVER_LINES = 3 * CONCURRENCY
"""A turn is decided on what was durable a moment ago: so many lines of other runs may stand between. (A run's turn, its
start and its end are a line each.)"""

RESTLESS = {"supervisor__process_restarts_max": "1000", "supervisor__backoff_max_s": "0.05"}

SIZES = [
    pytest.param(60, 4, id="short"),
    pytest.param(200, 25, marks=pytest.mark.long, id="long"),
]


def queue(whole: Perdure, tasks: int, ran: Path, rng: Random) -> dict[str, list[str]]:
    """Queue tasks whose agents each write the task's id; return what each waits for."""
    waits_for: dict[str, list[str]] = {}
    for number in range(tasks):
        name = f"t{number:03d}"
        known = list(waits_for)
        waits_for[name] = sorted(rng.sample(known, min(len(known), rng.choice((0, 0, 1, 2)))))
        task = {
            "id": name,
            "description": name,
            "tool": "SHELL",
            "priority": rng.randrange(10),
            "depends_on": waits_for[name],
            "metadata": {"argv": ["sh", "-c", f"echo {name} >>{shlex.quote(str(ran))}"]},
        }
        commands = [{"method": "task.create", "params": task}, {"method": "run.start", "params": {"task_id": name}}]
        whole.call("batch.apply", commands=commands, idempotency_key=name)
    return waits_for


class Watcher:
    """Reads the journal as it was written, and says of every turn whether it was the right one's."""

    def __init__(self) -> None:
        self.tasks: dict[str, dict[str, Any]] = {}
        self.runs: dict[str, dict[str, Any]] = {}
        self.wrong: list[str] = []
        self._claimable_since: dict[str, int] = {}
        self._active: set[str] = set()

    def read(self, lines: list[dict[str, Any]]) -> None:
        """Take the whole journal."""
        for line in lines:
            for fact in line["facts"]:
                self._take(line["seq"], fact)
            self._look(line["seq"])

    def _take(self, seq: int, fact: dict[str, Any]) -> None:
        table = {"task": self.tasks, "run": self.runs}.get(fact["op"].partition(".")[0])
        if table is None:
            return
        if fact["op"] == "run.ordered":
            self._turn(seq, self.runs[fact["id"]])
        table.setdefault(fact["id"], {}).update(fact["data"])

    def _turn(self, seq: int, run: dict[str, Any]) -> None:
        task = self.tasks[run["task_id"]]
        if not self._is_free(task):
            self.wrong.append(f"line {seq}: {task['id']} begins before what it waits for is completed")
        mine = self._urgency(run)
        for run_id, since in self._claimable_since.items():
            other = self._urgency(self.runs[run_id])
            if since < seq - PASSED_OVER_LINES and other < mine:
                self.wrong.append(f"line {seq}: {mine} goes before {other}, claimable since line {since}")

    def _look(self, seq: int) -> None:
        active = {run_id for run_id, run in self.runs.items() if run["status"] in {"starting", "running"}}
        if len(active) > CONCURRENCY:
            self.wrong.append(f"line {seq}: {len(active)} agents at once")
        for run_id, run in self.runs.items():
            if run["status"] == "queued" and self._is_free(self.tasks[run["task_id"]]):
                self._claimable_since.setdefault(run_id, seq)
            else:
                self._claimable_since.pop(run_id, None)

    def _is_free(self, task: dict[str, Any]) -> bool:
        return all(self.tasks[name]["status"] == "completed" for name in task["depends_on"])

    def _urgency(self, run: dict[str, Any]) -> tuple[int, str, str]:
        task = self.tasks[run["task_id"]]
        return task["priority"], task["created_at"], run["id"]


@pytest.mark.parametrize(("tasks", "kills"), SIZES)
def test_every_task_runs_once_in_its_turn_while_the_runtime_is_killed_at_random(
    make: Any, tmp_path: Path, tasks: int, kills: int
) -> None:
    rng = Random(20_261_121)
    whole: Perdure = make(runs__concurrency=str(CONCURRENCY), **RESTLESS)
    whole.start()
    ran = tmp_path / "ran"
    ran.touch()
    waits_for = queue(whole, tasks, ran, rng)

    def have_run(number: int) -> bool:
        return len(ran.read_text().splitlines()) >= number

    for done in sorted(rng.sample(range(1, tasks - CONCURRENCY), kills)):
        eventually(partial(have_run, done), f"{done} tasks have run")
        whole.kill_runtime()

    def counts() -> Any:
        found = whole.call("runtime.status")["counts"]["tasks"]
        return found if found.get("completed") == found["total"] else None

    assert eventually(counts, "all tasks are completed")["total"] == tasks
    assert sorted(ran.read_text().splitlines()) == sorted(waits_for), "each ran once"
    whole.stop()
    watcher = Watcher()
    watcher.read(whole.journal())
    assert not watcher.wrong, "\n".join(watcher.wrong)
    ended = Counter((run["task_id"], run["status"]) for run in watcher.runs.values())
    assert [name for name in waits_for if ended[name, "exited"] != 1] == [], "each had one run of its own"
    others = [run for run in watcher.runs.values() if run["status"] != "exited"]
    assert {(run["status"], run["pid"]) for run in others} <= {("interrupted", None)}, "an order lost with its runtime"

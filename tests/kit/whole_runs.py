"""Waiting for runs of a whole Perdure, and reading what they left: in the journal, in their logs, among processes."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from tests.kit.perdure import Perdure, eventually

OVER: Final = frozenset({"exited", "interrupted", "cancelled", "timed_out", "failed_to_start"})

RESTLESS: Final = {"supervisor__process_restarts_max": "1000", "supervisor__backoff_max_s": "0.05"}
"""Dies as often as one likes, and is back at once."""


def over(whole: Perdure, run_id: str) -> dict[str, Any]:
    """Wait for a run's end."""

    def ended() -> Any:
        run = whole.call("run.get", id=run_id)
        return run if run["status"] in OVER else None

    run: dict[str, Any] = eventually(ended, f"run {run_id} is over")
    return run


def running(whole: Perdure, run_id: str) -> dict[str, Any]:
    """Wait until a run has its agent."""

    def begun() -> Any:
        run = whole.call("run.get", id=run_id)
        assert run["status"] not in OVER, run
        return run if run["status"] == "running" else None

    run: dict[str, Any] = eventually(begun, f"run {run_id} is running")
    return run


def runs_of(whole: Perdure, task_id: str) -> list[dict[str, Any]]:
    """All runs of a task, the oldest first."""
    runs: list[dict[str, Any]] = whole.call("run.list", task_id=task_id)["runs"]
    return sorted(runs, key=lambda run: str(run["id"]))


def log_of(whole: Perdure, run: dict[str, Any], stream: str = "stdout") -> Path:
    """Where a run's output is."""
    path: str = run[stream]["path"]
    return whole.state_path / path


def printed_lines(whole: Perdure, run: dict[str, Any], number: int) -> list[str]:
    """Wait until a run has printed so many whole lines; return the first ones."""

    def there() -> list[str]:
        path = log_of(whole, run)
        lines = path.read_bytes().decode().split("\n")[:-1] if path.exists() else []
        return lines[:number] if len(lines) >= number else []

    lines: list[str] = eventually(there, f"{number} lines of run {run['id']}")
    return lines


def facts_of(whole: Perdure, run_id: str) -> list[str]:
    """The names of a run's facts, as the journal has them."""
    return [fact["op"] for line in whole.journal() for fact in line["facts"] if fact["id"] == run_id]

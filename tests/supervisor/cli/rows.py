"""Rows as a runtime answers them."""

import json
from typing import Any

import attrs

from actors.model.run import Run, Stream, output_path
from actors.model.session import Session
from actors.model.task import LogEntry, Task

STAMP = "2026-11-21T10:00:00.000Z"
RUN_ID = "01a1fda1-745b-73c3-95e2-2555b760aa2c"
SESSION_ID = "0190163d-8694-739b-aea5-966c26f8ad91"


def task(id: str = "fix-login", **members: Any) -> dict[str, Any]:
    """A task's row."""
    made = Task(id=id, description="Fix the login", created_at=STAMP, updated_at=STAMP)
    return {**json.loads(json.dumps(attrs.asdict(made))), **members}


def entry(message: str, level: str = "info") -> dict[str, Any]:
    """An entry of a task's log."""
    return attrs.asdict(LogEntry(timestamp=STAMP, level=level, message=message))


def session(id: str = SESSION_ID, **members: Any) -> dict[str, Any]:
    """A session's row."""
    made = Session(
        id=id,
        title="The login",
        provider="anthropic",
        model="opus",
        working_directory="/work",
        created_at=STAMP,
        last_accessed_at=STAMP,
    )
    return {**json.loads(json.dumps(attrs.asdict(made))), **members}


def run_row(id: str = RUN_ID, **members: Any) -> dict[str, Any]:
    """A row of a run that Perdure carries out."""
    stdout = Stream(path=output_path(id, "stdout"))
    made = Run(id=id, task_id="fix-login", tool="SHELL", argv=("make", "test"), cwd="/work", stdout=stdout)
    return {**json.loads(json.dumps(attrs.asdict(made))), **members}

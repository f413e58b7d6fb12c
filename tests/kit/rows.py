"""Rows for tests: valid, as short as possible, encoded as the tables keep them."""

from __future__ import annotations

from typing import Any

from actors.decisions.decision import encode
from actors.model.run import Run
from actors.model.session import Session
from actors.model.tables import RunRow, SessionRow, TaskRow, run_row, session_row, task_row
from actors.model.task import Task

START = "2026-03-01T12:00:00.000Z"


def a_task(task_id: str, **members: Any) -> TaskRow:
    made = {"id": task_id, "description": "d", "created_at": START, "updated_at": START} | members
    return task_row(encode(Task(**made)))


def a_session(session_id: str, **members: Any) -> SessionRow:
    made = {
        "id": session_id,
        "title": "t",
        "provider": "p",
        "model": "m",
        "working_directory": "/w",
        "created_at": START,
        "last_accessed_at": START,
    } | members
    return session_row(encode(Session(**made)))


def a_run(run_id: str, **members: Any) -> RunRow:
    return run_row(encode(Run(**({"id": run_id} | members))))

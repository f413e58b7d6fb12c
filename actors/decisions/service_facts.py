"""What becomes of a service when something becomes known of the run that is its life: part of the run's own line."""

from __future__ import annotations

from typing import Any

from actors.decisions.decision import patch
from actors.model.draft import Draft
from actors.model.facts import Fact
from actors.model.run import Run
from actors.model.service import TOOL_PREFIX, Service, next_status
from actors.model.tables import decode_service


def started(draft: Draft, run: Run, pid: int, pid_started: str) -> list[Fact]:
    """Its process is there. One that is to leave already is no sign that the service runs."""
    service = service_of(draft, run)
    if service is None or run.error is not None:
        return []
    status = next_status(service.name, service.status, "run")
    return [_patch(draft, service, "service.started", status=status, pid=pid, pid_started=pid_started)]


def exited(draft: Draft, run: Run, end: dict[str, Any]) -> list[Fact]:
    """It is over; `end` holds the members of the run that say how."""
    service = service_of(draft, run)
    if service is None:
        return []
    # One that Perdure ended has ended in order, whatever it said.
    error = service.last_error if end["status"] == "cancelled" else end["error"]
    return [
        _patch(
            draft,
            service,
            "service.exited",
            status=next_status(service.name, service.status, "exit"),
            pid=None,
            pid_started=None,
            exited_at=end["ended_at"],
            exit_code=end["exit_code"],
            signal=end["signal"],
            last_error=error,
        )
    ]


def service_of(draft: Draft, run: Run) -> Service | None:
    """Return the service whose present life a run is; None for a run of a task, and for a life that was left behind."""
    tool = run.tool or ""
    if run.task_id is not None or not tool.startswith(TOOL_PREFIX):
        return None
    row = draft.row("services", tool.removeprefix(TOOL_PREFIX))
    service = None if row is None else decode_service(row.encoded)
    return service if service is not None and service.run_id == run.id else None


def _patch(draft: Draft, service: Service, op: str, **changes: Any) -> Fact:
    return patch(draft, "services", op, service.name, changes)

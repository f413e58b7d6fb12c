"""What has to be written so that the files of some rows say again what their rows say.

A task's file is its row. The files of sessions, logs and reports hold more than their rows do; of that the journal has
what was written since its oldest segment, and replaying it over a file adds only what the file does not have.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from actors.model.tables import decode_session
from actors.storage.behind import Behind, SessionWork
from actors.storage.contract import Recovered
from actors.storage.files import Disk
from actors.storage.layout import Layout
from actors.storage.recovery_replay import Replay
from actors.storage.recovery_report import RecoveryReport
from actors.storage.session_files import session_header


def note_files(disk: Disk, layout: Layout, recovered: Recovered, subjects: Iterable[tuple[str, str]]) -> None:
    """Add to `recovered.behind` what the files of these rows (table, id) need; rows that are gone need nothing."""
    tables, behind = recovered.tables, recovered.behind
    wanted: dict[str, set[str]] = {}
    for table, row_id in subjects:
        if tables.row(table, row_id) is not None:
            wanted.setdefault(table, set()).add(row_id)
    for task_id in wanted.get("tasks", ()):
        behind.note_task(task_id, tables.tasks.rows[task_id].encoded)
    if wanted.keys() - {"tasks"}:
        past = Replay(disk, layout, RecoveryReport(), lines_kept=1).covered(tables)
        logs, reports = wanted.get("logs", set()), wanted.get("reports", set())
        behind.texts[:0] = [text for text in past.texts if text[0] in logs]
        behind.spills[:0] = [spill for spill in past.spills if spill[0] in logs]
        behind.reports |= {report_id: body for report_id, body in past.reports.items() if report_id in reports}
        for session_id in wanted.get("sessions", ()):
            row = tables.sessions.rows[session_id]
            behind.sessions[session_id] = _session(session_id, row.encoded, row.rev, past)


def _session(session_id: str, encoded: bytes, rev: int, past: Behind) -> list[SessionWork]:
    """Return the works of the past, and one that gives the file its head and the row of now."""
    header = session_header(session_id, decode_session(encoded).created_at)
    meta = (rev, bytes(msgspec.Raw(encoded)))
    return [*past.sessions.get(session_id, ()), SessionWork(rev=rev, header=header, meta=meta)]

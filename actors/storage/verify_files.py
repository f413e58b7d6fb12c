"""Checking the files behind the journal, each by itself and against its row."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from attrs import frozen

from actors.model.errors import PerdureError
from actors.model.state import Tables
from actors.model.tables import Row, decode_session, decode_task
from actors.storage.archive import Archive
from actors.storage.files import Disk
from actors.storage.findings import Findings
from actors.storage.layout import Layout
from actors.storage.line_files import LineFiles
from actors.storage.open_files import OpenFiles
from actors.storage.quarantine import Quarantine
from actors.storage.recovery_adopt import buried_rev, task_of
from actors.storage.reports import Reports, UnreadableReport
from actors.storage.session_files import SessionFiles, SessionScan, UnreadableSession
from actors.storage.session_index import SessionIndex
from actors.storage.task_files import TaskFiles, TaskFilesRead
from actors.storage.text_logs import TaskLogs, TextLogs

_encode = msgspec.json.Encoder().encode
_BEHIND: Final = "it is written behind the journal, at the next start at the latest"
_EDITED: Final = "edit tasks by `perdure task edit`; remove state.json and start to have edited files taken over"


@frozen
class FilesRead:
    """Everything that the files say, read in one go."""

    layout: Layout
    tasks: TaskFilesRead
    sessions: dict[str, SessionScan | UnreadableSession]
    index_problem: str | None
    log_bytes: dict[str, int]
    """Length of the text logs, by session."""
    log_entries: dict[str, int]
    """Number of the last entry of the tasks' logs, by task."""
    reports: dict[str, bytes | UnreadableReport | None]


def read_files(disk: Disk, layout: Layout) -> FilesRead:
    """Read all of them; changes nothing."""
    files = OpenFiles(disk)
    quarantine = Quarantine(disk, layout, "verify")  # nothing is put there: reading sets nothing aside
    lines = LineFiles(files, quarantine)
    sessions = SessionFiles(disk, layout, lines, Archive(disk, layout, files))
    reports = Reports(disk, layout)
    texts, entries = TextLogs(layout, files, quarantine), TaskLogs(layout, lines)
    names = disk.listdir(layout.logs) if disk.exists(layout.logs) else []
    try:
        return FilesRead(
            layout=layout,
            tasks=TaskFiles(disk, layout, quarantine).read_all(),
            sessions={scan.session_id: scan for scan in sessions.scan_all()},
            index_problem=SessionIndex(disk, layout, sessions).read().problem,
            log_bytes={one: texts.size_bytes(one) for one in _logs_of(names, "session_")},
            log_entries={one: entries.last_number(one) for one in _logs_of(names, "task_")},
            reports={report_id: reports.read(report_id) for report_id in reports.ids()},
        )
    finally:
        files.close()


def verify_files(files: FilesRead, tables: Tables, findings: Findings, *, is_open: bool) -> None:
    """Compare the files with the rows. While the store is open, a file that lags behind its row is none."""
    _verify_tasks(files, tables, findings, is_open=is_open)
    _verify_sessions(files, tables, findings, is_open=is_open)
    _verify_logs(files, tables, findings, is_open=is_open)
    _verify_reports(files, tables, findings, is_open=is_open)
    for name, table in tables.by_name.items():
        findings.count(name, len(table))


def _verify_tasks(files: FilesRead, tables: Tables, findings: Findings, *, is_open: bool) -> None:
    findings.count("task_files", len(files.tasks.rows))
    for rejected in files.tasks.rejected:
        findings.add(rejected.path, rejected.reason, "error", "the row is safe: it will be written, this set aside")
    for task_id, content in files.tasks.rows.items():
        path = files.layout.task_file(task_id)
        problem = _problem_of(content, task_id, tables.row("tasks", task_id), buried_rev(tables, "tasks", task_id))
        if problem is not None:
            findings.add(path, problem, "warning", _EDITED)
    missing = [task_id for task_id in tables.tasks.rows if task_id not in files.tasks.rows]
    refused = {rejected.path.stem for rejected in files.tasks.rejected}
    for task_id in missing if not is_open else []:
        if task_id not in refused:
            findings.add(files.layout.task_file(task_id), "the file is missing", "info", _BEHIND)


def _problem_of(content: bytes, task_id: str, row: Row | None, grave_rev: int) -> str | None:
    try:
        task = task_of(content, task_id)
    except (msgspec.DecodeError, PerdureError) as error:
        return f"no task: {error}"
    if row is None:
        return None if task.rev <= grave_rev else "there is no such task"
    if task.rev > row.rev:
        return f"its rev {task.rev} is above the row's, {row.rev}"
    if task.rev == row.rev and _encode(task) != _encode(decode_task(row.encoded)):
        return "somebody changed it"
    return None


def _verify_sessions(files: FilesRead, tables: Tables, findings: Findings, *, is_open: bool) -> None:
    findings.count("session_files", len(files.sessions))
    for session_id, scan in files.sessions.items():
        path = files.layout.session_file(session_id)
        if isinstance(scan, UnreadableSession):
            findings.add(path, scan.reason, "error", "look at the file")
            continue
        for bad in scan.rejected:
            findings.add(path, f"line {bad.line}: {bad.reason}: {bad.excerpt}", "error", "it is passed over and kept")
        for first, last in scan.missing:
            findings.add(path, f"the messages {first} to {last} are missing", "error", "look into quarantine/")
        if scan.torn is not None:
            findings.add(path, f"torn tail: {scan.torn.reason}", "info", "cut before the next line is written")
        row = tables.row("sessions", session_id)
        if row is None:
            if not buried_rev(tables, "sessions", session_id) and not is_open:
                findings.add(path, "there is no such session", "warning", "look at the file")
        elif not is_open and decode_session(row.encoded).message_count > scan.last_index:
            findings.add(path, f"it ends at message {scan.last_index}", "warning", _BEHIND)
    for session_id in tables.sessions.rows if not is_open else ():
        if session_id not in files.sessions:
            findings.add(files.layout.session_file(session_id), "the file is missing", "warning", _BEHIND)
    if files.index_problem is not None and not is_open and tables.sessions.rows:
        findings.add(files.layout.sessions_index, files.index_problem, "info", "a cache: written anew by itself")


def _verify_logs(files: FilesRead, tables: Tables, findings: Findings, *, is_open: bool) -> None:
    for name, row in tables.logs.rows.items():
        said: dict[str, Any] = msgspec.json.decode(row.encoded)
        if "entries" in said:
            task_id = name.removeprefix("task_")
            path, have, want = files.layout.task_log(task_id), files.log_entries.get(task_id, 0), said["entries"]
        else:
            session_id = name.removeprefix("session_")
            path, have, want = files.layout.session_log(session_id), files.log_bytes.get(session_id, 0), said["bytes"]
        if have < want and not is_open:
            findings.add(path, f"it ends at {have} of {want}", "warning", _BEHIND)


def _verify_reports(files: FilesRead, tables: Tables, findings: Findings, *, is_open: bool) -> None:
    findings.count("report_files", len(files.reports))
    for report_id, report in files.reports.items():
        path = files.layout.report_file(report_id)
        if isinstance(report, UnreadableReport):
            findings.add(path, f"{report.reason} {report.excerpt}".strip(), "error", "look at the file")
    for report_id in tables.reports.rows if not is_open else ():
        if report_id not in files.reports:
            findings.add(files.layout.report_file(report_id), "the file is missing", "warning", _BEHIND)


def _logs_of(names: list[str], prefix: str) -> list[str]:
    stems = [name.removeprefix(prefix).removesuffix(".log") for name in names if name.startswith(prefix)]
    return [stem for stem in stems if stem and not stem.startswith(".")]

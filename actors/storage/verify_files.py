"""Checking the files behind the journal, each by itself and against its row.

Files are written behind: of what the journal above the files' watermark speaks, a file may say something older
(`pending`), and that is no finding. Files are read before the rows, so a row is never older than what its file says.
"""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

from actors.model.errors import UNDECODABLE, PerdureError
from actors.model.run import LIVE
from actors.model.state import Tables
from actors.model.tables import Row, decode_run, decode_session, decode_task
from actors.storage.archive import Archive
from actors.storage.files import Disk
from actors.storage.findings import Findings
from actors.storage.layout import Layout
from actors.storage.line_files import LineFiles
from actors.storage.open_files import OpenFiles
from actors.storage.quarantine import Quarantine
from actors.storage.recovery_adopt import buried_rev, task_of
from actors.storage.remedies import Remedy
from actors.storage.reports import Reports, UnreadableReport
from actors.storage.session_files import SessionFiles, SessionScan, UnreadableSession
from actors.storage.session_index import INDEX_ROWS_EAGER, LATE, SessionIndex
from actors.storage.survey import Survey
from actors.storage.task_files import TaskFiles, TaskFilesRead
from actors.storage.work import Work

_encode = msgspec.json.Encoder().encode
_EDITED: Final = "edit tasks by `perdure task edit`; remove state.json and start to have edited files taken over"
_RUN_LOG: Final = re.compile(r"run_(.+)\.(stdout|stderr)\.log")
_STREAMS: Final = ("stdout", "stderr")


class _Spilled(msgspec.Struct):
    """A log's row: how much its file holds."""

    entries: int | None = None
    before: int = 0
    bytes: int = 0


class FilesRead(msgspec.Struct, frozen=True):
    """Everything that the files say, read in one go."""

    layout: Layout
    tasks: TaskFilesRead
    sessions: dict[str, SessionScan | UnreadableSession]
    index_problem: str | None
    log_bytes: dict[str, int]
    """Length of the text logs, by session."""
    log_entries: dict[str, Survey | str]
    """The tasks' logs, by task; a text says why one cannot be read."""
    run_logs: frozenset[str]
    """Names of the files that hold what agents printed."""
    reports: dict[str, bytes | UnreadableReport | None]


def read_files(disk: Disk, layout: Layout, work: Work) -> FilesRead:
    """Read all of them; changes nothing."""
    files = OpenFiles(disk)
    quarantine = Quarantine(disk, layout, "verify")  # nothing is put there: reading sets nothing aside
    lines = LineFiles(files, quarantine)
    sessions = SessionFiles(disk, layout, lines, Archive(disk, layout, files))
    reports = Reports(disk, layout)
    names = disk.listdir(layout.logs) if disk.exists(layout.logs) else []
    try:
        work.begin("task files")
        tasks = TaskFiles(disk, layout, quarantine).read_all(work)
        work.begin("session files", len(sessions.session_ids()))
        scans: dict[str, SessionScan | UnreadableSession] = {}
        for scan in sessions.scan_all():
            scans[scan.session_id] = scan
            work.step()
        return FilesRead(
            layout=layout,
            tasks=tasks,
            sessions=scans,
            index_problem=SessionIndex(disk, layout, sessions).read().problem,
            log_bytes={one: disk.lstat(layout.session_log(one)).st_size for one in _logs_of(names, "session_")},
            log_entries={one: _survey(lines, layout, one) for one in _logs_of(names, "task_")},
            run_logs=frozenset(name for name in names if _RUN_LOG.fullmatch(name)),
            reports={report_id: reports.read(report_id) for report_id in reports.ids()},
        )
    finally:
        files.close()


def verify_files(files: FilesRead, tables: Tables, findings: Findings, pending: frozenset[str]) -> None:
    """Compare the files with the rows, but for those that are pending."""
    _verify_tasks(files, tables, findings, pending)
    _verify_sessions(files, tables, findings, pending)
    _verify_logs(files, tables, findings, pending)
    _verify_runs(files, tables, findings, pending)
    _verify_reports(files, tables, findings, pending)
    for name, table in tables.by_name.items():
        findings.count(name, len(table))


# Tasks


def _verify_tasks(files: FilesRead, tables: Tables, findings: Findings, pending: frozenset[str]) -> None:
    findings.count("task_files", len(files.tasks.rows))
    for rejected in files.tasks.rejected:
        hint, subject = "its row is safe", ("tasks", rejected.path.stem)
        findings.add(rejected.path, rejected.reason, "error", hint, Remedy.WRITE_ANEW, subject=subject)
    for task_id, content in files.tasks.rows.items():
        row, grave_rev = tables.row("tasks", task_id), buried_rev(tables, "tasks", task_id)
        problem = _problem_of(content, task_id, row, grave_rev, is_pending=task_id in pending)
        if problem is not None:
            remedy = Remedy.SET_ASIDE if row is None else Remedy.WRITE_ANEW
            path = files.layout.task_file(task_id)
            findings.add(path, problem, "warning", _EDITED, remedy, subject=("tasks", task_id))
    refused = {rejected.path.stem for rejected in files.tasks.rejected}
    for task_id in tables.tasks.rows:
        if task_id not in files.tasks.rows and task_id not in refused and task_id not in pending:
            path, hint = files.layout.task_file(task_id), "its row is safe"
            findings.add(path, "the file is missing", "warning", hint, Remedy.FILL, subject=("tasks", task_id))


def _problem_of(content: bytes, task_id: str, row: Row | None, grave_rev: int, *, is_pending: bool) -> str | None:
    try:
        task = task_of(content, task_id)
    except (*UNDECODABLE, PerdureError) as error:
        return f"no task: {error}"
    if row is None:
        return None if is_pending or task.rev <= grave_rev else "there is no such task"
    if task.rev > row.rev:
        return f"its rev {task.rev} is above the row's, {row.rev}"
    if task.rev < row.rev:
        return None if is_pending else f"its rev {task.rev} is below the row's, {row.rev}"
    return "somebody changed it" if _encode(task) != _encode(decode_task(row.encoded)) else None


# Sessions


def _verify_sessions(files: FilesRead, tables: Tables, findings: Findings, pending: frozenset[str]) -> None:
    findings.count("session_files", len(files.sessions))
    for session_id, scan in files.sessions.items():
        path, subject = files.layout.session_file(session_id), ("sessions", session_id)
        if isinstance(scan, UnreadableSession):
            hint = "its row is safe, its messages are in the journal as far as that goes back"
            findings.add(path, scan.reason, "error", hint, Remedy.WRITE_ANEW, subject=subject)
            continue
        _judge_lines(path, scan, findings, subject, is_pending=session_id in pending)
        row = tables.row("sessions", session_id)
        if session_id in pending:
            continue
        if row is None and not buried_rev(tables, "sessions", session_id):
            findings.add(path, "there is no such session", "warning", "look at the file", Remedy.SET_ASIDE)
        elif row is not None and (count := decode_session(row.encoded).message_count) > scan.last_index:
            problem = f"the messages {scan.last_index + 1} to {count} are missing"
            findings.add(path, problem, "warning", "look into quarantine/", Remedy.FILL, subject=subject)
    for session_id in tables.sessions.rows:
        if session_id not in files.sessions and session_id not in pending:
            path, hint = files.layout.session_file(session_id), "the row is safe; look for the messages in quarantine/"
            findings.add(path, "the file is missing", "warning", hint, Remedy.FILL, subject=("sessions", session_id))
    is_late = files.index_problem in LATE and (len(tables.sessions) > INDEX_ROWS_EAGER or bool(pending))
    if files.index_problem is not None and tables.sessions.rows and not is_late:
        hint = "a cache: every start makes it anew"
        findings.add(files.layout.sessions_index, files.index_problem, "info", hint, Remedy.RECOVER)


def _judge_lines(
    path: Any, scan: SessionScan | Survey, findings: Findings, subject: tuple[str, str], *, is_pending: bool
) -> None:
    for bad in scan.rejected:
        problem, hint = f"line {bad.line}: {bad.reason}: {bad.excerpt}", "it is passed over"
        findings.add(path, problem, "error", hint, Remedy.HEAL, subject=subject)
    for first, last in scan.missing:
        noun = "messages" if subject[0] == "sessions" else "entries"
        problem, hint = f"the {noun} {first} to {last} are missing", "look into quarantine/"
        findings.add(path, problem, "error", hint, Remedy.FILL, subject=subject)
    if scan.torn is not None and not is_pending:
        problem, hint = f"torn tail: {scan.torn.reason}", "cut before the next line is written"
        findings.add(path, problem, "info", hint, Remedy.HEAL, subject=subject)


# Logs, runs, reports


def _verify_logs(files: FilesRead, tables: Tables, findings: Findings, pending: frozenset[str]) -> None:
    for name, row in tables.logs.rows.items():
        said = msgspec.json.decode(row.encoded, type=_Spilled)
        if said.entries is None and name not in pending:
            _verify_text(files, name, said.bytes, findings)
        elif said.entries is not None and tables.row("tasks", name.removeprefix("task_")) is not None:
            _verify_entries(files, name, said, findings, is_pending=name in pending)
    for prefix, there in (("session_", files.log_bytes), ("task_", files.log_entries)):
        for row_id in there:
            name = f"{prefix}{row_id}"
            if tables.row("logs", name) is None and name not in pending:
                path = files.layout.logs / f"{name}.log"
                findings.add(path, "the log of nothing that is known", "warning", "look at it", Remedy.SET_ASIDE)


def _verify_text(files: FilesRead, name: str, size_bytes: int, findings: Findings) -> None:
    session_id = name.removeprefix("session_")
    path, have = files.layout.session_log(session_id), files.log_bytes.get(session_id, 0)
    if have < size_bytes:
        problem, hint = f"it ends at {have} of {size_bytes} bytes", "look into quarantine/"
        findings.add(path, problem, "warning", hint, Remedy.FILL, subject=("logs", name))
    elif have > size_bytes:
        problem, hint = f"it is longer than the journal knows, {have} of {size_bytes} bytes", "somebody wrote into it"
        findings.add(path, problem, "warning", hint, Remedy.CUT, up_to=size_bytes)


def _verify_entries(files: FilesRead, name: str, said: _Spilled, findings: Findings, *, is_pending: bool) -> None:
    """Entries up to `before` are those of tasks that had the id earlier: they may have left with them."""
    task_id = name.removeprefix("task_")
    path, survey = files.layout.task_log(task_id), files.log_entries.get(task_id, Survey())
    subject, entries = ("logs", name), said.entries or 0
    if isinstance(survey, str):
        findings.add(path, survey, "error", "look at the file", Remedy.WRITE_ANEW, subject=subject)
        return
    survey.missing = [(max(first, said.before + 1), last) for first, last in survey.missing if last > said.before]
    _judge_lines(path, survey, findings, subject, is_pending=is_pending)
    if not is_pending and max(survey.last_index, said.before) < entries:
        problem = f"the entries {max(survey.last_index, said.before) + 1} to {entries} are missing"
        findings.add(path, problem, "warning", "look into quarantine/", Remedy.FILL, subject=subject)


def _verify_runs(files: FilesRead, tables: Tables, findings: Findings, pending: frozenset[str]) -> None:
    """What agents printed is nowhere else: a file that is gone is lost. It may be shorter than what was counted."""
    findings.count("run_logs", len(files.run_logs))
    for name in files.run_logs:
        match = _RUN_LOG.fullmatch(name)
        if match is not None and match[1] not in pending and tables.row("runs", match[1]) is None:
            path, hint = files.layout.logs / name, "look at the file"
            findings.add(path, "there is no such run", "warning", hint, Remedy.SET_ASIDE)
    for row in tables.runs.rows.values():
        if not row.is_own or row.status in LIVE:
            continue
        run = decode_run(row.encoded)
        for stream in _STREAMS:
            path, printed_bytes = files.layout.run_log(run.id, stream), getattr(run, stream).bytes
            if printed_bytes and path.name not in files.run_logs:
                problem, hint = f"what the agent printed is missing, {printed_bytes} bytes", "look into quarantine/"
                findings.add(path, problem, "warning", hint, Remedy.FILL, subject=("runs", run.id))


def _verify_reports(files: FilesRead, tables: Tables, findings: Findings, pending: frozenset[str]) -> None:
    findings.count("report_files", len(files.reports))
    for report_id, report in files.reports.items():
        path, subject = files.layout.report_file(report_id), ("reports", report_id)
        if isinstance(report, UnreadableReport):
            problem, hint = f"{report.reason} {report.excerpt}".strip(), "look at the file"
            findings.add(path, problem, "error", hint, Remedy.WRITE_ANEW, subject=subject)
        elif tables.row("reports", report_id) is None and report_id not in pending:
            findings.add(path, "there is no such report", "warning", "look at the file", Remedy.SET_ASIDE)
    for report_id in tables.reports.rows:
        if report_id not in files.reports and report_id not in pending:
            path, hint = files.layout.report_file(report_id), "look into quarantine/"
            findings.add(path, "the file is missing", "warning", hint, Remedy.FILL, subject=("reports", report_id))


def _survey(lines: LineFiles, layout: Layout, task_id: str) -> Survey | str:
    try:
        return lines.survey_anew(layout.task_log(task_id)) or Survey()
    except OSError as error:
        return error.strerror or str(error)


def _logs_of(names: list[str], prefix: str) -> list[str]:
    stems = [name.removeprefix(prefix).removesuffix(".log") for name in names if name.startswith(prefix)]
    return [stem for stem in stems if stem and not stem.startswith(".")]

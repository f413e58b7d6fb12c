"""The files of a migrated directory in their new form: tasks, sessions, logs and reports."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from actors.storage.archive import Archive
from actors.storage.files import Disk
from actors.storage.layout import Layout
from actors.storage.line_files import LineFiles
from actors.storage.migration_v1 import NewState
from actors.storage.open_files import OpenFiles
from actors.storage.quarantine import Quarantine
from actors.storage.reports import Reports
from actors.storage.session_files import SessionFiles, SessionLine, session_header
from actors.storage.session_index import SessionIndex
from actors.storage.task_files import TaskFiles
from actors.storage.trees import copy_file

_encode = msgspec.json.Encoder().encode


def write_new_form(disk: Disk, layout: Layout, new: NewState) -> list[str]:
    """Write the files, durably, noting in `new.log_bytes` how long the logs are.

    Returns the files of version 1 (relative to the root) that have no place in version 2. The old files are in the
    copy, so replacing them loses nothing. Doing it again changes nothing.
    """
    quarantine = Quarantine(disk, layout, "migration")
    tasks = TaskFiles(disk, layout, quarantine)
    for task_id in new.tasks:
        tasks.remember(task_id)
    tasks.write_batch({task_id: _encode(task) for task_id, task in new.tasks.items()})
    _write_sessions(disk, layout, new, quarantine)
    reports = Reports(disk, layout)
    for report_id, report in new.reports.items():
        reports.write(report_id, _encode(report))
    _write_logs(disk, layout, new)
    return _obsolete(disk, layout, new)


def _write_sessions(disk: Disk, layout: Layout, new: NewState, quarantine: Quarantine) -> None:
    files = OpenFiles(disk)
    sessions = SessionFiles(disk, layout, LineFiles(files, quarantine), Archive(disk, layout, files))
    try:
        for session in new.sessions.values():
            header = session_header(session.id, session.created_at)
            sessions.append(session.id, header, [SessionLine.meta(session.rev, _encode(session))])
        SessionIndex(disk, layout, sessions).write(_encode(session) for session in new.sessions.values())
    finally:
        files.close()


def _write_logs(disk: Disk, layout: Layout, new: NewState) -> None:
    """Give the logs the names that their sessions' new ids demand; two that belong to one session follow each other."""
    by_session: dict[str, list[Path]] = {}
    for name, session_id in sorted(new.logs.items()):
        by_session.setdefault(session_id, []).append(layout.pre_migration_copy / "logs" / name)
    for session_id, sources in by_session.items():
        target = layout.session_log(session_id)
        temporary = target.with_name(f"{target.name}.tmp-0-0")
        disk.discard(temporary)
        copy_file(disk, sources[0], temporary)
        for source in sources[1:]:
            _append(disk, source, temporary)
        new.log_bytes[session_id] = disk.lstat(temporary).st_size
        disk.rename(temporary, target)
        disk.sync_dir(layout.logs)


def _append(disk: Disk, source: Path, target: Path) -> None:
    with disk.opened(target, os.O_WRONLY | os.O_APPEND) as descriptor:
        disk.copy_range(source, descriptor, 0, disk.lstat(source).st_size)
        disk.fsync(descriptor)


def _obsolete(disk: Disk, layout: Layout, new: NewState) -> list[str]:
    new_logs = {layout.session_log(session_id).name for session_id in new.logs.values()}
    names = [path.name for path in layout.backups_v1(disk)]
    names += [f"logs/{name}" for name in new.logs if name not in new_logs]
    task_files = {f"{task_id}.json" for task_id in new.tasks}
    originals = [str(task.metadata["original_id"]) for task in new.tasks.values() if "original_id" in task.metadata]
    names += [f"tasks/{name}.json" for name in originals if "/" not in name and f"{name}.json" not in task_files]
    return names

"""
A state directory of version 1: read as a migration reads it, into a Perdure that has a state of its own already.

Reading and the step to this version are the storage's own (`migration_source`, `migration_v1`), so that a directory
that is imported gives the rows that a migrated one has. Nothing in it is changed, and none of its tasks starts.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

import msgspec

from actors.storage.files import Disk
from actors.storage.layout import Layout
from actors.storage.migration_source import read_source
from actors.storage.migration_v1 import NewState, from_v1_to_v2
from supervisor.foreign.lines import files_below, read_object
from supervisor.foreign.values import (
    NO_MESSAGES,
    File,
    Found,
    LogFound,
    Note,
    ReportFound,
    SessionFound,
    Skipped,
    TaskFound,
)

_PIECE_CHARACTERS: Final = 256 * 1024
"""Of a log that is read; a command of the protocol holds a million."""

_NOT_TOLD: Final = frozenset({"rev", "log_count", "lease", "lease_expires_at", "worker", "message_count"})


def files(directory: Path) -> list[File]:
    """Everything that is read."""
    return [*files_below(directory, ".json", depth_max=1), *files_below(directory, ".log", depth_max=1)]


def looks_like(directory: Path) -> bool:
    """Whether its state.json is one of version 1, or its task files lie there without one."""
    state = directory / "state.json"
    if state.is_file():
        value = read_object(File(path=str(state), name=state.name, size_bytes=state.stat().st_size))
        if isinstance(value, Skipped):
            return not _is_of_this_version(directory)
        return str(value.get("version", "1")).startswith("1") and isinstance(value.get("tasks"), list)
    return any((directory / "tasks").glob("*.json")) and not _is_of_this_version(directory)


def read(directory: Path) -> Iterator[Found]:
    """Yield tasks, sessions, reports and logs."""
    # Where nothing else says when something was, the time of its last saving does, and never the time of the import.
    disk, layout = Disk(), Layout(directory)
    source = read_source(disk, layout)
    for problem in source.problems:
        yield Note(text=problem) if "missing" in problem else Skipped(file=source.name, reason=problem)
    new = from_v1_to_v2(source.old, now=source.old.last_saved or "1970-01-01T00:00:00.000Z")
    for note in new.notes:
        yield Note(text=note)
    yield from _rows(source.name, new)
    for name, session_id in new.logs.items():
        path = directory / "logs" / name
        yield LogFound(
            file=f"logs/{name}",
            session_id=session_id,
            size_bytes=path.stat().st_size if path.is_file() else 0,
            text=partial(_text, path),
        )


def _rows(name: str, new: NewState) -> Iterator[Found]:
    for session in new.sessions.values():
        members = {member: value for member, value in _told(session).items() if value not in (None, [], {}, "")}
        yield SessionFound(file=name, size_bytes=0, members=members, messages=NO_MESSAGES)
    for task in new.tasks.values():
        told = {member: value for member, value in _told(task).items() if value is not None}
        yield TaskFound(file=f"tasks/{task.id}.json", task=told)
    for report in new.reports.values():
        yield ReportFound(file=f"reports/report_{report['id']}.json", id=report["id"], data=report["data"])


def _told(row: Any) -> dict[str, Any]:
    members: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(row))
    return {member: value for member, value in members.items() if member not in _NOT_TOLD}


def _text(path: Path) -> Iterator[str]:
    with path.open(encoding="utf-8", errors="replace", newline="") as stream:
        while piece := stream.read(_PIECE_CHARACTERS):
            yield piece


def _is_of_this_version(directory: Path) -> bool:
    return (directory / "journal").is_dir() or (directory / "identity.json").is_file()

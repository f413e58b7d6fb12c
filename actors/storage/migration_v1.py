"""From version 1 to version 2: the step itself, a pure function from what the old directory holds to rows.

Version 1 is the seeds' layout: state.json with `tasks`, `sessions`, `metrics`, `last_saved`; one file per task, saved
at every change while state.json was saved every 30 s, so of a task that both hold the one updated later is the truth.
It knew no rev, no seq, no checksum, and it did not check what it wrote. So nothing is refused here: what version 2
cannot hold as it is goes into `metadata` under its old name, and a note says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import attrs
import msgspec

from actors.model.errors import InvalidParams
from actors.model.ids import clean_id, foreign_session_id
from actors.model.session import TITLE_CHARACTERS_MAX, Session
from actors.model.stamps import posix_of, stamp_of
from actors.model.tables import decode_session, decode_task
from actors.model.task import STATUSES, LogEntry, Task

_encode = msgspec.json.Encoder().encode
_STAMPS: Final = ("created_at", "updated_at", "started_at", "completed_at")
_TASK_TYPES: Final = {field.name: field.type for field in attrs.fields(attrs.resolve_types(Task))}
_OWN_MEMBERS: Final = frozenset({"id", "status", "logs", "metadata", "rev", *_STAMPS})
_SESSION_OWN: Final = frozenset({"id", "status", "started_at", "task_id", "metadata"})


@attrs.define
class OldState:
    """What a directory of version 1 holds, parsed and not judged."""

    version: str = "1.0.0"
    tasks: list[dict[str, Any]] = attrs.field(factory=list)
    sessions: list[dict[str, Any]] = attrs.field(factory=list)
    last_saved: str | None = None
    task_files: dict[str, dict[str, Any]] = attrs.field(factory=dict)
    """By file name without suffix."""
    reports: dict[str, Any] = attrs.field(factory=dict)
    """By file name without prefix and suffix."""
    logs: list[str] = attrs.field(factory=list)
    """Names of the files in logs/."""


@attrs.define
class NewState:
    """The same as rows of version 2."""

    tasks: dict[str, Task] = attrs.field(factory=dict)
    sessions: dict[str, Session] = attrs.field(factory=dict)
    reports: dict[str, dict[str, Any]] = attrs.field(factory=dict)
    """{id, created_at, data} by id."""
    logs: dict[str, str] = attrs.field(factory=dict)
    """Session id by the name of the old log file."""
    log_bytes: dict[str, int] = attrs.field(factory=dict)
    """How long each session's log is; known when the files are written."""
    notes: list[str] = attrs.field(factory=list)


def from_v1_to_v2(old: OldState, now: str) -> NewState:
    """Return the rows; `now` stands where version 1 knew no time. Raises msgspec.ValidationError only for a defect."""
    new = NewState()
    fallback = _stamp(old.last_saved) or now
    for members in _newest_tasks(old, new.notes):
        task = _task(members, fallback, new.notes)
        if task.id in new.tasks:
            new.notes.append(f"two tasks have the id {task.id}: the later one is kept, the other is in the old copy")
        new.tasks[task.id] = decode_task(_encode(task))
    for members in old.sessions:
        session = _session(members, fallback, new.notes)
        new.sessions[session.id] = decode_session(_encode(session))
        for task_id in session.task_ids:
            if task_id in new.tasks and new.tasks[task_id].session_id is None:
                new.tasks[task_id] = attrs.evolve(new.tasks[task_id], session_id=session.id)
    for name, content in old.reports.items():
        report = _report(name, content, fallback, new.notes)
        new.reports[report["id"]] = report
    for name in old.logs:
        if name.startswith("session_") and name.endswith(".log"):
            new.logs[name] = _session_of_log(name.removesuffix(".log"), new.sessions)
    return new


def _newest_tasks(old: OldState, notes: list[str]) -> Iterable[dict[str, Any]]:
    """Return state.json's tasks, each replaced by its file where that is newer, then those that only have a file."""
    found: dict[str, dict[str, Any]] = {}
    for members in old.tasks:
        found[str(members.get("id"))] = members
    for name, members in old.task_files.items():
        task_id = str(members.get("id", name))
        listed = found.get(task_id)
        if listed is None:
            notes.append(f"task {task_id} is not in state.json: taken from its file")
            found[task_id] = {**members, "id": task_id}
        elif _seconds(members.get("updated_at")) > _seconds(listed.get("updated_at")):
            notes.append(f"task {task_id}: its file is newer than state.json")
            found[task_id] = members
    return found.values()


def _task(members: Mapping[str, Any], fallback: str, notes: list[str]) -> Task:
    metadata = dict(members["metadata"]) if isinstance(members.get("metadata"), dict) else {}
    given: dict[str, Any] = {"id": _clean(members.get("id"), metadata, notes), "rev": 1}
    for name in _STAMPS:
        given[name] = _stamp(members.get(name))
        if given[name] is None and members.get(name) is not None:
            metadata[f"original_{name}"] = members[name]
    given["created_at"] = given["created_at"] or given["started_at"] or fallback
    given["updated_at"] = given["updated_at"] or given["completed_at"] or given["created_at"]
    status = members.get("status")
    given["status"] = status if status in STATUSES else "pending"
    if status != given["status"]:
        metadata["original_status"] = status
        notes.append(f"task {given['id']}: the status {status!r} became pending")
    given["logs"] = tuple(_log_entry(entry, given["updated_at"]) for entry in _list(members.get("logs")))
    for name, value in members.items():
        if name in _OWN_MEMBERS:
            continue
        if name in _TASK_TYPES and _fits(value, _TASK_TYPES[name]):
            given[name] = value
        else:
            metadata[name] = value
            notes.append(f"task {given['id']}: {name} is kept in its metadata")
    description = given.get("description")
    given["description"] = description if isinstance(description, str) and description else given["id"]
    return Task(**{**given, "metadata": metadata})


def _session(members: Mapping[str, Any], fallback: str, notes: list[str]) -> Session:
    old_id = str(members.get("id") or "session")
    created_at = _stamp(members.get("started_at")) or _stamp(members.get("created_at")) or fallback
    is_closed = members.get("status") not in ("active", "open", None)
    tool = members.get("tool")
    task_id = members.get("task_id")
    metadata = dict(members["metadata"]) if isinstance(members.get("metadata"), dict) else {}
    metadata |= {name: value for name, value in members.items() if name not in _SESSION_OWN}
    if members.get("status") not in ("active", "closed"):
        metadata["original_status"] = members.get("status")
        now = "closed" if is_closed else "open"
        notes.append(f"session {old_id}: the status {members.get('status')!r} became {now}")
    return Session(
        id=foreign_session_id(old_id),
        title=old_id[:TITLE_CHARACTERS_MAX],
        provider=tool if isinstance(tool, str) else "unknown",
        model="unknown",
        working_directory="",
        created_at=created_at,
        last_accessed_at=created_at,
        status="closed" if is_closed else "open",
        closed_at=fallback if is_closed else None,
        closed_reason="closed before the migration" if is_closed else None,
        external_ids=(old_id,),
        task_ids=(task_id,) if isinstance(task_id, str) else (),
        metadata=metadata,
    )


def _report(name: str, content: Any, fallback: str, notes: list[str]) -> dict[str, Any]:
    """A report's id is what its file's name says; what is no `{id, created_at, data}` is the data itself."""
    report_id = _clean(name, {}, notes)
    if isinstance(content, dict) and "data" in content and content.keys() <= {"id", "created_at", "data"}:
        return {
            "id": report_id,
            "created_at": _stamp(content.get("created_at")) or fallback,
            "data": content["data"],
        }
    notes.append(f"report {report_id}: its whole content became its data")
    return {"id": report_id, "created_at": fallback, "data": content}


def _session_of_log(stem: str, sessions: Mapping[str, Session]) -> str:
    """Return the session that a log's name means: `session_<id>.log`, or `<id>.log` where ids begin with session_."""
    for candidate in (stem, stem.removeprefix("session_")):
        if foreign_session_id(candidate) in sessions:
            return foreign_session_id(candidate)
    return foreign_session_id(stem)


def _log_entry(entry: Any, fallback: str) -> LogEntry:
    if not isinstance(entry, dict):
        return LogEntry(timestamp=fallback, message=entry if isinstance(entry, str) else _text(entry))
    message = entry.get("message")
    known = {name: entry[name] for name in ("level", "type") if isinstance(entry.get(name), str)}
    is_whole = isinstance(message, str) and entry.keys() <= {"timestamp", "level", "type", "message"}
    return LogEntry(
        timestamp=_stamp(entry.get("timestamp")) or fallback,
        message=message if is_whole and isinstance(message, str) else _text(entry),
        **known,
    )


def _clean(old_id: Any, metadata: dict[str, Any], notes: list[str]) -> str:
    text = str(old_id)
    try:
        cleaned = clean_id(text)
    except InvalidParams:
        cleaned = foreign_session_id(text)
    if cleaned != old_id:
        metadata["original_id"] = old_id
        notes.append(f"the id {text!r} became {cleaned}")
    return cleaned


def _stamp(value: Any) -> str | None:
    """Return the moment in version 2's form, None when it is none."""
    try:
        return stamp_of(posix_of(value))
    except (TypeError, ValueError, OverflowError):
        return None


def _seconds(value: Any) -> float:
    try:
        return posix_of(value)
    except (TypeError, ValueError, OverflowError):
        return 0.0


def _fits(value: Any, kind: Any) -> bool:
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError:
        return False
    return True


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: Any) -> str:
    return _encode(value).decode()

"""
codexd: the files of its state store. What each is, is seen from what it holds: the names are the user's to configure.

The session registry gives sessions and the run registry gives runs; identity, daemon and child record are kept together
as a report; the structured event log, or else the cache of recent events, gives events. What its child printed stays
where it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Final

from actors.model.errors import InvalidParams
from actors.model.ids import clean_id, given_session_id
from supervisor.foreign.lines import files_below, read_lines, read_object
from supervisor.foreign.members import stamp, title_of, usable_id
from supervisor.foreign.values import (
    NO_MESSAGES,
    EventsFound,
    File,
    Found,
    Line,
    Note,
    ReportFound,
    RunFound,
    SessionFound,
    Skipped,
)

_DEPTH_MAX: Final = 3

_STATUSES: Final[Mapping[str, str]] = {
    "queued": "queued",
    "pending": "queued",
    "starting": "starting",
    "running": "interrupted",
    "in_progress": "interrupted",
    "completed": "exited",
    "succeeded": "exited",
    "failed": "exited",
    "exited": "exited",
    "interrupted": "interrupted",
    "cancelled": "cancelled",
    "canceled": "cancelled",
    "timed_out": "timed_out",
}
"""A run that codexd says is running is not running here: what became of it nobody knows."""

_SESSION_OWN: Final = frozenset(
    {"sessionId", "status", "createdAt", "updatedAt", "currentTurnId", "cwd", "model", "title"}
)
_RUN_OWN: Final = frozenset({"runId", "sessionId", "status", "startedAt", "createdAt", "finishedAt", "endedAt", "cwd"})


def files(directory: Path) -> list[File]:
    """What JSON lies there."""
    return [*files_below(directory, ".json", _DEPTH_MAX), *files_below(directory, ".jsonl", _DEPTH_MAX)]


def looks_like(directory: Path) -> bool:
    """Whether one of a state store's files lies there."""
    shapes = (_shape(value) for file in files(directory)[:50] if isinstance(value := _peeked(file), dict))
    return any(shape is not None for shape in shapes)


def read(directory: Path) -> Iterator[Found]:
    """Yield what the files hold: who it is, sessions, runs, then events."""
    held: dict[str, tuple[File, dict[str, Any]]] = {}
    logs: list[File] = []
    for file in files(directory):
        if file.name.endswith(".jsonl"):
            logs.append(file)
            continue
        value = read_object(file)
        if isinstance(value, Skipped):
            yield value
        elif (shape := _shape(value)) is None:
            yield Skipped(file=file.name, reason="it is none of codexd's files")
        else:
            held[shape] = (file, value)
    name = _name(held)
    report = {shape: value for shape, (_file, value) in held.items() if shape in ("identity", "daemon")}
    if report:
        yield ReportFound(file=held[next(iter(report))][0].name, id=name, data=report)
    yield from _entries(held, "sessions", _session)
    yield from _entries(held, "runs", _run)
    yield from _events(name, logs, held)


def _shape(value: Mapping[str, Any]) -> str | None:
    """Say which of the store's files an object is."""
    if "daemonId" in value and "nodeId" in value:
        return "identity"
    if isinstance(value.get("child"), dict) and "started" in value:
        return "daemon"
    if isinstance(value.get("events"), list) and "maxEntries" in value:
        return "events"
    for noun in ("sessions", "runs"):
        if isinstance(value.get(noun), list) and value.keys() <= {noun, "updatedAt"}:
            return noun
    return None


def _peeked(file: File) -> dict[str, Any] | Skipped | None:
    return read_object(file) if file.name.endswith(".json") else None


def _name(held: Mapping[str, tuple[File, dict[str, Any]]]) -> str:
    """Name this daemon: the same from one import to the next."""
    found = held["identity"][1].get("daemonId") if "identity" in held else None
    try:
        return clean_id(f"codexd_{found}") if isinstance(found, str) else "codexd"
    except InvalidParams:
        return "codexd"


def _entries(held: Mapping[str, tuple[File, dict[str, Any]]], noun: str, entry: Any) -> Iterator[Found]:
    if noun not in held:
        return
    file, value = held[noun]
    for number, one in enumerate(value[noun], 1):
        if isinstance(one, dict):
            yield entry(file, number, one)
        else:
            yield Skipped(file=file.name, reason=f"entry {number} of the {noun} is no JSON object")


def _session(file: File, number: int, value: dict[str, Any]) -> SessionFound | Skipped:
    own_id = value.get("sessionId")
    if not isinstance(own_id, str) or not own_id:
        return Skipped(file=file.name, reason=f"entry {number} of the sessions has no sessionId")
    updated_at = stamp(value.get("updatedAt"))
    is_closed = value.get("status") == "closed"
    members: dict[str, Any] = {
        "id": usable_id(own_id),
        "external_ids": [own_id[:200]],
        "title": title_of(value.get("title"), own_id),
        "provider": "openai",
        "model": _text(value.get("model")),
        "working_directory": _text(value.get("cwd")),
        "cwd": _text(value.get("cwd")),
        "created_at": stamp(value.get("createdAt")) or updated_at,
        "last_accessed_at": updated_at,
        "last_progress_at": updated_at,
        "status": "closed" if is_closed else "open",
        "closed_at": updated_at if is_closed else None,
        "current_turn_id": None if is_closed else _text(value.get("currentTurnId")),
        "metadata": {"codexd": {name: member for name, member in value.items() if name not in _SESSION_OWN}},
    }
    thread_id = _text(value.get("threadId"))
    if thread_id is not None:
        members["external_ids"].append(thread_id[:200])
    return SessionFound(
        file=file.name,
        size_bytes=0,
        members={name: member for name, member in members.items() if member is not None},
        messages=NO_MESSAGES,
    )


def _run(file: File, number: int, value: dict[str, Any]) -> RunFound | Skipped:
    own_id = value.get("runId")
    try:
        run_id = clean_id(own_id) if isinstance(own_id, str) else None
    except InvalidParams as error:
        return Skipped(file=file.name, reason=f"entry {number} of the runs: {error.message}")
    if run_id is None:
        return Skipped(file=file.name, reason=f"entry {number} of the runs has no runId")
    session = _text(value.get("sessionId"))
    run = {
        "id": run_id,
        "session_id": None if session is None else given_session_id(usable_id(session))[0],
        "tool": "CODEX",
        "status": _STATUSES.get(str(value.get("status")), "interrupted"),
        "cwd": _text(value.get("cwd")),
        "started_at": stamp(value.get("startedAt")) or stamp(value.get("createdAt")),
        "ended_at": stamp(value.get("finishedAt")) or stamp(value.get("endedAt")),
        "result": {"codexd": {name: member for name, member in value.items() if name not in _RUN_OWN}},
    }
    return RunFound(file=file.name, run={name: member for name, member in run.items() if member is not None})


def _events(name: str, logs: list[File], held: Mapping[str, tuple[File, dict[str, Any]]]) -> Iterator[Found]:
    for file in logs:
        if any(isinstance(line, Line) and _is_event(line.value) for line in islice(read_lines(file), 20)):
            yield EventsFound(file=file.name, name=name, events=partial(_logged, file))
            return
        yield Note(text=f"{file.name} holds no events and was passed over")
    if "events" in held:
        file, value = held["events"]
        yield EventsFound(file=file.name, name=name, events=partial(_cached, file, value["events"]))


def _logged(file: File) -> Iterator[tuple[int, dict[str, Any]] | Skipped]:
    for line in read_lines(file):
        if isinstance(line, Skipped):
            yield line
        elif _is_event(line.value):
            yield _event(line.value)
        else:
            yield Skipped(file=file.name, line=line.number, reason="it is no event")


def _cached(file: File, events: list[Any]) -> Iterator[tuple[int, dict[str, Any]] | Skipped]:
    for number, value in enumerate(events, 1):
        if isinstance(value, dict) and _is_event(value):
            yield _event(value)
        else:
            yield Skipped(file=file.name, reason=f"entry {number} is no event")


def _is_event(value: Mapping[str, Any]) -> bool:
    return isinstance(value.get("seq"), int) and isinstance(value.get("type"), str) and bool(value["type"])


def _event(value: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    detail = {"seq": value["seq"], "created_at": value.get("createdAt"), "detail": value.get("detail")}
    level = value.get("level")
    event = {
        "type": value["type"][:200],
        "message": str(value.get("message", "")),
        "level": level[:200] if isinstance(level, str) and level else "info",
        "detail": {"codexd": detail},
    }
    return value["seq"], event


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None

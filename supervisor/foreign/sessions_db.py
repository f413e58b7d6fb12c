"""
sessions-db: an event log `sessions-db-events.jsonl` and its projection `sessions-db.json`, a cache.

The events are the truth: they are folded here as sessions-db folds them, and a line that cannot be read costs what it
says and nothing else. The projection is read only where there are no events. There are no messages: those lie in the
transcripts of the agent, which are imported by themselves and find their session by its agent's id.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from actors.model.ids import foreign_session_id
from actors.model.preview import sanitised
from supervisor.foreign.lines import read_lines, read_object
from supervisor.foreign.members import stamp, title_of, usable_id
from supervisor.foreign.values import NO_MESSAGES, File, Found, Line, Note, SessionFound, Skipped

EVENTS: Final = "sessions-db-events.jsonl"
PROJECTION: Final = "sessions-db.json"
PLACES: Final = ("", ".dru-code", "tickets/_logs")
"""Where its directory is, below the one that is given."""

Record = dict[str, Any]
"""A session as the projection has it."""

_OBSERVED: Final[Mapping[str, str]] = {
    "branch_current": "branch_current",
    "branch": "branch_current",
    "worktree_path_observed": "worktree_path_observed",
    "worktree_realpath": "worktree_realpath",
    "head_last_seen": "head_last_seen",
    "cwd": "cwd",
    "identity_resolution": "identity_resolution",
    "parent_candidates_omitted_count": "parent_candidates_omitted_count",
}
"""Members of a seen event → of the record: the newest is the truth."""

_ONCE: Final = ("branch_at_start", "head_at_start", "first_prompt_preview")
"""Members of which the first is the truth."""


def files(directory: Path) -> list[File]:
    """The event log, or else the projection."""
    for name in (EVENTS, PROJECTION):
        for place in PLACES:
            path = directory / place / name
            if path.is_file():
                return [File(path=str(path), name=str(Path(place) / name), size_bytes=path.stat().st_size)]
    return []


def looks_like(directory: Path) -> bool:
    """Whether a database lies there."""
    return bool(files(directory))


def read(directory: Path) -> Iterator[Found]:
    """Yield the sessions, by when they were first seen."""
    for file in files(directory):
        records: dict[str, Record] = {}
        if Path(file.name).name == EVENTS:
            yield from _fold(file, records)
        else:
            value = read_object(file)
            if isinstance(value, Skipped):
                yield value
                return
            yield Note(text=f"{EVENTS} is not there: taken from {PROJECTION}, its cache")
            yield from _projected(file, value, records)
        for record in records.values():
            yield _session(file, record, len(records))


def _projected(file: File, value: dict[str, Any], records: dict[str, Record]) -> Iterator[Skipped]:
    sessions = value.get("sessions")
    if not isinstance(sessions, dict):
        yield Skipped(file=file.name, reason="it holds no sessions")
        return
    for stable_id, record in sessions.items():
        if isinstance(record, dict):
            records[stable_id] = _new(stable_id, None) | record
        else:
            yield Skipped(file=file.name, reason=f"the record of {stable_id} is no JSON object")


def _fold(file: File, records: dict[str, Record]) -> Iterator[Skipped]:
    for line in read_lines(file):
        if isinstance(line, Skipped):
            yield line
            continue
        problem = _take(line, records)
        if problem is not None:
            yield Skipped(file=file.name, line=line.number, reason=problem)


def _take(line: Line, records: dict[str, Record]) -> str | None:
    """Apply one event; return what is wrong with it, if anything is."""
    event = line.value
    op, stable_id, payload = event.get("op"), event.get("stable_id"), event.get("payload", {})
    if not isinstance(op, str) or not isinstance(stable_id, str) or not stable_id or not isinstance(payload, dict):
        return "it is no event: op, stable_id or payload is missing or wrong"
    apply = _OPS.get(op)
    if apply is None:
        return f"events of the kind {op!r} are not known"
    at = stamp(event.get("ts"))
    record = records.setdefault(stable_id, _new(stable_id, at))
    apply(record, payload, at)
    record["last_progress_at"] = at or record["last_progress_at"]
    return None


def _new(stable_id: str, at: str | None) -> Record:
    empty: dict[str, list[Any]] = {
        name: [] for name in ("claude_session_ids", "transcript_files", "tasks", "projects", "parent_candidate_ids")
    }
    state = {"activity_state": "active", "outcome": "open", "created_at": at, "last_progress_at": at}
    return {"stable_id": stable_id, **state, **empty}


def _seen(record: Record, payload: Mapping[str, Any], _at: str | None) -> None:
    for name, member in _OBSERVED.items():
        if payload.get(name) is not None:
            record[member] = payload[name]
    for name in _ONCE:
        if record.get(name) is None:
            record[name] = payload.get(name)
    _add(record["claude_session_ids"], payload.get("claude_session_id"))
    for one in _list(payload.get("transcript_files")) or [payload.get("transcript_file")]:
        _add(record["transcript_files"], one)
    for one in _list(payload.get("parent_candidate_ids")):
        _add(record["parent_candidate_ids"], one)
    if isinstance(payload.get("fingerprints"), dict):
        known = {name: found for name, found in payload["fingerprints"].items() if found is not None}
        record["fingerprints"] = {**(record.get("fingerprints") or {}), **known}
    record["activity_state"] = "active"


def _close(record: Record, payload: Mapping[str, Any], at: str | None) -> None:
    record["outcome"] = payload.get("outcome")
    record["closed_at"] = at
    record["closed_reason"] = payload.get("closed_reason")


def _link(record: Record, payload: Mapping[str, Any], _at: str | None) -> None:
    for name in ("tasks", "projects"):
        for one in _list(payload.get(name)):
            _add(record[name], one)


def _unlink(record: Record, payload: Mapping[str, Any], _at: str | None) -> None:
    for name in ("tasks", "projects"):
        record[name] = [one for one in record[name] if one not in _list(payload.get(name))]


def _set(name: str, member: str) -> Callable[[Record, Mapping[str, Any], str | None], None]:
    def apply(record: Record, payload: Mapping[str, Any], _at: str | None) -> None:
        record[member] = payload.get(name)

    return apply


_OPS: Final[Mapping[str, Callable[[Record, Mapping[str, Any], str | None], None]]] = {
    "session_seen": _seen,
    "alias_set": _set("alias", "alias"),
    "alias_cleared": _set("alias", "alias"),
    "parent_set": _set("parent_session_id", "parent_session_id"),
    "parent_cleared": _set("parent_session_id", "parent_session_id"),
    "close": _close,
    "session_link": _link,
    "session_unlink": _unlink,
    "activity_set": _set("activity_state", "activity_state"),
}
"""Kind of event → what it does to the record."""


def _session(file: File, record: Record, number: int) -> SessionFound:
    stable_id = record["stable_id"]
    preview = sanitised(record["first_prompt_preview"]) if _text(record.get("first_prompt_preview")) else None
    outcome = record.get("outcome")
    activity = record.get("activity_state")
    is_closed = outcome in ("done", "blocked", "abandoned", "merged", "superseded")
    named = [stable_id, *filter(_text, record["claude_session_ids"])]
    members: dict[str, Any] = {
        "id": usable_id(stable_id),
        "external_ids": list(dict.fromkeys(name[:200] for name in named)),
        "title": title_of(preview, record.get("alias"), stable_id),
        "provider": "anthropic",
        "working_directory": _text(record.get("cwd")),
        "cwd": _text(record.get("cwd")),
        "created_at": stamp(record.get("created_at")),
        "last_accessed_at": stamp(record.get("last_progress_at")),
        "last_progress_at": stamp(record.get("last_progress_at")),
        "status": "closed" if is_closed else "open",
        "outcome": outcome if is_closed or outcome == "open" else None,
        "closed_at": stamp(record.get("closed_at")) if is_closed else None,
        "closed_reason": _text(record.get("closed_reason")) if is_closed else None,
        "alias": _text(record.get("alias")),
        "activity": activity if activity in ("active", "idle", "archived") else None,
        "identity_resolution": _resolution(record.get("identity_resolution")),
        "fingerprints": _texts(record.get("fingerprints"), "first_human_prompt_v1", "lineage_prefix_v1"),
        "transcript_files": _transcripts(record),
        "parent_candidates": _candidates(record),
        "parent_candidates_omitted": record.get("parent_candidates_omitted_count") or 0,
        "git": _git(record),
        "first_prompt_preview": preview,
        "task_ids": [one for one in record["tasks"] if _text(one)],
        "projects": [one for one in record["projects"] if _text(one)],
    }
    return SessionFound(
        file=file.name,
        size_bytes=file.size_bytes // max(1, number),
        members={name: member for name, member in members.items() if member not in (None, [], {})},
        messages=NO_MESSAGES,
        parent=_text(record.get("parent_session_id")),
    )


def _git(record: Record) -> dict[str, Any]:
    names = {
        "worktree": "worktree_path_observed",
        "worktree_realpath": "worktree_realpath",
        "branch_at_start": "branch_at_start",
        "branch": "branch_current",
        "head_at_start": "head_at_start",
        "head": "head_last_seen",
    }
    return {ours: record[theirs] for ours, theirs in names.items() if _text(record.get(theirs))}


def _candidates(record: Record) -> list[str]:
    named = [one.get("stable_id") if isinstance(one, dict) else one for one in record["parent_candidate_ids"]]
    return [foreign_session_id(one) for one in named if isinstance(one, str) and one]


def _transcripts(record: Record) -> list[dict[str, Any]]:
    found = [one if isinstance(one, dict) else {"path": one} for one in _list(record.get("transcript_files"))]
    return [{"path": one["path"], **_texts(one, "first_uuid", "last_uuid")} for one in found if _text(one.get("path"))]


def _resolution(value: Any) -> dict[str, Any] | None:
    if not isinstance(value, dict) or not _text(value.get("source")) or not _text(value.get("confidence")):
        return None
    matched = value.get("matched")
    return {
        "source": value["source"],
        "confidence": value["confidence"],
        "matched": matched if isinstance(matched, dict) else {},
    }


def _texts(value: Any, *names: str) -> dict[str, str]:
    return {name: value[name] for name in names if _text(value.get(name))} if isinstance(value, dict) else {}


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _add(values: list[Any], value: Any) -> None:
    if value and value not in values:
        values.append(value)

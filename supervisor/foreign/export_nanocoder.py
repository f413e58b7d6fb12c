"""
Sessions as nanocoder keeps them: `<uuid>.json` each, and the index `sessions.json`, so that it lists and loads them.

A file is written beside its place, message by message, and renamed into it. A directory that nanocoder uses already is
added to: a file that is there is replaced only when its messages are how ours begin, because otherwise nanocoder has
gone on with that session, and its words would be lost.
"""

from __future__ import annotations

import json
import os
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from attrs import define, field

from actors.model.stamps import later, stamp_of
from supervisor.foreign.as_nanocoder import as_nanocoder
from supervisor.foreign.client import Runtime
from supervisor.foreign.lines import read_object
from supervisor.foreign.marks import encoded
from supervisor.foreign.nanocoder import INDEX
from supervisor.foreign.report import Outcome, Report
from supervisor.foreign.values import File, Skipped

RETENTION_DAYS: Final = 30
"""What nanocoder keeps unless it is told otherwise."""

_DAY_S: Final = 86_400.0
_PAGE_SESSIONS: Final = 500
_PAGE_MESSAGES: Final = 500
_FILE_MODE: Final = 0o600
_DIRECTORY_MODE: Final = 0o700


def export_to(directory: Path, perdure: Runtime) -> Report:
    """Write every session that is here; raises OSError when the directory cannot be written."""
    report = Report("nanocoder", str(directory), dry_run=False)
    directory.mkdir(mode=_DIRECTORY_MODE, parents=True, exist_ok=True)
    index = _index(directory, report)
    written: list[dict[str, Any]] = []
    for row in _sessions(perdure):
        outcome = _write(directory, perdure, row, report)
        if outcome is not None:
            report.count("sessions", outcome.outcome)
            written.append(_metadata(row, outcome.message_count))
    _warn_of_retention(written, report)
    # As nanocoder's own index: in the order in which they were made.
    index |= {one["id"]: one for one in sorted(written, key=lambda one: str(one["createdAt"]))}
    _put(directory / INDEX, json.dumps(list(index.values()), ensure_ascii=False, indent=2))
    return report


def _warn_of_retention(written: Iterable[Mapping[str, Any]], report: Report) -> None:
    oldest = later(stamp_of(time.time()), -RETENTION_DAYS * _DAY_S)
    old = sum(str(one["lastAccessedAt"]) < oldest for one in written)
    if old:
        report.note(
            f"nanocoder deletes at its start sessions that were unused for sessions.retentionDays ({RETENTION_DAYS}), "
            f"and {old} of these were: raise it in its configuration first"
        )


@define
class _Written:
    outcome: Outcome
    message_count: int


@define
class _Before:
    """The file that is there already, and whether ours goes on from it."""

    messages: list[bytes] = field(factory=list)
    exists: bool = False
    is_beginning: bool = True
    seen: int = 0

    def compare(self, message: Mapping[str, Any]) -> None:
        if self.seen < len(self.messages) and encoded(message) != self.messages[self.seen]:
            self.is_beginning = False
        self.seen += 1

    @property
    def may_go(self) -> bool:
        return self.is_beginning and self.seen >= len(self.messages)


def _write(directory: Path, perdure: Runtime, row: dict[str, Any], report: Report) -> _Written | None:
    place = directory / f"{row['id']}.json"
    before = _before(place)
    if isinstance(before, Skipped):
        report.skip(before)
        return None
    beside = directory / f".{row['id']}.{secrets.token_hex(4)}.tmp"
    try:
        number = _write_beside(beside, perdure, row, before, report)
        if not before.may_go:
            reason = "what is there has other messages; it was left as it is"
            report.skip(Skipped(file=place.name, reason=reason))
            return None
        if before.exists and beside.read_bytes() == place.read_bytes():
            return _Written("unchanged", number)
        beside.replace(place)
        report.messages += number
        return _Written("changed" if before.exists else "new", number)
    finally:
        beside.unlink(missing_ok=True)


def _write_beside(beside: Path, perdure: Runtime, row: dict[str, Any], before: _Before, report: Report) -> int:
    """Write the file; return how many messages it holds. Their number stands before them, so it is found first."""
    count = sum(1 for _message in _messages(perdure, row["id"], report.note))
    head = json.dumps(_metadata(row, count) | _rest(row), ensure_ascii=False, indent=2)
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _FILE_MODE)
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as stream:
        stream.write(head.removesuffix("\n}") + ',\n  "messages": [')
        for number, message in enumerate(_messages(perdure, row["id"])):
            before.compare(message)
            text = json.dumps(message, ensure_ascii=False, indent=2).replace("\n", "\n    ")
            stream.write(("," if number else "") + "\n    " + text)
        stream.write("\n  ]\n}" if count else "]\n}")
        stream.flush()
        os.fsync(stream.fileno())
    return count


def _before(place: Path) -> _Before | Skipped:
    if not place.exists():
        return _Before()
    value = read_object(File(path=str(place), name=place.name, size_bytes=place.stat().st_size))
    if isinstance(value, Skipped):
        return Skipped(file=place.name, reason=f"what is there is not replaced: {value.reason}")
    messages = value.get("messages")
    return _Before([encoded(one) for one in messages] if isinstance(messages, list) else [], exists=True)


def _metadata(row: Mapping[str, Any], message_count: int) -> dict[str, Any]:
    return {
        "id": row["id"],
        "title": row["title"],
        "createdAt": row["created_at"],
        "lastAccessedAt": row["last_accessed_at"],
        "messageCount": message_count,
        "provider": row["provider"],
        "model": row["model"],
        "workingDirectory": row["working_directory"],
    }


def _rest(row: Mapping[str, Any]) -> dict[str, Any]:
    """What a file of nanocoder held besides, when it was imported."""
    rest = row["metadata"].get("nanocoder")
    return rest if isinstance(rest, dict) else {}


def _sessions(perdure: Runtime) -> Iterator[dict[str, Any]]:
    """Every session that is here."""
    cursor: str | None = None
    while True:
        more = {} if cursor is None else {"cursor": cursor}
        page = perdure.call("session.list", order="created", limit=_PAGE_SESSIONS, **more)
        yield from page["sessions"]
        cursor = page["next_cursor"]
        if cursor is None:
            return


def _messages(
    perdure: Runtime, session_id: str, tell: Callable[[str], object] = lambda _text: None
) -> Iterator[dict[str, Any]]:
    after = 0
    while True:
        page = perdure.call("session.messages", id=session_id, after=after, limit=_PAGE_MESSAGES)
        for first, last in page.get("missing", ()):
            tell(f"{session_id}: messages {first} to {last} are lost here; those beside them are exported")
        for body in page["messages"]:
            yield from as_nanocoder(body)
        if page["next"] is None:
            return
        after = page["next"]


def _index(directory: Path, report: Report) -> dict[str, dict[str, Any]]:
    """Return the entries of the index that is there, by id; a broken one is made anew, as nanocoder does."""
    try:
        found = json.loads((directory / INDEX).read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        report.note(f"{INDEX} could not be read and is made anew: {error}")
        return {}
    entries = found if isinstance(found, list) else []
    return {one["id"]: one for one in entries if isinstance(one, dict) and isinstance(one.get("id"), str)}


def _put(place: Path, text: str) -> None:
    beside = place.with_name(f".{place.name}.{secrets.token_hex(4)}.tmp")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _FILE_MODE)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        beside.replace(place)
    finally:
        beside.unlink(missing_ok=True)

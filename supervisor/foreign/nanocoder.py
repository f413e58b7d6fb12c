"""
nanocoder: a directory of `<uuid>.json`, one session each, and their index `sessions.json`.

The files are the truth, as they are for nanocoder when its index is lost; the index is not read. nanocoder finds a
session by its file's name, so a file whose id is another one is none of its sessions.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

from actors.model.errors import InvalidParams
from actors.model.ids import session_id
from supervisor.foreign.lines import files_below, read_object
from supervisor.foreign.members import message_of, stamp, title_of
from supervisor.foreign.values import File, Found, Message, SessionFound, Skipped

INDEX: Final = "sessions.json"

_TEXTS: Final = ("id", "title", "createdAt", "lastAccessedAt", "provider", "model", "workingDirectory")
_KNOWN: Final = frozenset({*_TEXTS, "messageCount", "messages"})


def files(directory: Path) -> list[File]:
    """The sessions' files, and, so that a lonely index is recognised, not the index."""
    return [file for file in files_below(directory, ".json", depth_max=0) if file.name != INDEX]


def looks_like(directory: Path) -> bool:
    """Whether sessions of nanocoder lie there."""
    named = [file for file in files(directory) if _is_id(Path(file.name).stem)]
    return bool(named) or (directory / INDEX).is_file()


def read(directory: Path) -> Iterator[Found]:
    """Yield the sessions, by file name."""
    for file in files(directory):
        value = read_object(file)
        yield value if isinstance(value, Skipped) else _session(file, value)


def _session(file: File, value: dict[str, Any]) -> SessionFound | Skipped:
    wrong = [name for name in _TEXTS if not isinstance(value.get(name), str)]
    if not isinstance(value.get("messages"), list):
        wrong.append("messages")
    if wrong:
        return Skipped(file=file.name, reason=f"it is no session of nanocoder: {', '.join(wrong)} missing or wrong")
    if not _is_id(value["id"]):
        return Skipped(file=file.name, reason=f"its id {value['id']!r} is no UUID")
    if value["id"] != Path(file.name).stem:
        return Skipped(file=file.name, reason=f"its id {value['id']} is not what its name says")
    created_at = stamp(value["createdAt"])
    members: dict[str, Any] = {
        "id": value["id"],
        "external_ids": [value["id"]],
        "title": title_of(value["title"], value["id"]),
        "provider": value["provider"] or "unknown",
        "model": value["model"] or "unknown",
        "working_directory": value["workingDirectory"],
        "created_at": created_at,
        "last_accessed_at": stamp(value["lastAccessedAt"]) or created_at,
    }
    rest = {name: member for name, member in value.items() if name not in _KNOWN}
    if rest:
        members["metadata"] = {"nanocoder": rest}
    return SessionFound(
        file=file.name,
        size_bytes=file.size_bytes,
        members={name: member for name, member in members.items() if member is not None},
        messages=partial(_messages, file, value["messages"]),
    )


def _messages(file: File, messages: list[Any]) -> Iterator[Message | Skipped]:
    for number, body in enumerate(messages, 1):
        if isinstance(body, dict):
            yield message_of(file, None, body)
        else:
            yield Skipped(file=file.name, reason=f"message {number} is no JSON object")


def _is_id(text: str) -> bool:
    try:
        session_id(text)
    except InvalidParams:
        return False
    return True

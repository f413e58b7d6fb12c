"""How sessions and their messages look. Pure functions from what the runtime answered."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import count, islice
from typing import Any, Final

from supervisor.cli.paper import BUSY, FAINT, GOOD, PLAIN, STRONG, WARNING, Cell, Column, Table, facts
from supervisor.cli.words import age, ago, local_time, one_line, prose, scalar, shortened

Session = Mapping[str, Any]

_STYLES: Final[Mapping[str, str]] = {"open": GOOD, "closed": FAINT}
_ROLES: Final[Mapping[str, str]] = {"user": BUSY, "assistant": GOOD, "system": FAINT, "tool": WARNING}

_SHOWN: Final = (
    ("title", "title"),
    ("status", "status"),
    ("outcome", "outcome"),
    ("closed_reason", "reason"),
    ("alias", "alias"),
    ("provider", "provider"),
    ("model", "model"),
    ("working_directory", "directory"),
    ("message_count", "messages"),
    ("activity", "activity"),
    ("external_ids", "other ids"),
    ("parent_id", "parent"),
    ("task_ids", "tasks"),
    ("projects", "projects"),
    ("first_prompt_preview", "first prompt"),
    ("imported", "imported"),
    ("metadata", "metadata"),
)
"""Member → what it is called; members that say nothing are left out."""


def listed(sessions: Sequence[Session], now: datetime) -> Table:
    """The list: a row per session."""
    columns = (
        Column("#", right=True),
        Column("ID", ids=True),
        Column("STATUS"),
        Column("USED", right=True),
        Column("MSGS", right=True),
        Column("MODEL", yields=True),
        Column("TITLE", elastic=True),
    )
    rows = [
        (
            Cell(str(number), FAINT),
            Cell(scalar(session.get("id")), STRONG),
            Cell(_ended(session), _STYLES.get(str(session.get("status")), PLAIN)),
            Cell(age(session.get("last_accessed_at"), now), FAINT),
            Cell(scalar(session.get("message_count"))),
            Cell(scalar(session.get("model"))),
            Cell(one_line(str(session.get("title", "")))),
        )
        for number, session in enumerate(sessions, 1)
    ]
    return Table(columns, rows, empty="No sessions.")


def drawn(roots: Sequence[Mapping[str, Any]], now: datetime) -> Table:
    """The forest: a row per session, each below the one that it descends from."""
    columns = (Column("SESSION"), Column("USED", right=True), Column("STATUS"), Column("TITLE", elastic=True))
    rows = [row for node in roots for row in _branches(node, now, "", "")]
    return Table(columns, rows, empty="No sessions.")


def _branches(node: Mapping[str, Any], now: datetime, before: str, below: str) -> Iterator[tuple[Cell, ...]]:
    """This session's row, drawn behind `before`, and the rows below it, behind `below`."""
    session = node["session"]
    name = session.get("alias") or shortened(str(session.get("id")))
    yield (
        Cell(before + one_line(str(name)), STRONG),
        Cell(age(session.get("last_accessed_at"), now), FAINT),
        Cell(_ended(session), _STYLES.get(str(session.get("status")), PLAIN)),
        Cell(one_line(str(session.get("title", "")))),
    )
    *others, last = node["children"] or [None]
    for child in others:
        yield from _branches(child, now, f"{below}├─ ", f"{below}│  ")
    if last is not None:
        yield from _branches(last, now, f"{below}└─ ", f"{below}   ")


def swept(changed: Sequence[Mapping[str, Any]]) -> Table:
    """What a sweep labelled."""
    rows = [(Cell(str(one["id"]), STRONG), Cell(f"{one['from']} → {one['to']}")) for one in changed]
    return Table((Column(), Column()), rows)


def shown(session: Session, now: datetime) -> Table:
    """Everything known of one session."""
    pairs: list[tuple[str, str | Cell]] = [("id", Cell(scalar(session.get("id")), STRONG))]
    told = {**session, "metadata": _own_metadata(session), "imported": _origins(session)}
    pairs += [(label, _value(told[name])) for name, label in _SHOWN if told.get(name) not in (None, "", [], {})]
    pairs += [
        (label, f"{local_time(session[name])}  ({ago(session[name], now)})")
        for name, label in (("created_at", "created"), ("last_accessed_at", "used"), ("closed_at", "closed"))
        if session.get(name)
    ]
    pairs.append(("rev", scalar(session.get("rev"))))
    return facts(pairs)


def _value(value: Any) -> str:
    """A member as people read it: several ids or names with commas between them."""
    if isinstance(value, list) and all(isinstance(part, str) for part in value):
        return one_line(", ".join(value))
    return scalar(value)


def _own_metadata(session: Session) -> dict[str, Any]:
    """The metadata without the importer's own notes, which are for its next import only."""
    return {name: value for name, value in (session.get("metadata") or {}).items() if name != "imported"}


def _origins(session: Session) -> list[str]:
    """From which tools it was imported, and when last."""
    notes = (session.get("metadata") or {}).get("imported")
    if not isinstance(notes, Mapping):
        return []
    return [
        f"from {kind}, {local_time(note.get('at'))}" if isinstance(note, Mapping) else f"from {kind}"
        for kind, note in notes.items()
    ]


def indexes_after(after: int, number: int, missing: Sequence[Sequence[int]]) -> list[int]:
    """The indexes of so many messages that follow `after`, where those in `missing` (first and last) are lost."""
    lost = {index for first, last in missing for index in range(first, last + 1)}
    return list(islice((index for index in count(after + 1) if index not in lost), number))


def told_messages(messages: Sequence[Mapping[str, Any]], indexes: Sequence[int]) -> Table:
    """Messages with their index and who said them."""
    rows = []
    for index, message in zip(indexes, messages, strict=True):
        role = scalar(message.get("role") or message.get("type"))
        rows.append((Cell(str(index), FAINT), Cell(role, _ROLES.get(role, PLAIN)), Cell(message_text(message))))
    return Table((Column(right=True), Column(), Column(wraps=True)), rows, empty="No messages.")


def message_text(message: Mapping[str, Any]) -> str:
    """What a message says: its text, or the texts of its parts, or all of it as JSON."""
    content = message.get("content")
    if content is None and isinstance(message.get("message"), dict):
        content = message["message"].get("content")
    if isinstance(content, str):
        return prose(content)
    if isinstance(content, list):
        return "\n".join(_part_text(part) for part in content)
    rest = {name: value for name, value in message.items() if name != "role"}
    return one_line(json.dumps(rest, ensure_ascii=False))


def _part_text(part: Any) -> str:
    """One part of a message: text as it is, what is no text by its type."""
    if isinstance(part, str):
        return prose(part)
    if not isinstance(part, dict):
        return scalar(part)
    if isinstance(part.get("text"), str):
        return prose(part["text"])
    name = f" {one_line(str(part['name']))}" if part.get("name") else ""
    return f"[{one_line(str(part.get('type', 'part')))}{name}]"


def _ended(session: Session) -> str:
    status = scalar(session.get("status"))
    outcome = session.get("outcome")
    return f"{status} ({outcome})" if outcome and outcome != status else status

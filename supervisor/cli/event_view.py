"""How events look: one line each. Pure functions from what the runtime answered."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from supervisor.cli.paper import BAD, FAINT, GOOD, PLAIN, STRONG, WARNING, Cell, Column, Table
from supervisor.cli.words import SHORT_ID_LENGTH, counted, one_line, scalar, shortened, when

Event = Mapping[str, Any]

_SEQ_WIDTH: Final = 6
_KIND_WIDTH: Final = len("session.appended")
"""Room for what is usual; what is longer moves the rest of its line."""

_UNTELLING: Final = frozenset(
    {"id", "rev", "updated_at", "last_accessed_at", "started", "started_at", "stopped_at", "pid"}
)
"""Members that say nothing beyond the event itself."""

_ENDINGS: Final[Mapping[str, str]] = {
    "failed": BAD,
    "crashed": BAD,
    "corrupted": BAD,
    "save-error": BAD,
    "deleted": WARNING,
    "cancelled": WARNING,
    "lease_expired": WARNING,
    "completed": GOOD,
    "restarted": GOOD,
}
"""The last word of an event's kind → its colour."""

_TELLING: Final = ("message", "description", "title", "error", "reason", "status", "text")
"""Members of an event's data that say most, in the order of preference."""


def listed(events: Sequence[Event], now: datetime, *, headed: bool) -> Table:
    """A row per event; pages after the first go on without headings."""
    names = ("TIME", "SEQ", "KIND", "ID", "WHAT") if headed else ("", "", "", "", "")
    time, seq, kind, id_, what = names
    columns = (Column(time), Column(seq, right=True), Column(kind), Column(id_, ids=True), Column(what, elastic=True))
    return Table(columns, [_row(event, now) for event in events], empty="No events.")


def followed(event: Event, now: datetime, *, short_ids: bool) -> Table:
    """One event, in columns that hold still although nobody knows what comes next."""
    time, seq, kind, id_, what = _row(event, now)
    shown = shortened(id_.text) if short_ids else id_.text
    row = (
        time,
        seq._replace(text=f"{seq.text:>{_SEQ_WIDTH}}"),
        kind._replace(text=f"{kind.text:<{_KIND_WIDTH}}"),
        id_._replace(text=f"{shown:<{SHORT_ID_LENGTH + 1}}"),
        what,
    )
    return Table((Column(), Column(), Column(), Column(), Column(elastic=True)), [row])


def style_of(kind: str) -> str:
    """The colour of an event's kind."""
    if kind.startswith("alert:"):
        return WARNING
    return _ENDINGS.get(kind.replace(":", ".").rpartition(".")[2], PLAIN)


def flattened(notification: Event) -> list[dict[str, Any]]:
    """The events of one notification (one journal line), each with its line's seq and time."""
    head = {"seq": notification.get("seq"), "ts": notification.get("ts")}
    return [{**head, **event} for event in notification.get("events", ())]


def _row(event: Event, now: datetime) -> tuple[Cell, ...]:
    kind = scalar(event.get("kind"))
    data = event.get("data")
    if kind == "event.recorded" and isinstance(data, Mapping) and data.get("type"):
        kind = scalar(data["type"])
    return (
        Cell(when(event.get("ts"), now), FAINT),
        Cell(scalar(event.get("seq")), FAINT),
        Cell(kind, style_of(kind)),
        Cell(scalar(event.get("id")), STRONG),
        Cell(_what(data)),
    )


def _ended(data: Mapping[str, Any]) -> str:
    """What a process ended with, where all was not well: a service's end has no error of its own."""
    if data.get("signal"):
        return f"signal {data['signal']}"
    return f"exit code {data['exit_code']}" if data.get("exit_code") else ""


def _what(data: Any) -> str:
    """The most telling of an event's data, in one line."""
    if not isinstance(data, Mapping):
        return "" if data is None else scalar(data)
    entries = data.get("entries")
    if isinstance(entries, Sequence) and entries and isinstance(entries[-1], Mapping):
        return one_line(str(entries[-1].get("message", "")))
    messages = data.get("messages")
    if isinstance(messages, Sequence) and messages and not isinstance(messages, str):
        return counted(len(messages), "message")
    if not data.get("error") and (ended := _ended(data)):
        return ended
    for name in _TELLING:
        if data.get(name):
            value = data[name]
            if isinstance(value, Mapping) and isinstance(value.get("message"), str):
                value = value["message"]  # an error: its kind is what the event is called
            return one_line(value) if isinstance(value, str) else scalar(value)
    if data.get("pid"):
        return f"process {data['pid']}"
    changed = [name for name in data if name not in _UNTELLING]
    return ", ".join(changed)

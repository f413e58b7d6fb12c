"""What an exchange asked for and showed, and whether the journal has it so: what the checkers share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from supervisor.chaos.evidence import Address, Journal, Line
from supervisor.chaos.record import REMEMBERED, Exchange

Shown = Mapping[str, Any]
"""A row as it was shown, or a part of one; it has a rev."""

_TABLES: Final = {"task": "tasks", "session": "sessions", "run": "runs"}
TABLES: Final = tuple(_TABLES.values())
"""What can be asked for as a whole."""
_COMPUTED: Final = frozenset({"blocked_by", "lease_expires_at"})
"""Members of a reply that are no part of the journal's row: a heartbeat moves the end of a lease."""


def acknowledged_keys(record: Sequence[Exchange]) -> list[str]:
    """Return the keys of all that was acknowledged and must have a line."""
    return [one.key for one in record if one.key is not None and one.acknowledged and wants_line(one)]


def named(one: Exchange) -> str:
    """Return how a violation names it."""
    return f"{one.client}'s {one.method} (number {one.number})"


def wants_line(one: Exchange) -> bool:
    """Whether its success is a line of the journal; a claim of nothing and a deletion of nothing are none."""
    if one.method not in REMEMBERED or one.result is None or one.marks.get("unchanging"):
        return False
    return not (isinstance(one.result, dict) and one.result.get("deleted") is False)


def lines_of(one: Exchange, journal: Journal) -> list[Line]:
    """Return the lines that carry its key."""
    return journal.by_key.get(one.key or "", [])


def row_of(one: Exchange) -> Iterator[tuple[Address, Shown]]:
    """Yield the row that a command's result is, or a part of it, with its address; nothing when it is none."""
    table = _TABLES.get(one.method.partition(".")[0])
    if one.acknowledged and table is not None and isinstance(one.result, dict) and "rev" in one.result:
        yield (table, one.result["id"]), one.result


def rows_of(one: Exchange) -> Iterator[tuple[Address, Shown]]:
    """Yield every row that an answer shows."""
    yield from row_of(one)
    if one.acknowledged and one.method == "task.list":
        yield from ((("tasks", task["id"]), task) for task in one.result["tasks"])


def compared(what: str, address: Address, shown: Shown, journal: Journal) -> Iterator[str]:
    """Yield what is wrong with a row, or a part of one, that was shown: the journal has it otherwise, or not at all."""
    kept = journal.row_at(address, shown["rev"])
    if kept is None:
        yield f"{what} {address[1]} at rev {shown['rev']}, which the journal does not have"
        return
    for name, value in shown.items():
        if name not in _COMPUTED and name in kept and kept[name] != value:
            yield f"{what} {address[1]} at rev {shown['rev']} with {name} {value!r}; the journal has {kept[name]!r}"

"""
What is there: the journal as it lies on the disk, and what follows from it.

The journal is read here without the storage's own reader, by the rule of its format alone: segment k decides about the
lines from its own first seq up to that of segment k + 1. From the facts the rows are put together, at every rev, so
that whatever anybody was shown can be held against the one history.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs
import msgspec

from actors.model.facts import FACTS, Fact
from actors.model.state import apply
from actors.model.tables import Row, any_row

Address = tuple[str, str]
"""Table and id."""


@attrs.frozen
class Line:
    """One line of the journal."""

    seq: int
    durable: int
    key: str | None
    method: str
    facts: tuple[Fact, ...]


class Journal:
    """All lines, and the rows at each of their revs."""

    def __init__(self, lines: Iterable[Line], base: Mapping[Address, bytes] | None = None) -> None:
        self.lines = tuple(lines)
        self.by_key: dict[str, list[Line]] = {}
        self.rows: dict[Address, Row] = {
            address: any_row(address[0], encoded) for address, encoded in (base or {}).items()
        }
        """The rows after the last line, from those of a snapshot on."""
        self.versions: dict[Address, dict[int, bytes]] = {}
        """Every row ever, by rev."""
        self.gone: dict[Address, int] = {}
        """What was deleted: the rev of the deletion."""
        self.last_revs: dict[Address, int] = {}
        self.holes: list[str] = []
        """Facts that change a row which no line has made."""
        for line in self.lines:
            if line.key is not None:
                self.by_key.setdefault(line.key, []).append(line)
            for fact in line.facts:
                self._absorb(fact)

    @property
    def seq(self) -> int:
        """The last line's."""
        return self.lines[-1].seq if self.lines else 0

    def row_at(self, address: Address, rev: int) -> dict[str, Any] | None:
        """Return a row as it was at a rev; None when it never had it."""
        encoded = self.versions.get(address, {}).get(rev)
        return None if encoded is None else msgspec.json.decode(encoded)

    def _absorb(self, fact: Fact) -> None:
        address = (fact.kind.table, fact.id)
        try:
            row = apply(self.rows.get(address), fact)
        except ValueError as error:
            self.holes.append(str(error))
            return
        self.last_revs[address] = fact.rev
        if row is None:
            self.rows.pop(address, None)
            self.gone[address] = fact.rev
        else:
            self.rows[address] = row
            self.versions.setdefault(address, {})[row.rev] = row.encoded


def read_journal(state_path: Path, base: Mapping[Address, bytes] | None = None, after_seq: int = 0) -> Journal:
    """Read what lies on the disk; what was cut off ends its segment, and then shows as a gap if it is one.

    With the rows of a snapshot as `base` the lines after its seq are put on top of them.
    """
    segments = sorted((state_path / "journal").glob("*.jsonl"))
    firsts = [int(segment.stem) for segment in segments]
    lines: list[Line] = []
    for segment, until in zip(segments, [*firsts[1:], None], strict=True):
        lines += _lines(segment.read_bytes(), until)
    return Journal([line for line in lines if line.seq > after_seq], base)


def _lines(content: bytes, until: int | None) -> Iterator[Line]:
    """Yield the whole lines of a segment, up to the first one that the next segment decides about."""
    *whole, _rest = content.rstrip(b"\0").split(b"\n")
    for text in whole:
        try:
            members = json.loads(text)
        except ValueError:
            return
        if until is not None and members["seq"] >= until:
            return
        yield line_of(members)


def line_of(members: Mapping[str, Any]) -> Line:
    """Return a line of its JSON."""
    command = members["cmd"]
    facts = tuple(Fact(op=fact["op"], id=fact["id"], rev=fact["rev"], data=fact["data"]) for fact in members["facts"])
    return Line(members["seq"], members["durable"], command.get("key"), command["method"], facts)


def table_of(op: str) -> str:
    """Return the table that a fact is about."""
    return FACTS[op].table


@attrs.frozen(kw_only=True)
class Evidence:
    """Everything that the checkers hold the record against."""

    journal: Journal
    live: Mapping[Address, Mapping[str, Any]]
    """Tasks, sessions and runs as the socket told them at the end."""
    messages: Mapping[str, tuple[Any, ...]] = attrs.field(factory=dict)
    """Session → its messages as the socket told them at the end."""
    texts: Mapping[str, str] = attrs.field(factory=dict)
    """Session → its text log."""
    outputs: Mapping[str, bytes] = attrs.field(factory=dict)
    """Run → what its log of standard output holds."""
    followed: Mapping[str, tuple[Mapping[str, Any], ...]] = attrs.field(factory=dict)
    """Follower → the lines that it was told: {seq, kinds}."""
    blows_s: tuple[float, ...] = ()
    """When something was done to actors or processes."""

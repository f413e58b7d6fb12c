"""Moments of the past that a directory can still show: snapshots, and the journal that leads on from them.

A base is a snapshot that is whole: state.json, a backup, one of those that `archive/` keeps of each day and of each
restore; and, where the journal begins with line 1 and nothing was migrated, the empty state. From a base every line
leads on that follows without a gap. A moment is named by a seq; a time means the last line written by then, whatever
the clock did in between.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from actors.model.errors import UNDECODABLE, NotFound
from actors.model.facts import FACTS
from actors.model.stamps import posix_of
from actors.model.state import Limits, Line, Tables, rows_after
from actors.storage.files import Disk
from actors.storage.journal_decoding import decode_line
from actors.storage.journal_scan import Scan
from actors.storage.layout import Layout
from actors.storage.snapshot_form import read_head
from actors.storage.snapshot_reader import read_snapshot
from actors.storage.snapshot_state import load_image
from actors.storage.work import Work

RANGES_MAX: Final = 20
"""A message names so many ranges; a journal has one, and another with each repair that cut it."""

_SNAPSHOT: Final = re.compile(r"state\.backup\.\d{8}T\d{6}\.\d{6}Z\.\d{1,20}\.json")


class Base(msgspec.Struct, frozen=True):
    """A snapshot by what its head says; `path` None: the empty state before line 1."""

    path: Path | None
    seq: int
    saved_at: str


class Past(msgspec.Struct, frozen=True):
    """What the journal holds without a gap, and the bases."""

    bases: tuple[Base, ...]
    """By seq."""
    stretches: tuple[tuple[int, int], ...]
    """Ranges of lines, both ends included, each without a gap and good."""
    last_crc: bytes | None
    """The crc of the newest line; None when it was not seen."""

    def ranges(self) -> list[tuple[int, int]]:
        """Return the ranges of seqs that can be reached."""
        found: list[tuple[int, int]] = []
        for base in self.bases:
            last = self._leads_to(base.seq)
            if found and base.seq <= found[-1][1]:
                found[-1] = (found[-1][0], max(found[-1][1], last))
            else:
                found.append((base.seq, last))
        return found

    def bases_for(self, seq: int) -> list[Base]:
        """Return the bases from which the journal leads to `seq`, the nearest first."""
        leading = [base for base in self.bases if base.seq <= seq <= self._leads_to(base.seq)]
        return sorted(leading, key=lambda base: base.seq, reverse=True)

    def _leads_to(self, seq: int) -> int:
        return max((last for first, last in self.stretches if first <= seq + 1 <= last), default=seq)


def look_back(disk: Disk, layout: Layout, work: Work, until: str | None = None) -> tuple[Past, int | None]:
    """Return the past, and the last seq at or before the time `until` (an ISO stamp; None: none was asked for).

    Raises OSError, IncompatibleVersion.
    """
    segments = layout.segments(disk)
    scan = Scan(disk, layout, segments[0].first_seq - 1 if segments else 0)
    until_s = None if until is None else posix_of(until)
    stretches: list[tuple[int, int]] = []
    at_seq: int | None = None
    work.begin("journal lines")
    for raw in scan:
        work.step()
        if stretches and raw.seq == stretches[-1][1] + 1:
            stretches[-1] = (stretches[-1][0], raw.seq)
        else:
            stretches.append((raw.seq, raw.seq))
        if until_s is not None and _seconds(_stamp_of(raw.body)) <= until_s:
            at_seq = max(at_seq or 0, raw.seq)
    bases = tuple(sorted(_bases(disk, layout, stretches), key=lambda base: base.seq))
    if until_s is not None:
        before = [base.seq for base in bases if base.path is not None and _seconds(base.saved_at) <= until_s]
        at_seq = max([*before, *([] if at_seq is None else [at_seq])], default=None)
    return Past(bases, tuple(stretches), scan.report.last_crc), at_seq


def tables_at(disk: Disk, layout: Layout, past: Past, seq: int, limits: Limits, work: Work) -> Tables:
    """Return the state as it was after line `seq`. Raises NotFound naming what can be reached."""
    for base in past.bases_for(seq):
        tables = _load(disk, base, limits)
        if tables is not None and _replay(disk, layout, tables, seq, work):
            return tables
    raise NotFound(
        f"the state as of {seq} cannot be put together any more: it needs a snapshot before it and every line since",
        hint=f"what can be reached is {in_words(past.ranges())}; perdure backups lists snapshots",
    )


def snapshot_at(disk: Disk, path: Path, limits: Limits) -> tuple[Tables, dict[str, Any]]:
    """Return the state that a snapshot file holds, and its header. Raises NotFound when it is not whole."""
    image = read_snapshot(disk, path)
    if image.problem is not None:
        raise NotFound(f"{path}: {image.problem}", hint="perdure backups lists those that are there")
    return load_image(image, limits).tables, image.header


def reports_until(disk: Disk, layout: Layout, seq: int, wanted: dict[str, int]) -> dict[str, Any]:
    """Return the data of reports by id, as `report.saved` with the rev wanted gave it, as far as the journal goes."""
    segments = layout.segments(disk)
    found: dict[str, Any] = {}
    for raw in Scan(disk, layout, segments[0].first_seq - 1 if segments else 0):
        if raw.seq > seq or len(found) == len(wanted):
            break
        if b'"report.saved"' not in raw.body:
            continue
        for fact in decode_line(raw).facts:
            if fact.op == "report.saved" and wanted.get(fact.id) == fact.rev:
                found[fact.id] = fact.members()
    return found


def in_words(ranges: Sequence[tuple[int, int]]) -> str:
    """Return ranges of seqs for people, the newest of them when there are many."""
    told = [str(first) if first == last else f"{first} to {last}" for first, last in ranges[-RANGES_MAX:]]
    return "seq " + ", ".join(told) if told else "nothing"


def _bases(disk: Disk, layout: Layout, stretches: Sequence[tuple[int, int]]) -> Iterator[Base]:
    for path in _snapshots(disk, layout):
        head = read_head(disk, path)
        if head is not None:
            yield Base(path, head.seq, head.last_saved)
    if stretches and stretches[0][0] == 1 and not disk.exists(layout.migration_log):
        yield Base(None, 0, "")


def _snapshots(disk: Disk, layout: Layout) -> Iterator[Path]:
    if disk.exists(layout.state):
        yield layout.state
    yield from (backup.path for backup in layout.backups(disk))
    folders = [name for name in _names(disk, layout.archive) if name == "snapshots" or name.startswith("restored-")]
    for folder in folders:
        names = _names(disk, layout.archive / folder)
        yield from (layout.archive / folder / name for name in names if _SNAPSHOT.fullmatch(name))


def _load(disk: Disk, base: Base, limits: Limits) -> Tables | None:
    if base.path is None:
        return Tables(limits)
    image = read_snapshot(disk, base.path)
    if image.problem is not None or image.seq != base.seq:
        return None
    try:
        return load_image(image, limits).tables
    except (*UNDECODABLE, TypeError):
        return None


def _replay(disk: Disk, layout: Layout, tables: Tables, seq: int, work: Work) -> bool:
    """Move the tables on to `seq`; False when a line is missing or does not fit."""
    begun_seq = tables.seq
    work.begin("going back", seq - begun_seq)
    for raw in Scan(disk, layout, begun_seq) if seq > begun_seq else ():
        if raw.seq > seq:
            break
        line = _decoded(raw)
        if line is None or raw.seq != tables.seq + 1:
            return False
        try:
            tables.absorb(line, rows_after(tables, line.facts))
        except (*UNDECODABLE, KeyError, TypeError):
            return False
        work.step()
    tables.tasks.build_indexes()
    return tables.seq == seq


def _decoded(raw: Any) -> Line | None:
    try:
        line = decode_line(raw)
    except UNDECODABLE:
        return None
    return line if all(fact.op in FACTS for fact in line.facts) else None


class _Stamped(msgspec.Struct):
    ts: str


_decode_stamped: Final = msgspec.json.Decoder(_Stamped).decode


def _stamp_of(body: bytes) -> str:
    """Return a line's time; a line that says none is taken for the oldest."""
    try:
        return _decode_stamped(b"{%b}" % body).ts
    except UNDECODABLE:
        return "1970-01-01T00:00:00.000Z"


def _seconds(stamp: str) -> float:
    """Return a time for comparing; damage that is none is older than everything."""
    try:
        return posix_of(stamp)
    except ValueError:
        return float("-inf")


def _names(disk: Disk, directory: Path) -> list[str]:
    try:
        return disk.listdir(directory)
    except (FileNotFoundError, NotADirectoryError):
        return []

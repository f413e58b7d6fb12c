"""Replaying the journal on a base: every good line in order, applied by the same `apply` as when it was new.

While lines follow one another without a gap, each fact finds the row that it was decided on. After a gap, or on a base
that was put together from pieces (*doubtful*), a fact is applied only when its rev is newer than its row's; one that
needs a row which is lost is listed, and so is a row that was changed although changes before it are lost.

Lines that the base covers already are read too when files behind the journal did not have them all yet.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec
from attrs import Factory, define

from actors.model.errors import UNDECODABLE, IncompatibleVersion
from actors.model.facts import FACTS, Effect, Fact
from actors.model.recent_lines import RecentLines
from actors.model.state import Line, Tables, apply, rows_after
from actors.model.tables import Row
from actors.storage.behind import Behind
from actors.storage.files import Disk
from actors.storage.journal_decoding import decode_line
from actors.storage.journal_scan import Scan, ScanReport
from actors.storage.layout import Layout
from actors.storage.recovery_report import RecoveryReport

_UNFIT: Final = (*UNDECODABLE, KeyError, TypeError)
"""What `apply` raises for a fact that does not fit the row it meets."""


@define
class Replayed:
    """What came of a replay."""

    tables: Tables
    behind: Behind
    scan: ScanReport
    lines: list[Line]
    """The newest, without a gap."""
    refs: set[str] = Factory(set)


class Replay:
    """One replay. It changes nothing on disk; the report is that of the whole recovery."""

    def __init__(self, disk: Disk, layout: Layout, report: RecoveryReport, lines_kept: int) -> None:
        self._disk = disk
        self._layout = layout
        self._report = report
        self._newest = RecentLines(lines_kept)
        self._refs: set[str] = set()

    def run(self, tables: Tables, files_seq: int, after_seq: int, *, is_doubtful: bool) -> Replayed:
        """Replay what lies above `after_seq` on the tables, which are changed; `files_seq` is the files' watermark.

        Raises IncompatibleVersion for a line or fact of a newer version, OSError when a segment cannot be opened.
        """
        behind = Behind(seq=files_seq, after_seq=files_seq)
        if files_seq < after_seq:
            self._replay_covered(tables, behind, files_seq, after_seq)
        tables.tasks.defer_indexes()
        scan = Scan(self._disk, self._layout, after_seq)
        tables.seq = after_seq
        for line in self._decoded(scan):
            self._remember(line)
            if is_doubtful or line.seq != tables.seq + 1:
                is_doubtful = True
                self._absorb_doubtful(tables, behind, line)
            else:
                self._absorb(tables, behind, line)
            self._report.lines_replayed += 1
        tables.tasks.build_indexes()
        found = scan.report
        tables.seq = behind.seq = max(tables.seq, found.next_seq - 1)
        return Replayed(tables, behind, found, list(self._newest), self._refs)

    def covered(self, tables: Tables) -> Behind:
        """Return what the whole journal, as far as it goes back, demands of files; the tables are those of now."""
        behind = Behind()
        self._replay_covered(tables, behind, 0, tables.seq)
        return behind

    def _replay_covered(self, tables: Tables, behind: Behind, files_seq: int, after_seq: int) -> None:
        """Feed the files with lines that the base covers; whatever is wrong with these does not concern the state."""
        for line in self._decoded(Scan(self._disk, self._layout, files_seq)):
            if line.seq > after_seq:
                return
            self._remember(line)
            behind.note_covered(line, tables)

    def _decoded(self, scan: Scan) -> Iterator[Line]:
        for raw in scan:
            try:
                line = decode_line(raw)
            except UNDECODABLE as error:
                self._report.reject("journal", raw.seq, f"line {raw.seq} cannot be decoded: {error}", "")
                continue
            unknown = [fact.op for fact in line.facts if fact.op not in FACTS]
            if unknown:
                raise IncompatibleVersion(
                    f"line {line.seq} of the journal holds {unknown[0]}, which this does not know"
                )
            yield line

    def _remember(self, line: Line) -> None:
        self._newest.add(line)
        if line.cmd.ref:
            self._refs.add(line.cmd.ref)

    def _absorb(self, tables: Tables, behind: Behind, line: Line) -> None:
        try:
            if len(line.facts) == 1:  # nearly every line: no later fact of it has to see an earlier one
                fact = line.facts[0]
                rows = [apply(tables.row(fact.kind.table, fact.id), fact)]
            else:
                rows = rows_after(tables, line.facts)
        except _UNFIT:
            self._absorb_doubtful(tables, behind, line)
            return
        self._take(tables, behind, line, rows)

    def _absorb_doubtful(self, tables: Tables, behind: Behind, line: Line) -> None:
        """Apply each fact that is newer than its row; one by one, because the line's facts may not fit together."""
        newest = max(tables.seq, line.seq)
        key = line.cmd.key_record(line.seq, line.ts)
        if key is not None and tables.key(key.key) is None:
            tables.keys.put(key)
        keyless = msgspec.structs.replace(line.cmd, key=None)
        for fact in line.facts:
            row = tables.row(fact.kind.table, fact.id)
            if not self._is_news(tables, fact, row):
                continue
            try:
                after = apply(row, fact)
            except _UNFIT:
                self._report.facts_without_row.append({"seq": line.seq, "op": fact.op, "id": fact.id, "rev": fact.rev})
                continue
            if row is not None and fact.rev > row.rev + 1 and fact.kind.effect not in (Effect.WHOLE, Effect.GONE):
                self._report.rows_unproven.append({"table": fact.kind.table, "id": fact.id, "rev": fact.rev})
            self._take(tables, behind, Line(seq=line.seq, ts=line.ts, cmd=keyless, facts=(fact,)), [after])
        tables.seq = newest

    def _is_news(self, tables: Tables, fact: Fact, row: Row | None) -> bool:
        if row is not None:
            return fact.rev > row.rev
        grave = tables.tombstones.get((fact.kind.table, fact.id))
        return grave is None or fact.rev > grave.rev

    def _take(self, tables: Tables, behind: Behind, line: Line, rows: list[Row | None]) -> None:
        leaving = tables.leaving(line.facts, rows)
        tables.absorb(line, rows)
        behind.note(line, rows, leaving)
        self._report.facts_replayed += len(rows)

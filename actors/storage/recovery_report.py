"""What a recovery tells: `perdure doctor`, `runtime.status`, the log and the event `state:loaded` show it."""

from __future__ import annotations

import re
from typing import Any, Final

from attrs import Factory, define

from actors.model.facts import FACTS
from actors.model.state import Tables
from actors.storage.journal_scan import ScanReport
from actors.storage.snapshot_reader import SnapshotImage

LISTED_MAX: Final = 1000
"""How many of a kind are listed one by one; beyond that they are counted."""

_ID: Final = re.compile(r'"id":"([^"\\]{1,200})"')
_IDS: Final = re.compile(r'"ids":\[([^\]]{1,2000})\]')


@define(kw_only=True)
class RecoveryReport:
    """The report while it is being gathered. Lists hold JSON values."""

    cases: list[str] = Factory(list)
    base: str = ""
    base_seq: int = 0
    seq: int = 0
    lines_replayed: int = 0
    facts_replayed: int = 0
    rejected: list[dict[str, Any]] = Factory(list)
    """Records that are not believed: {file, line, reason, excerpt}."""
    rejected_count: int = 0
    seqs_lost: list[list[int]] = Factory(list)
    """Ranges of lines that nobody has, both ends included."""
    seqs_unproven: list[list[int]] = Factory(list)
    """Ranges whose lines are gone while no whole snapshot covers them: what is left of them was put together."""
    facts_without_row: list[dict[str, Any]] = Factory(list)
    """Good facts that change a row which is lost: {seq, op, id, rev}."""
    rows_unproven: list[dict[str, Any]] = Factory(list)
    """Rows to which a fact was applied although facts before it are lost: {table, id, rev}."""
    ids_lost: list[dict[str, Any]] = Factory(list)
    """Rows known to have existed that nothing holds any more: {table, id}."""
    adopted: list[dict[str, Any]] = Factory(list)
    """Rows taken from files: {table, id, rev}."""
    torn: dict[str, Any] | None = None
    """The end of the journal that was never acknowledged: {file, line, offset, bytes, reason, excerpt}."""
    quarantined: list[str] = Factory(list)
    """Paths relative to the state directory."""
    warnings: list[str] = Factory(list)
    directories_made: list[str] = Factory(list)
    migration: dict[str, Any] | None = None
    was_clean: bool | None = None
    """Whether the last life ended with `daemon.stopped`; None when there was none."""
    duration_s: float = 0.0

    @property
    def lost_something(self) -> bool:
        """Whether anything that was acknowledged is gone or in doubt."""
        return bool(self.seqs_lost or self.ids_lost or self.facts_without_row or "D" in self.cases)

    def reject(self, file: str, line: int, reason: str, excerpt: str) -> None:
        """Note a record that is not believed."""
        self.rejected_count += 1
        if len(self.rejected) < LISTED_MAX:
            self.rejected.append({"file": file, "line": line, "reason": reason, "excerpt": excerpt})

    def reject_snapshot(self, file: str, image: SnapshotImage) -> None:
        """Note what is wrong with a snapshot."""
        self.warnings.append(f"{file}: {image.problem}{f' ({image.detail})' if image.detail else ''}")
        for one in image.rejected:
            self.reject(file, one.line, str(one.reason), one.excerpt)
        self.rejected_count += image.rejected_omitted

    def take_replay(self, replayed: RecoveryReport) -> None:
        """Take over what a replay noted in a report of its own."""
        self.base_seq = replayed.base_seq
        self.lines_replayed += replayed.lines_replayed
        self.facts_replayed += replayed.facts_replayed
        self.rejected += replayed.rejected
        self.rejected_count += replayed.rejected_count
        self.facts_without_row += replayed.facts_without_row
        self.rows_unproven += replayed.rows_unproven

    def take_scan(self, scan: ScanReport) -> None:
        """Note what the journal's scan found."""
        if scan.torn is not None:
            torn = scan.torn
            cut_bytes = 0 if scan.tail is None else scan.tail.content_end - scan.tail.good_end
            self.cases.append("F")
            self.torn = {
                "file": torn.path.name,
                "line": torn.line,
                "offset": torn.offset,
                "bytes": cut_bytes,
                "reason": str(torn.reason),
                "excerpt": torn.excerpt,
            }
        if scan.damages or scan.missing:
            self.cases.append("G")
        for damage in scan.damages:
            self.reject(f"journal/{damage.path.name}", damage.line, str(damage.reason), damage.excerpt)
        self.rejected_count += scan.damages_omitted
        self.seqs_lost += [[first, last] for first, last in scan.missing]

    def find_lost(self, tables: Tables) -> None:
        """List the rows that facts without a row, or records not believed, speak of, and that nothing holds."""
        named = [(FACTS[one["op"]].table, one["id"]) for one in self.facts_without_row]
        seen = dict.fromkeys(named)
        for table, row_id in seen:
            if tables.row(table, row_id) is None and (table, row_id) not in tables.tombstones:
                self.ids_lost.append({"table": table, "id": row_id})
        if not self.rejected:
            return
        known = {row_id for _, row_id in seen}
        known |= {row_id for table in tables.by_name.values() for row_id in table.rows}
        known |= {row_id for _, row_id in tables.tombstones}
        for one in self.rejected:
            for row_id in ids_in(one["excerpt"]):
                if row_id not in known:
                    known.add(row_id)
                    self.ids_lost.append({"table": None, "id": row_id})

    def as_mapping(self) -> dict[str, Any]:
        """Return the report with JSON values only."""
        return {
            "case": "".join(self.cases),
            "base": self.base,
            "base_seq": self.base_seq,
            "seq": self.seq,
            "lines_replayed": self.lines_replayed,
            "facts_replayed": self.facts_replayed,
            "initialised": "A" in self.cases,
            "corrupted": "G" in self.cases or self.lost_something,
            "rejected": self.rejected,
            "rejected_count": self.rejected_count,
            "seqs_lost": self.seqs_lost,
            "seqs_unproven": self.seqs_unproven,
            "facts_without_row": self.facts_without_row[:LISTED_MAX],
            "rows_unproven": self.rows_unproven[:LISTED_MAX],
            "ids_lost": self.ids_lost,
            "adopted": self.adopted,
            "torn": self.torn,
            "quarantined": self.quarantined,
            "warnings": self.warnings,
            "directories_made": self.directories_made,
            "migration": self.migration,
            "was_clean": self.was_clean,
            "duration_s": round(self.duration_s, 6),
        }


def ids_in(excerpt: str) -> list[str]:
    """Return the ids that stand in the beginning of a damaged record."""
    listed = [part.strip().strip('"') for match in _IDS.finditer(excerpt) for part in match[1].split(",")]
    return [*_ID.findall(excerpt), *filter(None, listed)]

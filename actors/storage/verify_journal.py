"""Checking the journal: its lines, their chain, the revs they give, and whether the backups still lead to the present.

Every line is decoded. Of each task, session and run the revs must rise from line to line, and what the state holds in
the end must be what the last line about it said: a state.json of another day or of another directory shows there.

Where the journal ends before the state and the state is nowhere behind it, it is the journal that has lost something:
its end. The state is then all there is of that, and stays.
"""

from __future__ import annotations

from typing import Final

from attrs import Factory, define

from actors.model.errors import UNDECODABLE
from actors.model.facts import FACTS, Effect
from actors.model.state import Line, Tables
from actors.storage.codec import Bad
from actors.storage.files import Disk
from actors.storage.findings import Findings
from actors.storage.journal_decoding import decode_line
from actors.storage.journal_scan import Scan, ScanReport
from actors.storage.layout import Layout, first_seq_of
from actors.storage.remedies import Remedy
from actors.storage.work import Work

_REVVED: Final = frozenset({"tasks", "sessions", "runs"})


@define
class _Revs:
    """The newest rev of each row that the journal speaks of, and where it is not above the one before."""

    newest: dict[tuple[str, str], tuple[int, bool]] = Factory(dict)
    """(rev, whether the row is gone)"""
    fallen: list[tuple[int, str]] = Factory(list)
    """(seq, what does not rise there)"""

    def take(self, line: Line) -> None:
        for fact in line.facts:
            kind = fact.kind
            if kind.table not in _REVVED:
                continue
            known = self.newest.get((kind.table, fact.id))
            if known is not None and fact.rev <= known[0]:
                self.fallen.append((line.seq, f"{fact.op} gives {fact.id} the rev {fact.rev} after {known[0]}"))
            self.newest[kind.table, fact.id] = (fact.rev, kind.effect is Effect.GONE)


def verify_journal(
    disk: Disk, layout: Layout, tables: Tables, findings: Findings, work: Work, durable_seq: int | None
) -> None:
    """Read the journal from its first line on; `durable_seq` is the newest acknowledged line of an open store."""
    segments = layout.segments(disk)
    begin_seq = segments[0].first_seq - 1 if segments else 0
    scan, revs = Scan(disk, layout, begin_seq), _Revs()
    lines, unknown = 0, []
    work.begin("journal lines", max(0, tables.seq - begin_seq))
    for raw in scan:
        lines += 1
        work.step()
        try:
            line = decode_line(raw)
        except UNDECODABLE as error:
            unknown.append((raw.seq, f"line {raw.seq} is whole and says nothing that Perdure knows: {error}"))
            continue
        if raw.seq <= tables.seq and all(fact.op in FACTS for fact in line.facts):
            revs.take(line)
    report = scan.report
    findings.count("journal_segments", len(segments))
    findings.count("journal_lines", lines)
    _tell_damage(layout, report, findings, durable_seq)
    for seq, problem in [*unknown, *revs.fallen]:
        findings.add(layout.journal, f"line {seq}: {problem}", "error", "look at the line", Remedy.JOURNAL, up_to=seq)
    if not (report.damages or report.missing or unknown or revs.fallen):
        behind, ahead = _compare(revs, tables)
        if segments and not behind and report.next_seq <= tables.seq:
            _tell_missing(layout, findings, report.next_seq, tables.seq)
        else:
            can_rebuild = begin_seq == 0 or _has_base(disk, layout, begin_seq)
            remedy = Remedy.FORGET_STATE if can_rebuild else Remedy.NONE
            for problem in [*behind, *ahead]:
                hint = "state.json does not belong to this journal"
                findings.add(layout.state, problem, "error", hint, remedy)
    for backup in layout.backups(disk):
        if backup.seq < begin_seq:
            problem = f"the journal begins at {begin_seq + 1}: it does not lead from here to the present"
            findings.add(backup.path, problem, "warning", "do not fall back on it", Remedy.SET_ASIDE)


def _tell_damage(layout: Layout, report: ScanReport, findings: Findings, durable_seq: int | None) -> None:
    for damage in report.damages:
        if damage.line == 0 and damage.reason is Bad.MISSING:
            continue  # told below, as lines that are missing
        problem = f"line {damage.line}: {damage.reason}: {damage.excerpt}"
        hint, up_to = "what the other lines and files hold is kept", first_seq_of(damage.path)
        findings.add(damage.path, problem, "error", hint, Remedy.JOURNAL, up_to=up_to)
    if report.damages_omitted:
        findings.omitted += report.damages_omitted
    for first, last in report.missing:
        _tell_missing(layout, findings, first, last)
    torn = report.torn
    if torn is not None and (durable_seq is None or report.next_seq <= durable_seq):
        problem = f"ends in the middle of line {torn.line}: {torn.reason}"
        findings.add(torn.path, problem, "info", "it was never acknowledged", Remedy.RECOVER)


def _tell_missing(layout: Layout, findings: Findings, first: int, last: int) -> None:
    problem, hint = f"the lines {first} to {last} are missing", "task and session files fill in what they hold"
    findings.add(layout.journal, problem, "error", hint, Remedy.JOURNAL, up_to=last)


def _compare(revs: _Revs, tables: Tables) -> tuple[list[str], list[str]]:
    """Return the rows that the state has otherwise than the journal's last word about them: older ones, newer ones."""
    behind: list[str] = []
    ahead: list[str] = []
    for (table, row_id), (rev, is_gone) in revs.newest.items():
        row = tables.row(table, row_id)
        if is_gone and row is not None and row.rev <= rev:
            behind.append(f"{table.removesuffix('s')} {row_id} is there, and the journal says that it went")
        elif not is_gone and (row is None or row.rev != rev):
            there = "is not there" if row is None else f"has rev {row.rev}"
            problem = f"{table.removesuffix('s')} {row_id} {there}, the journal says {rev}"
            (ahead if _newest_rev(tables, table, row_id) > rev else behind).append(problem)
    return behind, ahead


def _newest_rev(tables: Tables, table: str, row_id: str) -> int:
    """Return the rev that the state knows of a row, or with which it went; 0 when it knows neither."""
    known = tables.row(table, row_id) or tables.tombstones.get((table, row_id))
    return 0 if known is None else known.rev


def _has_base(disk: Disk, layout: Layout, begin_seq: int) -> bool:
    return any(backup.seq >= begin_seq for backup in layout.backups(disk))

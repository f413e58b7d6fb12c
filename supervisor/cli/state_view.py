"""How reports on a state directory look: checks, recoveries, migrations, leftovers. Pure functions from JSON values."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from supervisor.cli.paper import BAD, FAINT, GOOD, PLAIN, STRONG, WARNING, Cell, Column, Table, facts
from supervisor.cli.words import counted, duration, one_line, prose, scalar, size

Report = Mapping[str, Any]
Pairs = list[tuple[str, str | Cell]]

LISTED_MAX: Final = 20
"""Of a long list people see so many; --json has all."""

_SEVERITIES: Final[Mapping[str, str]] = {"error": BAD, "warning": WARNING, "info": FAINT}

_CASES: Final[Mapping[str, str]] = {
    "A": "there was nothing yet",
    "B": "state.json is good",
    "C": "state.json was damaged: a good backup was taken",
    "D": "state.json and all backups were damaged: put together from what is readable",
    "E": "without a state.json: built from backup, journal and task files",
    "F": "the journal's end was torn: never acknowledged, cut off",
    "G": "the journal was damaged",
    "H": "version 1 was migrated",
}
"""The lettered cases of recovery, in words."""


def verified(found: Report) -> list[Table]:
    """What `doctor` found, and what it would do about it."""
    findings = found.get("findings") or []
    rows = [_finding(one, [f"→ {one.get('hint')}", *_with_repair(one)]) for one in findings]
    verdict = Cell("all is well", GOOD) if found.get("ok") else Cell("something is wrong", BAD)
    if found.get("ok") and findings:
        verdict = Cell("all is well, but for what Perdure deals with by itself", GOOD)
    return _told(rows, verdict, found)


def repaired(done: Report) -> list[Table]:
    """What `doctor --repair` did, and what it left."""
    mended, lost, left = (done.get(name) or [] for name in ("repaired", "lost", "findings"))
    rows = [_finding(one, [f"✓ {one.get('repair')}"]) for one in mended]
    rows += [_finding(one, ["✗ nothing holds it any more: on record in quarantine/ as lost"]) for one in lost]
    rows += [_finding(one, [f"→ {one.get('hint')}"]) for one in left]
    if not done.get("ok"):
        verdict = Cell("something is left that a repair cannot mend", BAD)
    elif lost:
        verdict = Cell("well again; what is marked as lost could not be kept", WARNING)
    else:
        verdict = Cell("well again" if mended else "all is well: nothing to repair", GOOD)
    return [*_told(rows, verdict, done), *_quarantined(done)]


def _quarantined(done: Report) -> list[Table]:
    pieces = _several("set aside", [str(path) for path in done.get("quarantined") or ()], PLAIN)
    return [facts(pieces)] if pieces else []


def _finding(one: Report, notes: Sequence[str]) -> tuple[Cell, Cell, Cell]:
    severity = str(one.get("severity"))
    text = "\n".join([str(one.get("problem")), *notes])
    return Cell(severity, _SEVERITIES.get(severity, PLAIN)), Cell(scalar(one.get("file")), STRONG), Cell(prose(text))


def _with_repair(one: Report) -> list[str]:
    words = one.get("repair")
    return [f"--repair: {words}"] if words else []


def _told(rows: Sequence[tuple[Cell, Cell, Cell]], verdict: Cell, found: Report) -> list[Table]:
    columns = (Column(), Column("FILE"), Column("PROBLEM", wraps=True))
    looked_at = ", ".join(_count(name, number) for name, number in (found.get("counts") or {}).items() if number)
    pairs: Pairs = [("verdict", verdict), ("looked at", looked_at or "nothing")]
    if omitted := found.get("omitted"):
        pairs.append(("not listed", f"{omitted} more findings"))
    return [*([Table(columns, rows)] if rows else []), facts(pairs)._replace(title="Verdict" if rows else "")]


def recovered(report: Report) -> list[Table]:
    """What a recovery did."""
    pairs: Pairs = [("result", _verdict(report))]
    pairs += [("", _CASES.get(letter, f"case {letter}")) for letter in str(report.get("case") or "")]
    pairs += [
        ("built from", scalar(report.get("base"))),
        (
            "replayed",
            f"{counted(int(report.get('facts_replayed') or 0), 'fact')}, up to seq {scalar(report.get('seq'))}",
        ),
    ]
    if isinstance(report.get("duration_s"), int | float):
        pairs.append(("took", duration(report["duration_s"])))
    pairs += _several("lost", [f"seq {first} to {last}" for first, last in report.get("seqs_lost") or ()], BAD)
    pairs += _several("lost", [_row_named(row) for row in report.get("ids_lost") or ()], BAD)
    pairs += _several("in doubt", [_row_named(row) for row in report.get("rows_unproven") or ()], WARNING)
    pairs += _several("from files", [_row_named(row) for row in report.get("adopted") or ()], PLAIN)
    pairs += _several("rejected", [_rejected(one) for one in report.get("rejected") or ()], WARNING)
    pairs += _several("quarantine", [str(path) for path in report.get("quarantined") or ()], WARNING)
    # Where the case itself is that there was none, it is no news that it was missing.
    expected = {"state.json: missing"} if set(str(report.get("case"))) & set("AE") else set()
    if report.get("initialised"):
        expected.add("identity.json: missing; written anew")
    warnings = [str(warning) for warning in report.get("warnings") or () if warning not in expected]
    pairs += _several("warnings", warnings, WARNING)
    return [facts(pairs)]


def migrated(report: Report, *, dry_run: bool) -> list[Table]:
    """What a migration did, or would do."""
    if "from" not in report:
        notes = report.get("notes") or ("nothing to do",)
        return [Table((Column(wraps=True),), [(Cell(one_line(str(note))),) for note in notes])]
    done = "would be migrated" if dry_run else "migrated"
    pairs: Pairs = [
        ("version", f"{scalar(report.get('from'))} → {scalar(report.get('to'))}"),
        ("read from", scalar(report.get("source"))),
        (done, ", ".join(_count(name, report.get(name) or 0) for name in ("tasks", "sessions", "reports", "logs"))),
    ]
    pairs += _several("problems", [str(problem) for problem in report.get("problems") or ()], WARNING)
    pairs += _several("notes", [str(note) for note in report.get("notes") or ()], PLAIN)
    return [facts(pairs)]


def leftovers(found: Report) -> list[Table]:
    """What `clean` would remove, and which tasks would move."""
    columns = (Column("KIND"), Column("AGE", right=True), Column("SIZE", right=True), Column("FILE", elastic=True))
    rows = [
        (
            Cell(scalar(one.get("kind"))),
            Cell(duration(one.get("age_s") or 0), FAINT),
            Cell(size(one.get("bytes"))),
            Cell(scalar(one.get("file"))),
        )
        for one in found.get("leftovers") or ()
    ]
    tasks = found.get("tasks") or []
    shown = [Table(columns, rows, empty="" if tasks else "Nothing is left over.")]
    if tasks:
        shown.append(facts(_several("to archive", tasks, PLAIN)))
    return shown


def _verdict(report: Report) -> Cell:
    if report.get("corrupted"):
        return Cell("something was damaged: what is readable is there", BAD)
    return Cell("everything that was acknowledged is there", GOOD)


def _several(name: str, texts: Sequence[str], style: str) -> Pairs:
    """A name and many values below each other, the first ones of them."""
    pairs: Pairs = [
        ("" if number else name, Cell(one_line(text), style)) for number, text in enumerate(texts[:LISTED_MAX])
    ]
    if len(texts) > LISTED_MAX:
        pairs.append(("", Cell(f"and {len(texts) - LISTED_MAX} more; --json lists them", FAINT)))
    return pairs


def _row_named(row: Any) -> str:
    if not isinstance(row, Mapping):
        return scalar(row)
    return f"{scalar(row.get('table')).removesuffix('s')} {scalar(row.get('id'))}"


def _rejected(one: Any) -> str:
    if not isinstance(one, Mapping):
        return scalar(one)
    return f"{one.get('file')} line {one.get('line')}: {one.get('reason')}: {one.get('excerpt')}"


def _count(name: str, number: Any) -> str:
    if name == "bytes":
        return size(number)
    return counted(number, name.replace("_", " ").removesuffix("s")) if isinstance(number, int) else f"{number} {name}"

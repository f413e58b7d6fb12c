"""How imports and exports look. Pure functions from their reports."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from supervisor.cli.paper import FAINT, Cell, Column, Table
from supervisor.cli.words import counted, one_line

NOUNS: Final = ("sessions", "tasks", "runs", "reports", "logs", "events")

LISTED_MAX: Final = 20
"""Lines that are told one by one; --json has more of them."""


def imported(report: Mapping[str, Any]) -> list[Table]:
    """What became of what was found, by noun."""
    columns = (Column(), Column("NEW", right=True), Column("CHANGED", right=True), Column("UNCHANGED", right=True))
    rows = [
        [Cell(noun), *(_number(report[noun][name]) for name in ("new", "changed", "unchanged"))]
        for noun in NOUNS
        if noun in report
    ]
    if "sessions" in report:
        rows.append([Cell("messages"), _number(report["messages"]), Cell(""), Cell("")])
    title = "This is what would be imported:" if report["dry_run"] else ""
    return [Table(columns, rows, empty="Nothing was found to import.", title=title)]


def told(report: Mapping[str, Any]) -> Iterator[str]:
    """What was passed over, with its place and reason; and what should be known."""
    if report["skipped_count"]:
        yield f"{counted(report['skipped_count'], 'thing')} passed over:"
        yield from _some(report["skipped"], report["skipped_count"], _place)
    yield from _some(report["notes"], len(report["notes"]), lambda note: f"note: {one_line(note)}")


def _some(what: Any, number: int, worded: Any) -> Iterator[str]:
    for one in what[:LISTED_MAX]:
        yield f"  {worded(one)}"
    if number > LISTED_MAX:
        yield f"  and {number - LISTED_MAX} more; --json lists them"


def _place(skipped: Mapping[str, Any]) -> str:
    line = "" if skipped["line"] is None else f":{skipped['line']}"
    return f"{one_line(skipped['file'])}{line}: {one_line(skipped['reason'])}"


def _number(number: int) -> Cell:
    return Cell(str(number), "" if number else FAINT)

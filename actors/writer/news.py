"""What a recovery is told as: an entry of the log, and events (SPEC sections 5 and 6).

always                           state:loaded       live, with the whole report
the directory was empty          state:initialised  live
what was acknowledged is damaged state:corrupted    live and recorded, and in the log as an error

The alert that follows from damage is raised by whoever watches the ledger.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from actors.messages.proposal import Live

_TELLING: Final = (
    "case",
    "base",
    "seqs_lost",
    "seqs_unproven",
    "ids_lost",
    "facts_without_row",
    "rows_unproven",
    "adopted",
    "rejected_count",
    "quarantined",
)
"""What of the report belongs to the record of a damage; the excerpts stay in the report and in quarantine."""

_LISTED_MAX: Final = 100
"""A record is one line of the journal: beyond this a list is cut, and its whole length told."""


def news_of(report: Mapping[str, Any]) -> Iterator[Live]:
    """Yield the events that tell of a recovery."""
    yield Live("state:loaded", dict(report))
    if report.get("initialised"):
        yield Live("state:initialised", {"directories_made": report.get("directories_made", [])})
    if report.get("corrupted"):
        detail = {"level": "error", "message": damage(report), **_short(report)}
        yield Live("state:corrupted", detail, recorded=True)


def entry(report: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the log says: all that is not empty; of a new directory not what every new one lacks."""
    expected = {"warnings", "directories_made"} if report.get("initialised") else set()
    return {name: found for name, found in report.items() if found and name not in expected}


def damage(report: Mapping[str, Any]) -> str:
    """Return one sentence that says what is lost."""
    lost = sum(last - first + 1 for first, last in report.get("seqs_lost", ()))
    parts = [f"{lost} journal lines" if lost != 1 else "1 journal line"] if lost else []
    ids = len(report.get("ids_lost", ()))
    parts += [f"{ids} rows" if ids != 1 else "1 row"] if ids else []
    what = " and ".join(parts) + (" is lost" if lost + ids == 1 else " are lost") if parts else "some of it is unproven"
    return f"the state was damaged: {what}; everything readable was kept, perdure doctor tells more"


def _short(report: Mapping[str, Any]) -> dict[str, Any]:
    short: dict[str, Any] = {}
    for name in _TELLING:
        found = report.get(name)
        if isinstance(found, list) and len(found) > _LISTED_MAX:
            short[f"{name}_count"] = len(found)
            found = found[:_LISTED_MAX]
        if found:
            short[name] = found
    return short

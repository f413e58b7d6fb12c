"""
Importing: what a reader found goes to a runtime, through whatever client there is; doing it twice changes nothing.

Each noun has its own way of being recognised (`TAKERS`): a task or session by its id and by what `metadata.imported`
remembers of the last import, a run by its members, a report by its data, a log by its text, events by the highest
number that was recorded. What was changed here since stays as it is. Parents are told last, when everybody is there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any, Final

from actors.model.errors import NotFound
from actors.model.stamps import stamp_of
from supervisor.foreign.client import Runtime
from supervisor.foreign.kinds import Kind, check
from supervisor.foreign.marks import digest_of
from supervisor.foreign.report import Outcome, Report
from supervisor.foreign.session_merge import REFUSALS
from supervisor.foreign.sessions import SessionImport
from supervisor.foreign.values import (
    EventsFound,
    Found,
    LogFound,
    Note,
    ReportFound,
    RunFound,
    SessionFound,
    Skipped,
    TaskFound,
)

_READ_BYTES: Final = 1 << 20

Advance = Callable[[int], object]
"""Is told how many more bytes of the source are dealt with."""


def import_from(
    kind: Kind, directory: Path, perdure: Runtime | None, *, dry_run: bool, advance: Advance = lambda _bytes: None
) -> Report:
    """
    Import a directory; without a runtime (a dry run into a directory that is not there) everything counts as new.

    Raises WrongKind, OSError when the directory itself cannot be read, and what the client raises when the runtime
    fails: what was imported until then is imported, and the same command goes on from there.
    """
    check(kind, directory)
    report = Report(kind.name, str(directory), dry_run, at=stamp_of(time.time()))
    importer = Importer(perdure, report, advance)
    for found in kind.read(directory):
        importer.take(found)
    importer.tell_parents()
    return importer.report


class Importer:
    """One import under way."""

    def __init__(self, perdure: Runtime | None, report: Report, advance: Advance) -> None:
        self.report = report
        self._perdure = perdure
        self._advance = advance
        self._sessions = SessionImport(perdure, report, advance)

    def take(self, found: Found) -> None:
        """Take over one thing that a reader found."""
        TAKERS[type(found)](self, found)

    def tell_parents(self) -> None:
        """Say which session descends from which."""
        self._sessions.tell_parents()

    def take_session(self, found: SessionFound) -> None:
        """Take over a session and its messages."""
        self._sessions.take(found)

    def take_task(self, found: TaskFound) -> None:
        """Take over a task; one that was changed here, or is another one of the same id, stays."""
        told = digest_of(found.task)
        here = self._ask("task.get", id=found.task["id"])
        if here is not None and _imported(here).get("sha256") == told:
            self.report.count("tasks", "unchanged")
            return
        if here is not None and (not _imported(here) or here["rev"] > 1):
            why = "was changed here since" if _imported(here) else "is here already, and is another one"
            self.report.skip(Skipped(file=found.file, reason=f"the task {here['id']} {why}"))
            return
        mark = {"imported": {self.report.kind: {"sha256": told}}}
        task = {**found.task, "metadata": {**found.task.get("metadata", {}), **mark}}
        if self._tell(found.file, "task.save", task=task):
            self.report.count("tasks", "new" if here is None else "changed")

    def take_run(self, found: RunFound) -> None:
        """Take over a run that somebody else carried out."""
        here = self._ask("run.get", id=found.run["id"])
        if here is not None and all(here.get(name) == value for name, value in found.run.items()):
            self.report.count("runs", "unchanged")
        elif self._tell(found.file, "run.put", run=found.run):
            self.report.count("runs", "new" if here is None else "changed")

    def take_report(self, found: ReportFound) -> None:
        """Take over a report; one that holds something else stays."""
        here = self._ask("report.get", id=found.id)
        if here is None:
            if self._tell(found.file, "report.save", id=found.id, data=found.data):
                self.report.count("reports", "new")
        elif here["data"] == found.data:
            self.report.count("reports", "unchanged")
        else:
            self.report.skip(Skipped(file=found.file, reason=f"the report {found.id} is here with another content"))

    def take_log(self, found: LogFound) -> None:
        """Take over a text log; of one that is here already, what is new at its end."""
        rest = _rest_after(self._log_here(found.session_id), found.text())
        if rest is None:
            self.report.skip(Skipped(file=found.file, reason="the log that is here says other things"))
            return
        outcome: Outcome = "unchanged"
        for piece in rest:
            if not self._tell(found.file, "log.append", session_id=found.session_id, text=piece):
                return
            outcome = "changed"
        self.report.count("logs", outcome)
        self._advance(found.size_bytes)

    def take_events(self, found: EventsFound) -> None:
        """Record events that are not recorded yet; how far that went is kept in a report beside them."""
        mark_id = f"{found.name}.events"
        mark = self._ask("report.get", id=mark_id)
        before = mark["data"]["seq"] if mark is not None else 0
        highest = before
        for event in found.events():
            if isinstance(event, Skipped):
                self.report.skip(event)
                continue
            seq, params = event
            if seq <= before:
                self.report.count("events", "unchanged")
                continue
            # The key holds an import together that was broken off: the mark is only written at the end.
            key = f"import-{digest_of([found.name, seq, params])[:40]}"
            if self._tell(found.file, "event.record", **params, idempotency_key=key):
                self.report.count("events", "new")
                highest = max(highest, seq)
        if highest > before:
            self._tell(found.file, "report.save", id=mark_id, data={"seq": highest})

    def _log_here(self, session_id: str) -> Iterator[str]:
        offset = 0
        while page := self._ask("log.read", session_id=session_id, offset=offset, limit=_READ_BYTES):
            if not page["text"]:
                return
            yield page["text"]
            offset = page["next_offset"]

    def _ask(self, method: str, **params: Any) -> Any:
        """What is here; None when it is not."""
        if self._perdure is None:
            return None
        try:
            return self._perdure.call(method, **params)
        except NotFound:
            return None

    def _tell(self, file: str, method: str, **params: Any) -> bool:
        """Whether the runtime took it, or would; what it refuses is told as skipped."""
        if self.report.dry_run or self._perdure is None:
            return True
        try:
            self._perdure.call(method, **params)
        except REFUSALS as error:
            self.report.skip(Skipped(file=file, reason=f"{method} refused it: {error.message}"))
            return False
        return True


def _imported(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a task's metadata remembers of its import, whichever it was."""
    marks = row.get("metadata", {}).get("imported")
    found = next(iter(marks.values()), None) if isinstance(marks, dict) else None
    return found if isinstance(found, dict) else {}


def _rest_after(here: Iterable[str], text: Iterator[str]) -> Iterator[str] | None:
    """Return what follows in `text` behind all of `here`, in pieces; None when it does not begin with it."""
    ahead = ""
    for piece in here:
        while len(ahead) < len(piece):
            more = next(text, None)
            if more is None:
                return None
            ahead += more
        if not ahead.startswith(piece):
            return None
        ahead = ahead[len(piece) :]
    return chain([ahead] if ahead else [], text)


TAKERS: Final[Mapping[type, Callable[[Importer, Any], None]]] = {
    SessionFound: Importer.take_session,
    TaskFound: Importer.take_task,
    RunFound: Importer.take_run,
    ReportFound: Importer.take_report,
    LogFound: Importer.take_log,
    EventsFound: Importer.take_events,
    Skipped: lambda importer, found: importer.report.skip(found),
    Note: lambda importer, found: importer.report.note(found.text),
}
"""What a reader yields → what becomes of it."""

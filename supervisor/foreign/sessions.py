"""
Importing sessions: which row a session is here, by its own id or one by which another tool knows it.

What is not here is made, what is here is brought up to date (`session_merge` has the table). A session that is here in
the archive only is skipped: somebody or a limit put it there, and `session restore` brings it back. Who descends from
whom is told last, when all of them are here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from actors.model.errors import Conflict, InvalidParams, NotFound
from actors.model.ids import foreign_session_id
from supervisor.foreign.client import Runtime
from supervisor.foreign.members import usable_id
from supervisor.foreign.report import Report
from supervisor.foreign.sending import Sender
from supervisor.foreign.session_merge import SessionMerge
from supervisor.foreign.values import SessionFound, Skipped

_PAGE_MESSAGES: Final = 500


class SessionImport:
    """The sessions of one import."""

    def __init__(self, perdure: Runtime | None, report: Report, advance: Callable[[int], object]) -> None:
        self._perdure = perdure
        self._report = report
        self._advance = advance
        self._taken: dict[str, str] = {}
        """Session id → the file it came from."""
        self._parents: list[tuple[SessionFound, str]] = []

    def take(self, found: SessionFound) -> None:
        """Take over one session."""
        try:
            here = self._here(found)
        except _Archived as archived:
            self._skip(found, f"session {archived.session_id} is in the archive; `session restore` brings it back")
            return
        session_id = foreign_session_id(found.members["id"]) if here is None else str(here["id"])
        before = self._taken.setdefault(session_id, found.file)
        if before != found.file:
            self._skip(found, f"{before} holds the same session {session_id}")
            return
        self._give_up_a_taken_alias(found, session_id)
        work = SessionMerge(found, here, self._report, self._advance)
        sender = Sender(None if self._report.dry_run else self._perdure, self._report)
        outcome = work.make(sender) if here is None else work.change(sender, self._messages_here(session_id))
        self._advance(max(0, found.size_bytes - work.advanced_bytes))
        if outcome is None:
            return
        self._report.count("sessions", outcome)
        if found.parent is not None:
            self._parents.append((found, session_id))

    def tell_parents(self) -> None:
        """Say which session descends from which."""
        for found, session_id in self._parents:
            if self._perdure is None or self._report.dry_run:
                continue
            try:
                if not self._descends(session_id, found):
                    self._perdure.call("session.put", session={"id": session_id, "parent_id": found.parent})
            except (NotFound, Conflict, InvalidParams) as error:
                self._skip(found, f"its parent {found.parent} was not set: {error.message}")
            except _Archived:
                self._skip(found, f"its parent {found.parent} is in the archive")

    def _descends(self, session_id: str, found: SessionFound) -> bool:
        """Whether the row says so already."""
        row = self._row(session_id, ())
        parent = self._row(str(found.parent), (str(found.parent),))
        return row is not None and parent is not None and row["parent_id"] == parent["id"]

    def _here(self, found: SessionFound) -> dict[str, Any] | None:
        """Return the row that is here, under its own id or one by which another tool knows it."""
        return self._row(found.members["id"], found.members["external_ids"])

    def _row(self, session_id: str, external_ids: Iterable[str]) -> dict[str, Any] | None:
        """Return a row; None when it is not here. Raises _Archived when it is in the archive only."""
        if self._perdure is None:
            return None
        archived: _Archived | None = None
        try:
            row: dict[str, Any] = self._perdure.call("session.get", id=usable_id(session_id))
        except NotFound as error:
            if error.details.get("archived"):
                archived = _Archived(str(error.details.get("id")))
        else:
            return row
        for external_id in external_ids:
            rows = self._perdure.call("session.find", external_id=external_id, limit=1)["sessions"]
            if rows:
                return dict(rows[0])
        if archived is not None:
            raise archived
        return None

    def _give_up_a_taken_alias(self, found: SessionFound, session_id: str) -> None:
        alias = found.members.get("alias")
        if alias is None or self._perdure is None:
            return
        holders = self._perdure.call("session.find", alias=alias, limit=1)["sessions"]
        if holders and holders[0]["id"] != session_id:
            self._skip(found, f"the alias {alias!r} was not taken over: session {holders[0]['id']} has it")
            del found.members["alias"]

    def _messages_here(self, session_id: str) -> Iterator[dict[str, Any]]:
        after = 0
        while self._perdure is not None:
            page = self._perdure.call("session.messages", id=session_id, after=after, limit=_PAGE_MESSAGES)
            yield from page["messages"]
            if page["next"] is None:
                return
            after = page["next"]

    def _skip(self, found: SessionFound, reason: str) -> None:
        self._report.skip(Skipped(file=found.file, reason=reason))


class _Archived(Exception):
    def __init__(self, session_id: str) -> None:
        super().__init__(session_id)
        self.session_id = session_id

"""
Bringing one session of another tool together with what is here, so that doing it again changes nothing.

======================================  ==========================================================================
here is                                  then
======================================  ==========================================================================
nothing                                  made; a session that fits one command is one journal line with its messages
what the last import left                what the source says anew is taken over, new messages are appended
messages that the source begins with     the others are appended
messages that begin with the source's    nothing to do: the conversation went on here
what the last import left, but the       the messages are replaced; those before stay in the archive
source has rewritten its messages
other messages                           skipped: both sides have gone on, and neither is the right one
======================================  ==========================================================================

The row goes by `session.put`, its messages behind those that are here already. The mark that the last import left in
the row (`marks`) tells what the source says anew from what was changed here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any, Final

from actors.model.errors import AlreadyExists, Conflict, InvalidParams, PerdureError, TooLarge
from actors.model.stamps import normal
from supervisor.foreign.marks import Digest, Mark, encoded, mark_in, told_by
from supervisor.foreign.report import Outcome, Report
from supervisor.foreign.sending import Sender
from supervisor.foreign.values import Message, SessionFound, Skipped

REFUSALS: Final = (AlreadyExists, Conflict, InvalidParams, TooLarge)
"""Answers of the runtime that are about what was sent; every other error ends the import."""

_NOTHING: Final[tuple[Any, ...]] = (None, "", "unknown", [], {}, 0)
"""Members of a row that say nothing: another tool's import may say it."""


class SessionMerge:
    """One session under way: made by `make`, or brought up to date by `change`."""

    def __init__(
        self,
        found: SessionFound,
        here: dict[str, Any] | None,
        report: Report,
        advance: Callable[[int], object],
    ) -> None:
        self._found = found
        self._here = here
        self._report = report
        self._advance = advance
        self._mark = None if here is None else mark_in(here, report.kind)
        self.advanced_bytes = 0

    def make(self, sender: Sender) -> Outcome | None:
        """Make the session; None when the runtime refused it."""
        digest = Digest()
        messages = self._good(digest, tell_skipped=True)
        members = dict(self._found.members)
        last = self._last_put(members["id"], members, {})
        try:
            sender.make(members, messages, lambda: last(digest, digest.count - sender.refused))
        except REFUSALS as error:
            self._refused(error)
            return None
        self._report.messages += digest.count - sender.refused
        return "new"

    def change(self, sender: Sender, messages_here: Iterator[dict[str, Any]]) -> Outcome | None:
        """Bring the session that is here up to date; None when that cannot be."""
        here = self._here or {}
        try:
            kept, digest = self._compare(int(here["message_count"]), messages_here)
        except _Parted:
            reason = f"session {here['id']} has other messages here than in its source: it stays as it is"
            self._report.skip(Skipped(file=self._found.file, reason=reason))
            return None
        members = self._news(here)
        replaces = kept is None
        rest = digest.count if kept is None else digest.count - kept
        if not members and not rest and not replaces and self._is_told(digest):
            return "unchanged"
        try:
            if rest or replaces:
                messages = islice(self._good(Digest(), tell_skipped=False), kept or 0, None)
                (sender.replace if replaces else sender.append)(here["id"], messages)
            stay = 0 if replaces else int(here["message_count"])
            sender.put(self._last_put(here["id"], members, here)(digest, stay + rest - sender.refused))
        except REFUSALS as error:
            self._refused(error)
            return None
        self._report.messages += rest - sender.refused
        return "changed" if members or rest or replaces else "unchanged"

    def _compare(self, number_here: int, messages_here: Iterator[dict[str, Any]]) -> tuple[int | None, Digest]:
        """
        Read the source through; return how many messages at its beginning are here (None: all are to be replaced).

        Raises _Parted when the source and what is here have nothing to do with each other any more.
        """
        mark = self._mark if self._mark is not None and self._mark.kept == number_here else None
        digest, at_mark = Digest(), ""
        for _message in self._good(digest, tell_skipped=True):
            if mark is not None and digest.count == mark.messages:
                at_mark = digest.value()
        if mark is not None and at_mark == mark.sha256:
            return mark.messages, digest
        if number_here == 0:
            return 0, digest
        both, stored = self._alike(messages_here)
        if both in (number_here, digest.count):
            return both, digest
        if mark is not None and stored.value() == mark.sha256:
            return None, digest
        raise _Parted

    def _alike(self, messages_here: Iterator[dict[str, Any]]) -> tuple[int, Digest]:
        """Return how many messages at the beginning are alike, and the hash of all that are here."""
        source = self._good(Digest(), tell_skipped=False)
        stored, both, is_alike = Digest(), 0, True
        for body in messages_here:
            stored.add(body)
            if is_alike:
                other = next(source, None)
                is_alike = other is not None and encoded(other.body) == encoded(body)
                both += is_alike
        return both, stored

    def _good(self, digest: Digest, *, tell_skipped: bool) -> Iterator[Message]:
        """Yield the messages, counted and hashed; what is none is told once."""
        for one in self._found.messages():
            if isinstance(one, Skipped):
                if tell_skipped:
                    self._report.skip(one)
                continue
            digest.add(one.body)
            if tell_skipped:
                self.advanced_bytes += one.size_bytes
                self._advance(one.size_bytes)
            yield one

    def _refused(self, error: PerdureError) -> None:
        self._report.skip(Skipped(file=self._found.file, reason=f"the runtime refused it: {error.message}"))

    def _news(self, here: Mapping[str, Any]) -> dict[str, Any]:
        """Return the members that the source says anew; of a row that is not of this import, those it does not know."""
        told = self._found.members
        if self._mark is not None:
            hashes = told_by(told)
            news = {name: value for name, value in told.items() if self._mark.told.get(name) != hashes[name]}
        else:
            news = {name: value for name, value in told.items() if here.get(name) in _NOTHING}
        news.pop("id", None)
        unknown = [one for one in told["external_ids"] if one not in here["external_ids"]]
        news.pop("external_ids", None)
        if unknown:
            news["external_ids"] = unknown
        transcripts = told.get("transcript_files", [])
        paths = {one["path"] for one in transcripts}
        if "transcript_files" in news or not paths <= {one["path"] for one in here["transcript_files"]}:
            others = [one for one in here["transcript_files"] if one["path"] not in paths]
            news["transcript_files"] = others + transcripts
        return {name: value for name, value in news.items() if here.get(name) != value}

    def _is_told(self, digest: Digest) -> bool:
        """Whether the mark that is here says what it would say now."""
        mark = self._mark
        return mark is not None and mark.told == told_by(self._found.members) and mark.sha256 == digest.value()

    def _last_put(
        self, session_id: str, members: dict[str, Any], here: Mapping[str, Any]
    ) -> Callable[[Digest, int], dict[str, Any]]:
        """Return what makes the last word of an import: times that appending has moved, and the mark."""
        told = self._found.members
        times: dict[str, Any] = {name: told[name] for name in ("last_accessed_at", "last_progress_at") if name in told}
        if "last_accessed_at" in told:
            times.setdefault("last_progress_at", told["last_accessed_at"])
        if here.get("last_accessed_at"):  # somebody may have used it here since
            times = {name: max(_stamp(value), str(here.get(name) or "")) for name, value in times.items()}

        def put(digest: Digest, kept: int) -> dict[str, Any]:
            metadata = {**here.get("metadata", {}), **members.get("metadata", {})}
            imported = dict(metadata.get("imported") or {})
            at = self._report.at if self._mark is None else self._mark.at
            mark = Mark(at=at, messages=digest.count, kept=kept, sha256=digest.value(), told=told_by(told))
            imported[self._report.kind] = mark.members()
            return {**members, **times, "id": session_id, "metadata": {**metadata, "imported": imported}}

        return put


class _Parted(Exception):
    pass


def _stamp(value: Any) -> str:
    return normal(str(value))

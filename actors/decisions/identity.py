"""Which session an agent's session id means: the resolver (SPEC section 7). Pure.

Agents give a conversation a new id when it is resumed or forked; what goes on is the same session all the same. Three
questions are asked in this order, and the first that has an answer decides:

====================  ==========  ================================================================================
source                confidence  when
====================  ==========  ================================================================================
external_id           exact       a session is known by this very id
transcript_lineage    high        the transcript begins where the transcript of one session ends
fingerprint           low         the first prompt, or the beginning of the transcript, is that of one session, and at
                                  least two things corroborate it, one of them strong
minted                minted      nothing is known of it: it is a new session
minted                ambiguous   several sessions would do equally: it is a new one, and all of them may be its parents
====================  ==========  ================================================================================

Strong are the same working directory and the same worktree; weak are the same branch at the start and progress within
72 hours. A fingerprint that too little corroborates makes a candidate for the parent and no more.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec

from actors.model.session import Session
from actors.model.stamps import posix_of

WINDOW_S: Final = 72 * 3600.0
"""Progress this long ago, or more recently, corroborates."""

CORROBORATORS_MIN: Final = 2
"""Of which at least one is strong."""

CANDIDATES_MAX: Final = 10
"""Parent candidates that are kept; how many more there were is."""

STRONG: Final = frozenset({"same_cwd", "same_worktree_realpath"})


class Sighting(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of an agent's session when it is seen."""

    external_id: str
    first_parent_uuid: str | None = None
    """Whom the transcript's first message answers: the last message of another transcript, where it goes on one."""
    cwd: str | None = None
    worktree_realpath: str | None = None
    branch: str | None = None
    fingerprints: tuple[str, ...] = ()
    """As `kind:hash`."""
    at: str


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """The sessions that may be it: by its id, by where their transcripts end, by a fingerprint."""

    by_id: Sequence[Session] = ()
    by_lineage: Sequence[Session] = ()
    by_fingerprint: Sequence[tuple[str, Session]] = ()
    """(the fingerprint's kind, the session)"""


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """The answer: `session_id` None means that a new session is to be made."""

    session_id: str | None
    source: str
    confidence: str
    matched: dict[str, Any] = msgspec.field(default_factory=dict)
    candidates: tuple[str, ...] = ()
    omitted: int = 0


class _Candidate(msgspec.Struct, frozen=True):
    session: Session
    kind: str
    corroborators: tuple[str, ...]

    @property
    def strong(self) -> int:
        return sum(name in STRONG for name in self.corroborators)

    @property
    def is_enough(self) -> bool:
        return self.strong > 0 and len(self.corroborators) >= CORROBORATORS_MIN


def resolve(seen: Sighting, known: Known) -> Identity:
    """Return which session it is, and how that was found."""
    if known.by_id:
        return Identity(
            session_id=known.by_id[0].id,
            source="external_id",
            confidence="exact",
            matched={"external_id": seen.external_id},
        )
    lineage = {"first_parent_uuid": seen.first_parent_uuid}
    if len(known.by_lineage) == 1:
        parent = known.by_lineage[0].id
        return Identity(session_id=parent, source="transcript_lineage", confidence="high", matched=lineage)
    if known.by_lineage:
        return _minted("ambiguous", lineage, [_Candidate(one, "", ()) for one in known.by_lineage])
    return _by_fingerprint(seen, known.by_fingerprint)


def _by_fingerprint(seen: Sighting, found: Iterable[tuple[str, Session]]) -> Identity:
    best: dict[str, _Candidate] = {}
    for kind, session in found:
        best.setdefault(session.id, _Candidate(session, kind, _corroborators(seen, session)))
    candidates = list(best.values())
    enough = [one for one in candidates if one.is_enough]
    if len(enough) == 1:
        (one,) = enough
        matched = {"fingerprint": one.kind, "corroborators": list(one.corroborators)}
        return Identity(session_id=one.session.id, source="fingerprint", confidence="low", matched=matched)
    if enough:
        return _minted("ambiguous", {"fingerprint": enough[0].kind}, candidates)
    return _minted("minted", {}, candidates)


def _corroborators(seen: Sighting, session: Session) -> tuple[str, ...]:
    git = session.git
    said = {
        "same_cwd": seen.cwd is not None and seen.cwd == session.cwd,
        "same_worktree_realpath": seen.worktree_realpath is not None
        and git is not None
        and git.worktree_realpath == seen.worktree_realpath,
        "same_branch_at_start": seen.branch is not None and git is not None and git.branch_at_start == seen.branch,
        "within_72h": _within(seen.at, session.last_progress_at),
    }
    return tuple(name for name, holds in said.items() if holds)


def _within(now: str, progress_at: str | None) -> bool:
    if progress_at is None:
        return False
    # A clock that was put back makes progress lie ahead: that far ahead it says as little as that long ago.
    return abs(posix_of(now) - posix_of(progress_at)) <= WINDOW_S


def _minted(confidence: str, matched: dict[str, Any], candidates: Sequence[_Candidate]) -> Identity:
    recent_first = sorted(
        candidates, key=lambda one: (one.session.last_progress_at or "", one.session.id), reverse=True
    )
    ordered = sorted(recent_first, key=lambda one: one.strong, reverse=True)
    return Identity(
        session_id=None,
        source="minted",
        confidence=confidence,
        matched=matched,
        candidates=tuple(one.session.id for one in ordered[:CANDIDATES_MAX]),
        omitted=max(0, len(ordered) - CANDIDATES_MAX),
    )

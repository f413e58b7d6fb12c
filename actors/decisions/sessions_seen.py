"""`session.seen`: an agent's session was seen; which of ours it is, is decided by the resolver, and noted with it.

Looking and making are one decision, so two hooks that see the same new session at once make one. What was first stays
what it was (the branch at the start, the first prompt); of all else the newest is the truth.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

import attrs
import msgspec

from actors.decisions.decision import At, Decision, Handler, encode, needed_session, patch
from actors.decisions.identity import Identity, Known, Sighting, resolve
from actors.decisions.sessions_lookup import known_by
from actors.decisions.sessions_retention import beyond_limit
from actors.messages import sessions as ask
from actors.model.draft import Draft
from actors.model.errors import InvalidParams
from actors.model.facts import Fact
from actors.model.ids import given_session_id, new_id
from actors.model.preview import sanitised
from actors.model.session import TITLE_CHARACTERS_MAX, Fingerprints, Git, Resolution, Session, Transcript
from actors.model.state import Lookup
from actors.model.tables import FINGERPRINTS, decode_session

T = TypeVar("T")

TRANSCRIPTS_MAX = 1000
"""Transcript files that a row names; of more the oldest are forgotten."""


def seen(draft: Draft, asked: ask.SessionSeen, at: At) -> Decision:
    """Note it in the session that it is, which is made when there is none."""
    identity = resolve(_sighting(asked, at), _known(draft, asked))
    resolution = Resolution(source=identity.source, confidence=identity.confidence, matched=identity.matched)
    if identity.session_id is None:
        session = _minted(draft, asked, identity, resolution, at)
        data = attrs.asdict(session) | {"messages": ()}
        created = Fact(op="session.created", id=session.id, rev=session.rev, data=data)
        return Decision((created, *beyond_limit(draft, at)), (session.id, "true"))
    session = needed_session(draft, identity.session_id)
    changes = _observed(session, asked, at) | {"identity_resolution": attrs.asdict(resolution)}
    return Decision((patch(draft, "sessions", "session.seen", session.id, changes),), (session.id, "false"))


def seen_reply(lookup: Lookup, ids: tuple[str, ...]) -> bytes:
    """Answer with {session, minted, identity_resolution}."""
    row = lookup.row("sessions", ids[0])
    if row is None:
        return b"null"
    resolution = encode(decode_session(row.encoded).identity_resolution)
    minted = b"true" if ids[1] == "true" else b"false"
    return b'{"session":%b,"minted":%b,"identity_resolution":%b}' % (row.encoded, minted, resolution)


def _sighting(asked: ask.SessionSeen, at: At) -> Sighting:
    git = asked.git
    return Sighting(
        external_id=asked.external_id,
        first_parent_uuid=None if asked.transcript is None else asked.transcript.first_parent_uuid,
        cwd=asked.cwd,
        worktree_realpath=None if git is None else git.worktree_realpath,
        branch=None if git is None else git.branch_at_start or git.branch,
        fingerprints=tuple(_fingerprints(asked)),
        at=at.stamp,
    )


def _fingerprints(asked: ask.SessionSeen) -> Iterable[str]:
    for kind in FINGERPRINTS:
        found = None if asked.fingerprints is None else getattr(asked.fingerprints, kind)
        if found is not None:
            yield f"{kind}:{found}"


def _known(draft: Draft, asked: ask.SessionSeen) -> Known:
    first_parent = None if asked.transcript is None else asked.transcript.first_parent_uuid
    return Known(
        by_id=_by_id(draft, asked.external_id),
        by_lineage=()
        if first_parent is None
        else [decode_session(row.encoded) for row in known_by(draft, "last_uuid", first_parent)],
        by_fingerprint=[
            (print_.partition(":")[0], decode_session(row.encoded))
            for print_ in _fingerprints(asked)
            for row in known_by(draft, "fingerprint", print_)
        ],
    )


def _by_id(draft: Draft, external_id: str) -> list[Session]:
    """Whom others know by this id, or who has it: an import gives a session the UUID that it had."""
    found = known_by(draft, "external_id", external_id)
    try:
        own = draft.row("sessions", given_session_id(external_id)[0])
    except InvalidParams:
        own = None
    return [decode_session(row.encoded) for row in (*found, *([] if own is None else [own]))]


def _minted(draft: Draft, asked: ask.SessionSeen, identity: Identity, resolution: Resolution, at: At) -> Session:
    session_id = new_id()
    blank = Session(
        id=session_id,
        title="",
        provider="unknown",
        model="unknown",
        working_directory=asked.cwd or "",
        created_at=at.stamp,
        last_accessed_at=at.stamp,
        rev=draft.next_rev("sessions", session_id),
    )
    members = _observed(blank, asked, at)
    git = members.get("git")
    return attrs.evolve(
        blank,
        **{name: value for name, value in members.items() if name not in ("git", "fingerprints", "transcript_files")},
        title=(members.get("first_prompt_preview") or asked.external_id)[:TITLE_CHARACTERS_MAX],
        git=None if git is None else Git(**git),
        fingerprints=Fingerprints(**members.get("fingerprints", {})),
        transcript_files=tuple(Transcript(**one) for one in members.get("transcript_files", ())),
        identity_resolution=resolution,
        parent_candidates=identity.candidates,
        parent_candidates_omitted=identity.omitted,
    )


def _observed(session: Session, asked: ask.SessionSeen, at: At) -> dict[str, Any]:
    """Return the members that change because it was seen."""
    # A sighting may be told late: what happened since is not undone.
    changes: dict[str, Any] = {
        "last_accessed_at": max(session.last_accessed_at, at.stamp),
        "last_progress_at": max(session.last_progress_at or "", at.stamp),
        "activity": "active",
    }
    if asked.external_id not in session.external_ids:
        changes["external_ids"] = (*session.external_ids, asked.external_id)
    if asked.cwd is not None:
        changes["cwd"] = asked.cwd
        if not session.working_directory:
            changes["working_directory"] = asked.cwd
    if asked.git is not None:
        changes["git"] = _git(session.git or Git(), asked.git)
    if asked.transcript is not None:
        changes["transcript_files"] = _transcripts(session.transcript_files, asked.transcript)
    if asked.fingerprints is not None:
        told = msgspec.structs.asdict(asked.fingerprints)
        changes["fingerprints"] = _first(attrs.asdict(session.fingerprints), told)
    if asked.store_first_prompt is False:
        changes["first_prompt_preview"] = None
    elif asked.first_prompt_preview is not None and session.first_prompt_preview is None:
        changes["first_prompt_preview"] = sanitised(asked.first_prompt_preview)
    return changes


def _git(before: Git, told: ask.GivenGit) -> dict[str, Any]:
    """What was at the start is what was seen first; where it is now is what was seen last."""
    known = {name: value for name, value in msgspec.structs.asdict(told).items() if value is not None}
    at_start = {"branch_at_start": known.get("branch"), "head_at_start": known.get("head")}
    merged = attrs.asdict(before) | known
    return merged | _first(attrs.asdict(before), {**at_start, **known}, tuple(at_start))


def _first(before: Mapping[str, T], told: Mapping[str, T], names: tuple[str, ...] | None = None) -> dict[str, T | None]:
    """Return members, each as it was before where it was anything."""
    wanted = tuple(before) if names is None else names
    return {name: before.get(name) if before.get(name) is not None else told.get(name) for name in wanted}


def _transcripts(before: tuple[Transcript, ...], told: ask.GivenTranscript) -> tuple[dict[str, Any], ...]:
    """The file that is told, at the end; one that was known keeps where it began."""
    old = next((one for one in before if one.path == told.path), Transcript(path=told.path))
    new = Transcript(
        path=told.path,
        first_uuid=old.first_uuid or told.first_uuid,
        last_uuid=told.last_uuid or old.last_uuid,
    )
    others = [attrs.asdict(one) for one in before if one.path != told.path]
    return (*others, attrs.asdict(new))[-TRANSCRIPTS_MAX:]


HANDLERS: dict[type, Handler] = {ask.SessionSeen: Handler(seen, seen_reply)}
"""Parameters → what they do."""

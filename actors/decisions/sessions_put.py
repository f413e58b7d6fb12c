"""Recording a session that another program keeps, or kept: `session.put` (SPEC section 7, registries with upsert).

What the other program says of a session is taken as it says it, its times included. Which session it speaks of is
found by the id it gives and by the ids that other tools know the session by; so two programs that know one session by
two ids speak of one row. What is unique here stays unique, and who descends from whom stays a tree.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import attrs
import msgspec

from actors.decisions.decision import At, Decision, Handler, patch, row_reply
from actors.decisions.sessions_lookup import known_by, needed_parent, refuse_alias, resolved
from actors.messages import sessions as ask
from actors.model.draft import Draft
from actors.model.facts import Fact
from actors.model.ids import given_session_id
from actors.model.session import (
    TITLE_CHARACTERS_MAX,
    Fingerprints,
    Git,
    Resolution,
    Session,
    Transcript,
    given_title,
)
from actors.model.stamps import given_stamp
from actors.model.tables import decode_session

_UNKNOWN: Final = "unknown"
_STAMPS: Final = ("created_at", "last_accessed_at", "closed_at", "last_progress_at")
_PARTS: Final[Mapping[str, Any]] = {
    "fingerprints": Fingerprints,
    "git": Git,
    "identity_resolution": Resolution,
    "transcript_files": Transcript,
}
"""Members that are objects → what they are in a row."""

_NOT_BELIEVED: Final = frozenset({"id", "rev", "message_count"})


def put(draft: Draft, asked: ask.SessionPut, at: At) -> Decision:
    """Make or change the row; nothing happens when it is as it is told already. No session leaves for this one."""
    given = asked.session
    session_id = _meant(draft, given)
    row = draft.row("sessions", session_id)
    before = _unheard_of(session_id, given.id, at) if row is None else decode_session(row.encoded)
    changes = _changes(draft, before, given, at)
    if row is None:
        session = attrs.evolve(before, **changes, rev=draft.next_rev("sessions", session_id))
        data = attrs.asdict(session) | {"messages": ()}
        return Decision((Fact(op="session.created", id=session_id, rev=session.rev, data=data),), (session_id,))
    changes = {name: value for name, value in changes.items() if getattr(before, name) != value}
    if not changes:
        return Decision((), (session_id,))
    return Decision((patch(draft, "sessions", "session.changed", session_id, changes),), (session_id,))


def _meant(draft: Draft, given: ask.WholeSession) -> str:
    found = resolved(draft, given.id, "session.id")
    if draft.row("sessions", found) is not None or given.external_ids is msgspec.UNSET:
        return found
    for external_id in given.external_ids:
        holders = known_by(draft, "external_id", external_id)
        if holders:
            return holders[0].id
    return found


def _unheard_of(session_id: str, named: str, at: At) -> Session:
    return Session(
        id=session_id,
        title=named[:TITLE_CHARACTERS_MAX],
        provider=_UNKNOWN,
        model=_UNKNOWN,
        working_directory="",
        created_at=at.stamp,
        last_accessed_at=at.stamp,
    )


def _changes(draft: Draft, before: Session, given: ask.WholeSession, at: At) -> dict[str, Any]:
    changes: dict[str, Any] = {
        name: value
        for name in given.__struct_fields__
        if name not in _NOT_BELIEVED and (value := getattr(given, name)) is not msgspec.UNSET
    }
    for name, kind in _PARTS.items():
        if changes.get(name) is not None:
            changes[name] = _as(kind, changes[name])
    for name in _STAMPS:
        if changes.get(name) is not None:
            changes[name] = given_stamp(changes[name], f"session.{name}")
    if "title" in changes:
        changes["title"] = given_title(changes["title"], "session.title")
    if changes.get("alias") is not None:
        changes["alias"] = changes["alias"].strip()
        refuse_alias(draft, before.id, changes["alias"])
    if changes.get("parent_id") is not None:
        changes["parent_id"] = needed_parent(draft, before.id, changes["parent_id"], "session.parent_id")
    changes["external_ids"] = _external_ids(before, given)
    if changes.get("status") == "closed":
        changes["current_turn_id"] = None
        changes["closed_at"] = changes.get("closed_at") or before.closed_at or at.stamp
    return changes


def _as(kind: Any, given: Any) -> Any:
    """Return what was given as the row has it; of a transcript only what rows keep."""
    if isinstance(given, tuple):
        return tuple(_as(kind, one) for one in given)
    members = msgspec.structs.asdict(given)
    return kind(**{field.name: members[field.name] for field in attrs.fields(kind)})


def _external_ids(before: Session, given: ask.WholeSession) -> tuple[str, ...]:
    """Return all the ids that the session was ever given elsewhere, each once, in the order in which they came."""
    named = [*before.external_ids]
    named += () if given.external_ids is msgspec.UNSET else given.external_ids
    if given.id != before.id and given_session_id(given.id)[1] is not None:
        named.append(given.id)
    return tuple(dict.fromkeys(named))


HANDLERS: dict[type, Handler] = {ask.SessionPut: Handler(put, row_reply("sessions"))}
"""Parameters → what they do."""

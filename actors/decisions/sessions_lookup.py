"""Finding sessions by what they are known by, as decided so far; and the rules of what must be unique among them.

An id that somebody gives means, in this order: the session that has it, the session that another tool knows by it, and
else one that is not there yet.
"""

from __future__ import annotations

from typing import Final

from actors.decisions.decision import needed_session
from actors.model.draft import Draft
from actors.model.errors import AlreadyExists, Conflict
from actors.model.ids import given_session_id
from actors.model.session import Session
from actors.model.session_table import KEYS, Index
from actors.model.tables import SessionRow

DEPTH_MAX: Final = 50
"""Generations that a family of sessions may have (SPEC section 7)."""


def known_by(draft: Draft, index: Index, key: str) -> list[SessionRow]:
    """Return the sessions that have this key, also those that are not durable yet; what is decided rests on it."""
    draft.rely_on_key(index, key)
    changed = draft.changed("sessions")
    sessions = draft.tables.sessions
    durable = [sessions.rows[row_id] for row_id in sessions.known_by(index, key) if row_id not in changed]
    pending = [row for row in changed.values() if isinstance(row, SessionRow) and key in KEYS[index](row)]
    return durable + pending


def resolved(draft: Draft, text: str, path: str = "id") -> str:
    """Return the id of the session that a text means; it need not be there. Raises InvalidParams for what is no id."""
    session_id = given_session_id(text, path)[0]
    if draft.row("sessions", session_id) is not None:
        return session_id
    for external_id in (text, session_id):
        found = known_by(draft, "external_id", external_id)
        if found:
            return found[0].id
    return session_id


def refuse_alias(draft: Draft, session_id: str, alias: str) -> None:
    """Raise AlreadyExists when another session has this alias."""
    for row in known_by(draft, "alias", alias):
        if row.id != session_id:
            raise AlreadyExists(
                f"the alias {alias!r} is taken by session {row.id}",
                hint="choose another one, or take it from that session first",
                id=row.id,
            )


def needed_parent(draft: Draft, session_id: str, parent: str, path: str) -> str:
    """Return the id of a session that may become the parent of another.

    Raises NotFound when there is none, Conflict for a circle and for a family that would be too deep.
    """
    found: Session = needed_session(draft, resolved(draft, parent, path))
    generation = found.id
    for above in range(1, DEPTH_MAX):
        if generation == session_id:
            raise Conflict(
                f"session {found.id} descends from {session_id}: so it cannot be its parent",
                hint="session.tree shows who descends from whom",
                id=session_id,
            )
        draft.rely_on("sessions", generation)
        row = draft.row("sessions", generation)
        if not isinstance(row, SessionRow) or row.parent_id is None:
            _refuse_deeper(draft, session_id, DEPTH_MAX - above)
            return found.id
        generation = row.parent_id
    raise _too_deep(found.id)


def _refuse_deeper(draft: Draft, session_id: str, generations_max: int) -> None:
    """Raise Conflict when a session and who descends from it are more generations: they all move with it."""
    generation = [session_id]
    for _below in range(generations_max):
        generation = [child.id for parent_id in generation for child in known_by(draft, "parent_id", parent_id)]
        if not generation:
            return
    raise _too_deep(session_id)


def _too_deep(session_id: str) -> Conflict:
    return Conflict(
        f"a family of sessions has at most {DEPTH_MAX} generations",
        hint="session.tree shows who descends from whom",
        id=session_id,
    )

"""Decisions about sessions (SPEC sections 4, 6 and 7). Limits and retention stand in `sessions_retention`.

Messages travel beside the row: a fact's data holds them, the session's file keeps them, the row only counts them. A
title is trimmed and never empty, and it stays what it is until somebody gives another one. A session that is closed
still takes messages: what an agent said after all is worth more than the order of the two.
"""

from __future__ import annotations

from typing import Any

import attrs
import msgspec

from actors.decisions import sessions_put, sessions_relations, sessions_seen
from actors.decisions.decision import At, Decision, Handler, encode, needed_row, needed_session, patch, row_reply
from actors.decisions.sessions_lookup import known_by
from actors.decisions.sessions_retention import beyond_limit
from actors.messages import sessions as ask
from actors.model.draft import Draft
from actors.model.errors import UNDECODABLE, AlreadyExists, NotFound, StorageFailed
from actors.model.facts import Fact
from actors.model.ids import given_session_id, new_id
from actors.model.session import Session, given_title
from actors.model.state import Lookup
from actors.model.tables import SessionRow, decode_session


class Archived(msgspec.Struct, frozen=True):
    """What the archive holds of a session."""

    row: bytes
    name: str
    """Where its file is, as the archive names it."""


def create(draft: Draft, asked: ask.SessionCreate, at: At) -> Decision:
    """Make a session; the least recently accessed ones leave when there are too many then."""
    given, foreign = given_session_id(asked.id) if asked.id is not None else (new_id(), None)
    _refuse_existing(draft, given)
    session = Session(
        id=given,
        title=given_title(asked.title, "title"),
        provider=asked.provider,
        model=asked.model,
        working_directory=asked.working_directory,
        created_at=at.stamp,
        last_accessed_at=at.stamp,
        message_count=len(asked.messages),
        external_ids=() if foreign is None else (foreign,),
        last_progress_at=at.stamp if asked.messages else None,
        metadata=asked.metadata,
        rev=draft.next_rev("sessions", given),
    )
    created = _whole("session.created", session, messages=asked.messages)
    return Decision((created, *beyond_limit(draft, at)), (given,))


def load(draft: Draft, asked: ask.SessionLoad, at: At) -> Decision:
    """Note that a session was used."""
    session = _needed(draft, asked.id)
    return _changed(draft, session, "session.loaded", {"last_accessed_at": at.stamp})


def save(draft: Draft, asked: ask.SessionSave, at: At) -> Decision:
    """Change members of a session, or replace all its messages: then its file is written anew."""
    session = _needed(draft, asked.id)
    changes: dict[str, Any] = {
        name: value
        for name in ("provider", "model", "working_directory", "metadata")
        if (value := getattr(asked, name)) is not msgspec.UNSET
    }
    if asked.title is not msgspec.UNSET:
        changes["title"] = given_title(asked.title, "title")
    changes["last_accessed_at"] = at.stamp
    if asked.messages is not msgspec.UNSET:
        changes |= {"messages": asked.messages, "message_count": len(asked.messages)} | _progress(at)
    return _changed(draft, session, "session.saved", changes)


def append(draft: Draft, asked: ask.SessionAppend, at: At) -> Decision:
    """Add messages at the end."""
    found = given_session_id(asked.id)[0]
    row = needed_row(draft, "sessions", found)
    # Only the count is wanted, and the row has it beside its JSON.
    count = row.message_count if isinstance(row, SessionRow) else 0
    changes = {"message_count": count + len(asked.messages), "last_accessed_at": at.stamp} | _progress(at)
    appended = patch(draft, "sessions", "session.appended", found, changes | {"messages": asked.messages})
    return Decision((appended,), (found,))


def rename(draft: Draft, asked: ask.SessionRename, _at: At) -> Decision:
    """Give a session another title."""
    session = _needed(draft, asked.id)
    return _changed(draft, session, "session.renamed", {"title": given_title(asked.title, "title")})


def close(draft: Draft, asked: ask.SessionClose, at: At) -> Decision:
    """Say that a session is over. Closing it again may correct the outcome and the reason, not the time."""
    session = _needed(draft, asked.id)
    changes = {
        "status": "closed",
        "outcome": asked.outcome or session.outcome,
        "closed_at": session.closed_at or at.stamp,
        "closed_reason": session.closed_reason if asked.reason is None else asked.reason,
        "current_turn_id": None,
    }
    if all(getattr(session, name) == value for name, value in changes.items()):
        return Decision((), (session.id,))
    return _changed(draft, session, "session.closed", changes)


def delete(draft: Draft, asked: ask.SessionDelete, _at: At) -> Decision:
    """Move a session into the archive; one that is not there is fine. The reply says which it was."""
    found = given_session_id(asked.id)[0]
    if draft.row("sessions", found) is None:
        return Decision((), (found, "false"))
    gone = Fact(op="session.deleted", id=found, rev=draft.next_rev("sessions", found), data={})
    return Decision((gone,), (found, "true"))


def restore(draft: Draft, asked: ask.SessionRestore, archived: Archived | None, at: At) -> Decision:
    """Bring a session back, without an alias that another has by now.

    It counts as used now, so that retention does not take it away again.
    """
    found = given_session_id(asked.id)[0]
    _refuse_existing(draft, found)
    if archived is None:
        raise NotFound(f"the archive holds no session {found}", hint="only deleted sessions are there", id=found)
    before = _archived_session(found, archived)
    # Beyond the rev at which it left: the tombstone that knows it may be gone, and a file takes no older revs.
    rev = max(draft.next_rev("sessions", found), before.rev + 2)
    taken = before.alias is not None and known_by(draft, "alias", before.alias)
    session = attrs.evolve(before, last_accessed_at=at.stamp, rev=rev, alias=None if taken else before.alias)
    restored = _whole("session.restored", session, archive=archived.name)
    return Decision((restored, *beyond_limit(draft, at)), (found,))


def _archived_session(session_id: str, archived: Archived) -> Session:
    """Return the session as it left. Raises StorageFailed when that cannot be read any more."""
    where = f"archive/sessions/{session_id}/{archived.name}/row.archived"
    try:
        session = decode_session(archived.row)
    except UNDECODABLE as error:
        raise StorageFailed(f"{where} cannot be read: {error}", hint="mend it, or put a good copy there") from None
    if session.id != session_id:
        raise StorageFailed(f"{where} is the row of session {session.id}", hint="put the right file there")
    return session


def append_reply(lookup: Lookup, ids: tuple[str, ...]) -> bytes:
    """Answer with {id, rev, message_count}."""
    row = lookup.row("sessions", ids[0])
    if not isinstance(row, SessionRow):
        return b"null"
    return encode({"id": row.id, "rev": row.rev, "message_count": row.message_count})


def delete_reply(_lookup: Lookup, ids: tuple[str, ...]) -> bytes:
    """Answer with {id, deleted}."""
    return encode({"id": ids[0], "deleted": ids[1] == "true"})


def _needed(draft: Draft, text: str) -> Session:
    return needed_session(draft, given_session_id(text)[0])


def _refuse_existing(draft: Draft, session_id: str) -> None:
    if draft.row("sessions", session_id) is not None:
        raise AlreadyExists(f"there is a session {session_id} already", id=session_id)


def _progress(at: At) -> dict[str, Any]:
    return {"last_progress_at": at.stamp, "activity": "active"}


def _whole(op: str, session: Session, **aside: Any) -> Fact:
    return Fact(op=op, id=session.id, rev=session.rev, data=attrs.asdict(session) | aside)


def _changed(draft: Draft, session: Session, op: str, changes: dict[str, Any]) -> Decision:
    return Decision((patch(draft, "sessions", op, session.id, changes),), (session.id,))


HANDLERS: dict[type, Handler] = {
    ask.SessionCreate: Handler(create, row_reply("sessions")),
    ask.SessionLoad: Handler(load, row_reply("sessions")),
    ask.SessionSave: Handler(save, row_reply("sessions")),
    ask.SessionAppend: Handler(append, append_reply),
    ask.SessionRename: Handler(rename, row_reply("sessions")),
    ask.SessionClose: Handler(close, row_reply("sessions")),
    ask.SessionDelete: Handler(delete, delete_reply),
    **sessions_put.HANDLERS,
    **sessions_relations.HANDLERS,
    **sessions_seen.HANDLERS,
}
"""Parameters → what they do. `SessionRestore` is not among them: its actor must ask the archive first."""

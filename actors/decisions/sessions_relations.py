"""What sessions are called, whom they descend from, what they work for, and how lively they are (SPEC section 7)."""

from __future__ import annotations

from typing import Any

import msgspec

from actors.decisions.decision import At, Decision, Handler, encode, needed_session, patch, row_reply
from actors.decisions.sessions_lookup import needed_parent, refuse_alias
from actors.messages import sessions as ask
from actors.messages.bounds import LIST_LENGTH_MAX
from actors.model.draft import Draft
from actors.model.errors import TooLarge
from actors.model.ids import given_session_id
from actors.model.session import Session
from actors.model.stamps import later
from actors.model.state import Lookup
from actors.model.tables import SessionRow

DAY_S = 86_400.0


def alias(draft: Draft, asked: ask.SessionAlias, _at: At) -> Decision:
    """Give a session another name of its own, or take it away."""
    session = _needed(draft, asked.id)
    wanted = None if asked.alias is None else asked.alias.strip()
    if wanted is not None:
        refuse_alias(draft, session.id, wanted)
    return _changed(draft, session, {"alias": wanted})


def parent(draft: Draft, asked: ask.SessionParent, _at: At) -> Decision:
    """Say whom a session descends from, or that it descends from nobody."""
    session = _needed(draft, asked.id)
    found = None if asked.parent_id is None else needed_parent(draft, session.id, asked.parent_id, "parent_id")
    return _changed(draft, session, {"parent_id": found})


def link(draft: Draft, asked: ask.SessionLink, _at: At) -> Decision:
    """Say which tasks and projects a session works for."""
    session = _needed(draft, asked.id)
    return _changed(
        draft,
        session,
        {
            "task_ids": _joined(session.task_ids, asked.tasks, "tasks"),
            "projects": _joined(session.projects, asked.projects, "projects"),
        },
    )


def unlink(draft: Draft, asked: ask.SessionUnlink, _at: At) -> Decision:
    """Say which tasks and projects it does not work for any more; what was never linked is fine."""
    session = _needed(draft, asked.id)
    return _changed(
        draft,
        session,
        {
            "task_ids": tuple(one for one in session.task_ids if one not in asked.tasks),
            "projects": tuple(one for one in session.projects if one not in asked.projects),
        },
    )


def sweep(draft: Draft, asked: ask.SessionSweep, at: At) -> Decision:
    """Label sessions without progress as idle, then as archived. A label only: they stay where they are."""
    idle_before = later(at.stamp, -asked.idle_days * DAY_S)
    archived_before = later(at.stamp, -asked.archive_days * DAY_S)
    changed = draft.changed("sessions")
    rows = [row for row_id, row in draft.tables.sessions.rows.items() if row_id not in changed]
    rows += [row for row in changed.values() if isinstance(row, SessionRow)]
    facts, told = [], []
    for row in rows:
        if row.activity == "archived":
            continue
        session = needed_session(draft, row.id)
        progress_at = session.last_progress_at or session.created_at
        wanted = "archived" if progress_at < archived_before else "idle" if progress_at < idle_before else row.activity
        if wanted != row.activity:
            facts.append(patch(draft, "sessions", "session.changed", row.id, {"activity": wanted}))
            told.append(encode({"id": row.id, "from": row.activity, "to": wanted}).decode())
    return Decision(() if asked.dry_run else tuple(facts), ("sweep", *told))


def sweep_reply(_lookup: Lookup, ids: tuple[str, ...]) -> bytes:
    """Answer with {changed: [{id, from, to}…]}."""
    return encode({"changed": [msgspec.Raw(one.encode()) for one in ids[1:]]})


def _needed(draft: Draft, text: str) -> Session:
    return needed_session(draft, given_session_id(text)[0])


def _joined(before: tuple[str, ...], more: tuple[str, ...], name: str) -> tuple[str, ...]:
    joined = tuple(dict.fromkeys((*before, *more)))
    if len(joined) > LIST_LENGTH_MAX:
        raise TooLarge(f"a session is linked to at most {LIST_LENGTH_MAX} {name}", hint="unlink some first")
    return joined


def _changed(draft: Draft, session: Session, wanted: dict[str, Any]) -> Decision:
    changes = {name: value for name, value in wanted.items() if getattr(session, name) != value}
    if not changes:
        return Decision((), (session.id,))
    return Decision((patch(draft, "sessions", "session.changed", session.id, changes),), (session.id,))


HANDLERS: dict[type, Handler] = {
    ask.SessionAlias: Handler(alias, row_reply("sessions")),
    ask.SessionParent: Handler(parent, row_reply("sessions")),
    ask.SessionLink: Handler(link, row_reply("sessions")),
    ask.SessionUnlink: Handler(unlink, row_reply("sessions")),
    ask.SessionSweep: Handler(sweep, sweep_reply),
}
"""Parameters → what they do."""

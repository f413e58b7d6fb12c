"""Finding sessions by what is known of them (SPEC section 7): ids and aliases by their indexes, the rest by walking.

A text is looked for in titles, first prompts and aliases first; what room is left goes to the sessions whose messages
say it, the best match first.

The walk goes from the session used last backwards and ends at the limit. What is looked for is looked for in the row's
bytes first, so that only a row that may fit is decoded.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any

import msgspec

from actors.decisions.decision import At, encode
from actors.messages import sessions as ask
from actors.model.ids import given_session_id
from actors.model.searched import Searched, Unfinished
from actors.model.session import Session
from actors.model.state import Tables
from actors.model.tables import SessionRow, decode_session
from actors.queries.query import FromDisk, Query


def find(tables: Tables, asked: ask.SessionFind, _at: At) -> bytes | FromDisk:
    """Read the sessions that fit everything that is asked: by what is known of them, then by what is said in them."""
    found: dict[str, bytes] = {}
    for row in _candidates(tables, asked):
        if _fits(row, asked):
            found[row.id] = row.encoded
            if len(found) == asked.limit:
                break
    if asked.text is None:
        return _reply(found)
    if len(found) == asked.limit:
        return _reply(found, messages="not_needed")
    text, rest = asked.text, msgspec.structs.replace(asked, text=None)
    rows = dict(tables.sessions.rows)  # as they are now: the job runs in another thread

    def job(store: Any) -> bytes | Unfinished:
        searched: Searched | Unfinished = store.search_messages(text)
        if isinstance(searched, Unfinished):
            return searched
        said = (rows[row_id] for row_id in searched.session_ids if row_id in rows and row_id not in found)
        fitting = (row for row in said if _is_asked_for(row, rest) and _fits(row, rest))
        more = {row.id: row.encoded for row in islice(fitting, asked.limit - len(found))}
        return _reply(found | more, messages="searched", problem=searched.problem)

    return FromDisk("*", job)


def _reply(found: dict[str, bytes], messages: str | None = None, problem: str | None = None) -> bytes:
    """Encode the reply; where a text was asked for, it says whether messages were searched for it."""
    shown = b",".join(found.values())
    if messages is None:
        return b'{"sessions":[%b]}' % shown
    told = {"messages": messages} if problem is None else {"messages": "incomplete", "messages_problem": problem}
    return b'{"sessions":[%b],%b' % (shown, encode(told)[1:])


def _is_asked_for(row: SessionRow, asked: ask.SessionFind) -> bool:
    return asked.id is None or row.id == given_session_id(asked.id)[0]


def _candidates(tables: Tables, asked: ask.SessionFind) -> Iterable[SessionRow]:
    """Return the rows that one index leaves; all of them where none helps."""
    sessions = tables.sessions
    if asked.id is not None:
        row = sessions.get(given_session_id(asked.id)[0])
        return () if row is None else (row,)
    if asked.alias is not None:
        ids = sessions.known_by("alias", asked.alias)
    elif asked.external_id is not None:
        ids = sessions.known_by("external_id", asked.external_id)
    else:
        return (sessions.rows[row_id] for _accessed, row_id in reversed(sessions.by_access))
    return sorted((sessions.rows[row_id] for row_id in ids), key=lambda row: row.order, reverse=True)


def _fits(row: SessionRow, asked: ask.SessionFind) -> bool:
    """Whether the row fits: by its columns, then by whether its bytes hold the words at all, then by its members."""
    if asked.activity is not None and row.activity != asked.activity:
        return False
    if asked.alias is not None and row.alias != asked.alias:
        return False
    if asked.external_id is not None and asked.external_id not in row.external_ids:
        return False
    # An outcome that is open may be one that was never told, so the bytes do not say.
    outcome = None if asked.outcome == "open" else asked.outcome
    exact = (asked.task_id, asked.project, asked.branch, outcome)
    if any(word is not None and msgspec.json.encode(word) not in row.encoded for word in exact):
        return False
    if not (_says(row, asked.text) and _may_hold_place(row, asked.cwd)):
        return False
    if asked.cwd is None and asked.outcome is None and all(word is None for word in exact):
        return True
    session = decode_session(row.encoded)
    return all(judge(session, asked) for judge in _JUDGES)


def _says(row: SessionRow, text: str | None) -> bool:
    """Whether the title, the first prompt or the alias says it.

    Ten thousand rows are looked through while everybody waits. So bytes that cannot hold the text are not decoded, and
    of the others, which may have it in a member's name only, nothing but the prompt is.
    """
    if text is None:
        return True
    if not _may_hold_text(row, text):
        return False
    said = (row.title, _decode_said(row.encoded).first_prompt_preview, row.alias)
    return text.casefold() in "\n".join(part for part in said if part).casefold()


def _may_hold_text(row: SessionRow, text: str) -> bool:
    """Whether its bytes may hold the text.

    Only where both are ASCII do bytes say what casefolding would, and only where JSON escapes nothing.
    """
    if not (text.isascii() and text.isprintable() and row.encoded.isascii()):
        return True
    return '"' in text or "\\" in text or text.lower().encode() in row.encoded.lower()


def _may_hold_place(row: SessionRow, cwd: str | None) -> bool:
    """Whether its bytes may hold the directory: however it was written there, its own name is part of it."""
    return cwd is None or msgspec.json.encode(posixpath.basename(posixpath.normpath(cwd)))[1:-1] in row.encoded


_JUDGES: tuple[Callable[[Session, ask.SessionFind], bool], ...] = (
    lambda session, asked: asked.task_id is None or asked.task_id in session.task_ids,
    lambda session, asked: asked.project is None or asked.project in session.projects,
    lambda session, asked: asked.branch is None or asked.branch in _branches(session),
    lambda session, asked: asked.outcome is None or asked.outcome == (session.outcome or "open"),
    lambda session, asked: asked.cwd is None or posixpath.normpath(asked.cwd) in _places(session),
)


def _branches(session: Session) -> tuple[str | None, ...]:
    return () if session.git is None else (session.git.branch, session.git.branch_at_start)


def _places(session: Session) -> set[str]:
    return {posixpath.normpath(place) for place in (session.cwd, session.working_directory) if place}


class _Said(msgspec.Struct):
    """What a row's columns lack of what a search looks through."""

    first_prompt_preview: str | None = None


_decode_said = msgspec.json.Decoder(_Said).decode

QUERIES: dict[type, Query] = {ask.SessionFind: find}
"""Parameters → what they read."""

"""Members of rows out of what strangers wrote: a title that is one, a time that is one, an id that is one."""

from __future__ import annotations

import hashlib
from typing import Any, Final

import orjson

from actors.model.errors import InvalidParams
from actors.model.ids import given_session_id
from actors.model.preview import sanitised
from actors.model.session import TITLE_CHARACTERS_MAX
from actors.model.stamps import normal
from supervisor.foreign.values import File, Message

KEPT_CHARACTERS: Final = 150
"""Of another tool's id that is none of ours: with a word before it and a hash behind it is short enough for one."""


def title_of(*texts: Any) -> str:
    """Return the first text that makes a title, as one; raises ValueError when none does."""
    for text in texts:
        title = text.strip()[:TITLE_CHARACTERS_MAX].strip() if isinstance(text, str) else ""
        if title:
            return title
    raise ValueError("none of the texts makes a title")


def title_of_prompt(text: str | None) -> str | None:
    """Return a prompt as a title: one line, without what the agent's own machinery added."""
    return None if text is None else sanitised(text)


def stamp(value: Any) -> str | None:
    """Return a time as a stamp of ours, None when it is none."""
    try:
        return normal(value)
    except (TypeError, ValueError, OverflowError, OSError):
        return None


def message_of(file: File, line: int | None, body: dict[str, Any], size_bytes: int | None = None) -> Message:
    """Return a message; its size is measured where nobody knows it."""
    size = len(orjson.dumps(body, option=orjson.OPT_NON_STR_KEYS)) if size_bytes is None else size_bytes
    return Message(body=body, file=file.name, line=line, size_bytes=size)


def usable_id(text: str) -> str:
    """Return an id under which `session.put` takes a session: the text itself, or the text between words of ours.

    What cannot stand in an id is replaced, the dashes of a UUID too: an id that holds a whole one is that session's. A
    hash keeps apart what looks alike afterwards, and a word (`b`) from an id that could have been made of it
    (`session_b`).
    """
    try:
        given_session_id(text)
    except InvalidParams:
        kept = "".join(character if character.isascii() and character.isalnum() else "_" for character in text)
        told = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
        return f"session_{kept[:KEPT_CHARACTERS]}-{told}"
    return text

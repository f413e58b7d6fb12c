"""The words of a search, and the text of a message in which they are looked for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import msgspec

TEXT_CHARACTERS_MAX: Final = 256 << 10
"""So much of one message is searched: beyond it stands what a tool printed, not what somebody said."""

_NOT_SAID: Final = frozenset({"role", "type", "id", "uuid", "parentUuid", "session_id", "sessionId", "timestamp"})
"""Members that say what a message is, not what is said in it."""


def words_of(text: str) -> list[str]:
    """Return the words; a word without a letter or digit finds nothing and is left out."""
    return [word for word in text.replace("\0", " ").split() if any(map(str.isalnum, word))]


def said_in(message: bytes) -> str:
    """Return what an encoded message says: every text in it, one per line, whatever shape it has."""
    try:
        return "\n".join(_texts(msgspec.json.decode(message)))[:TEXT_CHARACTERS_MAX]
    except (msgspec.DecodeError, RecursionError):
        return message.decode(errors="replace")[:TEXT_CHARACTERS_MAX]


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for entry in value:
            yield from _texts(entry)
    elif isinstance(value, dict):
        for name, entry in value.items():
            if name not in _NOT_SAID or not isinstance(entry, str):
                yield from _texts(entry)

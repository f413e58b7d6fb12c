"""The words of a search, and the text of a message in which they are looked for.

Chinese and Japanese are written without blanks, and nobody can say where their words end without a dictionary. So each
of their characters is a word by itself, in what is said and in what is asked, and a word asked for that has several is
a phrase: they must follow one another.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Any, Final

import msgspec

TEXT_CHARACTERS_MAX: Final = 256 << 10
"""So much of one message is searched: beyond it stands what a tool printed, not what somebody said."""

_NOT_SAID: Final = frozenset({"role", "type", "id", "uuid", "parentUuid", "session_id", "sessionId", "timestamp"})
"""Members that say what a message is, not what is said in it."""

_WITHOUT_BLANKS: Final = re.compile(
    "(["
    "\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3031-\u3035\u303b\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"  # Han
    "\U00020000-\U0003ffff"
    "\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff"  # kana
    "])"
)


def words_of(text: str) -> list[str]:
    """Return the words; a word without a letter or digit finds nothing and is left out."""
    return [word for word in text.replace("\0", " ").split() if any(map(str.isalnum, word))]


def said_apart(text: str) -> str:
    """Return a text with blanks around every character that is a word by itself."""
    if text.isascii():
        return text
    return _WITHOUT_BLANKS.sub(r" \1 ", unicodedata.normalize("NFKC", text))


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

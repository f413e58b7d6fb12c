"""Ids that cannot be malformed: what may become a file name is decided here, before it becomes one (SPEC section 4).

Tasks and reports take ids from clients: forbidden characters are removed (the seeds do so) and what is left is the
id. Sessions have UUIDs; ids of other tools become the UUID they hold or a version-5 UUID of their text.
"""

from __future__ import annotations

import re
import unicodedata
import uuid

from uuid_utils import uuid7

from actors.model.errors import InvalidParams

ID_BYTES_MAX = 200
"""A file name holds 255 bytes; the longest suffix we add (`.json.tmp-…`) stays below the rest."""

KEY_BYTES_MAX = 200
"""An idempotency key's bound (SPEC section 3)."""

_REMOVED = str.maketrans("", "", '/\\:*?"<>|')
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_DEVICES = frozenset({"CON", "PRN", "AUX", "NUL"}) | {f"{name}{n}" for name in ("COM", "LPT") for n in range(1, 10)}
_FOREIGN_FORM = re.compile(
    r"""
    (?=.{1,200}\Z)                            # as long as any id may be
    (?: \d+                                  # 1704067200001
      | [A-Za-z][A-Za-z0-9]*_[A-Za-z0-9._-]+ # session_1704067200001, sess_<uuid>
      | [A-Za-z0-9._-]*?[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}[A-Za-z0-9._-]*
    )\Z
    """,
    re.VERBOSE,
)
"""What other tools name their sessions by: digits, a word and an underscore and something, or whatever holds a UUID."""

_FOREIGN = uuid.UUID("5b0c3a54-77a5-5e0e-9f59-7065726475e5")
"""The namespace of version-5 UUIDs made from other tools' session ids. Never change it: files are named by it."""


def new_id() -> str:
    """Return a new id: a version-7 UUID, so ids made later sort later."""
    return str(uuid7())


def clean_id(text: str, path: str = "id") -> str:
    """Return the id that a client's text becomes; raise InvalidParams naming `path` when nothing safe is left."""
    cleaned = text.translate(_REMOVED)
    problem = _problem(cleaned)
    if problem is not None:
        raise InvalidParams.of(path, problem)
    return cleaned


def _problem(cleaned: str) -> str | None:
    if not cleaned.strip():
        return 'nothing is left of this id once the characters / \\ : * ? " < > | are removed'
    if cleaned.startswith("."):
        return "an id must not begin with a dot"
    if _CONTROL.search(cleaned):
        return "an id must not hold control characters"
    try:
        size_bytes = len(cleaned.encode())
    except UnicodeEncodeError:
        return "an id must be valid Unicode: it holds a lone surrogate"
    if size_bytes > ID_BYTES_MAX:
        return f"an id has at most {ID_BYTES_MAX} bytes, this one {size_bytes}"
    if cleaned.split(".", 1)[0].strip().upper() in _DEVICES:
        return "this id is the name of a device on some systems"
    if unicodedata.normalize("NFC", cleaned) != cleaned:
        return "an id must be in Unicode normal form C, so that two that look alike are alike"
    return None


def session_id(text: str, path: str = "id") -> str:
    """Return `text` when it is a UUID in its canonical form; raise InvalidParams otherwise."""
    if _UUID.fullmatch(text) is None:
        raise InvalidParams.of(path, "a session id is a UUID in lower case: 8-4-4-4-12 hexadecimal digits")
    return text


def given_session_id(text: str, path: str = "id") -> tuple[str, str | None]:
    """Return the session id that a client means, and the foreign id that it said instead, if it did.

    Raises InvalidParams for text that is neither a UUID nor looks like another tool's id.
    """
    if _UUID.fullmatch(text) is not None:
        return text, None
    if _FOREIGN_FORM.match(text) is None:
        return session_id(text, path), None
    found = foreign_session_id(text)
    return found, (text if text.lower() != found else None)


def foreign_session_id(text: str) -> str:
    """Return the UUID that another tool's session id stands for (`sess_<uuid>` holds one; others are hashed)."""
    found = _UUID.search(text.lower())
    return found.group() if found is not None else str(uuid.uuid5(_FOREIGN, text))

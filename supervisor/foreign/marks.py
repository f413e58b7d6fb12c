"""
What a row remembers of its import, in `metadata.imported.<kind>`.

    {"at": …, "messages": 12, "kept": 12, "sha256": "…", "told": {"title": "9f86d081", …}}

`messages` and `sha256` say how far, and with what, the messages were read, `kept` how many of them there were here
then (a runtime may refuse one that is too deep for it); `told` has a hash of each member as the
source said it last time. So a later import can tell what the source says anew from what was changed here: the first is
taken over, the second stays.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Final

import orjson
from attrs import frozen

_SHORT: Final = 16
"""Hexadecimal digits of a member's hash: two texts of one source that collide would be a wonder."""


class Digest:
    """The running hash over a session's messages."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self.count = 0

    def add(self, body: Mapping[str, Any]) -> None:
        """Take one message."""
        self._hash.update(encoded(body))
        self._hash.update(b"\n")
        self.count += 1

    def value(self) -> str:
        """Return the hash of the messages so far."""
        return self._hash.hexdigest()


@frozen(kw_only=True)
class Mark:
    """See the module's text."""

    at: str | None
    messages: int
    kept: int
    sha256: str
    told: Mapping[str, str]

    def members(self) -> dict[str, Any]:
        """Return it as the metadata hold it."""
        return {
            "at": self.at,
            "messages": self.messages,
            "kept": self.kept,
            "sha256": self.sha256,
            "told": dict(self.told),
        }


def mark_in(row: Mapping[str, Any], kind: str) -> Mark | None:
    """Return what a row remembers of an import of this kind; None when it was none, or somebody wrote over it."""
    imported = row.get("metadata", {}).get("imported")
    found = imported.get(kind) if isinstance(imported, dict) else None
    if not isinstance(found, dict) or not isinstance(found.get("told"), dict):
        return None
    messages, kept, sha256 = found.get("messages"), found.get("kept"), found.get("sha256")
    if not isinstance(messages, int) or not isinstance(kept, int) or not isinstance(sha256, str):
        return None
    return Mark(at=found.get("at"), messages=messages, kept=kept, sha256=sha256, told=found["told"])


def told_by(members: Mapping[str, Any]) -> dict[str, str]:
    """Return a hash of each member."""
    return {name: digest_of(value)[:_SHORT] for name, value in members.items()}


def digest_of(value: Any) -> str:
    """Return the hash of a JSON value."""
    return hashlib.sha256(encoded(value)).hexdigest()


def encoded(value: Any) -> bytes:
    """Return a JSON value in the one form that is hashed and compared."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS)

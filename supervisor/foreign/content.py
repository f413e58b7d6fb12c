"""What a message's content says. On its own because a hook, which has no time, needs nothing else of `members`."""

from __future__ import annotations

from typing import Any


def text_of(content: Any) -> str:
    """Return what a message's content says: a text, or the texts of its parts; empty for what says nothing."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    parts = [part if isinstance(part, str) else part.get("text") for part in content if isinstance(part, str | dict)]
    return "\n".join(part for part in parts if isinstance(part, str) and part)

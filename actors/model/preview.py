"""Previews: what a person wrote first, short and harmless enough to be shown in a list (SPEC section 7).

Agents wrap what their own machinery adds to a prompt in tags. Those are taken out, twice, because they nest; then
whatever would disturb a terminal, and what is longer than a line of a list.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Sequence
from typing import Final

PREVIEW_CHARACTERS_MAX: Final = 200
"""Code points."""

LINEAGE_PREFIX_UUIDS: Final = 3
"""Messages whose ids make the fingerprint of a transcript's beginning."""

_LOOKED_AT_MAX: Final = 100_000
"""A prompt may be a whole book; its preview is in its first pages."""

_WRAPPER: Final = re.compile(
    r"<(system-reminder|local-command-[a-z]+|command-[a-z]+|bash-[a-z]+|user-prompt-submit-hook|ide_[a-z_]+|"
    r"environment_context|user_instructions|permissions|task-notification|session-start-hook)\b[^>]*>.*?</\1>",
    re.DOTALL,
)
_CONTROL: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2060-\u2064\u2066-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff]+"
)


def sanitised(text: str) -> str | None:
    """Return the preview of a prompt; None when nothing is left that a person wrote."""
    said = unicodedata.normalize("NFKC", _unwrapped(text[:_LOOKED_AT_MAX]))
    said = " ".join(_CONTROL.sub(" ", said).split())
    return said[:PREVIEW_CHARACTERS_MAX].rstrip() or None


def fingerprints_of(first_prompt: str | None, first_uuids: Sequence[str]) -> dict[str, str]:
    """Return the fingerprints of a session: of its first prompt, and of how its transcript begins; those there are.

    The same words, however spaced, give the same. A transcript of fewer messages has no beginning to speak of yet.
    """
    found: dict[str, str] = {}
    said = " ".join(unicodedata.normalize("NFKC", _unwrapped((first_prompt or "")[:_LOOKED_AT_MAX])).split())
    if said:
        found["first_human_prompt_v1"] = _hash(said)
    if len(first_uuids) >= LINEAGE_PREFIX_UUIDS:
        found["lineage_prefix_v1"] = _hash("\n".join(first_uuids[:LINEAGE_PREFIX_UUIDS]))
    return found


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def _unwrapped(text: str) -> str:
    return _WRAPPER.sub(" ", _WRAPPER.sub(" ", text))

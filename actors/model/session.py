"""A session: what is known of one conversation with an agent. Its messages live in its file, not in this row."""

from __future__ import annotations

import re
from typing import Any, Final, Literal

import attrs

from actors.model.errors import InvalidParams

Status = Literal["open", "closed"]
Activity = Literal["active", "idle", "archived"]
Outcome = Literal["open", "done", "blocked", "abandoned", "merged", "superseded"]

TITLE_CHARACTERS_MAX: Final = 200

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def given_title(text: str, path: str) -> str:
    """Return a client's title without blanks around it; raises InvalidParams when it is empty then, or too long."""
    title = text.strip()
    if not title:
        raise InvalidParams.of(path, "a title must not be empty")
    if len(title) > TITLE_CHARACTERS_MAX:
        raise InvalidParams.of(path, f"a title has at most {TITLE_CHARACTERS_MAX} characters")
    return title


def given_alias(text: str, path: str) -> str:
    """Return a client's alias without blanks around it; raises InvalidParams when it cannot be one.

    It must not be empty or too long, and nobody may take it for an id.
    """
    alias = text.strip()
    if not alias:
        raise InvalidParams.of(path, "an alias must not be empty; null takes it away")
    if len(alias) > TITLE_CHARACTERS_MAX:
        raise InvalidParams.of(path, f"an alias has at most {TITLE_CHARACTERS_MAX} characters")
    if _CONTROL.search(alias):
        raise InvalidParams.of(path, "an alias must not hold control characters")
    if _UUID.fullmatch(alias):
        raise InvalidParams.of(path, "an alias must not look like a session's id")
    return alias


# Not slotted: the members are written in the order given here, and msgspec takes that order from __dict__.
@attrs.frozen(kw_only=True, slots=False)
class Resolution:
    """How a foreign session was recognised (SPEC section 7)."""

    source: str
    confidence: str
    matched: dict[str, Any] = attrs.field(factory=dict)


@attrs.frozen(kw_only=True, slots=False)
class Git:
    """Where in which repository the session works."""

    worktree: str | None = None
    worktree_realpath: str | None = None
    branch_at_start: str | None = None
    branch: str | None = None
    head_at_start: str | None = None
    head: str | None = None


@attrs.frozen(kw_only=True, slots=False)
class Fingerprints:
    """Hashes by which a session is recognised under another id."""

    first_human_prompt_v1: str | None = None
    lineage_prefix_v1: str | None = None


@attrs.frozen(kw_only=True, slots=False)
class Transcript:
    """A transcript file of another tool that belongs to the session."""

    path: str
    first_uuid: str | None = None
    last_uuid: str | None = None


@attrs.frozen(kw_only=True, slots=False)
class Session:
    """A session's row, members in the order of SPEC section 4."""

    id: str
    title: str
    provider: str
    model: str
    working_directory: str
    created_at: str
    last_accessed_at: str
    message_count: int = 0
    status: Status = "open"
    outcome: Outcome | None = None
    closed_at: str | None = None
    closed_reason: str | None = None
    alias: str | None = None
    external_ids: tuple[str, ...] = ()
    parent_id: str | None = None
    parent_candidates: tuple[str, ...] = ()
    parent_candidates_omitted: int = 0
    identity_resolution: Resolution | None = None
    fingerprints: Fingerprints = Fingerprints()
    transcript_files: tuple[Transcript, ...] = ()
    git: Git | None = None
    cwd: str | None = None
    first_prompt_preview: str | None = None
    task_ids: tuple[str, ...] = ()
    projects: tuple[str, ...] = ()
    activity: Activity = "active"
    last_progress_at: str | None = None
    current_turn_id: str | None = None
    metadata: dict[str, Any] = attrs.field(factory=dict)
    rev: int = 1

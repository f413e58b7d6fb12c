"""Parameters of `session.*` (SPEC section 6). A message is any JSON object: what agents say is not ours to judge."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType, field

from actors.messages.bounds import (
    JUDGE,
    LIMIT_DEFAULT,
    LIST_LENGTH_MAX,
    MESSAGES_MAX,
    NAME_CHARACTERS_MAX,
    Count,
    GivenSession,
    Limit,
    Name,
    Object,
    Params,
    Rev,
    Text,
    Time,
    Word,
    Words,
)
from actors.model.session import Activity, Outcome, Status, given_alias, given_title

Messages = Annotated[tuple[dict[str, Any], ...], Meta(max_length=MESSAGES_MAX)]
Title = Annotated[str, Meta(max_length=NAME_CHARACTERS_MAX, extra={JUDGE: given_title})]
"""How long a title may be is judged without the blanks around it."""

Path = Annotated[str, Meta(max_length=NAME_CHARACTERS_MAX)]
"""A directory; empty when nobody knows which."""

Preview = Annotated[str, Meta(max_length=NAME_CHARACTERS_MAX)]

Alias = Annotated[str, Meta(max_length=NAME_CHARACTERS_MAX, extra={JUDGE: given_alias})]

Days = Annotated[float, Meta(ge=0, le=36_500)]

SessionOrder = Literal["last_accessed", "created", "title"]


class SessionCreate(Params, frozen=True, kw_only=True):
    """Make a session, with its first messages if there are any."""

    title: Title
    provider: Name
    model: Name
    working_directory: Name
    id: GivenSession | None = None
    messages: Messages = ()
    metadata: Object = field(default_factory=dict)


class SessionGet(Params, frozen=True, kw_only=True):
    """Read a session's row; changes nothing."""

    id: GivenSession


class SessionLoad(Params, frozen=True, kw_only=True):
    """Read a session's row and note that it was used (`last_accessed_at`)."""

    id: GivenSession


class SessionSave(Params, frozen=True, kw_only=True):
    """Change a session; other `messages` replace the old, whose file goes to the archive."""

    id: GivenSession
    title: Title | UnsetType = UNSET
    provider: Name | UnsetType = UNSET
    model: Name | UnsetType = UNSET
    working_directory: Name | UnsetType = UNSET
    messages: Messages | UnsetType = UNSET
    metadata: Object | UnsetType = UNSET


class SessionAppend(Params, frozen=True, kw_only=True):
    """Add messages at the end."""

    id: GivenSession
    messages: Annotated[tuple[dict[str, Any], ...], Meta(min_length=1, max_length=MESSAGES_MAX)]


class SessionMessages(Params, frozen=True, kw_only=True):
    """Read the messages whose index is above `after` (the first message has index 1)."""

    id: GivenSession
    after: Count = 0
    limit: Limit = LIMIT_DEFAULT


class SessionRename(Params, frozen=True, kw_only=True):
    """Give a session another title."""

    id: GivenSession
    title: Title


class SessionList(Params, frozen=True, kw_only=True):
    """Read sessions, page by page."""

    working_directory: Name | None = None
    status: Status | None = None
    activity: Activity | None = None
    order: SessionOrder = "last_accessed"
    limit: Limit = LIMIT_DEFAULT
    cursor: Name | None = None


class SessionFind(Params, frozen=True, kw_only=True):
    """Find the sessions that fit everything that is given.

    `text` is looked for in title, first prompt and alias, then in the messages: all of its words, or beginnings of
    words, in one of them.
    """

    id: GivenSession | None = None
    external_id: Word | None = None
    alias: Word | None = None
    task_id: Word | None = None
    project: Word | None = None
    branch: Word | None = None
    cwd: Name | None = None
    outcome: Outcome | None = None
    activity: Activity | None = None
    text: Name | None = None
    limit: Limit = LIMIT_DEFAULT


class SessionClose(Params, frozen=True, kw_only=True):
    """Say that a session is over, and how it ended."""

    id: GivenSession
    outcome: Outcome | None = None
    reason: Text | None = None


class SessionDelete(Params, frozen=True, kw_only=True):
    """Move a session into the archive; one that is not there is fine."""

    id: GivenSession


class SessionRestore(Params, frozen=True, kw_only=True):
    """Bring a deleted session back from the archive."""

    id: GivenSession


class GivenGit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where in which repository an agent works. What is at the start is what is seen first, unless it is told."""

    worktree: Path | None = None
    worktree_realpath: Path | None = None
    branch_at_start: Path | None = None
    branch: Path | None = None
    head_at_start: Path | None = None
    head: Path | None = None


class GivenTranscript(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A transcript file of an agent, where it begins and ends, and whom its first message answers."""

    path: Name
    first_uuid: Word | None = None
    last_uuid: Word | None = None
    first_parent_uuid: Word | None = None


class GivenFingerprints(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Hashes by which a session is recognised under another id."""

    first_human_prompt_v1: Word | None = None
    lineage_prefix_v1: Word | None = None


class GivenResolution(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a session was recognised."""

    source: Word
    confidence: Word
    matched: Object = field(default_factory=dict)


class WholeSession(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A session as its keeper tells it. What is absent stays as it is, or gets the row's default when it is new.

    `rev` and `message_count` are accepted because a row that was read holds them; what they say is not believed.
    """

    id: GivenSession
    title: Title | UnsetType = UNSET
    provider: Name | UnsetType = UNSET
    model: Name | UnsetType = UNSET
    working_directory: Path | UnsetType = UNSET
    created_at: Time | UnsetType = UNSET
    last_accessed_at: Time | UnsetType = UNSET
    message_count: Count | UnsetType = UNSET
    status: Status | UnsetType = UNSET
    outcome: Outcome | UnsetType | None = UNSET
    closed_at: Time | UnsetType | None = UNSET
    closed_reason: Text | UnsetType | None = UNSET
    alias: Alias | UnsetType | None = UNSET
    external_ids: Words | UnsetType = UNSET
    parent_id: GivenSession | UnsetType | None = UNSET
    parent_candidates: Words | UnsetType = UNSET
    parent_candidates_omitted: Count | UnsetType = UNSET
    identity_resolution: GivenResolution | UnsetType | None = UNSET
    fingerprints: GivenFingerprints | UnsetType = UNSET
    transcript_files: Annotated[tuple[GivenTranscript, ...], Meta(max_length=LIST_LENGTH_MAX)] | UnsetType = UNSET
    git: GivenGit | UnsetType | None = UNSET
    cwd: Path | UnsetType | None = UNSET
    first_prompt_preview: Preview | UnsetType | None = UNSET
    task_ids: Words | UnsetType = UNSET
    projects: Words | UnsetType = UNSET
    activity: Activity | UnsetType = UNSET
    last_progress_at: Time | UnsetType | None = UNSET
    current_turn_id: Word | UnsetType | None = UNSET
    metadata: Object | UnsetType = UNSET
    rev: Rev | UnsetType | None = UNSET


class SessionPut(Params, frozen=True, kw_only=True):
    """Record a session that somebody else keeps: made when it is not known yet, changed otherwise. No messages."""

    session: WholeSession


class SessionSeen(Params, frozen=True, kw_only=True):
    """An agent's session was seen: which of ours it is, is found out, and one is made when it is none."""

    external_id: Word
    cwd: Name | None = None
    git: GivenGit | None = None
    transcript: GivenTranscript | None = None
    fingerprints: GivenFingerprints | None = None
    first_prompt_preview: Text | None = None
    store_first_prompt: bool = True
    """False: no preview is stored, and one that was stored is taken out."""


class SessionAlias(Params, frozen=True, kw_only=True):
    """Give a session a name that no other has; null takes it away."""

    id: GivenSession
    alias: Alias | None


class SessionParent(Params, frozen=True, kw_only=True):
    """Say whom a session descends from; null: from nobody."""

    id: GivenSession
    parent_id: GivenSession | None


class SessionLink(Params, frozen=True, kw_only=True):
    """Say which tasks and projects a session works for."""

    id: GivenSession
    tasks: Words = ()
    projects: Words = ()


class SessionUnlink(Params, frozen=True, kw_only=True):
    """Say which tasks and projects a session does not work for any more."""

    id: GivenSession
    tasks: Words = ()
    projects: Words = ()


class SessionTree(Params, frozen=True, kw_only=True):
    """Read who descends from whom: below one session, or all."""

    id: GivenSession | None = None


class SessionSweep(Params, frozen=True, kw_only=True):
    """Label sessions that made no progress for so long as idle, and then as archived; they stay where they are."""

    idle_days: Days = 14.0
    archive_days: Days = 30.0
    dry_run: bool = False

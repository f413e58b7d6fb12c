"""Parameters of `session.*` (SPEC section 6). A message is any JSON object: what agents say is not ours to judge."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, UnsetType, field

from actors.messages.bounds import (
    JUDGE,
    LIMIT_DEFAULT,
    MESSAGES_MAX,
    NAME_CHARACTERS_MAX,
    Count,
    GivenSession,
    Limit,
    Name,
    Object,
    Params,
    Text,
)
from actors.model.session import Activity, Outcome, Status, given_title

Messages = Annotated[tuple[dict[str, Any], ...], Meta(max_length=MESSAGES_MAX)]
Title = Annotated[str, Meta(max_length=NAME_CHARACTERS_MAX, extra={JUDGE: given_title})]
"""How long a title may be is judged without the blanks around it."""

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

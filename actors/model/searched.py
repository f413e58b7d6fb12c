"""What a search through the messages of sessions gives."""

from __future__ import annotations

from collections.abc import Sequence

import attrs


@attrs.frozen
class Searched:
    """Sessions with a message in which all of the words stand."""

    session_ids: Sequence[str]
    """The best match first."""
    problem: str | None = None
    """Why not all messages, or none, could be searched; None when all were."""


@attrs.frozen
class Unfinished:
    """A read that did one slice of its work: it is to be called again, after whatever else waits for the disk."""

    told: str | None = None
    """What belongs in the log."""

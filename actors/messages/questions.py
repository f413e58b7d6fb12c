"""Questions that actors ask the writer (`await writer.ask(...)`): what only the disk knows."""

from __future__ import annotations

import attrs


@attrs.frozen
class SaveNow:
    """Take a snapshot; answered with {path, seq, bytes, duration_s}."""


@attrs.frozen
class ReadLines:
    """Read journal lines from a seq on; answered with a list of `Line`."""

    from_seq: int
    lines_max: int


@attrs.frozen
class ReadArchived:
    """Look for a session in the archive; answered with (row, name there) or None."""

    session_id: str


@attrs.frozen
class ReadHealth:
    """Look at the directory; answered with what `health` shows of it."""

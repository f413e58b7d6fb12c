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
class ReadSpool:
    """Ask what the session hook left; answered with [(name, content)…], the oldest first."""

    files_max: int


@attrs.frozen
class RemoveSpooled:
    """Remove such a file, whose content is durable; answered with None."""

    name: str


@attrs.frozen
class SetAsideSpooled:
    """Move such a file into quarantine; answered with None."""

    name: str
    reason: str


@attrs.frozen
class WriteOutput:
    """Write what a run printed at its offset; answered with None when it is written (not yet synced)."""

    run_id: str
    stream: str
    offset: int
    data: bytes
    follows: bool = False
    """Bytes before it were sent and not answered yet: it is refused when the file does not hold them."""


@attrs.frozen
class SyncOutput:
    """Make what a run printed durable; answered with None."""

    run_id: str


@attrs.frozen
class MeasureOutput:
    """Ask how many bytes of some runs' output are written; answered with {run id: (stdout, stderr)}."""

    run_ids: tuple[str, ...]


@attrs.frozen
class ReadOutput:
    """Read what a run printed; answered with bytes, empty at the end."""

    run_id: str
    stream: str
    offset: int
    limit: int


@attrs.frozen
class ReadHealth:
    """Look at the directory; answered with what `health` shows of it."""

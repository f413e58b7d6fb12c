"""Questions that actors ask the writer (`await writer.ask(...)`): what only the disk knows."""

from __future__ import annotations

import msgspec


class SaveNow(msgspec.Struct, frozen=True):
    """Take a snapshot; answered with {path, seq, bytes, duration_s}."""


class ReadLines(msgspec.Struct, frozen=True):
    """Read journal lines from a seq on; answered with a list of `Line`."""

    from_seq: int
    lines_max: int


class ReadArchived(msgspec.Struct, frozen=True):
    """Look for a session in the archive; answered with (row, name there) or None."""

    session_id: str


class ReadSpool(msgspec.Struct, frozen=True):
    """Ask what the session hook left; answered with [(name, content)…], the oldest first."""

    files_max: int


class RemoveSpooled(msgspec.Struct, frozen=True):
    """Remove such a file, whose content is durable; answered with None."""

    name: str


class SetAsideSpooled(msgspec.Struct, frozen=True):
    """Move such a file into quarantine; answered with None."""

    name: str
    reason: str


class WriteOutput(msgspec.Struct, frozen=True):
    """Write what a run printed at its offset; answered with None when it is written (not yet synced)."""

    run_id: str
    stream: str
    offset: int
    data: bytes
    follows: bool = False
    """Bytes before it were sent and not answered yet: it is refused when the file does not hold them."""


class SyncOutput(msgspec.Struct, frozen=True):
    """Make what a run printed durable; answered with None."""

    run_id: str


class MeasureOutput(msgspec.Struct, frozen=True):
    """Ask how many bytes of some runs' output are written; answered with {run id: (stdout, stderr)}."""

    run_ids: tuple[str, ...]


class ReadOutput(msgspec.Struct, frozen=True):
    """Read what a run printed; answered with bytes, empty at the end."""

    run_id: str
    stream: str
    offset: int
    limit: int


class ReadHealth(msgspec.Struct, frozen=True):
    """Look at the directory; answered with what `health` shows of it."""

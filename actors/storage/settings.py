"""What the configuration says about the storage."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal

import msgspec

from actors.storage.backups import BACKUPS_KEPT
from actors.storage.journal import PREALLOCATE_BYTES, SEGMENT_BYTES_MAX

DAY_S: Final = 86_400.0

Durability = Literal["commit", "interval", "none"]


class StorageSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The storage's part of the configuration; those marked live may change while it is open."""

    durability: Durability = "commit"
    """commit: an acknowledged command is on disk. interval, none: the newest ones may be lost with the power."""
    backups_kept: int = BACKUPS_KEPT
    """How many snapshots before the present one stay. Live."""
    journal_keep_s: float = 7 * DAY_S
    """How long segments stay that no backup needs: for going back in time, and to see who did what. Live."""
    journal_bytes_max: int = 1 << 30
    """Beyond that, segments that no backup needs leave earlier. Live."""
    disk_reserve_bytes: int = 0
    """What stays free on the disk beside the size of a snapshot; 0: nothing is kept. Live."""
    fallback_path: Path | Literal["noted"] | None = "noted"
    """Where the journal goes on while the state directory cannot be written; "noted": where the directory says."""
    ignore_fallback: bool = False
    """Start although the fallback cannot be reached, and leave out what is only there."""
    segment_bytes_max: int = SEGMENT_BYTES_MAX
    preallocate_bytes: int = PREALLOCATE_BYTES
    lines_kept: int = 1000
    """How many of the newest lines recovery hands on, for subscribers that come back."""

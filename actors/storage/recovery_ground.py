"""What the parts of a recovery hand to one another."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from actors.model.state import Limits
from actors.storage.behind_files import BehindFiles
from actors.storage.files import Disk
from actors.storage.layout import Layout
from actors.storage.quarantine import Quarantine
from actors.storage.recovery_base import Snapshots
from actors.storage.recovery_case import Decision
from actors.storage.recovery_replay import Replayed
from actors.storage.recovery_report import RecoveryReport
from actors.storage.settings import StorageSettings
from actors.storage.snapshot_state import Loaded


class Ground(msgspec.Struct, frozen=True, kw_only=True):
    """Where a recovery takes place and by which rules."""

    disk: Disk
    layout: Layout
    settings: StorageSettings
    limits: Limits
    stamp: Callable[[], str]
    """Gives the present moment, ISO 8601."""
    version: str
    """The program's."""
    quarantine: Quarantine
    files: BehindFiles


class Picture(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that looking has found."""

    decision: Decision
    snapshots: Snapshots
    loaded: Loaded
    replayed: Replayed
    report: RecoveryReport
    is_put_together: bool
    """The base was put together from pieces of several snapshots."""

"""The state that a directory holds, read without touching anything: for checking, and for saying what would be done."""

from __future__ import annotations

from actors.model.state import Limits, Tables
from actors.storage.files import Disk
from actors.storage.layout import Layout
from actors.storage.recovery_base import look, put_together, refuse_newer
from actors.storage.recovery_replay import Replay, Replayed
from actors.storage.recovery_report import RecoveryReport


def read_tables(disk: Disk, layout: Layout) -> Tables:
    """Return what the next start would find, files that would be adopted left aside; raises as `read_state` does."""
    return read_state(disk, layout).tables


def read_state(disk: Disk, layout: Layout) -> Replayed:
    """Return what the next start would find, and what it would write into files; those that it would adopt left aside.

    Raises IncompatibleVersion for a newer version, OSError for a segment that cannot be opened.
    """
    limits = Limits()
    snapshots = look(disk, layout, limits)
    refuse_newer(snapshots, layout)
    loaded = snapshots.good_loaded or put_together(snapshots, limits)
    replay = Replay(disk, layout, RecoveryReport(), lines_kept=1)
    return replay.run(loaded.tables, loaded.files_seq, loaded.tables.seq, is_doubtful=snapshots.good is None)

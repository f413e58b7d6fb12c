"""Recovery: from whatever a directory holds to the newest state, durable before anybody hears of it (SPEC section 5).

First everything is looked at and nothing is touched: what the directory is, which snapshot is good, what the journal
holds above it. `recovery_case` decides; a newer version or somebody else's directory is refused here, as it was found.
Then `recovery_repair` touches the disk: each step durable before the next, and each harmless when a crash makes the
next start do it again. A directory of version 1 is migrated first, which is a sequence of such steps too.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from actors.model.errors import InvalidParams
from actors.model.state import Tables
from actors.storage.contract import Recovered
from actors.storage.files import Disk
from actors.storage.journal import Journal
from actors.storage.layout import Layout
from actors.storage.recovery_base import Snapshots, highest_seq, look, newer_rows, put_together, refuse_newer
from actors.storage.recovery_case import Base, Case, Decision, Found, decide
from actors.storage.recovery_ground import Ground, Picture
from actors.storage.recovery_repair import repair
from actors.storage.recovery_replay import Replay, Replayed
from actors.storage.recovery_report import RecoveryReport
from actors.storage.rollback import refuse_unfinished_rollback
from actors.storage.snapshot_state import Loaded
from actors.storage.standing import Standing, classify
from actors.storage.version_1 import is_version_1

_DAEMON_ID = "daemon"


class Opened(msgspec.Struct, frozen=True):
    """A recovered store."""

    recovered: Recovered
    journal: Journal
    saved_seq: int
    """The seq of the state.json in place."""


def recover(ground: Ground) -> Opened:
    """Recover the directory; the caller holds its locks.

    Raises InvalidParams for what is no state directory, IncompatibleVersion for a newer one (both untouched), OSError
    when the disk refuses: then nothing is believed, and the next call begins again.
    """
    begun_s = time.monotonic()
    report = RecoveryReport()
    with _collector_resting():
        refuse_foreign(ground.disk, ground.layout)
        refuse_unfinished_rollback(ground.disk, ground.layout)
        if is_version_1(ground.disk, ground.layout):
            from actors.storage.migrations import migrate  # noqa: PLC0415  only a directory of version 1 pays for it

            report.cases.append(Case.VERSION_1)
            report.migration = migrate(ground.disk, ground.layout, stamp=ground.stamp())
        elif ground.disk.exists(ground.layout.migration_log):
            from actors.storage.migrations import finish_migration  # noqa: PLC0415  as above

            finish_migration(ground.disk, ground.layout)
        picture = look_at(ground, report)
        repaired = repair(ground, picture)
    replayed = picture.replayed
    report.seq = replayed.tables.seq
    report.find_lost(replayed.tables)
    report.duration_s = time.monotonic() - begun_s
    recovered = Recovered(
        tables=replayed.tables,
        epoch=picture.loaded.epoch,
        identity=repaired.identity,
        lines=replayed.lines,
        refs=frozenset(replayed.refs),
        behind=replayed.behind,
        report=report.as_mapping(),
    )
    return Opened(recovered, repaired.journal, repaired.saved_seq)


def refuse_foreign(disk: Disk, layout: Layout) -> None:
    """Raise InvalidParams when the directory is somebody else's, or none."""
    standing = classify(disk, layout)
    if standing is Standing.FOREIGN:
        raise InvalidParams(
            f"{layout.root} is not empty and shows no mark of Perdure or of version 1; it was not touched",
            hint="choose an empty directory, or one that Perdure made",
        )
    if standing is Standing.NOT_A_DIRECTORY:
        raise InvalidParams(f"{layout.root} is not a directory", hint="choose a directory with --state-path")


def look_at(ground: Ground, report: RecoveryReport) -> Picture:
    """Find the newest state without touching anything. Raises IncompatibleVersion, OSError."""
    snapshots = look(ground.disk, ground.layout, ground.limits)
    refuse_newer(snapshots, ground.layout)
    segments = ground.layout.segments(ground.disk)
    found = Found(
        state=snapshots.state,
        backup=snapshots.backup,
        journal_begins_at=segments[0].first_seq if segments and _has_lines(ground) else None,
        has_files=_has_files(ground),
    )
    decision = decide(found)
    report.cases.append(decision.case)
    loaded, replayed, is_put_together = _replay(ground, decision, snapshots, report)
    report.take_scan(replayed.scan)
    report.was_clean = _was_clean(replayed.tables)
    if snapshots.copied_from is not None:
        report.warnings.append(
            f"state.json is a copy of {snapshots.copied_from.path.name}: the journal was replayed on top of it, so"
            " nothing is lost and nothing went back in time; to go back there is `perdure restore`"
        )
    return Picture(
        decision=decision,
        snapshots=snapshots,
        loaded=loaded,
        replayed=replayed,
        report=report,
        is_put_together=is_put_together,
    )


def _replay(
    ground: Ground, decision: Decision, snapshots: Snapshots, report: RecoveryReport
) -> tuple[Loaded, Replayed, bool]:
    """Replay on the base that was decided; on everything put together when that shows a hole and pieces are there."""
    if decision.base is Base.SALVAGE or snapshots.good_loaded is None:
        if decision.base is Base.EMPTY:
            loaded = Loaded(tables=Tables(ground.limits), epoch=0, identity={}, files_seq=0)
            return _run(ground, loaded, report, decision.base, is_doubtful=False)
        return _replay_on_pieces(ground, snapshots, report)
    trial = RecoveryReport()
    outcome = _run(ground, snapshots.good_loaded, trial, decision.base, is_doubtful=False)
    tables, scan = outcome[1].tables, outcome[1].scan
    if snapshots.damaged and (scan.missing or scan.damages or newer_rows(snapshots.damaged, tables)):
        return _replay_on_pieces(ground, snapshots, report)
    report.take_replay(trial)
    report.base = decision.base if snapshots.good_path is None else snapshots.good_path.name
    return outcome


def _replay_on_pieces(ground: Ground, snapshots: Snapshots, report: RecoveryReport) -> tuple[Loaded, Replayed, bool]:
    loaded = put_together(snapshots, ground.limits)
    segments = ground.layout.segments(ground.disk)
    if snapshots.good is None and segments and segments[0].first_seq > 1:
        report.seqs_unproven.append([1, segments[0].first_seq - 1])
        loaded.tables.seq = segments[0].first_seq - 1
    outcome = _run(ground, loaded, report, Base.SALVAGE, is_doubtful=True)
    tables = outcome[1].tables
    known_seq = highest_seq(snapshots)
    if known_seq > tables.seq:
        report.seqs_lost.append([tables.seq + 1, known_seq])
        tables.seq = outcome[1].behind.seq = known_seq
    return loaded, outcome[1], True


def _run(
    ground: Ground, loaded: Loaded, report: RecoveryReport, base: Base, *, is_doubtful: bool
) -> tuple[Loaded, Replayed, bool]:
    report.base = base
    report.base_seq = loaded.tables.seq
    replay = Replay(ground.disk, ground.layout, report, ground.settings.lines_kept)
    return loaded, replay.run(loaded.tables, loaded.files_seq, report.base_seq, is_doubtful=is_doubtful), False


def _has_lines(ground: Ground) -> bool:
    """Tell whether any segment holds more than zeros."""
    return any(
        ground.disk.read_file(segment.path, 1) not in (b"", b"\0") for segment in ground.layout.segments(ground.disk)
    )


def _has_files(ground: Ground) -> bool:
    places = ((ground.layout.tasks, ".json"), (ground.layout.sessions, ".jsonl"))
    return any(
        ground.disk.exists(directory) and ground.disk.has_name(directory, suffix) for directory, suffix in places
    )


def _was_clean(tables: Tables) -> bool | None:
    row = tables.row("daemon", _DAEMON_ID)
    return None if row is None else not msgspec.json.decode(row.encoded).get("started")


@contextmanager
def _collector_resting() -> Iterator[None]:
    """Loading makes a great many objects that all stay: looking for garbage among them would double its time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
        gc.freeze()

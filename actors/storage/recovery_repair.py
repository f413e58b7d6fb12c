"""The part of a recovery that touches the disk, step by step; see `recovery` for the whole.

1. Directories and identity are made where they are missing; leftovers of a crash under temporary names are removed.
2. The journal's torn end is set aside and cut, its good end copied into a synced segment.
3. A damaged state.json is replaced in one step by the good backup (case C).
4. A new segment is begun; rows that files hold and that win become a line in it.
5. Where the state did not come from a good snapshot and a whole journal, a fresh state.json is written, and only then
   the damaged ones are moved to quarantine: a crash before that finds all the pieces again.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Final

import msgspec

from actors.model.facts import Fact
from actors.model.keys import Command
from actors.model.state import Line, rows_after
from actors.storage.contract import cut_of
from actors.storage.identity import ensure_identity
from actors.storage.journal import Journal
from actors.storage.journal_decoding import encode_body
from actors.storage.journal_tail import make_tail_durable
from actors.storage.recovery_adopt import adopted_sessions, adopted_tasks, stale_task_files
from actors.storage.recovery_case import Case, Seen
from actors.storage.recovery_ground import Ground, Picture
from actors.storage.snapshot_state import write_cut

ADOPTED_PER_LINE: Final = 1000
"""Rows adopted by one line of the journal: a line must stay below its bound."""

DAMAGED_REASON: Final = "snapshot that is not whole"
SEGMENT_REASON: Final = "copy of a segment in which lines are damaged or missing"

_BACKUPS_ALL: Final = 1 << 30
_TEMPORARY: Final = re.compile(r".*\.tmp-\d+-\d+")


class Repaired(msgspec.Struct, frozen=True):
    """What the repair leaves."""

    journal: Journal
    identity: Mapping[str, Any]
    saved_seq: int


def repair(ground: Ground, picture: Picture) -> Repaired:
    """Do all steps. Raises OSError; then the next recovery begins again."""
    report, replayed = picture.report, picture.replayed
    _make_places(ground, picture)
    identity = _identify(ground, picture)
    make_tail_durable(ground.disk, ground.layout, replayed.scan, ground.quarantine)
    if picture.decision.case is Case.BACKUP and not picture.is_put_together:
        _put_backup_in_place(ground, picture)
    tables, scan = replayed.tables, replayed.scan
    journal = Journal(
        ground.disk,
        ground.layout,
        next_seq=tables.seq + 1,
        last_crc=scan.last_crc if scan.next_seq == tables.seq + 1 else None,
        segment_bytes_max=ground.settings.segment_bytes_max,
        preallocate_bytes=ground.settings.preallocate_bytes,
    )
    try:
        _adopt(ground, picture, journal)
        saved_seq = report.base_seq
        if _needs_saving(picture):
            _save(ground, picture, identity)
            saved_seq = tables.seq
        session_rows = {row.id: row.encoded for row in tables.sessions.rows.values()}
        ground.files.begin(replayed.behind.after_seq, session_rows)
    except BaseException:
        journal.close()
        raise
    root = ground.layout.root
    if ground.quarantine.directory is not None:
        directory = ground.quarantine.directory
        report.quarantined += [str((directory / kept.file).relative_to(root)) for kept in ground.quarantine.kept]
    return Repaired(journal, identity, saved_seq)


def _make_places(ground: Ground, picture: Picture) -> None:
    made = ground.layout.make_directories(ground.disk)
    picture.report.directories_made += made
    if picture.decision.case is not Case.EMPTY:
        picture.report.warnings += [f"the directory {name} was missing: made" for name in made]
    for path in ground.layout.temporaries(ground.disk):
        is_ours = _TEMPORARY.fullmatch(path.name) and not path.name.startswith("perdure")  # those are the root's
        if is_ours and stat.S_ISREG(ground.disk.lstat(path).st_mode):
            ground.disk.discard(path)


def _identify(ground: Ground, picture: Picture) -> dict[str, Any]:
    identity, problem = ensure_identity(
        ground.disk,
        ground.layout,
        ground.quarantine,
        picture.loaded.identity,
        created_at=ground.stamp(),
        version=ground.version,
    )
    if problem is not None:
        picture.report.warnings.append(f"identity.json: {problem}; written anew")
    if picture.snapshots.state is Seen.MISSING:
        picture.report.warnings.append("state.json: missing")
    return identity


def _put_backup_in_place(ground: Ground, picture: Picture) -> None:
    """Let state.json become the good backup in one step; the damaged one keeps a name in quarantine."""
    disk, state = ground.disk, ground.layout.state
    good = picture.snapshots.good_path
    for damaged in picture.snapshots.damaged:
        picture.report.reject_snapshot(damaged.path.name, damaged.image)
        if damaged.backup is not None:
            ground.quarantine.keep_file(damaged.path, DAMAGED_REASON)
    if good is None:
        return
    _clear_state(ground)
    temporary = state.with_name(f"{state.name}.tmp-0-0")
    disk.discard(temporary)
    disk.link(good, temporary)
    disk.rename(temporary, state)
    disk.sync_dir(ground.layout.root)


def _clear_state(ground: Ground) -> None:
    """Keep what stands in the place of state.json; only a directory must leave it, which no rename can replace."""
    state = ground.layout.state
    if not ground.disk.exists(state):
        return
    if stat.S_ISDIR(ground.disk.lstat(state).st_mode):
        ground.quarantine.keep_file(state, DAMAGED_REASON)
    else:
        ground.quarantine.keep_link(state, DAMAGED_REASON)


# Files that win


def _adopt(ground: Ground, picture: Picture, journal: Journal) -> None:
    """Write a line for the rows that files hold and that win, and see to it that files that lost are written anew."""
    tables, report = picture.replayed.tables, picture.report
    is_rebuild = picture.decision.case is Case.REBUILD
    is_fill = picture.is_put_together or Case.DAMAGED in report.cases
    if not (is_rebuild or is_fill):
        return
    facts: list[Fact] = list(adopted_tasks(tables, ground.files.tasks, report, is_rebuild=is_rebuild))
    if is_fill:
        facts += adopted_sessions(tables, ground.files.sessions, report)
    remaining = iter(facts)
    while some := tuple(islice(remaining, ADOPTED_PER_LINE)):
        _write_line(ground, picture, journal, some)
    for task_id, row in stale_task_files(tables, ground.files.tasks):
        picture.replayed.behind.note_task(task_id, row)


def _write_line(ground: Ground, picture: Picture, journal: Journal, facts: tuple[Fact, ...]) -> None:
    replayed = picture.replayed
    tables = replayed.tables
    stamp = ground.stamp()
    line = Line(seq=journal.next_seq, ts=stamp, cmd=Command(method="recovery.adopt"), facts=facts)
    journal.append([encode_body(stamp, line.cmd, facts)])
    rows = rows_after(tables, facts)
    leaving = tables.leaving(facts, rows)
    tables.absorb(line, rows)
    replayed.behind.note(line, rows, leaving)
    replayed.lines.append(line)
    for fact in facts:
        picture.report.adopted.append({"table": fact.kind.table, "id": fact.id, "rev": fact.rev})
        if fact.kind.table == "tasks":
            ground.files.tasks.remember(fact.id)


# A fresh state.json


def _needs_saving(picture: Picture) -> bool:
    return (
        picture.is_put_together
        or picture.decision.case in (Case.EMPTY, Case.REBUILD, Case.SALVAGE)
        or Case.DAMAGED in picture.report.cases
    )


def _save(ground: Ground, picture: Picture, identity: Mapping[str, Any]) -> None:
    tables = picture.replayed.tables
    for path in _damaged_segments(picture):
        ground.quarantine.keep_copy(path, SEGMENT_REASON)
    if ground.disk.exists(ground.layout.state) and stat.S_ISDIR(ground.disk.lstat(ground.layout.state).st_mode):
        _clear_state(ground)
    written = write_cut(
        ground.disk,
        ground.layout,
        cut_of(tables, picture.loaded.epoch, identity, ground.stamp()),
        files_seq=picture.replayed.behind.after_seq,
        tombstones=list(tables.tombstones.values()),
        quarantine=ground.quarantine,
        backups_kept=_BACKUPS_ALL,
    )
    doomed = [damaged.path for damaged in picture.snapshots.damaged if damaged.backup is not None]
    for damaged in picture.snapshots.damaged:
        picture.report.reject_snapshot(damaged.path.name, damaged.image)
    if picture.snapshots.state is Seen.DAMAGED and written.backup is not None:
        doomed.append(ground.layout.root / written.backup)
    for path in doomed:
        if ground.disk.exists(path):
            ground.quarantine.keep_file(path, DAMAGED_REASON)


def _damaged_segments(picture: Picture) -> Sequence[Path]:
    scan = picture.replayed.scan
    return list(dict.fromkeys(damage.path for damage in scan.damages))

"""What the command line does to a state directory while nothing runs there: the public face of the storage.

Every function takes the directory's locks first, and raises `Conflict` naming the holder's pid when somebody has them.
All of them also raise InvalidParams for what is no state directory, IncompatibleVersion for one of a newer version or
one that a rollback has left half done (all of these untouched; but `rollback` goes on with its own), and OSError. What
they return has JSON values only.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from functools import partial
from math import inf
from pathlib import Path
from typing import Any, Final

import msgspec

from actors.model.errors import NotFound
from actors.model.stamps import later, stamp_of
from actors.model.state import Limits
from actors.storage.directory_lock import locked, planted_locks
from actors.storage.errand import archive_tasks, finished_tasks, recovered_store
from actors.storage.files import Disk
from actors.storage.health import listed_backups
from actors.storage.layout import Layout
from actors.storage.layout import stamp_of as file_stamp_of
from actors.storage.leftovers import find_leftovers, remove_leftover
from actors.storage.migrations import plan
from actors.storage.peek import read_tables
from actors.storage.quarantine import Quarantine
from actors.storage.recovery import refuse_foreign
from actors.storage.repair import Repair
from actors.storage.restore import Moment, Restore
from actors.storage.rollback import refuse_unfinished_rollback, refuse_without_copy, roll_back
from actors.storage.settings import DAY_S, StorageSettings
from actors.storage.standing import Standing, classify
from actors.storage.verify import verify_directory
from actors.storage.version_1 import is_version_1
from actors.storage.work import Told, Work

_NOTHING_THERE: Final = (Standing.MISSING, Standing.NOT_A_DIRECTORY, Standing.FOREIGN, Standing.EMPTY)


def verify(path: Path, told: Told | None = None) -> dict[str, Any]:
    """Check everything without changing it; return {ok, findings: [{file, problem, severity, hint, repair}…], …}.

    `told` hears how far it is.
    """
    disk, layout = Disk(), Layout(path)
    refuse_unfinished_rollback(disk, layout)
    if classify(disk, layout) in _NOTHING_THERE or planted_locks(disk, layout):
        return verify_directory(disk, layout, work=Work(told))
    with locked(disk, layout, "doctor", _now()):
        return verify_directory(disk, layout, work=Work(told))


def repair(
    path: Path, settings: StorageSettings | None = None, limits: Limits | None = None, told: Told | None = None
) -> dict[str, Any]:
    """Do what the findings say; return what `verify` does then, with {repaired, lost, quarantined, recovery}."""
    disk, layout = Disk(), Layout(path)
    refuse_foreign(disk, layout)
    refuse_unfinished_rollback(disk, layout)
    if classify(disk, layout) is not Standing.OURS:
        return {**verify_directory(disk, layout), "repaired": [], "lost": [], "quarantined": [], "recovery": None}
    quarantine = Quarantine(disk, layout, _file_stamp())
    for planted in planted_locks(disk, layout):
        quarantine.keep_file(planted, "stood in the place of a lock")
    with locked(disk, layout, "doctor", _now()):
        work = Work(told)
        opening = partial(recovered_store, path, settings, limits, work)
        return Repair(disk, layout, opening, quarantine, work).run().as_mapping()


def rebuild(
    path: Path, settings: StorageSettings | None = None, limits: Limits | None = None, told: Told | None = None
) -> dict[str, Any]:
    """Set state.json aside and build the state from backup, journal and task files; return recovery's report.

    Raises NotFound for a directory that holds nothing to build from.
    """
    disk, layout = Disk(), Layout(path)
    refuse_foreign(disk, layout)
    refuse_unfinished_rollback(disk, layout)
    if classify(disk, layout) in (Standing.MISSING, Standing.EMPTY):
        raise NotFound(f"{path} holds nothing that a state could be built from", hint="perdure up begins a new one")
    with locked(disk, layout, "rebuild", _now()):
        if disk.exists(layout.state) and not is_version_1(disk, layout):
            kept = Quarantine(disk, layout, _file_stamp())
            kept.keep_file(layout.state, "set aside by perdure rebuild")
        with recovered_store(path, settings, limits, Work(told)) as (_, recovered):
            return dict(recovered.report)


def migrate(
    path: Path,
    *,
    dry_run: bool = False,
    settings: StorageSettings | None = None,
    limits: Limits | None = None,
    told: Told | None = None,
) -> dict[str, Any]:
    """Make a directory of version 1 one of version 2; {from, to, source, tasks, …, problems, notes, migrated}."""
    disk, layout = Disk(), Layout(path)
    refuse_foreign(disk, layout)
    refuse_unfinished_rollback(disk, layout)
    if not is_version_1(disk, layout):
        return {"migrated": False, "notes": ["there is no state of version 1 here: nothing to do"]}
    if dry_run:
        return {**plan(disk, layout, stamp=_now()).as_mapping(), "migrated": False}
    with locked(disk, layout, "migrate", _now()), recovered_store(path, settings, limits, Work(told)) as (_, recovered):
        return {**(recovered.report["migration"] or {}), "migrated": True}


def rollback(path: Path) -> dict[str, Any]:
    """Go back to before the migration, byte for byte: {restored, kept_in}. Raises NotFound when there was none."""
    disk, layout = Disk(), Layout(path)
    refuse_foreign(disk, layout)
    refuse_without_copy(disk, layout)
    with locked(disk, layout, "rollback", _now()):
        return roll_back(disk, layout, _file_stamp())


def clean(
    path: Path,
    *,
    dry_run: bool,
    quarantine_days: float = 30.0,
    archive_days: float | None = None,
    tasks_days: float | None = None,
    settings: StorageSettings | None = None,
    limits: Limits | None = None,
    told: Told | None = None,
) -> dict[str, Any]:
    """Remove leftovers: {leftovers: [{file, kind, bytes, age_s}…], tasks: [ids], removed: whether it was done}.

    Stray temporaries, what lies in quarantine (or, when given, in the archive) for longer than so many days; finished
    tasks that were completed longer ago than `tasks_days` move to the archive. With `dry_run` it only lists.
    """
    disk, layout = Disk(), Layout(path)
    refuse_foreign(disk, layout)
    refuse_unfinished_rollback(disk, layout)
    if classify(disk, layout) is not Standing.OURS:
        return {"leftovers": [], "tasks": [], "removed": False}
    with locked(disk, layout, "clean", _now()):
        work = Work(told)
        work.begin("looking")
        found = find_leftovers(disk, layout, time.time(), quarantine_days=quarantine_days, archive_days=archive_days)
        tasks: list[str] = []
        if tasks_days is not None:
            before = later(_now(), -tasks_days * DAY_S)
            if dry_run:
                tasks = finished_tasks(read_tables(disk, layout), before)
            else:
                with recovered_store(path, settings, limits, work) as (store, recovered):
                    tasks = archive_tasks(store, recovered, finished_tasks(recovered.tables, before), _now())
        if not dry_run:
            work.begin("removing", len(found))
            for leftover in found:
                work.step()
                if disk.exists(leftover.path):  # opening the store has removed temporaries
                    remove_leftover(disk, leftover)
        return {
            "leftovers": [leftover.as_mapping(layout) for leftover in found],
            "tasks": tasks,
            "removed": not dry_run,
        }


def restore(
    path: Path,
    moment: Moment,
    *,
    dry_run: bool,
    settings: StorageSettings | None = None,
    limits: Limits | None = None,
    told: Told | None = None,
) -> dict[str, Any]:
    """Go back to a moment, or say what that would do; see `restore.Restore.run` for what is returned and raised.

    Raises NotFound also for a directory that holds nothing.
    """
    disk, layout = Disk(), Layout(path)
    refuse_foreign(disk, layout)
    refuse_unfinished_rollback(disk, layout)
    if classify(disk, layout) is not Standing.OURS:
        raise NotFound(f"{path} holds no state that could be taken back", hint="perdure up begins a new one")
    now = _now()
    with locked(disk, layout, "restore", now):
        work = Work(told)
        # Nothing is let go of meanwhile, however old it is by now: it may be what leads there, or back.
        keeping = msgspec.structs.replace(settings or StorageSettings(), journal_keep_s=inf, journal_bytes_max=1 << 62)
        opening = partial(recovered_store, path, msgspec.structs.replace(keeping, backups_kept=1 << 30), limits, work)
        one = Restore(disk, layout, opening, limits or Limits(), now, _file_stamp(), work)
        return one.planned(moment) if dry_run else one.run(moment)


def backups(path: Path) -> list[dict[str, Any]]:
    """List the backups, newest first: {name, path, seq, stamp, bytes}. Looks only, so it needs no lock."""
    disk, layout = Disk(), Layout(path)
    refuse_foreign(disk, layout)
    return listed_backups(disk, layout)


def _now() -> str:
    return stamp_of(time.time())


def _file_stamp() -> str:
    return file_stamp_of(datetime.now(UTC))

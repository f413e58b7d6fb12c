"""Migrations: a directory of an older version becomes one of this version (SPEC section 9); `rollback` leads back.

The version is read first. Then, each step durable before the next:

1. a full copy of the old directory goes to `archive/pre-migration/`, whole or not at all;
2. what that copy holds is converted (`STEPS`, pure functions, in order) and judged: every row decodes, none is missing;
3. `state.pre-migration.backup.json` and `state.migration-v1-to-v2.log` are written;
4. the files of tasks, sessions, logs and reports take their new form;
5. the new state.json, read back and found whole, takes the place of the old one: from here on it is version 2;
6. what only version 1 needs (its backups, files under their old names) is removed; the copy has it.

Everything is made from the copy, so a crash anywhere and another start give the same.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec
import orjson

from actors.model.errors import Internal
from actors.model.state import Limits, Tables
from actors.model.tables import any_row
from actors.storage.contract import cut_of
from actors.storage.files import Disk
from actors.storage.layout import Layout
from actors.storage.migration_files import write_new_form
from actors.storage.migration_source import Source, read_source
from actors.storage.migration_v1 import NewState, OldState, from_v1_to_v2
from actors.storage.quarantine import Quarantine
from actors.storage.snapshot_reader import read_snapshot
from actors.storage.snapshot_state import write_cut
from actors.storage.trees import copy_tree, remove_tree

_encode = msgspec.json.Encoder().encode

OURS: Final = frozenset(
    {"archive", "quarantine", "journal", "spool", "identity.json", "perdure.lock", "writer.lock"}
    | {"perdure.sock", "perdure.sock.path", "lost+found"}
    | {"state.pre-migration.backup.json", "state.migration-v1-to-v2.log"}
)
"""Names that version 1 does not have: they are no part of the copy, and rolling back does not bring them."""

_OBSOLETE: Final = "obsolete.json"
_OBSOLETE_BYTES_MAX: Final = 64 << 20


class Step(msgspec.Struct, frozen=True):
    """One step from a major version to the next."""

    origin: int
    convert: Callable[[OldState, str], NewState]


STEPS: Final = (Step(1, from_v1_to_v2),)
"""In order. The next version adds its step behind, and those before it stay as they are."""


class Plan(msgspec.Struct, frozen=True):
    """What a migration would do, or has done."""

    source: Source
    new: NewState

    def as_mapping(self) -> dict[str, Any]:
        """Return it with JSON values only."""
        return {
            "from": self.source.old.version,
            "to": "2.0.0",
            "source": self.source.name,
            "tasks": len(self.new.tasks),
            "sessions": len(self.new.sessions),
            "reports": len(self.new.reports),
            "logs": len(self.new.logs),
            "problems": list(self.source.problems),
            "notes": list(self.new.notes),
        }


def plan(disk: Disk, layout: Layout, *, stamp: str) -> Plan:
    """Return what a migration of the directory would do; changes nothing. Raises OSError, Internal for a defect."""
    source = read_source(disk, layout)
    new = STEPS[0].convert(source.old, stamp)
    _judge(source.old, new)
    return Plan(source, new)


def migrate(disk: Disk, layout: Layout, *, stamp: str) -> dict[str, Any]:
    """Migrate the directory and return what was done. Raises OSError; then another call begins again."""
    left_out = _copy_old(disk, layout)
    done = plan(disk, Layout(layout.pre_migration_copy), stamp=stamp)
    report = done.as_mapping()
    report["notes"] += [f"{path.name} is a link or no file: it was left as it is" for path in left_out]
    staging = layout.archive / "migrating"
    remove_tree(disk, staging)
    disk.ensure_dir(staging)
    for name in ("tasks", "sessions", "logs", "reports"):
        disk.ensure_dir(layout.root / name)
    _write_papers(disk, layout, report, stamp)
    obsolete = write_new_form(disk, layout, done.new)
    disk.write_new_file(staging / _OBSOLETE, orjson.dumps(obsolete))
    _write_state(disk, Layout(staging), done.new, stamp)
    disk.rename(staging / "state.json", layout.state)
    finish_migration(disk, layout)
    return report


def finish_migration(disk: Disk, layout: Layout) -> None:
    """Remove what only version 1 needed; nothing happens when that is done. What goes is in the copy."""
    staging = layout.archive / "migrating"
    listed = staging / _OBSOLETE
    if not disk.exists(listed) or disk.exists(staging / "state.json"):
        return
    disk.sync_dir(layout.root)  # whoever put the new state.json in place may have died before it was durable there
    for name in orjson.loads(disk.read_file(listed, _OBSOLETE_BYTES_MAX)):
        if disk.exists(layout.root / name) and disk.exists(layout.pre_migration_copy / name):
            disk.unlink(layout.root / name)
            disk.sync_dir((layout.root / name).parent)
    remove_tree(disk, staging)
    disk.sync_dir(layout.archive)


def _copy_old(disk: Disk, layout: Layout) -> list[Path]:
    """Copy the directory unless the copy of an earlier try is there; return what could not be copied."""
    disk.ensure_dir(layout.archive)
    copy = layout.pre_migration_copy
    if disk.exists(copy):
        if _content(disk, copy / "state.json") == _content(disk, layout.state):
            return []
        number = 1
        while disk.exists(aside := copy.with_name(f"pre-migration-{number}")):
            number += 1
        disk.rename(copy, aside)
    unfinished = copy.with_name("pre-migration-unfinished")
    remove_tree(disk, unfinished)
    left_out = copy_tree(disk, layout.root, unfinished, lambda path: not _is_ours(layout, path))
    disk.rename(unfinished, copy)
    disk.sync_dir(layout.archive)
    return left_out


def _is_ours(layout: Layout, path: Path) -> bool:
    return (path.parent == layout.root and path.name in OURS) or path == layout.perdure_log


def _judge(old: OldState, new: NewState) -> None:
    """Every task and session of the old state must be there; the rows themselves were decoded when they were made."""
    listed = {str(members.get("id")) for members in old.tasks} | set(old.task_files)
    kept = {str(task.metadata.get("original_id", task.id)) for task in new.tasks.values()}
    missing = sorted(listed - kept - {task.id for task in new.tasks.values()})
    doubled = sum(note.startswith("two tasks have the id") for note in new.notes)
    if len(missing) > doubled:
        raise Internal(f"the migration would lose tasks: {', '.join(missing[:10])}", hint="please report this")


def _write_papers(disk: Disk, layout: Layout, report: dict[str, Any], stamp: str) -> None:
    state = _content(disk, layout.pre_migration_copy / "state.json")
    if state is not None:
        disk.write_new_file(layout.pre_migration_backup, state)
    made = ", ".join(f"{report[noun]} {noun}" for noun in ("tasks", "sessions", "reports", "logs"))
    lines = [
        f"{stamp} from version {report['from']} to {report['to']}",
        f"read: {report['source']}",
        f"made: {made}",
        *(f"problem: {problem}" for problem in report["problems"]),
        *(f"note: {note}" for note in report["notes"]),
        "the old directory is in archive/pre-migration/; `perdure rollback` goes back to it",
    ]
    disk.write_new_file(layout.migration_log, "\n".join(lines).encode() + b"\n")


def _write_state(disk: Disk, staging: Layout, new: NewState, stamp: str) -> None:
    """Write the new state.json beside its place, and read it back."""
    tables = Tables(Limits())
    for task in new.tasks.values():
        tables.put_row("tasks", any_row("tasks", _encode(task)))
    for session in new.sessions.values():
        tables.put_row("sessions", any_row("sessions", _encode(session)))
    for report in new.reports.values():
        row = {"id": report["id"], "created_at": report["created_at"], "bytes": len(_encode(report["data"])), "rev": 1}
        tables.put_row("reports", any_row("reports", _encode(row)))
    for session_id, size_bytes in new.log_bytes.items():
        row = {"id": f"session_{session_id}", "bytes": size_bytes, "rev": 1}
        tables.put_row("logs", any_row("logs", _encode(row)))
    write_cut(
        disk,
        staging,
        cut_of(tables, 0, {}, stamp),
        files_seq=0,
        tombstones=(),
        quarantine=Quarantine(disk, staging, "migration"),
        backups_kept=1,
    )
    image = read_snapshot(disk, staging.state)
    counts = {name: len(records) for name, records in image.sections.items()}
    if not image.whole or counts["tasks"] != len(new.tasks) or counts["sessions"] != len(new.sessions):
        raise Internal("the migrated state could not be read back", hint="nothing was replaced; please report this")


def _content(disk: Disk, path: Path) -> bytes | None:
    try:
        return disk.read_file(path, links_max=2)
    except (OSError, IsADirectoryError):
        return None

"""Going back to version 1, byte for byte.

What version 2 has made moves to `archive/rolled-back-<UTC stamp>/` (nothing is deleted), then the full copy that the
migration made is copied back, state.json last. The locks, the socket, the structured log and the archive stay. Cut
short, it is done again from the start: the copy stays in its place until everything is back.

While it is under way `archive/rolling-back` says so, and nothing else is done in the directory: a start would find a
state.json without its journal, and take what is left for all there is.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any, Final

from actors.model.errors import IncompatibleVersion, NotFound
from actors.storage.files import Disk
from actors.storage.layout import Layout
from actors.storage.trees import copy_file, copy_tree

_STAYS: Final = frozenset({"archive", "perdure.lock", "writer.lock", "perdure.sock", "perdure.sock.path", "lost+found"})


def refuse_unfinished_rollback(disk: Disk, layout: Layout) -> None:
    """Raise IncompatibleVersion when going back was cut short here: only doing it again may touch the directory."""
    if disk.exists(layout.rollback_mark):
        raise IncompatibleVersion(
            f"{layout.root}: going back to version 1 was cut short here, and the directory is half of each; it was not"
            " touched",
            hint="perdure rollback finishes it",
        )


def refuse_without_copy(disk: Disk, layout: Layout) -> None:
    """Raise NotFound when there was no migration."""
    if not disk.exists(layout.pre_migration_copy) and not disk.exists(layout.rollback_mark):
        raise NotFound(
            f"{layout.root} holds no archive/pre-migration: there is nothing to go back to",
            hint="only a directory that was migrated can be rolled back",
        )


def roll_back(disk: Disk, layout: Layout, stamp: str) -> dict[str, Any]:
    """Put the directory of before the migration in place; return {restored, kept_in}.

    `stamp` is a UTC stamp as file names have it. Raises NotFound when there was no migration, OSError.
    """
    refuse_without_copy(disk, layout)
    copy, mark = layout.pre_migration_copy, layout.rollback_mark
    if not disk.exists(copy):  # all was back when it was cut short
        kept = Path(os.fsdecode(disk.read_file(mark)))
        _remove_mark(disk, layout)
        return {"restored": sorted(disk.listdir(kept / "pre-migration")), "kept_in": str(kept)}
    kept = _new_directory(disk, layout.archive / f"rolled-back-{stamp}")
    disk.write_new_file(mark, os.fsencode(kept))
    for name in disk.listdir(layout.root):
        if name not in _STAYS:
            disk.rename(layout.root / name, kept / name)
    disk.sync_dir(kept)
    disk.sync_dir(layout.root)
    _keep_log(disk, layout, kept)
    names = sorted(disk.listdir(copy), key=lambda name: name == "state.json")
    for name in names:
        _copy_back(disk, copy / name, layout.root / name)
    disk.sync_dir(layout.root)
    disk.rename(copy, kept / "pre-migration")
    disk.sync_dir(kept)
    _remove_mark(disk, layout)
    return {"restored": names, "kept_in": str(kept)}


def _remove_mark(disk: Disk, layout: Layout) -> None:
    disk.sync_dir(layout.archive)  # the copy's new name first
    disk.unlink(layout.rollback_mark)
    disk.sync_dir(layout.archive)


def _keep_log(disk: Disk, layout: Layout, kept: Path) -> None:
    """The structured log is the root's and goes on where it is."""
    if disk.exists(kept / "logs" / "perdure.log"):
        disk.ensure_dir(layout.logs)
        disk.rename(kept / "logs" / "perdure.log", layout.perdure_log)
        disk.sync_dir(layout.logs)


def _copy_back(disk: Disk, source: Path, target: Path) -> None:
    is_directory = _is_directory(disk, source)
    if not is_directory:
        temporary = target.with_name(f"{target.name}.tmp-0-0")
        disk.discard(temporary)
        copy_file(disk, source, temporary)
        disk.rename(temporary, target)
    elif disk.exists(target):  # logs/, when the structured log is there
        for name in disk.listdir(source):
            _copy_back(disk, source / name, target / name)
        disk.sync_dir(target)
    else:
        copy_tree(disk, source, target, lambda _path: True)


def _is_directory(disk: Disk, path: Path) -> bool:
    return stat.S_ISDIR(disk.lstat(path).st_mode)


def _new_directory(disk: Disk, path: Path) -> Path:
    made, number = path, 1
    while not disk.ensure_dir(made):
        number += 1
        made = path.with_name(f"{path.name}-{number}")
    return made

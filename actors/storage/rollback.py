"""Going back to version 1, byte for byte.

What version 2 has made moves to `archive/rolled-back-<UTC stamp>/` (nothing is deleted), then the full copy that the
migration made is copied back, state.json last. The locks, the socket, the structured log and the archive stay. Cut
short, it is done again from the start: the copy stays in its place until everything is back.
"""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any, Final

from actors.model.errors import NotFound
from actors.storage.files import Disk
from actors.storage.layout import Layout
from actors.storage.trees import copy_file, copy_tree

_STAYS: Final = frozenset({"archive", "perdure.lock", "writer.lock", "perdure.sock", "perdure.sock.path", "lost+found"})


def roll_back(disk: Disk, layout: Layout, stamp: str) -> dict[str, Any]:
    """Put the directory of before the migration in place; return {restored, kept_in}.

    `stamp` is a UTC stamp as file names have it. Raises NotFound when there was no migration, OSError.
    """
    copy = layout.pre_migration_copy
    if not disk.exists(copy):
        raise NotFound(
            f"{layout.root} holds no archive/pre-migration: there is nothing to go back to",
            hint="only a directory that was migrated can be rolled back",
        )
    kept = _new_directory(disk, layout.archive / f"rolled-back-{stamp}")
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
    disk.sync_dir(layout.archive)
    return {"restored": names, "kept_in": str(kept)}


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

"""Copying directories durably, in bounded memory, links never followed."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

from actors.storage.files import Disk, LinkRefused


def copy_tree(disk: Disk, source: Path, target: Path, is_wanted: Callable[[Path], bool]) -> list[Path]:
    """Copy what lies in the directory `source` into the new directory `target`; return what was left out as a link.

    Every file and every name is durable on return. `is_wanted` is asked for each path below `source`, which is left
    out with all that lies in it when the answer is False. Raises OSError; the copy is then incomplete.
    """
    left_out: list[Path] = []
    disk.mkdir(target)
    for name in disk.listdir(source):
        path = source / name
        if not is_wanted(path):
            continue
        mode = disk.lstat(path).st_mode
        if stat.S_ISDIR(mode):
            left_out += copy_tree(disk, path, target / name, is_wanted)
        elif not stat.S_ISREG(mode):
            left_out.append(path)
        else:
            try:
                copy_file(disk, path, target / name)
            except LinkRefused:
                left_out.append(path)
    disk.sync_dir(target)
    return left_out


def copy_file(disk: Disk, source: Path, target: Path) -> None:
    """Copy one file to a new name; its content is durable on return, its name after a sync of the directory."""
    size_bytes = disk.lstat(source).st_size
    descriptor = disk.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    try:
        disk.copy_range(source, descriptor, 0, size_bytes)
        disk.fsync(descriptor)
    finally:
        disk.close(descriptor)


def remove_tree(disk: Disk, path: Path) -> None:
    """Remove a directory that Perdure has made, with what is in it; nothing happens when it is not there."""
    if not disk.exists(path):
        return
    for name in disk.listdir(path):
        below = path / name
        if stat.S_ISDIR(disk.lstat(below).st_mode):
            remove_tree(disk, below)
        else:
            disk.unlink(below)
    disk.rmdir(path)

"""The two locks of a state directory, taken together by a command that works on it while nothing runs.

`perdure.lock` is held by the supervisor process for its life, `writer.lock` by the runtime that writes; both are the
kernel's (`flock`) and are gone the moment their holder is. An offline command holds both, so a root that is started
meanwhile is refused, and a runtime that a killed root left behind has ended before anything is touched. What it writes
into `perdure.lock` has the form that the root's own record has, so that `perdure status` can name it.
"""

from __future__ import annotations

import fcntl
import json
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from actors.model.errors import Conflict
from actors.storage.files import Disk
from actors.storage.layout import Layout

_RECORD_BYTES: Final = 2048
_READERS_S: Final = 5.0
"""Whoever only looks holds the lock for an instant; this long only when something is wrong."""
_POLL_S: Final = 0.002


@contextmanager
def locked(disk: Disk, layout: Layout, phase: str, since: str) -> Iterator[None]:
    """Hold both locks; `phase` is the command's name, `since` an ISO stamp.

    Raises Conflict naming the holder's pid, LinkRefused when a lock file was planted, OSError.
    """
    root = _taken(disk, layout, layout.root_lock)
    try:
        writer = _taken(disk, layout, layout.writer_lock)
        try:
            record = {"pid": os.getpid(), "phase": phase, "since": since, "restarts": 0, "last_error": None}
            _publish(disk, root, {**record, "socket": None, "runtime_pid": None})
            yield
            _publish(disk, root, {**record, "phase": "stopped", "socket": None, "runtime_pid": None})
        finally:
            disk.close(writer)
    finally:
        disk.close(root)


def planted_locks(disk: Disk, layout: Layout) -> list[Path]:
    """Return what stands in the place of a lock and can be none: a link, a directory, a file with a second name."""
    planted = []
    for path in (layout.root_lock, layout.writer_lock):
        if disk.exists(path):
            seen = disk.lstat(path)
            if not stat.S_ISREG(seen.st_mode) or seen.st_nlink > 1:
                planted.append(path)
    return planted


def _taken(disk: Disk, layout: Layout, path: Path) -> int:
    deadline_s = time.monotonic() + _READERS_S
    while True:
        descriptor = disk.open(path, os.O_RDWR | os.O_CREAT)
        try:
            if _lock(descriptor, fcntl.LOCK_EX) and _is_still(disk, path, descriptor):
                taken, descriptor = descriptor, -1
                return taken
            if time.monotonic() > deadline_s or not _lock(descriptor, fcntl.LOCK_SH):
                pid = _holder(disk, layout)
                who = "another process" if pid is None else f"process {pid}"
                raise Conflict(f"{who} holds {layout.root}", hint="perdure down stops it; then try again", pid=pid)
        finally:
            if descriptor >= 0:
                disk.close(descriptor)
        time.sleep(_POLL_S)


def _lock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_still(disk: Disk, path: Path, descriptor: int) -> bool:
    """Tell whether the locked file is the one that others will find."""
    try:
        return os.path.samestat(disk.lstat(path), disk.fstat(descriptor))
    except FileNotFoundError:
        return False


def _holder(disk: Disk, layout: Layout) -> int | None:
    try:
        record = json.loads(disk.read_file(layout.root_lock, _RECORD_BYTES))
        pid = record.get("runtime_pid") or record.get("pid")
    except (OSError, ValueError, AttributeError, RecursionError):
        return None
    return pid if isinstance(pid, int) else None


def _publish(disk: Disk, descriptor: int, record: dict[str, Any]) -> None:
    """Say who holds it: one line, padded, in one write, so that nobody reads half of one."""
    disk.pwrite_all(descriptor, json.dumps(record).encode().ljust(_RECORD_BYTES - 1) + b"\n", 0)

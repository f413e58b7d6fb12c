"""How many processes another process may have: the user's limit, or, where the user is root, a cgroup of its own."""

from __future__ import annotations

import os
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal

import pytest

from tests.kit.roots import eventually

Most = Literal["1", "max"]
"""Itself only, or as many as before."""

PIDS_CONTROLLERS: Final = (Path("/sys/fs/cgroup/pids"), Path("/sys/fs/cgroup"))
"""Version 1's, and version 2's where it is the only one."""


@contextmanager
def processes_limited() -> Iterator[Callable[[int, Most], object]]:
    """Give what limits a process (by its pid); all that were limited are gone, or unlimited, at the end.

    Skips the test where neither can be done: a privileged user has no limit of processes.
    """
    if os.getuid() != 0:
        limits = {"1": 1, "max": resource.getrlimit(resource.RLIMIT_NPROC)[1]}
        yield lambda pid, most: resource.prlimit(pid, resource.RLIMIT_NPROC, (limits[most], limits["max"]))
        return
    base = next((base for base in PIDS_CONTROLLERS if "pids" in _controllers_of(base)), Path("/"))
    group = base / f"test-{os.getpid()}"
    try:
        group.mkdir()
    except OSError as error:
        pytest.skip(f"a privileged user has no limit of processes, and no cgroup for it can be made: {error}")

    def limit(pid: int, most: Most) -> None:
        (group / "cgroup.procs").write_text(str(pid))
        (group / "pids.max").write_text(most)

    try:
        yield limit
    finally:
        (group / "pids.max").write_text("max")
        eventually(lambda: not (group / "cgroup.procs").read_text(), "those who were limited are gone")
        group.rmdir()


def _controllers_of(base: Path) -> str:
    """What a cgroup directory limits; version 1 says it by its name."""
    own = base / "cgroup.subtree_control"
    return own.read_text() if own.exists() else base.name

"""
Reaping: the exit status of an agent without letting its pid go, and the orphans that nobody else waits for.

"Wait for any child" would steal the statuses of agents. An agent's end is peeked at (WNOWAIT) and it stays a zombie, so
that its pid, group and session mean nobody else until its tree is dead; then it is reaped. Orphans became the host's
children because it is a subreaper; of those only the dead ones are touched, one by one.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Collection
from typing import NamedTuple

from supervisor.agents.tree_of import read_process


class Exit(NamedTuple):
    """How a process ended: one of the two is set."""

    code: int | None
    signal: int | None


def peek(pid: int) -> Exit | None:
    """Return how a child ended, and leave it a zombie; None while it runs."""
    result = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    if result is None or result.si_pid == 0:
        return None
    if result.si_code == os.CLD_EXITED:
        return Exit(result.si_status, None)
    return Exit(None, result.si_status)


def reap(process: subprocess.Popen[bytes]) -> None:
    """Reap a child whose end was seen; from here on its pid may be another process's."""
    process.wait()


def reap_orphans(tracked: Collection[int]) -> None:
    """Reap every dead child that is none of `tracked`."""
    for pid in children():
        if pid not in tracked:
            process = read_process(pid)
            if process is not None and process.dead:
                os.waitpid(pid, os.WNOHANG)


def children() -> list[int]:
    """Return the pids of this process's children, dead ones too; none where the system does not tell."""
    pid = os.getpid()
    try:
        with open(f"/proc/{pid}/task/{pid}/children") as file:  # noqa: PTH123  as in tree_of
            return [int(child) for child in file.read().split()]
    except OSError:
        return []

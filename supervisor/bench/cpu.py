"""Processor time of another process, thread by thread: what a command costs, however busy the machine is.

A rate on a busy machine says what was left for us; the time on the processor says what it took. Read from schedstat,
in nanoseconds, where the kernel keeps it, else in its ticks of ten milliseconds.
"""

from __future__ import annotations

import os
from pathlib import Path

import attrs
import psutil

NS_PER_S = 1_000_000_000


@attrs.frozen
class CpuTime:
    """Seconds on the processor since a process began."""

    by_thread: dict[int, float]
    """By the kernel's thread id; the process's own pid is that of the main thread."""

    @property
    def total_s(self) -> float:
        """All threads together."""
        return sum(self.by_thread.values())

    def since(self, before: CpuTime) -> CpuTime:
        """Return what was used since `before`; threads that have ended meanwhile are not in it."""
        return CpuTime({thread: used - before.by_thread.get(thread, 0.0) for thread, used in self.by_thread.items()})


def cpu_time(pid: int) -> CpuTime:
    """Return what a process has used up to now. Raises psutil.NoSuchProcess."""
    threads = Path(f"/proc/{pid}/task")
    try:
        return CpuTime({int(name): _used_s(threads / name) for name in os.listdir(threads)})
    except (OSError, ValueError):
        return CpuTime({thread.id: thread.user_time + thread.system_time for thread in psutil.Process(pid).threads()})


def thread_names(pid: int) -> dict[int, str]:
    """Return the names of a process's threads, as the kernel has them."""
    threads = Path(f"/proc/{pid}/task")
    return {int(name): (threads / name / "comm").read_text().strip() for name in os.listdir(threads)}


def _used_s(thread: Path) -> float:
    return int((thread / "schedstat").read_text().split()[0]) / NS_PER_S

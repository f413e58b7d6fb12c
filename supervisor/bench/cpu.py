"""Processor time of another process, thread by thread: what a command costs, however busy the machine is.

A rate on a busy machine says what was left for us; the time on the processor says what it took. Read from schedstat,
in nanoseconds, where the kernel keeps it, else in its ticks of ten milliseconds.
"""

from __future__ import annotations

from collections.abc import Iterator
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
    try:
        return CpuTime({int(thread.name): _used_s(thread) for thread in _threads(pid)})
    except (OSError, ValueError):
        return CpuTime({thread.id: thread.user_time + thread.system_time for thread in psutil.Process(pid).threads()})


def _threads(pid: int) -> Iterator[Path]:
    return Path(f"/proc/{pid}/task").iterdir()


def _used_s(thread: Path) -> float:
    return int((thread / "schedstat").read_text().split()[0]) / NS_PER_S

"""What was measured on: the machine, the disk, and the versions of everything that took part."""

from __future__ import annotations

import platform
import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from supervisor import __version__
from supervisor.bench.peers_servers import versions


def machine(folder: Path) -> dict[str, Any]:
    """Return it as JSON values; the load is that of before."""
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "cores": psutil.cpu_count(),
        "processor": _processor(),
        "memory_bytes": psutil.virtual_memory().total,
        "load": round(psutil.getloadavg()[0], 1),
        "system": platform.platform(),
        "file_system": file_system(folder),
        "python": platform.python_version(),
        "versions": {"Perdure": __version__, "SQLite": sqlite3.sqlite_version, **versions()},
    }


def file_system(folder: Path) -> str:
    """Return the kind of the file system that a folder is on; empty when nobody knows."""
    where = folder.resolve()
    mounts = {Path(part.mountpoint): part.fstype for part in psutil.disk_partitions(all=True)}
    return next((mounts[above] for above in (where, *where.parents) if above in mounts), "")


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")

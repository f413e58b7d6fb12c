"""The peers that need no server: a bare append + fdatasync, and SQLite. Both make one row durable after the other."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from supervisor.bench.load import BODY

LINE: Final = b"x" * 899 + b"\n"
"""As long as the journal's line of a task of 300 bytes."""


@contextlib.contextmanager
def raw(folder: Path) -> Iterator[Callable[[], None]]:
    """Give what appends a line to a file and syncs it: what the disk itself takes, and no program can do without."""
    # The benchmark's own file: what Perdure writes goes through its writer.
    descriptor = os.open(folder / "raw", os.O_CREAT | os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:

        def append() -> None:
            os.write(descriptor, LINE)
            os.fdatasync(descriptor)

        yield append
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def sqlite(folder: Path) -> Iterator[Callable[[], None]]:
    """Give what inserts a row in a transaction of its own, in WAL mode with synchronous=FULL."""
    with contextlib.closing(sqlite3.connect(folder / "peer.sqlite", isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("CREATE TABLE task (id INTEGER PRIMARY KEY, body TEXT NOT NULL)")
        body = BODY.decode()

        def insert() -> None:
            connection.execute("INSERT INTO task (body) VALUES (?)", (body,))

        yield insert


Work = Callable[[], object]
"""What is done, one time after the other."""


def rate_of(work: Work, seconds: float) -> float:
    """Return how often a second `work` can be done, one time after the other."""
    begun_s = time.perf_counter()
    done = 0
    while (gone_s := time.perf_counter() - begun_s) < seconds or not done:
        work()
        done += 1
    return done / gone_s


def median_ms(work: Work, times: int) -> float:
    """Return how long `work` takes, the median."""
    return statistics.median(durations_ms(work, times))


def durations_ms(work: Work, times: int) -> list[float]:
    """Return how long each time took."""
    taken = []
    for _ in range(times):
        begun_s = time.perf_counter()
        work()
        taken.append((time.perf_counter() - begun_s) * 1000)
    return taken

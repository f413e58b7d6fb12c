"""Which processes belong to a Perdure, seen from outside: by the marker in their environment, and by their parents."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import psutil

from supervisor.agents.tree_of import MARKER, place_of

GONE_WITHIN_S: Final = 30.0
POLL_S: Final = 0.01


def host_of(state_path: Path) -> psutil.Process | None:
    """Return the agent host, None while there is none."""
    return next((process for process, run_id in _marked(state_path) if not run_id), None)


def agents_of(state_path: Path) -> list[psutil.Process]:
    """Return the agents and all that they began."""
    return [process for process, run_id in _marked(state_path) if run_id]


def left_behind(state_path: Path, known: list[int], within_s: float = GONE_WITHIN_S) -> list[int]:
    """Wait until no process of a Perdure whose root is gone lives; return the pids of those that go on living.

    `known` are pids of processes without a marker: its runtimes.
    """
    deadline_s = time.monotonic() + within_s
    while True:
        left = [process.pid for process, _ in _marked(state_path)]
        left += [pid for pid in known if _lives(pid)]
        if not left or time.monotonic() > deadline_s:
            return left
        time.sleep(POLL_S)


@contextlib.contextmanager
def frozen(root_pid: int) -> Iterator[None]:
    """Stop the root and its children, so that nothing writes until the block ends."""
    stopped: list[psutil.Process] = []
    try:
        _freeze(psutil.Process(root_pid), stopped)
        # A stopped root makes no more children: now they can be counted.
        for child in psutil.Process(root_pid).children():
            _freeze(child, stopped)
        yield
    finally:
        for process in reversed(stopped):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.resume()


def _freeze(process: psutil.Process, stopped: list[psutil.Process]) -> None:
    """Stop a process and wait until none of its threads is in a system call any more."""
    with contextlib.suppress(psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError):
        process.suspend()
        stopped.append(process)
        deadline_s = time.monotonic() + GONE_WITHIN_S
        while not _all_threads_stand(process.pid) and time.monotonic() < deadline_s:
            time.sleep(POLL_S / 10)


def _all_threads_stand(pid: int) -> bool:
    states = [(task / "stat").read_text().rpartition(")")[2].split()[0] for task in Path(f"/proc/{pid}/task").iterdir()]
    return all(state in "TtZX" for state in states)


def stop_for(pid: int, seconds: float) -> None:
    """Stop a process for a while; whoever watches it may kill it meanwhile."""
    process = psutil.Process(pid)
    process.suspend()
    time.sleep(seconds)  # how long it stands still is the harm
    with contextlib.suppress(psutil.NoSuchProcess):
        process.resume()


def kill(pid: int) -> None:
    """Kill with -9; one that is gone already is fine."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _lives(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _marked(state_path: Path) -> Iterator[tuple[psutil.Process, str]]:
    """Yield every living process that carries this directory's marker, and the run that it names."""
    place = place_of(state_path)
    for process in psutil.process_iter():
        try:
            marker = process.environ().get(MARKER, "")
            if process.status() == psutil.STATUS_ZOMBIE:
                continue
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue
        of, colon, run_id = marker.partition(":")
        if colon and of == place:
            yield process, run_id

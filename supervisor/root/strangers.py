"""
Reaping children that nobody here started: as process 1 of a container, or as a subreaper, the root inherits orphans.

Waiting for "any child" would steal the exit statuses that the supervision tree waits for. So a stranger is recognised
by patience: whoever the tree has spawned is reaped by it as soon as the loop turns; a dead child that is still there
after `PATIENCE_S` of turning is nobody's. Where /proc does not list children (macOS) this does nothing.
"""

import os
import signal
from pathlib import Path
from typing import Final

import trio

PATIENCE_S: Final = 1.0


async def reap_strangers() -> None:
    """Reap inherited orphans as they die, until cancelled."""
    with trio.open_signal_receiver(signal.SIGCHLD) as deaths:
        async for _ in deaths:
            while dead := _dead_children():
                await trio.sleep(PATIENCE_S)
                for pid in dead & _dead_children():
                    _reap(pid)


def _dead_children() -> frozenset[int]:
    try:
        children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    except OSError:
        return frozenset()
    return frozenset(int(pid) for pid in children if _is_dead(pid))


def _is_dead(pid: str) -> bool:
    try:
        text = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return False  # reaped while we looked
    return text.rpartition(b")")[2].split()[:1] == [b"Z"]


def _reap(pid: int) -> None:
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return  # somebody was quicker

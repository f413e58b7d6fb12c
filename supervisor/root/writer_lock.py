"""
`writer.lock`: the second kernel lock, so that two writers can never be.

The root's lock says who supervises; it is free the moment the root is dead. A runtime of that root may at this moment
still be inside a system call that writes. So a runtime holds this lock before it reads or writes anything, for its
whole life, and the next one waits here until the kernel has really let go of the former.

Waiting is polling: `flock` without waiting costs a microsecond, and almost always the first try succeeds, because the
root reaps a runtime before it starts the next one. A blocking `flock` would need no polling, but could not be given
up: past a deadline the process is to end with a clear reason instead of hanging in its start.
"""

import fcntl
import os
import time
from pathlib import Path
from typing import Final

from actors.model.errors import PerdureError
from supervisor.root.lock import open_lock_file, open_lock_file_to_read

WRITER_LOCK_NAME: Final = "writer.lock"
WAIT_S: Final = 30.0
"""A system call that holds a dead process longer than this means a disk that needs help; the root tries again."""
_POLL_S_MIN: Final = 0.001
_POLL_S_MAX: Final = 0.02


class WriterStillThere(PerdureError):
    """A former runtime has not let go of the state directory; the runtime exits 75 and the root tries again."""

    kind = "writer_still_there"
    retryable = True
    default_hint = "a process in an uninterruptible system call holds it: look at the disk"


class WriterLock:
    """The right to write to one state directory. Let go by `release`, or by the kernel when the process ends."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    @classmethod
    def acquire(cls, state_path: Path, wait_s: float = WAIT_S) -> "WriterLock":
        """
        Wait for the lock; blocks the calling thread, so not for the thread that runs the loop and its heartbeat.

        Raises `WriterStillThere` after `wait_s` seconds, `NotAStateDirectory` when the file was planted.
        """
        descriptor = _open(state_path / WRITER_LOCK_NAME)
        deadline_s = time.monotonic() + wait_s
        pause_s = _POLL_S_MIN
        try:
            while not _try(descriptor):
                if time.monotonic() > deadline_s:
                    raise WriterStillThere(f"another writer has held {state_path} for more than {wait_s:g} s")
                time.sleep(pause_s)
                pause_s = min(2 * pause_s, _POLL_S_MAX)
        except BaseException:
            os.close(descriptor)
            raise
        return cls(descriptor)

    def release(self) -> None:
        """Let go; called again, it does nothing."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def _open(path: Path) -> int:
    """Where the disk has become read-only under a root that runs, its next runtime still takes the lock."""
    is_read_only = os.statvfs(path.parent).f_flag & os.ST_RDONLY and path.exists()
    return open_lock_file_to_read(path) if is_read_only else open_lock_file(path)


def _try(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True

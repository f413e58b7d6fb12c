"""
`perdure.lock`: who runs here, and what it is doing.

The lock is the kernel's (`flock`): it is gone the moment its holder is, however that died, so there is no stale lock.
The file's content is for people and for `perdure status` while no runtime answers: one JSON line, padded with blanks
to a fixed length and always written by one `pwrite`, so that a reader never meets half of one.

Roots and offline commands take the lock exclusively, for long; readers take it shared, for an instant, to see whether
somebody holds it. So whoever is refused looks which of the two it met: against a reader it tries again.

Standard library only, so that `perdure status` starts in milliseconds.
"""

import contextlib
import fcntl
import json
import os
import stat
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

from supervisor.root.errors import AlreadyRunning, NotAStateDirectory

LOCK_NAME: Final = "perdure.lock"
RECORD_BYTES: Final = 2048
"""Within one page, so that one write is one copy; room for a socket path and a readable last error."""

STOPPED: Final = "stopped"
"""The phase that a holder leaves behind when it ends in peace."""

_READERS_S: Final = 5.0
"""Readers hold the lock for microseconds; this long only when something is wrong."""
_HOLDER_SAYS_S: Final = 2.0
"""A holder writes its pid right after it got the lock; a loaded machine may suspend it in between."""
_POLL_S: Final = 0.002


class LockRecord(NamedTuple):
    """What a holder says about itself."""

    pid: int
    phase: str
    """A `board.Phase`, or the name of an offline command."""
    since: str
    """When this phase began: UTC, ISO 8601 with milliseconds and Z."""
    restarts: int = 0
    last_error: str | None = None
    socket: str | None = None
    runtime_pid: int | None = None


class LockInfo(NamedTuple):
    """What `read_lock` found. Without `held` the rest tells of the last holder's life; None where nothing is known."""

    held: bool
    pid: int | None = None
    phase: str | None = None
    since: str | None = None
    restarts: int | None = None
    last_error: str | None = None
    socket: str | None = None
    runtime_pid: int | None = None


def now_text() -> str:
    """The present moment as the lock file tells it: UTC, ISO 8601 with milliseconds and Z."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class StateLock:
    """The exclusive hold on a state directory; released by `release`, or by the kernel when the process ends."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor

    @classmethod
    def acquire(cls, state_path: Path, phase: str) -> "StateLock":
        """
        Take the lock and say who took it.

        Raises `AlreadyRunning` naming the holder's pid, or `NotAStateDirectory` when the lock file was planted or
        cannot be made.
        """
        path = state_path / LOCK_NAME
        deadline_s = time.monotonic() + _READERS_S
        while True:
            descriptor = open_lock_file(path)
            try:
                if _lock(descriptor, fcntl.LOCK_EX) and _is_still(path, descriptor):
                    lock = cls(path, descriptor)
                    descriptor = -1
                    with contextlib.suppress(OSError):  # a full disk must not keep anybody from being told so
                        os.ftruncate(lock._descriptor, RECORD_BYTES)
                        lock.publish(LockRecord(os.getpid(), phase, now_text()))
                    return lock
                if time.monotonic() > deadline_s or not _lock(descriptor, fcntl.LOCK_SH):
                    raise _already_running(state_path, descriptor)
            finally:
                if descriptor >= 0:
                    os.close(descriptor)
            time.sleep(_POLL_S)

    def publish(self, record: LockRecord) -> None:
        """Replace what the file says. Raises OSError; the lock holds whether or not the disk took the text."""
        os.pwrite(self._descriptor, _encoded(record), 0)

    def release(self) -> None:
        """Let go; called again, it does nothing."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def read_lock(state_path: Path) -> LockInfo:
    """
    Tell whether somebody holds the lock of `state_path`, and what they said last; takes no lasting hold itself.

    A directory or a lock file that is missing is simply not held. Raises OSError when it may not be read.
    """
    try:
        descriptor = os.open(state_path / LOCK_NAME, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except (FileNotFoundError, NotADirectoryError):
        return LockInfo(held=False)
    try:
        held = not _lock(descriptor, fcntl.LOCK_SH)
        record = _read(descriptor)
    finally:
        os.close(descriptor)
    return LockInfo(held=held) if record is None else LockInfo(held, *record)


def open_lock_file(path: Path) -> int:
    """Open or make a lock file, 0600 and close-on-exec. Raises `NotAStateDirectory` when it is a link or no file."""
    descriptor = _open(path, os.O_RDWR | os.O_CREAT)
    os.fchmod(descriptor, 0o600)
    return descriptor


def open_lock_file_to_read(path: Path) -> int:
    """Open a lock file that is there, on a disk that cannot be written: it locks as well. Raises as the other one."""
    return _open(path, os.O_RDONLY)


def _open(path: Path, flags: int) -> int:
    try:
        descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, 0o600)
    except OSError as error:
        raise NotAStateDirectory(
            f"{path} cannot be opened as a lock: {error.strerror}; it was left untouched"
        ) from None
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1 or status.st_uid != os.geteuid():
        os.close(descriptor)
        raise NotAStateDirectory(f"{path} is not a lock file of ours (a link, or not a file); it was left untouched")
    return descriptor


def _lock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_still(path: Path, descriptor: int) -> bool:
    """Whether the locked file is the one that others will find; it may have been removed between open and lock."""
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return False
    return os.path.samestat(found, os.fstat(descriptor))


def _already_running(state_path: Path, descriptor: int) -> AlreadyRunning:
    deadline_s = time.monotonic() + _HOLDER_SAYS_S
    pid: int | None = None
    while pid is None and time.monotonic() < deadline_s:
        record = _read(descriptor)
        if record is not None and record.phase != STOPPED and _is_alive(record.pid):
            pid = record.pid
        else:
            time.sleep(_POLL_S)
    who = f"process {pid}" if pid is not None else "another process, which has not said its pid,"
    return AlreadyRunning(f"{who} already holds {state_path}", pid=pid)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _encoded(record: LockRecord) -> bytes:
    error = record.last_error
    while True:
        line = json.dumps(record._replace(last_error=error)._asdict()).encode()
        if len(line) < RECORD_BYTES or not error:
            return line.ljust(RECORD_BYTES - 1) + b"\n"
        error = error[: len(error) // 2]


def _read(descriptor: int) -> LockRecord | None:
    """What the file says; None when it says nothing, or nothing of ours."""
    try:
        record = LockRecord(**json.loads(os.pread(descriptor, RECORD_BYTES, 0)))
    except (OSError, ValueError, TypeError, RecursionError):
        return None
    return record if type(record.pid) is int and record.pid > 0 else None

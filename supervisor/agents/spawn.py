"""
Spawning an agent: its own session, its pipes, its limits, and the reason when it cannot be started.

The host has one thread, so a function may run between fork and exec (`_Prepare`): that is how limits hold from the
agent's first instruction on, and how the kernel is told to kill it when the host dies. What was prepared in the parent
(the prctl function, the numbers) is only called there.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import resource
import signal
import subprocess
import sys
from typing import Final, Literal, NamedTuple

from actors.messages.agents import Spawn
from supervisor.agents.cgroup import Group
from supervisor.agents.results import make_room
from supervisor.agents.tree_of import MARKER, Identity, started_of

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_CHILD_SUBREAPER: Final = 36


class NotSpawned(Exception):
    """There is no process; `reason` is for people, `code` the system's name, `exit_status` the shells' for it."""

    def __init__(self, reason: str, code: str, exit_status: Literal[126, 127] | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.code = code
        self.exit_status = exit_status


class Spawned(NamedTuple):
    """A process and the reading ends of its pipes (not blocking)."""

    process: subprocess.Popen[bytes]
    identity: Identity
    stdout_fd: int
    stderr_fd: int


def spawn(order: Spawn, marker: str, umask: int = -1, group: Group | None = None) -> Spawned:
    """Start the agent, in its group; -1 leaves it the host's umask. Raises `NotSpawned`; nothing is left then."""
    descriptors: list[int] = []
    try:
        _check_folder(order.cwd)
        if order.result_path is not None:
            make_room(order.result_path)
        for _ in range(2):
            descriptors += os.pipe()  # close-on-exec: other agents do not inherit them
        stdout_fd, stdout_end, stderr_fd, stderr_end = descriptors
        process = subprocess.Popen(
            order.argv,
            env={**order.env, MARKER: marker},
            cwd=order.cwd,
            stdin=subprocess.DEVNULL,
            stdout=stdout_end,
            stderr=stderr_end,
            start_new_session=True,
            umask=umask,
            preexec_fn=_Prepare(order, group),  # noqa: PLW1509  the host has one thread
        )
    except (OSError, ValueError, subprocess.SubprocessError, MemoryError) as error:
        for descriptor in descriptors:
            os.close(descriptor)
        raise _refusal(order, error) from None
    os.close(stdout_end)
    os.close(stderr_end)
    for descriptor in (stdout_fd, stderr_fd):
        os.set_blocking(descriptor, False)
    return Spawned(process, Identity(process.pid, started_of(process.pid)), stdout_fd, stderr_fd)


def be_subreaper() -> None:
    """Have the descendants whose parents die become this process's children (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def wake_when_parent_dies() -> None:
    """Have the kernel send SIGCONT when the root dies: a host that was stopped goes on and ends its agents (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGCONT, 0, 0, 0)


def unread_bytes(descriptor: int) -> int:
    """Return how many bytes wait in a pipe."""
    import termios  # noqa: PLC0415  needed once in a blue moon: for a pipe that somebody holds open

    count = fcntl.ioctl(descriptor, termios.FIONREAD, b"\0" * 4)
    return int.from_bytes(count, sys.byteorder)


class _Prepare:
    """What the child does to itself before exec."""

    def __init__(self, order: Spawn, group: Group | None) -> None:
        self._host_pid = os.getpid()
        self._group = group
        self._prctl = ctypes.CDLL(None).prctl if sys.platform == "linux" else None
        self._limits = {
            kind: _limits(kind, wanted)
            for kind, wanted in (
                (resource.RLIMIT_AS, order.memory_bytes_max),
                (resource.RLIMIT_NOFILE, order.files_max),
            )
            if wanted is not None
        }

    def __call__(self) -> None:
        if self._prctl is not None:
            self._prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            if os.getppid() != self._host_pid:
                os._exit(1)  # the host died before the line above
        if self._group is not None and self._joined(self._group) and self._group.limits_memory:
            # Runtimes such as node reserve far more addresses than they use memory.
            self._limits.pop(resource.RLIMIT_AS, None)
        for kind, limits in self._limits.items():
            resource.setrlimit(kind, limits)

    def _joined(self, group: Group) -> bool:
        try:
            group.join()
        except OSError:
            return False
        return True


def _limits(kind: int, wanted: int) -> tuple[int, int]:
    """Return the soft and the hard limit; what the host itself may not exceed nobody below it may."""
    _, hard = resource.getrlimit(kind)
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    return most, most


def _check_folder(path: str) -> None:
    """Raise the error of a working directory that cannot be entered, which Popen reports like a missing command."""
    if not os.path.isdir(path):  # noqa: PTH112  the text may be no path at all
        code = errno.ENOTDIR if os.path.lexists(path) else errno.ENOENT
        raise OSError(code, os.strerror(code), path)


def _refusal(order: Spawn, error: Exception) -> NotSpawned:
    if not isinstance(error, OSError):
        return NotSpawned(f"{order.argv[0]} cannot be started: {error}", "EINVAL")
    code = errno.errorcode.get(error.errno or 0, "EIO")
    if error.filename == order.cwd:
        return NotSpawned(f"the working directory {order.cwd} cannot be entered: {error.strerror}", code)
    if order.result_path is not None and error.filename == os.path.dirname(order.result_path):  # noqa: PTH120
        return NotSpawned(f"there is no room for a result in {error.filename}: {error.strerror}", code)
    if error.filename is None:  # no descriptors, no processes, no memory: the command is not to blame
        return NotSpawned(f"{order.argv[0]} cannot be started: {error.strerror}", code)
    if error.errno == errno.ENOENT:
        return NotSpawned(_missing(order), code, 127)
    return NotSpawned(f"{order.argv[0]} cannot be started: {error.strerror}", code, 126)


def _missing(order: Spawn) -> str:
    command = order.argv[0]
    if "/" not in command:
        return f"the command {command} is missing: not found in PATH ({order.env.get('PATH', 'not set')})"
    if os.path.exists(os.path.join(order.cwd, command)):  # noqa: PTH110, PTH118  the host imports no pathlib
        return f"the command {command} cannot be started: the program that its first line names is missing"
    return f"the command {command} is missing: there is none"

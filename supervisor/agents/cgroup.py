"""
Control groups (version 2): where the host may make them, each agent's tree lives in one of its own.

::

    BASE/perdure-PLACE-HOST-NUMBER      made before the spawn, joined before exec, removed when the tree is dead

No process leaves it by forking, by a session of its own or by clearing its environment, so whatever an agent started
is found there, `cgroup.kill` ends all of it at once, and `memory.max` limits all of it together. It comes on top of
the rules of `tree_of`, never in their place: an agent whose group cannot be made or joined lives without one.

BASE is the host's own group. A group that holds processes cannot hand controllers on, so where the one above it was
delegated (systemd: `Delegate=` with `DelegateSubgroup=`), that one is BASE; elsewhere groups may find and kill, but
not limit. `Groups.detect` finds out once, by making one; what an earlier host of the same place left is ended then.
"""

from __future__ import annotations

import contextlib
import os
import select
import time
from collections.abc import Callable
from typing import Final

CLEARED_WITHIN_S: Final = 1.0
"""What an earlier host left is dead in milliseconds after it was killed; if not, the next host tries again."""

_ESCAPES: Final = {"\\040": " ", "\\011": "\t", "\\012": "\n", "\\134": "\\"}
"""In /proc/self/mountinfo."""


def base_of(mountinfo: str, cgroup: str, is_delegated: Callable[[str], bool]) -> str | None:
    """
    Return the directory in which groups are to be made; None where there is no version 2. Pure.

    The texts are those of /proc/self/mountinfo and /proc/self/cgroup.
    """
    own = next((line.removeprefix("0::") for line in cgroup.splitlines() if line.startswith("0::")), None)
    mounted = next((found for line in mountinfo.splitlines() if (found := _mounted(line)) is not None), None)
    if own is None or mounted is None or "/.." in own:  # /..: outside of what this namespace shows
        return None
    root, point = mounted
    if root != "/":
        if own != root and not own.startswith(f"{root}/"):
            return None
        own = own.removeprefix(root)
    path = f"{point}{own}".rstrip("/")
    above = os.path.dirname(path)  # noqa: PTH120  the host imports no pathlib
    return above if path != point and is_delegated(above) and not is_delegated(path) else path


def _mounted(line: str) -> tuple[str, str] | None:
    """Return (root, mount point) of a line that mounts version 2."""
    before, _, after = line.partition(" - ")
    fields = before.split(" ")
    if not after.startswith("cgroup2 ") or len(fields) < 5:  # noqa: PLR2004  id, parent, device, root, mount point
        return None
    root, point = fields[3], fields[4]
    for escape, character in _ESCAPES.items():
        root, point = root.replace(escape, character), point.replace(escape, character)
    return root, point


class Group:
    """One agent's group."""

    def __init__(self, path: str, *, limits_memory: bool) -> None:
        self.path = path
        self.limits_memory = limits_memory
        """Whether its tree's memory is limited by it."""

    def join(self) -> None:
        """Move the calling process into it. Raises OSError."""
        _write(f"{self.path}/cgroup.procs", "0")

    def pids(self) -> frozenset[int]:
        """Return the processes in it and in those below it; dead ones are not among them."""
        found: set[int] = set()
        for folder, _, _ in os.walk(self.path):
            with contextlib.suppress(OSError), open(f"{folder}/cgroup.procs") as file:  # noqa: PTH123  no pathlib here
                found.update(map(int, file.read().split()))
        return frozenset(found)

    def kill(self) -> None:
        """Send SIGKILL to all of them, and to whoever they fork meanwhile."""
        with contextlib.suppress(OSError):
            _write(f"{self.path}/cgroup.kill", "1")

    def remove(self) -> bool:
        """Remove it and those below it; False while somebody lives in one of them."""
        for folder, _, _ in os.walk(self.path, topdown=False):
            try:
                os.rmdir(folder)  # noqa: PTH106
            except FileNotFoundError:
                continue
            except OSError:
                return False
        return True

    def empty_within(self, within_s: float) -> None:
        """Wait until nobody lives in it."""
        deadline_s = time.monotonic() + within_s
        with contextlib.suppress(OSError), open(f"{self.path}/cgroup.events") as events:  # noqa: PTH123
            poll = select.poll()
            poll.register(events, select.POLLPRI)
            while "populated 1" in events.read() and (left_s := deadline_s - time.monotonic()) > 0:
                poll.poll(left_s * 1000)
                events.seek(0)


class Groups:
    """The groups of one host."""

    def __init__(self, base: str, place: str) -> None:
        self.base = base
        self.limits_memory = False
        self._prefix = f"perdure-{place}-"
        self._number = 0
        self._left: list[Group] = []
        """Those that could not be removed when their time had come."""

    @classmethod
    def detect(cls, place: str) -> Groups | None:
        """Return where groups can be made; None where they cannot. Ends what an earlier host of the place left."""
        try:
            with open("/proc/self/mountinfo") as mounts, open("/proc/self/cgroup") as own:  # noqa: PTH123
                base = base_of(mounts.read(), own.read(), _is_delegated)
        except OSError:
            return None
        return None if base is None else cls.at(base, place)

    @classmethod
    def at(cls, base: str, place: str) -> Groups | None:
        """Return the groups in this directory; None where they cannot be made or could not be killed."""
        groups = cls(base, place)
        groups.clear()
        with contextlib.suppress(OSError):
            _write(f"{base}/cgroup.subtree_control", "+memory")
        probe = groups.make(None)
        if probe is None:
            return None
        fits = os.access(f"{probe.path}/cgroup.kill", os.W_OK) and os.access(f"{probe.path}/cgroup.procs", os.W_OK)
        groups.limits_memory = os.access(f"{probe.path}/memory.max", os.W_OK)
        groups.remove(probe)
        return groups if fits else None

    def make(self, memory_bytes_max: int | None) -> Group | None:
        """Make a group for an agent; None when the system does not let us just now."""
        self._number += 1
        path = f"{self.base}/{self._prefix}{os.getpid()}-{self._number}"
        try:
            os.mkdir(path, 0o700)  # noqa: PTH102
        except OSError:
            return None
        limits_memory = memory_bytes_max is not None and self.limits_memory
        try:
            if limits_memory:
                _write(f"{path}/memory.max", str(memory_bytes_max))
                _write(f"{path}/memory.oom.group", "1")  # the tree as a whole, not one process of it
        except OSError:
            limits_memory = False
        return Group(path, limits_memory=limits_memory)

    def remove(self, group: Group) -> None:
        """Remove a group whose tree is dead; one that resists is tried again with the next one."""
        self._left.append(group)
        self._left = [one for one in self._left if not one.remove()]

    def clear(self) -> None:
        """End whatever lives in a group of the place, and remove these: at a host's start and at its end."""
        with contextlib.suppress(OSError):
            names = os.listdir(self.base)  # noqa: PTH208
            for name in names:
                if name.startswith(self._prefix):
                    group = Group(f"{self.base}/{name}", limits_memory=False)
                    group.kill()
                    group.empty_within(CLEARED_WITHIN_S)
                    self.remove(group)


def _is_delegated(path: str) -> bool:
    """Whether the service manager gave a group away: only then may anybody else put groups into it."""
    for name in ("user.delegate", "trusted.delegate"):
        with contextlib.suppress(OSError):
            if os.getxattr(path, name) == b"1":
                return True
    return False


def _write(path: str, text: str) -> None:
    """Write into a file of the kernel's, in one system call."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)

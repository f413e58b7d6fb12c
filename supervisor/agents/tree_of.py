"""
Which processes belong to an agent, and how to signal one without ever hitting another.

A process is identified by its pid and its start time: a pid alone may be somebody else's by now. `Look` is one look at
/proc. A process belongs to an agent when it

- is the agent, or is in the session or process group that the agent made;
- carries the agent's marker in its environment (`PERDURE_RUN=place:run`), whatever session it made for itself;
- is in the control group that was made for the agent, where groups can be made (see `cgroup`);
- is a child of one that belongs, or was seen to belong before (its parents may have died since).

What cleared its environment, left the session and lost its parents is nobody's by these rules; but it became the
host's child then (the host is a subreaper), and the host deals with such strays.

Without /proc (macOS) only the process group is known.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:  # it would cost the host a megabyte
    from pathlib import Path

MARKER: Final = "PERDURE_RUN"
"""In the environment of every agent: `place:run_id`; in the host's own: `place:`."""

_PROC: Final = "/proc"
_MARKER_BYTES: Final = b"\0" + MARKER.encode() + b"="


class Identity(NamedTuple):
    """One process, for ever."""

    pid: int
    started: int
    """In clock ticks since boot; 0 where the system does not tell."""


class Process(NamedTuple):
    """What one look says of a process."""

    identity: Identity
    parent: int
    group: int
    session: int
    dead: bool
    """A zombie: it runs no more and only waits to be reaped."""


def place_of(state_path: Path) -> str:
    """
    Return what marks the agents of a state directory: the directory itself, by device and inode.

    Not by its path or by the id written in it: a directory that was moved, or copied while its first daemon runs, must
    not make one daemon kill the agents of another. Who may kill is who holds the lock, and the lock is on the inode.
    """
    status = state_path.stat()
    return f"{status.st_dev:x}-{status.st_ino:x}"


def read_process(pid: int) -> Process | None:
    """Return what /proc says of a process; None when there is none."""
    try:
        with open(f"{_PROC}/{pid}/stat", "rb") as file:  # noqa: PTH123  pathlib costs the host a megabyte of loops
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return None
    if len(fields) < 20:  # noqa: PLR2004  as many as are read here
        return None
    state, parent, group, session = fields[0], int(fields[1]), int(fields[2]), int(fields[3])
    return Process(Identity(pid, int(fields[19])), parent, group, session, dead=state in (b"Z", b"X", b"x"))


def started_of(pid: int) -> int:
    """Return a process's start time; 0 when there is no such process, or no /proc."""
    process = read_process(pid)
    return process.identity.started if process is not None else 0


class Look:
    """All processes at one moment; markers are read when they are asked for, and once."""

    def __init__(self) -> None:
        self.processes: dict[int, Process] = {}
        self._markers: dict[int, str | None] = {}
        self._children: dict[int, list[Process]] = {}
        for name in _names_in_proc():
            process = read_process(int(name))
            if process is not None:
                self.processes[process.identity.pid] = process
                self._children.setdefault(process.parent, []).append(process)

    def children_of(self, pid: int) -> list[Process]:
        """The children of a process, dead ones too."""
        return self._children.get(pid, [])

    def marked(self, marker: str, *, since: int = 0) -> Iterable[Process]:
        """Give those whose environment holds the marker; a marker that ends with a colon means all of a place."""
        for process in self.processes.values():
            if process.identity.started >= since and not process.dead:
                found = self._marker_of(process.identity.pid)
                if found is not None and (found == marker or (marker.endswith(":") and found.startswith(marker))):
                    yield process

    def with_descendants(self, roots: Iterable[Process]) -> dict[Identity, Process]:
        """Return these processes and everything below them."""
        found: dict[Identity, Process] = {}
        waiting = list(roots)
        while waiting:
            process = waiting.pop()
            if process.identity not in found:
                found[process.identity] = process
                waiting.extend(self.children_of(process.identity.pid))
        return found

    def tree_of(
        self, agent: Identity, marker: str, known: Collection[Identity], grouped: Collection[int] = ()
    ) -> dict[Identity, Process]:
        """
        Return the agent's tree, dead ones too.

        `known` are those seen to belong by earlier looks, `grouped` the pids that its control group had after this one.
        """
        roots = list(self.marked(marker, since=agent.started))
        for process in self.processes.values():
            if process.identity.started < agent.started:
                continue  # older than the agent: a number that was used before
            # The agent leads its session and its group, so that its own numbers are among these.
            belongs = process.identity in known or process.identity.pid in grouped
            if belongs or agent.pid in (process.group, process.session):
                roots.append(process)
        return self.with_descendants(roots)

    def _marker_of(self, pid: int) -> str | None:
        if pid not in self._markers:
            self._markers[pid] = _read_marker(pid)
        return self._markers[pid]


def send(identity: Identity, number: signal.Signals) -> bool:
    """
    Signal a process if it is still that very one; False when it is not, or may not be signalled.

    The pidfd is opened first and the start time compared then: from that on the descriptor means one process only.
    """
    if sys.platform != "linux" or not hasattr(os, "pidfd_open"):
        return _send_by_pid(identity, number)
    try:
        descriptor = os.pidfd_open(identity.pid)
    except ProcessLookupError:
        return False
    except OSError:  # out of descriptors: better than not at all
        return _send_by_pid(identity, number)
    try:
        if started_of(identity.pid) != identity.started:
            return False
        signal.pidfd_send_signal(descriptor, number)
    except (ProcessLookupError, PermissionError):
        return False
    finally:
        os.close(descriptor)
    return True


def _send_by_pid(identity: Identity, number: signal.Signals) -> bool:
    if started_of(identity.pid) != identity.started:
        return False
    try:
        os.kill(identity.pid, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _names_in_proc() -> list[str]:
    try:
        return [name for name in os.listdir(_PROC) if name.isdigit()]  # noqa: PTH208  names only
    except OSError:
        return []


def _read_marker(pid: int) -> str | None:
    try:
        with open(f"{_PROC}/{pid}/environ", "rb") as file:  # noqa: PTH123  as above
            environment = b"\0" + file.read()
    except OSError:
        return None  # another user's, or gone
    start = environment.find(_MARKER_BYTES)
    if start < 0:
        return None
    start += len(_MARKER_BYTES)
    end = environment.find(b"\0", start)
    return environment[start : end if end >= 0 else None].decode(errors="replace")

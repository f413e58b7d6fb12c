"""
Finding and killing what a dead host left behind, by the marker in its environment (the root does this).

The host and every agent of a place carry `PERDURE_RUN=place:…`. The root sweeps when it starts and when a host has
died, always before the next host exists: so whatever carries the marker then, and is not the root itself, is left over.
What cleared its environment is found as long as its parents live; beyond that nobody can know whose it is.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable

from supervisor.agents.tree_of import MARKER, Identity, Look, send


class Sweep:
    """One sweep of a place: call `once` until it returns nothing."""

    def __init__(self, place: str) -> None:
        self.killed: set[Identity] = set()
        self._marker = f"{place}:"

    def once(self, spared: Iterable[int] = ()) -> frozenset[Identity]:
        """
        Kill everything that is found; return what was alive.

        `spared` are pids that are left alone, with what is below them. This process is always among them, without what
        is below: as the first process of a container it inherits the orphans that are looked for.
        """
        look = Look()
        own = os.getpid()
        untouched = look.with_descendants(look.processes[pid] for pid in spared if pid in look.processes)
        roots = [process for process in look.marked(self._marker) if process.identity.pid != own]
        roots += [process for process in look.processes.values() if process.identity in self.killed]
        alive = frozenset(
            identity
            for identity, process in look.with_descendants(roots).items()
            if not process.dead and identity not in untouched and identity.pid != own
        )
        for identity in alive:
            send(identity, signal.SIGKILL)
        self.killed |= alive
        return alive


def without_marker(environment: dict[str, str]) -> dict[str, str]:
    """Return an environment for the root's own children: a root may itself have been started by an agent."""
    return {name: value for name, value in environment.items() if name != MARKER}

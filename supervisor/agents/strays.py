"""
Strays: descendants of agents that no rule of `tree_of` finds any more, and that became the host's own children.

They cleared their environment, made their own session and lost their parents before anybody looked. Whose they were
cannot be told; but an agent that started after them, or is dead, it was not. So a stray lives as long as some agent
lives that may be its owner, and no longer.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Collection
from typing import Final

from supervisor.agents.tree_of import Identity, Look, send

_PASSES_MAX: Final = 20
"""While new ones are found; what forks faster than it is found is met again at the next occasion."""


def kill_strays(agents: Collection[Identity]) -> None:
    """Kill the host's children, and what is below them, that belong to none of these agents, the ones that live."""
    _kill(lambda started: any(agent.started <= started for agent in agents), {agent.pid for agent in agents})


def kill_descendants() -> None:
    """Kill whatever is below this process."""
    _kill(lambda _started: False, set())


def _kill(spare: Callable[[int], bool], agents: Collection[int]) -> None:
    """Kill the subtrees of children that are none of `agents` and that `spare`, given a start time, does not spare."""
    killed: set[Identity] = set()
    for _ in range(_PASSES_MAX):
        look = Look()
        strays = [
            child
            for child in look.children_of(os.getpid())
            if child.identity.pid not in agents and not spare(child.identity.started)
        ]
        alive = {identity for identity, process in look.with_descendants(strays).items() if not process.dead}
        if alive <= killed:
            return
        for identity in alive - killed:
            send(identity, signal.SIGKILL)
        killed |= alive

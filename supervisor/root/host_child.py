"""
The agent host as a child of the root: one life after the other, and the sweep after each death.

::

    root ── agents ── host        a supervisor of its own: a host that cannot live never takes the runtime with it
        └── runtime

A host's death ends its agents. What of them is still there is found by its marker and killed before the next host is
made, and once when the root starts: then it is what a root that was killed has left.
"""

from __future__ import annotations

from typing import Final

import trio

from supervisor.agents.sweep import Sweep
from supervisor.agents.tree_of import place_of
from supervisor.logs import get_logger
from supervisor.root.host_life import Doors, HostLaunch, HostLife
from supervisor.tree.context import ChildContext
from supervisor.tree.policy import Backoff, Intensity
from supervisor.tree.process import ProcessDied, run_process
from supervisor.tree.spec import ChildSpec, SupervisorSpec

HOST_STOP_S: Final = 10.0
"""It ends within two seconds of being told; this is the tree's bound above that, on a loaded machine."""
SWEEP_S: Final = 5.0
"""A killed process is gone in milliseconds; one that is stuck in a system call is left to the next sweep."""
_SWEEP_PAUSE_S: Final = 0.01

_log: Final = get_logger("supervision:host")


class HostDied(Exception):
    """The host is gone and was not told to go; the message says how."""


class HostChild:
    """The run function of the host's child."""

    def __init__(self, launch: HostLaunch, doors: Doors) -> None:
        self._launch = launch
        self._doors = doors
        self._place = place_of(launch.state_path)

    async def run(self, context: ChildContext) -> None:
        """Live one life. Returns when told to end; raises `HostDied`, or OSError when it cannot be spawned."""
        if context.incarnation == 1:
            context.ready()  # the runtime need not wait for it
            await self._sweep()
        life = HostLife(self._launch, self._place, self._doors)
        left_in_order = False
        died: ProcessDied | None = None
        try:
            await run_process(context, life.spec(), life.attend)
            left_in_order = True
        except ProcessDied as error:
            died = error
        finally:
            life.close()
            if not left_in_order:
                with trio.CancelScope(shield=True):
                    await self._sweep()
        if not context.stopping.is_set():
            raise HostDied(life.why or (str(died) if died is not None else "left without being told to"))

    async def _sweep(self) -> None:
        sweep = Sweep(self._place)
        with trio.move_on_after(SWEEP_S) as limit:
            while sweep.once(self._launch.spared_pids()):  # noqa: ASYNC110  dying processes give no event
                await trio.sleep(_SWEEP_PAUSE_S)
        if sweep.killed:
            pids = sorted(identity.pid for identity in sweep.killed)
            _log.warning("killed what an agent host left behind", pids=pids, all_gone=not limit.cancelled_caught)


def host_spec(
    launch: HostLaunch, doors: Doors, intensity: Intensity, backoff: Backoff, slow_retry_s: float
) -> SupervisorSpec:
    """Give the host's place in the tree: it stands before the runtime, so that it is stopped after it."""
    host = ChildSpec(name="host", run=HostChild(launch, doors).run, stop_grace_s=HOST_STOP_S)
    return SupervisorSpec(
        name="agents", children=(host,), intensity=intensity, backoff=backoff, slow_retry_s=slow_retry_s
    )

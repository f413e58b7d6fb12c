"""The hands: carries out one blow after the other on a Perdure that serves."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from random import Random
from typing import Final

import psutil

from actors.model.errors import PerdureError
from supervisor.chaos import processes
from supervisor.chaos.schedule import Blow
from supervisor.trials.stage import Stage

ORDERED_WITHIN_S: Final = 5.0
"""An order to an actor that is not answered by then has missed: the runtime is just being replaced."""

FILE_BYTES: Final = 4096
"""A file's limit that stands for a full disk: nothing can be written beyond it."""
DESCRIPTORS: Final = 8
"""Fewer than a runtime has open: it gets no new one."""


class Harms:
    """See the module's text. `replace_client` is called after a client was killed."""

    def __init__(self, stage: Stage, replace_client: Callable[[], None]) -> None:
        self._stage = stage
        self._replace_client = replace_client
        self.struck_s: list[float] = []
        """When something was done to an actor or a process, on the monotonic clock."""
        self.orphans: list[str] = []
        """Processes that outlived their root."""
        self.roots_killed = 0
        self._table: dict[str, Callable[[Blow], bool]] = {
            "crash actor": lambda blow: self._order("actor.kill", name=blow.whom, how="crash"),
            "cancel actor": lambda blow: self._order("actor.kill", name=blow.whom, how="cancel"),
            "hang actor": lambda blow: self._order("actor.kill", name=blow.whom, how="hang"),
            "restart actor": lambda blow: self._order("actor.restart", name=blow.whom),
            "save": lambda _blow: self._order("state.save"),
            "kill runtime": lambda _blow: self._kill_runtime(),
            "stop runtime": lambda blow: self._stop(stage.runtime_pid(), blow),
            "kill host": lambda _blow: self._kill(processes.host_of(stage.state_path)),
            "stop host": self._stop_host,
            "kill agent": self._kill_agent,
            "kill root": lambda _blow: self._kill_root(),
            "stop root": lambda blow: self._stop(stage.root_pid, blow),
            "kill client": self._kill_client,
            "fill disk": lambda blow: self._limit(resource.RLIMIT_FSIZE, FILE_BYTES, blow),
            "withhold descriptors": lambda blow: self._limit(resource.RLIMIT_NOFILE, DESCRIPTORS, blow),
        }

    def inflict(self, blow: Blow) -> bool:
        """Do it; return False when there was nobody to do it to."""
        begun_s = time.monotonic()
        try:
            return self._table[blow.harm](blow)
        except psutil.NoSuchProcess:
            return False
        finally:
            self.struck_s += [begun_s, time.monotonic()]

    def _order(self, method: str, **params: str) -> bool:
        with self._stage.client() as client:
            client.timeout_s = ORDERED_WITHIN_S
            try:
                client.call(method, **params)
            except PerdureError:
                return False  # it is on its way back already, or nobody could be asked
        return True

    def _kill_runtime(self) -> bool:
        processes.kill(self._stage.runtime_pid())
        return True

    def _kill(self, process: psutil.Process | None) -> bool:
        if process is None:
            return False
        process.kill()
        return True

    def _stop(self, pid: int, blow: Blow) -> bool:
        processes.stop_for(pid, blow.lasts_s)
        return True

    def _stop_host(self, blow: Blow) -> bool:
        host = processes.host_of(self._stage.state_path)
        return host is not None and self._stop(host.pid, blow)

    def _kill_agent(self, blow: Blow) -> bool:
        agents = processes.agents_of(self._stage.state_path)
        return self._kill(Random(blow.chance).choice(agents) if agents else None)

    def _kill_root(self) -> bool:
        runtime = self._stage.runtime_pid()
        self._stage.kill_root()
        self.roots_killed += 1
        left = processes.left_behind(self._stage.state_path, [runtime])
        self.orphans += [f"process {pid} lived on after its root was killed" for pid in left]
        self._stage.start()
        return True

    def _kill_client(self, blow: Blow) -> bool:
        self._stage.kill_worker(blow.chance)
        self._replace_client()
        return True

    def _limit(self, what: int, value: int, blow: Blow) -> bool:
        """Withhold something from the runtime for a while."""
        runtime = psutil.Process(self._stage.runtime_pid())
        before = runtime.rlimit(what)
        runtime.rlimit(what, (value, before[1]))
        time.sleep(blow.lasts_s)  # how long it is withheld is the harm
        runtime.rlimit(what, before)
        return True

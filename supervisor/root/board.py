"""
What the root shows of itself: one small state, told in three places at each change.

The lock file tells it to `perdure status` while no runtime answers, the service manager shows it as a line, and the
runtime gets it for `runtime.status`. `Phase` is what a reader sees; it decides nothing.
"""

import os
import time
from collections import deque
from collections.abc import Callable
from enum import StrEnum
from typing import Any, Final

import msgspec

from supervisor.logs import get_logger
from supervisor.root.control import Root
from supervisor.root.lock import LockRecord, StateLock, now_text
from supervisor.root.notify import Notifier

_log: Final = get_logger("supervision:root")


RESTARTS_KEPT: Final = 100
"""Moments of restarts that the runtime is told: what it may call a storm."""


class Phase(StrEnum):
    """What the root is busy with."""

    STARTING = "starting"
    """A runtime's process was started and has not been heard of."""
    RECOVERING = "recovering"
    """The runtime is alive and reads what is there; clients wait in the backlog."""
    RUNNING = "running"
    RESTARTING = "restarting"
    """The runtime died; the next one starts now or after a delay."""
    SLOW_RETRY = "slow_retry"
    """It died too often; the next one is tried after `supervisor.slow_retry_s`."""
    STOPPING = "stopping"
    STOPPED = "stopped"


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """All there is to see."""

    phase: Phase = Phase.STARTING
    since: str
    """When the phase began."""
    restarts: int = 0
    last_error: str | None = None
    socket: str | None = None
    runtime_pid: int | None = None
    standby_pid: int | None = None
    host_pid: int | None = None


class Board:
    """Holds what is shown, and tells it. `tell_runtime` posts to the present runtime, if there is one."""

    def __init__(self, lock: StateLock, notifier: Notifier, tell_runtime: Callable[[Root], None]) -> None:
        self._lock = lock
        self._notifier = notifier
        self._tell_runtime = tell_runtime
        self._refused_by_disk = False
        self._restarts_at_s: deque[float] = deque(maxlen=RESTARTS_KEPT)
        self.shown = Shown(since=now_text())

    def show(self, **changes: Any) -> None:
        """Change what is shown; a change of the phase begins its `since`."""
        if changes.get("phase", self.shown.phase) is not self.shown.phase:
            changes["since"] = now_text()
        shown = msgspec.structs.replace(self.shown, **changes)
        if shown == self.shown:
            return
        if shown.restarts > self.shown.restarts:
            self._restarts_at_s.append(time.monotonic())
        self.shown = shown
        self._publish()
        self._notifier.status(self.sentence())
        self._tell_runtime(self.facts())

    def facts(self) -> Root:
        """The same for the runtime."""
        shown = self.shown
        pids = {
            "root": os.getpid(),
            "runtime": shown.runtime_pid,
            "standby": shown.standby_pid,
            "host": shown.host_pid,
        }
        now_s = time.monotonic()
        return Root(
            pids=pids,
            restarts=shown.restarts,
            last_error=shown.last_error,
            phase=shown.phase,
            restart_ages_s=tuple(now_s - at_s for at_s in self._restarts_at_s),
        )

    def sentence(self) -> str:
        """The same for people."""
        shown = self.shown
        text = f"{shown.phase.replace('_', ' ')}, {shown.restarts} restarts"
        return f"{text}; last: {shown.last_error}" if shown.last_error else text

    def _publish(self) -> None:
        shown = self.shown
        record = LockRecord(
            pid=os.getpid(),
            phase=shown.phase,
            since=shown.since,
            restarts=shown.restarts,
            last_error=shown.last_error,
            socket=shown.socket,
            runtime_pid=shown.runtime_pid,
        )
        try:
            self._lock.publish(record)
        except OSError as error:
            if not self._refused_by_disk:
                _log.warning("the lock file could not be written", error=str(error))
            self._refused_by_disk = True
        else:
            self._refused_by_disk = False

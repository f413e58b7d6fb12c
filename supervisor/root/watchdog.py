"""
Finding out that a runtime is alive and does nothing.

A blocked loop sees no signal, so only another process can tell: the runtime's loop sends a beat every `heartbeat_s`,
and one that has been silent for `hung_after_s` is hung, whether it spins, waits in a system call or was stopped.
Before its first beat it imports its code, which takes as long as the machine is loaded; that has a bound of its own.
Recovery may take minutes, but runs beside the loop, so it beats.

Whoever overslept has no right to judge: when the root itself was stopped or starved, the beats lie unread, so a
deadline met far too late gives the runtime its whole time again.
"""

from typing import Final

import trio
from attrs import define, field

FIRST_BEAT_WITHIN_S: Final = 60.0
"""Imports take 0.2 s; a machine that needs 300 times that is still given the time."""


@define(eq=False)
class Pulse:
    """One runtime's signs of life, on the loop's own clock."""

    hung_after_s: float
    """How long a silence is allowed; may be changed while running."""
    last_s: float
    """When it was last heard."""
    heard: bool = field(default=False, init=False)
    """Whether it was ever heard."""

    @property
    def due_at_s(self) -> float:
        """When the next sign of life is wanted at the latest."""
        return self.last_s + self.allowed_s

    @property
    def allowed_s(self) -> float:
        """How long the silence may be at present."""
        return self.hung_after_s if self.heard else max(FIRST_BEAT_WITHIN_S, self.hung_after_s)

    def beat(self, now_s: float) -> None:
        """It was heard."""
        self.last_s = now_s
        self.heard = True

    def is_good(self, now_s: float) -> bool:
        """Whether it was heard recently enough."""
        return now_s < self.due_at_s

    def judge(self, now_s: float, planned_s: float) -> bool:
        """Whether it is hung, asked at `now_s` by somebody who meant to ask at `planned_s`."""
        if now_s < self.due_at_s:
            return False
        if now_s - planned_s > self.allowed_s / 2:
            self.last_s = now_s
            return False
        return True


async def until_hung(pulse: Pulse) -> None:
    """Return when the runtime has been silent for too long."""
    while True:
        # The first beat shortens the time allowed while this sleeps, so no sleep is longer than what then holds.
        planned_s = min(pulse.due_at_s, trio.current_time() + pulse.hung_after_s)
        await trio.sleep_until(planned_s)
        if pulse.judge(trio.current_time(), planned_s):
            return

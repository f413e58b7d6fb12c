"""Time, as three different things: monotonic for durations, UTC for stamps, seq for order (law 9 of the house).

Stamps are ISO 8601 in UTC with milliseconds and `Z`. A clock is handed to whoever needs one, so that tests can make it
jump; no actor reads the system's clock by itself.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, Protocol

from actors.model.stamps import stamp_of

HELD_MAX_S: Final = 3600.0
"""A wall clock that was put back by no more than this was corrected; by more, it is wrong now or was wrong before."""


class Clock(Protocol):
    """Where an actor takes its time from."""

    def stamp(self) -> str:
        """Return the present moment as an ISO stamp in UTC."""
        ...

    def posix_s(self) -> float:
        """Return the present moment in POSIX seconds; it is the one that a stamp made now would tell."""
        ...

    def monotonic_s(self) -> float:
        """Return seconds that only ever grow; meaningless but for differences."""
        ...


class SystemClock:
    """
    The machine's clocks.

    A correction of the wall clock changes no order: while it is back by up to an hour, stamps stand still, so that what
    comes later is never taken for older (whose turn it is, who was used last). Beyond an hour nothing can be said but
    what the clock says; whoever does something because of a row's age does not trust it then (`clock_watch`).
    """

    def __init__(
        self, wall_s: Callable[[], float] = time.time, monotonic_s: Callable[[], float] = time.monotonic
    ) -> None:
        """`wall_s` gives POSIX seconds."""
        self._wall_s = wall_s
        self.monotonic_s: Callable[[], float] = monotonic_s
        """Returns seconds since some moment in the past. No method of its own: it is asked a dozen times a command."""
        self._newest_s = float("-inf")

    def stamp(self) -> str:
        """Return the present moment as an ISO stamp in UTC."""
        return stamp_of(self.posix_s())

    def posix_s(self) -> float:
        """Return the present moment in POSIX seconds."""
        now_s = self._wall_s()
        if now_s >= self._newest_s or self._newest_s - now_s > HELD_MAX_S:
            self._newest_s = now_s
        return self._newest_s

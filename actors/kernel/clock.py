"""Time, as three different things: monotonic for durations, UTC for stamps, seq for order (law 9 of the house).

Stamps are ISO 8601 in UTC with milliseconds and `Z`. A clock is handed to whoever needs one, so that tests can make it
jump; no actor reads the system's clock by itself.
"""

from __future__ import annotations

import time
from typing import Protocol

from actors.model.stamps import stamp_of


class Clock(Protocol):
    """Where an actor takes its time from."""

    def stamp(self) -> str:
        """Return the present moment as an ISO stamp in UTC."""
        ...

    def monotonic_s(self) -> float:
        """Return seconds that only ever grow; meaningless but for differences."""
        ...


class SystemClock:
    """The machine's clocks."""

    def stamp(self) -> str:
        """Return the present moment as an ISO stamp in UTC."""
        return stamp_of(time.time())

    def monotonic_s(self) -> float:
        """Return seconds since some moment in the past."""
        return time.monotonic()

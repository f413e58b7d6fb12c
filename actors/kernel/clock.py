"""Time, as three different things: monotonic for durations, UTC for stamps, seq for order (law 9 of the house).

Stamps are ISO 8601 in UTC with milliseconds and `Z`. A clock is handed to whoever needs one, so that tests can make it
jump; no actor reads the system's clock by itself.
"""

from __future__ import annotations

import datetime as dt
import time
from typing import Protocol


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


def stamp_of(posix_s: float) -> str:
    """Return POSIX seconds as an ISO stamp: 2026-01-31T09:30:00.000Z."""
    moment = dt.datetime.fromtimestamp(posix_s, dt.UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def posix_of(stamp: str) -> float:
    """Return a stamp as POSIX seconds; raises ValueError when it is none."""
    return dt.datetime.fromisoformat(stamp).timestamp()


def later(stamp: str, seconds: float) -> str:
    """Return the stamp that lies so many seconds after this one."""
    return stamp_of(posix_of(stamp) + seconds)

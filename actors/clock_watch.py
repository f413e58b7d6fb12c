"""Whether the wall clock can be believed: what is done because of a row's age must not be done by a clock that jumped.

The wall clock is compared with the monotonic one, and at the start with the newest line of the journal:

    at the start    now lies before the newest line, or more than a year after it
    later           the two clocks moved apart by more than an hour between two looks

A machine that slept looks like one whose clock was put forward by as long. So a jump forward of less than a week is
believed again after a steady day: retention counts in weeks, and a day late or a week early is no loss. Any other jump
is distrusted until the clock is back where it was believed last, or until Perdure is started anew.
"""

from __future__ import annotations

from typing import Final

JUMP_S: Final = 3600.0
"""Corrections of a clock are far smaller; a retention that is wrong by an hour is not wrong."""

ABSENCE_MAX_S: Final = 366 * 86_400.0
"""Nobody comes back after longer than this; a clock that says so is more likely wrong."""

SLEEP_MAX_S: Final = 7 * 86_400.0
"""A machine that slept for longer is treated like a clock that was put forward."""

STEADY_S: Final = 86_400.0
"""How long a clock that jumped forward must have gone well to be believed again."""


class ClockWatch:
    """See the module's text. All times are given in seconds."""

    def __init__(self, now_s: float, monotonic_s: float, newest_s: float | None) -> None:
        self.doubt: str | None = None
        """Why the clock is not believed at present; None while it is."""
        self._newest_s = newest_s
        self._offset_s = now_s - monotonic_s
        self._trusted_s: float | None = self._offset_s
        self._until_s = float("inf")
        if not self._is_plausible(now_s):
            self._trusted_s = None
            self.doubt = "the clock does not fit the newest line of the journal"

    def look(self, now_s: float, monotonic_s: float) -> bool:
        """Compare the clocks; return whether a doubt has just arisen."""
        offset_s = now_s - monotonic_s
        jumped_s = offset_s - self._offset_s
        self._offset_s = offset_s
        if abs(jumped_s) > JUMP_S:
            if self._is_back(now_s, offset_s):
                self._believe(offset_s)
                return False
            return self._distrust(jumped_s, offset_s, monotonic_s)
        if self.doubt is None:
            self._trusted_s = offset_s  # small corrections add up to no jump
        elif monotonic_s >= self._until_s:
            self._believe(offset_s)
        return False

    def _is_plausible(self, now_s: float) -> bool:
        return self._newest_s is None or -JUMP_S <= now_s - self._newest_s <= ABSENCE_MAX_S

    def _is_back(self, now_s: float, offset_s: float) -> bool:
        if self.doubt is None:
            return False
        if self._trusted_s is None:
            return self._is_plausible(now_s)
        return abs(offset_s - self._trusted_s) <= JUMP_S

    def _believe(self, offset_s: float) -> None:
        self.doubt = None
        self._trusted_s = offset_s
        self._until_s = float("inf")

    def _distrust(self, jumped_s: float, offset_s: float, monotonic_s: float) -> bool:
        direction = "forward" if jumped_s > 0 else "back"
        self.doubt = f"the clock was put {direction} by {abs(jumped_s):.0f} s"
        slept = self._trusted_s is not None and 0 < offset_s - self._trusted_s <= SLEEP_MAX_S
        self._until_s = monotonic_s + STEADY_S if slept else float("inf")
        return True

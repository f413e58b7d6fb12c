"""Deadlines of one run: wall time, silence, and lingering after the final result. Pure; times are monotonic seconds.

They begin when this incarnation of the runs actor first sees the agent: after a restart anew. An agent may so get more
than its time, never less, whatever a clock does.
"""

from __future__ import annotations

from typing import Literal

import attrs

from actors.running.tools import Limits

Overdue = Literal["wall_time", "silence", "linger"]


@attrs.define
class Watch:
    """What the deadlines of one run hang on."""

    limits: Limits
    begun_s: float
    heard_s: float
    """When it last wrote something."""
    reported_s: float | None = None
    """When it said its final result."""

    def due_s(self) -> float:
        """Return when the next deadline passes."""
        return min(self._deadlines(), key=lambda deadline: deadline[0])[0]

    def overdue(self, now_s: float) -> Overdue | None:
        """Return which deadline has passed, the earliest first."""
        due_s, kind = min(self._deadlines(), key=lambda deadline: deadline[0])
        return kind if due_s <= now_s else None

    def _deadlines(self) -> list[tuple[float, Overdue]]:
        wall = (_after(self.begun_s, self.limits.wall_s), "wall_time")
        if self.reported_s is None:
            return [wall, (_after(self.heard_s, self.limits.silence_s), "silence")]  # type: ignore[list-item]
        return [(_after(self.reported_s, self.limits.linger_s), "linger"), wall]  # type: ignore[list-item]


def _after(begun_s: float, length_s: float | None) -> float:
    return float("inf") if length_s is None else begun_s + length_s

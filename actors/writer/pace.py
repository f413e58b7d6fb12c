"""The pace of the disk: whether a commit is expected to be over before the loop could turn to anything else.

The way of a commit through the event loop and back costs about as much as a quick fdatasync. So a small batch on a disk
that is quick is waited for on the spot; how long the loop may stand still for it is bounded, whatever the disk does
then. A large batch is not: while the disk has it, the next one is read and decided.
"""

from __future__ import annotations

from typing import Final

BRIEFLY_S: Final = 0.002
"""The longest the loop stands still for one commit; more would show as latency of everything else."""

QUICK_S: Final = 0.001
"""Where syncs take longer on average commits are left to the loop: standing still would be in vain too often."""

SMALL_BATCH: Final = 8
"""Lines that are waited for on the spot; beyond that it pays to decide the next ones meanwhile."""

_WEIGHT: Final = 0.1
"""Of the newest commit in the moving average: a disk that was disturbed is trusted again after some twenty."""


class Pace:
    """Learns from every commit how long the disk will take for the next."""

    def __init__(self) -> None:
        self._average_s = 0.0

    def took(self, sync_s: float) -> None:
        """Take note of how long a commit's sync took, however it was waited for.

        The way there and back does not count: it is longest for those that are not waited for on the spot, and once
        that was so it would stay so.
        """
        self._average_s += (sync_s - self._average_s) * _WEIGHT

    def is_brief(self, lines: int) -> bool:
        """Return whether a commit of so many lines is worth standing still for."""
        return lines <= SMALL_BATCH and self._average_s <= QUICK_S

"""Telling how far long work is: each part has a name, and counts what it has done.

Whoever has nobody to tell makes a `Work()`. The one who is told is called often, and must be quick.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

Told = Callable[[str, int, int | None], None]
"""(what is being done, how many of it are done, of how many or None when nobody knows)"""

STEPS_PER_TELLING: Final = 256
"""A telling costs a look at the clock and sometimes a drawing; a step may cost a microsecond."""


class Work:
    """Long work that tells how far it is."""

    def __init__(self, told: Told | None = None) -> None:
        self._told = told
        self._what = ""
        self._total: int | None = None
        self._done = 0

    def begin(self, what: str, total: int | None = None) -> None:
        """Begin a part of the work, of `total` steps when that is known."""
        self._what, self._total, self._done = what, total, 0
        self._tell()

    def step(self, count: int = 1) -> None:
        """So much more is done."""
        self._done += count
        if self._done % STEPS_PER_TELLING < count:
            self._tell()

    def _tell(self) -> None:
        if self._told is not None:
            self._told(self._what, self._done, self._total)

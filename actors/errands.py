"""Errands: questions that an actor sends to the writer and does not wait for; the answer comes back as a tell.

They belong to one incarnation: answers for an earlier one are passed over. An errand that fails, because the disk
refuses or the writer has no room, is sent again after a while: none of them may be given up, for output that is not
written blocks its agent, and nothing else is lost by waiting.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Final

import attrs

from actors.kernel.clock import Clock
from actors.kernel.ref import Ask, Ref
from actors.model.errors import PerdureError

RETRY_S: Final = 1.0
"""How often a disk that refuses is tried."""


@attrs.define(eq=False, kw_only=True)
class Errand(Ask):
    """One question on its way."""

    home: Ref
    by: Errands
    about: Any
    """What the answer is needed for."""

    def answer(self, value: Any) -> None:
        """Bring the answer home."""
        self.home.tell(Returned(self, value, None))

    def fail(self, error: PerdureError) -> None:
        """Bring the failure home."""
        self.home.tell(Returned(self, None, error))


@attrs.frozen(eq=False)
class Returned:
    """An errand is back."""

    errand: Errand
    value: Any
    error: PerdureError | None


class Errands:
    """Those of one incarnation."""

    def __init__(self, home: Ref, writer: Ref, clock: Clock) -> None:
        self._home = home
        self._writer = writer
        self._clock = clock
        self._unsent: deque[Errand] = deque()
        self._again_at_s = 0.0

    def send(self, question: Any, about: Any) -> None:
        """Ask the writer; what comes back is told as `Returned`, with `about` in its errand."""
        self._unsent.append(Errand(question, home=self._home, by=self, about=about))
        self.push()

    def accept(self, returned: Returned) -> bool:
        """Return whether this is an answer to use; a failed one is sent again by and by."""
        if returned.errand.by is not self:
            return False
        if returned.error is None:
            return True
        errand = returned.errand
        self._unsent.append(Errand(errand.message, home=self._home, by=self, about=errand.about))
        self._again_at_s = self._clock.monotonic_s() + RETRY_S
        return False

    def due_in_s(self) -> float:
        """Return the seconds until something can be sent."""
        return max(0.0, self._again_at_s - self._clock.monotonic_s()) if self._unsent else float("inf")

    def push(self) -> None:
        """Send what waits, in order, as far as there is room."""
        if self._clock.monotonic_s() < self._again_at_s:
            return
        while self._unsent and self._writer.offer([self._unsent[0]]):
            self._unsent.popleft()
        if self._unsent:
            self._again_at_s = self._clock.monotonic_s() + RETRY_S

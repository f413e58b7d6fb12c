"""What an actor has to get into the journal by itself, in order per subject, tried until the disk takes it.

Each piece of work is a decision that looks at the rows as they are then, so trying it twice changes nothing. The next
piece of a subject is tried when the one before it is durable: what a run reported is a fact before its end is judged.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

import attrs
import trio

from actors.decisions.decision import At, Decision
from actors.kernel.clock import Clock
from actors.messages.request import Failed, Outcome
from actors.model.draft import Draft

RETRY_S: Final = 1.0
"""How often a disk that refuses is tried."""

Decide = Callable[[Draft, At], Decision]
Propose = Callable[[str, Decide, Callable[[Outcome], None]], bool]


@attrs.define
class _Subject:
    waiting: deque[tuple[str, Decide]] = attrs.field(factory=deque)
    is_under_way: bool = False
    due_s: float = 0.0
    done: trio.Event = attrs.field(factory=trio.Event)


class OwnWork:
    """See the module's text. It belongs to one incarnation."""

    def __init__(self, propose: Propose, clock: Clock, wake: Callable[[], None]) -> None:
        self._propose = propose
        self._clock = clock
        self._wake = wake
        self._subjects: dict[str, _Subject] = {}
        self._ready: dict[str, None] = {}
        """Subjects whose next piece can be proposed, in the order in which they became ready: turns keep theirs."""

    def __contains__(self, subject: str) -> bool:
        return subject in self._subjects

    def add(self, subject: str, method: str, decide: Decide) -> None:
        """Have a decision proposed after those of its subject before it; begins with the next `push`."""
        self._subjects.setdefault(subject, _Subject()).waiting.append((method, decide))
        self._ready.setdefault(subject)

    async def until_done(self, subject: str) -> None:
        """Wait until all that was added for a subject is durable."""
        if subject in self._subjects:
            await self._subjects[subject].done.wait()

    def due_in_s(self) -> float:
        """Return the seconds until something can be proposed."""
        due_s = min((self._subjects[subject].due_s for subject in self._ready), default=float("inf"))
        return max(0.0, due_s - self._clock.monotonic_s())

    def push(self) -> None:
        """Propose whatever can be."""
        now_s = self._clock.monotonic_s()
        for subject in list(self._ready):
            work = self._subjects[subject]
            if work.is_under_way or work.due_s > now_s:
                continue
            method, decide = work.waiting[0]
            work.is_under_way = True
            self._ready.pop(subject, None)
            if not self._propose(method, decide, self._hearer(subject)):
                self._put_back(subject, now_s)

    def _hearer(self, subject: str) -> Callable[[Outcome], None]:
        def heard(outcome: Outcome) -> None:
            if isinstance(outcome, Failed):
                self._put_back(subject, self._clock.monotonic_s())
                return
            work = self._subjects[subject]
            work.waiting.popleft()
            work.is_under_way = False
            if work.waiting:
                self._ready.setdefault(subject)
            else:
                del self._subjects[subject]
                work.done.set()
            self._wake()

        return heard

    def _put_back(self, subject: str, now_s: float) -> None:
        work = self._subjects[subject]
        work.is_under_way = False
        work.due_s = now_s + RETRY_S
        self._ready.setdefault(subject)

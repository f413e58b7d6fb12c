"""A reference to an actor: what others hold. It names the slot's mailbox, so it stays good over restarts.

`offer` and `tell` never wait. `ask` waits for exactly one of two things, the answer or a typed error; silence is not
among them, because the mailbox answers whatever is left when an actor crashes for good or its slot is closed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs
import trio

from actors.kernel.mailbox import Letter, Mailbox
from actors.model.errors import Overloaded, PerdureError

RETRY_AFTER_S = 0.1
"""What a full mailbox tells to whoever asks: about the time it takes to work off a full one."""


@attrs.define(eq=False)
class Ask:
    """A question on its way."""

    message: Any
    deliveries: int = 0
    _answer: Any = None
    _error: PerdureError | None = None
    _answered: trio.Event = attrs.field(factory=trio.Event)

    @property
    def is_answered(self) -> bool:
        """Whether the answer, or the error, is there."""
        return self._answered.is_set()

    def answer(self, value: Any) -> None:
        """Answer; a second answer changes nothing."""
        if not self._answered.is_set():
            self._answer = value
            self._answered.set()

    def fail(self, error: PerdureError) -> None:
        """Answer with an error."""
        if not self._answered.is_set():
            self._error = error
            self._answered.set()

    async def wait(self) -> Any:
        """Wait for the answer; raises the typed error when that is the answer."""
        await self._answered.wait()
        if self._error is not None:
            raise self._error
        return self._answer


class Ref:
    """A reference to the actor behind a mailbox."""

    __slots__ = ("_mailbox",)

    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox

    @property
    def name(self) -> str:
        """The actor's name."""
        return self._mailbox.name

    @property
    def room(self) -> int:
        """How many letters the mailbox still takes."""
        return self._mailbox.room

    def offer(self, letters: Sequence[Letter]) -> int:
        """Hand over letters; return how many were taken, from the front."""
        return self._mailbox.offer(letters)

    async def room_for(self, number: int) -> None:
        """Wait until so many letters fit."""
        await self._mailbox.room_for(number)

    def take_back(self, letters: Sequence[Letter]) -> None:
        """Give letters back to the actor that had handed them on."""
        self._mailbox.take_back(letters)

    def tell(self, message: Any) -> None:
        """Leave a notice."""
        self._mailbox.tell(message)

    def tell_quietly(self, message: Any) -> None:
        """Leave a notice that need not wake the actor."""
        self._mailbox.tell_quietly(message)

    async def ask(self, message: Any) -> Any:
        """Ask and wait for the answer; raises Overloaded when the mailbox is full, or the error that is the answer."""
        question = Ask(message)
        if not self._mailbox.offer([question]):
            raise Overloaded(f"{self.name} has too much waiting", retry_after_s=RETRY_AFTER_S)
        return await question.wait()

"""A command on its way: from the gateway to the actor that decides, on to the writer, and its answer back.

A Request is made once by the gateway and lives until it is answered, by whichever actor it has come to, with `done`
or `fail`. That never waits, so answers can go up while questions go down (law 1 of the house). Only the first answer
counts: an actor that crashed between two answers may give the first of them again.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any

import msgspec

from actors.model.errors import PerdureError


class Done(msgspec.Struct, frozen=True):
    """The command took effect, durably; `result` is encoded JSON and goes into the reply as it is."""

    result: bytes


class Failed(msgspec.Struct, frozen=True):
    """The command did not take effect (or, for `storage_failed`, nobody knows)."""

    error: PerdureError


Outcome = Done | Failed


class Delivery(Enum):
    """What became of a notification that was pushed to a connection."""

    SENT = "sent"
    SLOW = "slow"
    """Not queued: the connection already has too much unsent."""
    CLOSED = "closed"


class Request(msgspec.Struct, eq=False):
    """One command or query."""

    method: str
    params: Any
    """The method's parameter struct (a frozen msgspec value of `actors.messages`)."""
    reply: Callable[[Outcome], None]
    ref: str = ""
    """Names the command in the journal; unique over process lives. By it a restarted writer tells what it committed."""
    key: str | None = None
    """The client's idempotency key."""
    digest: str | None = None
    """A hash of method and parameters, for keyed commands: the same key with another digest is a conflict."""
    notify: Callable[[bytes], Delivery] | None = None
    """Pushes one notification line to the request's connection."""
    deliveries: int = 0
    """How often an actor crashed while this was in its hands; at two it goes to the dead letters."""

    suspect: bool = False
    """It was in a batch that crashed the writer: from then on it is written alone."""

    answered: bool = False

    def answer(self, outcome: Outcome) -> None:
        """Answer, unless that was done before."""
        if not self.answered:
            self.answered = True
            self.reply(outcome)

    def done(self, result: bytes) -> None:
        """Answer with an encoded result."""
        self.answer(Done(result))

    def fail(self, error: PerdureError) -> None:
        """Answer with an error."""
        self.answer(Failed(error))

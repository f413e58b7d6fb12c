"""What all moves of one client share: its hand, its name, its chance, and texts that nobody else has used."""

from __future__ import annotations

from random import Random

from supervisor.chaos.hand import Hand


class Author:
    """One client as its moves see it."""

    def __init__(self, hand: Hand, name: str, rng: Random) -> None:
        self.hand = hand
        self.name = name
        self.rng = rng
        self.number = 0
        """The highest number that was used."""

    def next(self) -> int:
        """Return a number that this client has not used."""
        self.number += 1
        return self.number

    def text(self) -> str:
        """Return a text that stands nowhere else: what took effect twice is recognised by it."""
        return f"{self.name} says {self.next()}"

    def sometimes(self, share: float) -> bool:
        """Return True in this share of all cases."""
        return self.rng.random() < share

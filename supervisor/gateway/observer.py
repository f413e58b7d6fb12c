"""What the gateway tells about itself while it works; metrics read it, nothing here knows of any metrics library."""

from __future__ import annotations

from collections import Counter
from typing import Final, Protocol

OK: Final = "ok"
UNKNOWN: Final = "(unknown)"
"""Stands for every method that does not exist: strangers' names must not become names of counters."""


class Observer(Protocol):
    """Who is told. Called on the hot path: must not wait, must not raise."""

    def answered(self, method: str, outcome: str, waited_s: float, took_s: float) -> None:
        """Tell of a command: OK or the error's kind; how long it waited here, and how long until it was answered."""
        ...

    def received(self, size_bytes: int) -> None:
        """Tell of bytes that came in."""
        ...

    def sent(self, size_bytes: int) -> None:
        """Tell of bytes that went out."""
        ...

    def closed(self, reason: str) -> None:
        """Tell of a connection that ended, and why."""
        ...


class Tally:
    """Counts in plain dictionaries, for whoever looks at them now and then."""

    def __init__(self) -> None:
        self.outcomes: Counter[tuple[str, str]] = Counter()
        """(method, outcome) → how often."""
        self.waited_s: Counter[str] = Counter()
        """Method → seconds that its commands waited in the gateway, summed up."""
        self.took_s: Counter[str] = Counter()
        """Method → seconds until its commands were answered, summed up."""
        self.closings: Counter[str] = Counter()
        """Reason → how many connections ended so."""
        self.bytes_received = 0
        self.bytes_sent = 0

    def answered(self, method: str, outcome: str, waited_s: float, took_s: float) -> None:
        """Count a command."""
        self.outcomes[method, outcome] += 1
        self.waited_s[method] += waited_s  # type: ignore[assignment]  # a Counter of seconds adds as well
        self.took_s[method] += took_s  # type: ignore[assignment]

    def received(self, size_bytes: int) -> None:
        """Count bytes that came in."""
        self.bytes_received += size_bytes

    def sent(self, size_bytes: int) -> None:
        """Count bytes that went out."""
        self.bytes_sent += size_bytes

    def closed(self, reason: str) -> None:
        """Count a connection that ended."""
        self.closings[reason] += 1

"""
What a life of a runtime is given from outside: how it is spawned, and whom it reports to.

The root's desk is what lives report to; a protocol stands between the two, because the desk makes the lives.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol

import msgspec

from supervisor.root.control import Hello, Ready, Refused, Stop
from supervisor.root.errors import ExitCode

if TYPE_CHECKING:
    from supervisor.root.runtime_life import RuntimeLife


class Launch(msgspec.Struct, frozen=True, kw_only=True):
    """How runtimes are spawned and watched; the same for every life."""

    argv: tuple[str, ...]
    environment: Mapping[str, str]
    listen_fd: int
    hung_after_s: float
    take_line: Callable[[bytes], None]
    """Takes one line of what a runtime prints; must not wait."""


class Desk(Protocol):
    """What a life needs of the root; nothing here waits."""

    def hello(self, incarnation: int, doors_fd: int) -> Hello:
        """Give the order that makes a process the runtime."""

    def spawned(self, life: RuntimeLife) -> None:
        """A process exists."""

    def took_office(self, life: RuntimeLife) -> None:
        """It is the runtime from now on."""

    def ready(self, life: RuntimeLife, news: Ready) -> None:
        """It serves clients."""

    def recovering(self) -> None:
        """It gave its first sign of life."""

    def status(self, text: str) -> None:
        """It says what it is busy with."""

    def shutdown_wanted(self) -> None:
        """A client asked for the end of everything."""

    def reload_wanted(self) -> None:
        """A client asked that the configuration be read again."""

    def gone(self, life: RuntimeLife) -> None:
        """Its process is dead and reaped."""

    def refused(self, code: ExitCode, refusal: Refused) -> None:
        """The runtime will not run here: the root is to end with the same code."""

    def stop_order(self) -> Stop:
        """Give the order that ends a runtime, with its reason and deadline."""

"""
Between the lives of runtimes and the root's desk: how the ones are spawned, and what each knows of the other.

The desk makes the lives and they report to it, so protocols stand between the two.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from typing import Protocol

import msgspec

from supervisor.root.control import Hello, Order, Ready, Refused, Stop
from supervisor.root.errors import ExitCode
from supervisor.root.watchdog import Pulse


class Launch(msgspec.Struct, frozen=True, kw_only=True):
    """How runtimes are spawned and watched; the same for every life."""

    argv: tuple[str, ...]
    environment: Mapping[str, str]
    listen_fd: int
    hung_after_s: float
    take_line: Callable[[bytes], None]
    """Takes one line of what a runtime prints; must not wait."""


class Life(Protocol):
    """What the root needs of a life (`runtime_life.RuntimeLife`); nothing here waits."""

    pid: int | None
    is_runtime: bool
    """Whether it took the office; before that it is the standby."""
    pulse: Pulse | None

    def post(self, order: Order) -> bool:
        """Give an order; False when the process leaves so many unread that this one was dropped."""

    def give_door(self, door: socket.socket) -> bool:
        """Give it its end of a connection with the agent host; False when it leaves so many that it must be hung."""

    def kill(self, why: str | None = None) -> None:
        """End it at once; the first `why` is what its death is told with."""


class Desk(Protocol):
    """What a life needs of the root; nothing here waits."""

    def hello(self, incarnation: int, doors_fd: int) -> Hello:
        """Give the order that makes a process the runtime."""

    def spawned(self, life: Life) -> None:
        """A process exists."""

    def took_office(self, life: Life) -> None:
        """It is the runtime from now on."""

    def ready(self, life: Life, news: Ready) -> None:
        """It serves clients."""

    def recovering(self) -> None:
        """It gave its first sign of life."""

    def status(self, text: str) -> None:
        """It says what it is busy with."""

    def shutdown_wanted(self) -> None:
        """A client asked for the end of everything."""

    def reload_wanted(self) -> None:
        """A client asked that the configuration be read again."""

    def gone(self, life: Life) -> None:
        """Its process is dead and reaped."""

    def refused(self, code: ExitCode, refusal: Refused) -> None:
        """The runtime will not run here: the root is to end with the same code."""

    def stop_order(self) -> Stop:
        """Give the order that ends a runtime, with its reason and deadline."""

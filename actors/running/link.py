"""What the runs actor needs of whoever carries its orders to the agent host (`supervisor.runtime.agents_link`).

The actor always speaks first: at its start, and whenever the link says `Reachable`, it attaches with the offsets up to
which output is written. The host then says `Attached`, and everything from those offsets on comes again. So whatever a
crash of the actor, of the link or of the runtime took from the way comes anew, and nothing else has to be remembered.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import msgspec

from actors.messages.agents import Offsets, Order, Stream

Host = tuple[int, int]
"""Pid and start time: one host, and no other after it."""


class Reachable(msgspec.Struct, frozen=True):
    """The link has a connection to a host: attach. Told anew for every connection."""


class Unreachable(msgspec.Struct, frozen=True):
    """The connection to the host is gone; optional, for `Reachable` says the same of the one before. No new orders."""


class Link(Protocol):
    """Never waits; what is given while no host is reachable is dropped, for `Attached` makes it be decided anew."""

    def attach(self, offsets: Mapping[str, Offsets]) -> None:
        """Begin anew with the host that is reachable, if one is: also when it was attached before.

        `Attached` answers; news of before it may still come and are passed over.
        """
        ...

    def send(self, order: Order) -> None:
        """Pass an order on."""
        ...

    def acknowledge(self, run_id: str, stream: Stream, offset: int) -> None:
        """Tell the host that the stream's bytes before `offset` are safely written."""
        ...


class NoLink:
    """Where no host can be: everything is dropped, and runs stay queued."""

    def attach(self, offsets: Mapping[str, Offsets]) -> None:
        """See `Link`."""

    def send(self, order: Order) -> None:
        """See `Link`."""

    def acknowledge(self, run_id: str, stream: Stream, offset: int) -> None:
        """See `Link`."""

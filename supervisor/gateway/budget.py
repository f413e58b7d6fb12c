"""The memory of all connections together: whose socket is not read while it is used up. Knows no socket.

Beyond the budget whoever holds more than a fair share is not read (a hoarder) until there is room again. When halves of
lines take all the room, nobody could ever make any: so one line at a time is read to its end all the same, the longest
first.
"""

from __future__ import annotations

from collections.abc import Sequence

from supervisor.gateway.connection import Connection
from supervisor.gateway.limits import Limits


class Budget:
    """See the module's text."""

    def __init__(self, limits: Limits) -> None:
        self.held_bytes = 0
        """What all connections hold, as it was counted last."""
        self._limits = limits
        self._hoarders: set[Connection] = set()
        self._favoured: tuple[Connection, float] | None = None
        """The one that is read until its line ends, and since when that line is half."""

    def count(self, connection: Connection) -> None:
        """Count what a connection holds now."""
        held_bytes = connection.held_bytes
        self.held_bytes += held_bytes - connection.counted_bytes
        connection.counted_bytes = held_bytes

    def forget(self, connection: Connection) -> None:
        """Count a connection no more: it is closed."""
        self._hoarders.discard(connection)
        self.held_bytes -= connection.counted_bytes

    def is_hoarder(self, connection: Connection) -> bool:
        """Tell whether it is not read for the sake of the others."""
        return connection in self._hoarders

    def affords(self, connection: Connection, connections: int) -> bool:
        """Decide whether it is read on, as one of so many; if not, `freed` tells when to decide again."""
        if self._has_room or self._favoured == (connection, connection.splitter.half_since):
            self._hoarders.discard(connection)
            return True
        if connection.counted_bytes <= self._limits.fair_share_bytes(connections):
            return True
        self._hoarders.add(connection)
        return False

    def freed(self) -> Sequence[Connection]:
        """Return the hoarders to decide on again: all when there is room, otherwise one at most."""
        if not self._hoarders:
            return ()
        return list(self._hoarders) if self._has_room else self._favour_one()

    @property
    def _has_room(self) -> bool:
        return self.held_bytes <= self._limits.memory_bytes_max

    def _favour_one(self) -> Sequence[Connection]:
        """Choose whose line is ended next, when nobody's is under way: at most a frame more than the budget."""
        if self._favoured is not None:
            connection, since_s = self._favoured
            if not (connection.closed or connection.ended) and connection.splitter.half_since == since_s:
                return ()
            self._favoured = None
        halves = [one for one in self._hoarders if one.has_room and one.splitter.half_since is not None]
        longest = max(halves, key=lambda one: one.splitter.half_bytes, default=None)
        if longest is None or longest.splitter.half_since is None:
            return ()
        self._favoured = (longest, longest.splitter.half_since)
        return (longest,)

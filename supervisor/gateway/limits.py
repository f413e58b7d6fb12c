"""What one client, and all of them together, may cost (SPEC section 6, `[gateway]` in the configuration)."""

from __future__ import annotations

from typing import Final

import attrs

from supervisor.wire.framing import FRAME_BYTES_MAX
from supervisor.wire.strict_json import NESTING_MAX

MIB: Final = 1024 * 1024


@attrs.frozen(kw_only=True)
class Limits:
    """Each bound, with what happens beyond it."""

    frame_bytes_max: int = FRAME_BYTES_MAX
    """A longer line: `too_large`, and the connection is closed."""
    nesting_max: int = NESTING_MAX
    """Arrays and objects deeper inside one another: `parse_error`."""
    half_frame_s: float = 30.0
    """A line that is not ended in this time: `parse_error`, and the connection is closed."""
    connections_max: int = 1024
    """One more: `overloaded`, and it is closed."""
    in_flight_max: int = 1024
    """Commands of one connection that are not answered; then it is not read until some are."""
    unsent_bytes_max: int = 64 * MIB
    """Replies that a client does not read; then it is closed."""
    notify_unsent_bytes_max: int = 8 * MIB
    """Above this a connection gets no notifications: replies must keep room."""
    memory_bytes_max: int = 256 * MIB
    """What all connections hold together; above it those that hold more than a fair share are not read, and their
    queries are answered with `overloaded`."""

    @property
    def answers_unsent_bytes_max(self) -> int:
        """Return how many bytes of answers to queries may wait for a client; more queries are `overloaded`.

        Who asks much at once may read as fast as it can and yet be behind. The last eighth of what may be unsent is for
        such refusals and for replies to commands; only who lets that fill up, too, does not read.
        """
        return self.unsent_bytes_max - self.unsent_bytes_max // 8

    def fair_share_bytes(self, connections: int) -> int:
        """Return what one of so many connections may hold while the budget is used up.

        Half the budget over all of them: together with the budget itself that bounds what is held to 1.5 times of it,
        and a client that holds little never notices those that hold much. One line comes on top: it is read to its end
        all the same, so that halves of lines do not all wait for each other.
        """
        return self.memory_bytes_max // (2 * max(1, connections))

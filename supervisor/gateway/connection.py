"""One client: what came from it, what is on its way, what goes back to it. No socket and no clock of its own.

The order rule lives here (`may_go`): commands of one connection take effect in the order in which they were sent.
Mutations for one actor may follow each other closely, for its mailbox keeps their order. Everything else waits until
what it must not overtake is answered:

===================================  ====================================================================
a query                              waits for the connection's mutations (it reads what they made durable)
a mutation                           waits for mutations and queries at other actors
a query answered here                as a query; nothing waits for it
===================================  ====================================================================
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

from actors.messages.request import Delivery, Request
from actors.model.errors import PerdureError
from supervisor.gateway.limits import Limits
from supervisor.wire.framing import LineSplitter
from supervisor.wire.methods import Method

LOCAL: Final = "local"
ORDINARY_BYTES: Final = 64 * 1024
"""What a connection may hold without being counted: 64 MiB for all of them together, a quarter of the budget."""

_NOTHING: Final = memoryview(b"")

_SEVERAL: Final = "(several)"
"""No actor has this name: with queries at several actors under way, a mutation finds itself at another one."""


class Command(Protocol):
    """A call on its way (`pending.Pending`), as far as it is known where it waits."""

    connection: Connection
    row: Method
    key: str | None
    left_at: float | None


class Connection:
    """See the module's text. `touched` tells dispatch that this connection has something to send or to go on with."""

    __slots__ = (
        "_limits",
        "_mutating",
        "_mutations",
        "_out",
        "_out_bytes",
        "_reading",
        "_reads",
        "_touched",
        "_unsent",
        "blocked",
        "closed",
        "counted_bytes",
        "dirty",
        "ended",
        "frames",
        "gathered_bytes",
        "in_flight",
        "in_flight_bytes",
        "last_word",
        "mute",
        "splitter",
        "waiting",
        "waits_for_key",
    )

    def __init__(self, limits: Limits, touched: Callable[[Connection], None]) -> None:
        self._limits = limits
        self._touched = touched
        self.splitter = LineSplitter(limits.frame_bytes_max)
        self.frames: deque[bytes] = deque()
        """Complete lines that are not looked at yet."""
        self.waiting: deque[tuple[Command, Request]] = deque()
        """Commands that may not go yet, by the order rule or because something is full."""
        self.in_flight = 0
        """Commands that are not answered, those waiting here included."""
        self.in_flight_bytes = 0
        self.counted_bytes = 0
        """What the memory budget knows of this connection."""
        self.waits_for_key: str | None = None
        self.blocked = False
        """The first command that waits is for an actor whose mailbox is full."""
        self.dirty = False
        """Dispatch has been told that there is something to do."""
        self.ended = False
        """Nothing more will be read."""
        self.last_word: PerdureError | None = None
        """Why the framing broke, until that is told."""
        self.mute = False
        """Nothing more can be sent: the client is gone, or does not listen."""
        self.closed = False
        self._mutations = 0
        self._mutating = ""
        self._reads = 0
        self._reading = ""
        self._out: list[bytes] = []
        self._out_bytes = 0
        self._unsent = _NOTHING
        self.gathered_bytes = 0
        """Replies of batches that are not complete yet: unsent, too."""

    # --- the order rule

    def may_go(self, row: Method) -> bool:
        """Return whether a command may leave, everything sent before it having left."""
        if self._mutations + self._reads >= self._limits.in_flight_max:
            return False
        if not row.mutates:
            return not self._mutations
        actor = row.actor
        return not ((self._mutations and self._mutating != actor) or (self._reads and self._reading != actor))

    def went(self, row: Method) -> None:
        """Note that a command has left for its actor."""
        actor = row.actor
        if row.mutates:
            self._mutations += 1
            self._mutating = actor
        elif actor != LOCAL:
            self._reading = actor if not self._reads or self._reading == actor else _SEVERAL
            self._reads += 1

    def came_back(self, row: Method) -> None:
        """Note that a command that had left is answered."""
        if row.mutates:
            self._mutations -= 1
        elif row.actor != LOCAL:
            self._reads -= 1

    # --- what goes out

    @property
    def unsent_bytes(self) -> int:
        """How much waits to be sent."""
        return len(self._unsent) + self._out_bytes + self.gathered_bytes

    def put(self, line: bytes) -> None:
        """Queue a reply; the newline is added here."""
        if not self.mute:
            self._out.append(line)
            self._out.append(b"\n")
            self._out_bytes += len(line) + 1

    def notify(self, line: bytes) -> Delivery:
        r"""Queue a notification, complete with its `\n`, if the client keeps up."""
        if self.closed or self.mute:
            return Delivery.CLOSED
        if self.unsent_bytes + len(line) > self._limits.notify_unsent_bytes_max:
            return Delivery.SLOW
        self._out.append(line)
        self._out_bytes += len(line)
        self._touched(self)
        return Delivery.SENT

    def to_send(self) -> memoryview:
        """Return what goes out next; tell by `sent` how much of it did."""
        if not self._unsent and self._out:
            self._unsent = memoryview(b"".join(self._out))
            self._out.clear()
            self._out_bytes = 0
        return self._unsent

    def sent(self, size_bytes: int) -> bool:
        """So many bytes of `to_send` are out; return whether more is to be sent."""
        # The view of nothing is another one: a slice would keep all that was sent in memory.
        self._unsent = self._unsent[size_bytes:] if size_bytes < len(self._unsent) else _NOTHING
        return bool(self._unsent or self._out)

    def silence(self) -> None:
        """Drop what waits to be sent, and whatever would follow; batches that are under way drop theirs at the end."""
        self.mute = True
        self._out.clear()
        self._out_bytes = 0
        self._unsent = _NOTHING

    # --- what it costs, and when it is over

    @property
    def held_bytes(self) -> int:
        """How much memory this connection's bytes take."""
        # Lines that wait come from one read: `frames` is short, and empty most of the time.
        lines = sum(map(len, self.frames)) if self.frames else 0
        return self.splitter.half_bytes + lines + self.in_flight_bytes + self.unsent_bytes

    @property
    def ordinary(self) -> bool:
        """Whether nothing about it needs a look: it is read, all is sent, and what it holds is as good as nothing.

        This is what most connections are most of the time; it saves looking at each of these by itself.
        """
        return (
            self.in_flight < self._limits.in_flight_max
            and self.in_flight_bytes <= ORDINARY_BYTES
            and not (self.ended or self.blocked or self.frames or self.counted_bytes or self.gathered_bytes)
            and not (self._out or self._unsent)
            and self.splitter.half_since is None
        )

    @property
    def may_advance(self) -> bool:
        """Whether something waits here that an answer may have set free."""
        return bool(self.frames or self.waiting) or self.last_word is not None

    @property
    def has_room(self) -> bool:
        """Whether more may be read from the client, as far as its own commands are concerned."""
        return not (self.ended or self.blocked or self.frames) and self.in_flight < self._limits.in_flight_max

    @property
    def over(self) -> bool:
        """Whether nothing more will come of this connection: it can be closed."""
        return self.ended and not (self.frames or self.in_flight or self.unsent_bytes or self.last_word)

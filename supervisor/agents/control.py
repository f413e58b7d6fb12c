"""
What the root and the agent host say to each other, in `frames` over a socketpair.

`Serve` is the root's first word. Each `Door` carries a descriptor (SCM_RIGHTS): the host's end of a fresh connection
with the runtime. The host says `Here` once, `Alive` again and again, and `DoorClosed` when a runtime's connection has
ended, so that a runtime that lives on gets a new one. The end of the channel ends the host and every agent; so does
SIGTERM.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from supervisor.agents.frames import decoder_of


class _Message(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag=str.lower):
    """One message."""


class Serve(_Message, frozen=True):
    """Be the host of this place."""

    place: str
    """Marks every agent's environment; see `tree_of.place_of`."""
    heartbeat_s: float
    umask: int = -1
    """For agents: the root's own, before it made itself private; -1: the host's."""
    cgroups: bool = True
    """Whether agents get control groups of their own, where the system lets the host make some."""


class Door(_Message, frozen=True):
    """A connection with the runtime comes with this frame."""

    number: int


class Here(_Message, frozen=True):
    """The host serves."""

    pid: int
    cgroups: str | None = None
    """Where it makes its agents' control groups; None: nowhere."""
    limits_memory: bool = False
    """Whether these limit the memory of a tree; else each of its processes is limited."""


class Alive(_Message, frozen=True):
    """The host's loop turns."""

    agents: int
    """How many have a process."""


class DoorClosed(_Message, frozen=True):
    """The connection with the runtime has ended, and no other has come in its place."""

    number: int


ToHost = Serve | Door
ToRoot = Here | Alive | DoorClosed

TO_HOST: Final[msgspec.msgpack.Decoder[Any]] = decoder_of(ToHost)
TO_ROOT: Final[msgspec.msgpack.Decoder[Any]] = decoder_of(ToRoot)

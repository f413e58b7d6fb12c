"""
What the runtime and the agent host say to each other: `actors.messages.agents`, and what only the link needs.

::

    runtime                                   host
      Attach(version, offsets)  ─────────────►   forgets the former connection
      ◄───────────────  Attached(version, runs)
      ◄───────  Output … from those offsets on; Ended of runs that are over
      Spawn  ────────────────────────────────►
      ◄──────────────────────  Started | NotStarted
      ◄───────────────────────────────  Output
      Acknowledge(offset)  ──────────────────►   lets the bytes before it go
      End(grace)  ───────────────────────────►   SIGTERM … SIGKILL
      ◄───────────────────────────────  Ended
      Bury  ─────────────────────────────────►   forgets the run

`Attach` is the first frame of a connection, and may come again over the same one whenever the runs actor was restarted:
then `Attached` answers again, output comes again from the offsets that are named then, and so does every `Ended`. What
was sent before that `Attached` belongs to the time before. There is one connection at a time: a new one (the root makes
them) replaces the former, of which nothing more is heard. An error of the protocol ends the connection, never the host.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from actors.messages.agents import (
    Attached,
    Bury,
    End,
    Ended,
    NotStarted,
    Offset,
    Offsets,
    Output,
    RunId,
    Spawn,
    Started,
    Stream,
)
from supervisor.agents.frames import decoder_of

VERSION: Final = 1
"""Both ends are of one installation; it differs only when that was changed while the host ran."""


class _Message(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag=str.lower):
    """One message that only the link speaks."""


class Attach(_Message, frozen=True):
    """Begin: send everything from these offsets on. Runs that are not named go on from what was acknowledged."""

    version: int
    runs: dict[RunId, Offsets]


class Acknowledge(_Message, frozen=True):
    """The stream's bytes before `offset` are safely written."""

    run_id: RunId
    stream: Stream
    offset: Offset


class Refused(_Message, frozen=True):
    """The host does not speak the version of `Attach`; it closes the connection next."""

    version: int


ToHost = Attach | Spawn | Acknowledge | End | Bury
ToRuntime = Attached | Refused | Started | NotStarted | Output | Ended

TO_HOST: Final[msgspec.msgpack.Decoder[Any]] = decoder_of(ToHost)
TO_RUNTIME: Final[msgspec.msgpack.Decoder[Any]] = decoder_of(ToRuntime)

"""Facts: the closed list of what can become true, and what each does to its table.

A fact names its operation (`noun.past_tense`), the row's id, the rev that the row has afterwards, and data. Facts carry
resulting values, never increments, so that one that is applied late or in a damaged journal still tells the truth.
There are four effects, and every operation has exactly one of them:

======  ==================================================================================================
WHOLE   data is the whole row
PATCH   data holds the members that changed, with their new values
LOGGED  as PATCH, and `entries` are put after the task's inline logs, of which the newest `kept` stay
GONE    the row is no more; a tombstone stays until no file and no backup can bring it back
======  ==================================================================================================

The data of a fact that is GONE says nothing of the row any more; a `run.archived` carries the row as it was.

Some members of a fact's data are not the row's but a file's (`aside`): messages, texts, report bodies.
"""

from __future__ import annotations

from enum import Enum
from typing import Any, Final

import msgspec


class Effect(Enum):
    """What a fact does to its row."""

    WHOLE = "whole"
    PATCH = "patch"
    LOGGED = "logged"
    GONE = "gone"


class Kind(msgspec.Struct, frozen=True):
    """One row of the closed list."""

    table: str
    effect: Effect
    aside: tuple[str, ...] = ()
    """Members of the data that go to a file and not into the row."""
    version: int = 1
    """The version of the data's shape; raised when the shape changes, and then `state.apply` knows both."""


FACTS: Final[dict[str, Kind]] = {
    "task.created": Kind("tasks", Effect.WHOLE),
    "task.saved": Kind("tasks", Effect.WHOLE),
    "task.adopted": Kind("tasks", Effect.WHOLE),
    "task.updated": Kind("tasks", Effect.PATCH),
    "task.started": Kind("tasks", Effect.PATCH),
    "task.claimed": Kind("tasks", Effect.PATCH),
    "task.released": Kind("tasks", Effect.PATCH),
    "task.lease_expired": Kind("tasks", Effect.PATCH),
    "task.completed": Kind("tasks", Effect.PATCH),
    "task.failed": Kind("tasks", Effect.PATCH),
    "task.cancelled": Kind("tasks", Effect.PATCH),
    "task.reopened": Kind("tasks", Effect.PATCH),
    "task.requeued": Kind("tasks", Effect.PATCH),
    "task.restored": Kind("tasks", Effect.WHOLE),
    "task.logged": Kind("tasks", Effect.LOGGED, ("entries", "kept")),
    "task.deleted": Kind("tasks", Effect.GONE),
    "task.archived": Kind("tasks", Effect.GONE),
    "session.created": Kind("sessions", Effect.WHOLE, ("messages",)),
    "session.adopted": Kind("sessions", Effect.WHOLE),
    "session.restored": Kind("sessions", Effect.WHOLE, ("archive", "messages")),
    "session.rewound": Kind("sessions", Effect.WHOLE, ("source", "keep")),
    "session.saved": Kind("sessions", Effect.PATCH, ("messages",)),
    "session.appended": Kind("sessions", Effect.PATCH, ("messages",)),
    "session.loaded": Kind("sessions", Effect.PATCH),
    "session.renamed": Kind("sessions", Effect.PATCH),
    "session.closed": Kind("sessions", Effect.PATCH),
    "session.changed": Kind("sessions", Effect.PATCH),
    "session.seen": Kind("sessions", Effect.PATCH),
    "session.deleted": Kind("sessions", Effect.GONE),
    "session.archived": Kind("sessions", Effect.GONE),
    "run.recorded": Kind("runs", Effect.WHOLE),
    "run.queued": Kind("runs", Effect.WHOLE),
    "run.ordered": Kind("runs", Effect.PATCH),
    "run.started": Kind("runs", Effect.PATCH),
    "run.identified": Kind("runs", Effect.PATCH),
    "run.reported": Kind("runs", Effect.PATCH),
    "run.end_asked": Kind("runs", Effect.PATCH),
    "run.ended": Kind("runs", Effect.PATCH),
    "run.archived": Kind("runs", Effect.GONE),
    "service.configured": Kind("services", Effect.WHOLE),
    "service.wanted": Kind("services", Effect.PATCH),
    "service.begun": Kind("services", Effect.PATCH),
    "service.started": Kind("services", Effect.PATCH),
    "service.exited": Kind("services", Effect.PATCH),
    "service.backed_off": Kind("services", Effect.PATCH),
    "service.failed": Kind("services", Effect.PATCH),
    "service.stopped": Kind("services", Effect.PATCH),
    "service.removed": Kind("services", Effect.GONE),
    "event.recorded": Kind("events", Effect.WHOLE),
    "log.appended": Kind("logs", Effect.WHOLE, ("offset", "text")),
    "log.spilled": Kind("logs", Effect.WHOLE, ("first", "lines")),
    "log.left": Kind("logs", Effect.PATCH),
    "report.saved": Kind("reports", Effect.WHOLE, ("data",)),
    "report.removed": Kind("reports", Effect.GONE),
    "daemon.started": Kind("daemon", Effect.WHOLE),
    "daemon.stopped": Kind("daemon", Effect.WHOLE),
}
"""Every fact that a journal of this version may hold."""


class Fact(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that became true."""

    op: str
    id: str
    rev: int
    data: dict[str, Any] | msgspec.Raw
    """The members as `Effect` says. Raw where the whole row was encoded already: it is not encoded twice."""

    @property
    def kind(self) -> Kind:
        """The operation's row in the closed list; raises KeyError for an operation of a newer version."""
        return FACTS[self.op]

    def members(self) -> dict[str, Any]:
        """Return the data as a dict, decoding it when it is raw."""
        if isinstance(self.data, dict):
            return self.data
        decoded: dict[str, Any] = msgspec.json.decode(self.data)
        return decoded

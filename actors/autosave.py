"""Autosave: asks for a snapshot every so often, and keeps the record of the daemon: started, stopped, which process.

A snapshot is asked for when something changed since the last one, every `interval_s` or ten times the last one's
duration, whichever is longer: a state that takes long to write is not written all the time. It never waits for the
snapshot itself, so it is stopped and restarted at once.

The daemon's record tells whether the last stop was clean: `started` that was never followed by `stopped` is stale, and
is replaced when the next root starts.
"""

from __future__ import annotations

from typing import Any, Final

import attrs
import msgspec
import trio

from actors.decisions.decision import At, Decision, encode
from actors.domain import Domain, Place
from actors.kernel.actor import Context
from actors.kernel.ref import Ask, Ref
from actors.messages.proposal import Live
from actors.messages.questions import SaveNow
from actors.messages.request import Outcome
from actors.model.draft import Draft
from actors.model.facts import Fact

DAEMON_ID: Final = "daemon"
DURATIONS: Final = 10
"""Between two snapshots lie at least so many times the last one's duration (SPEC section 4)."""

STOPPED_WITHIN_S: Final = 2.0
"""How long the last fact may take at a stop; the next start repairs the record when it does not get through."""


@attrs.define(eq=False, kw_only=True)
class Watch:
    """What autosave is told from outside: its interval, and for whom it keeps the record. The interval is live."""

    interval_s: float
    pid: int
    """The root's pid: the daemon is the whole of Perdure."""
    started_at: str
    stopping: bool = False
    """The whole runtime stops: the record is closed."""


class Autosave(Domain):
    """See the module's text."""

    def __init__(self, place: Place, context: Context, watch: Watch, events: Ref) -> None:
        super().__init__(place, context, {}, {})
        self._watch = watch
        self._events = events
        self._asked: Ask | None = None
        self._last_s = place.clock.monotonic_s()

    async def setup(self) -> None:
        """Start, and say that the daemon runs unless the record says so already."""
        await super().setup()
        row = self._place.ledger.tables.row("daemon", DAEMON_ID)
        known: dict[str, Any] = msgspec.json.decode(row.encoded) if row is not None else {}
        started = known.get("started") and known.get("pid") == self._watch.pid
        if not started or known.get("started_at") != self._watch.started_at:
            self.propose_own("daemon.started", self._started)

    def due_in_s(self) -> float:
        """Return the seconds until the next snapshot is due."""
        return self._last_s + self._interval_s() - self._place.clock.monotonic_s()

    async def tick(self) -> None:
        """Ask for a snapshot when one is due and something changed."""
        if self.due_in_s() > 0:
            return
        self._last_s = self._place.clock.monotonic_s()
        ledger = self._place.ledger
        saved_seq = (ledger.last_save or {}).get("seq", ledger.recovery.get("base_seq") or 0)
        waiting = self._asked is not None and not self._asked.is_answered
        if ledger.tables.seq == saved_seq or waiting:
            return
        self._asked = Ask(SaveNow())
        if self._place.writer.offer([self._asked]):
            self._events.tell(Live("autosave:triggered", {"seq": ledger.tables.seq}))

    async def teardown(self) -> None:
        """At the end of everything, say that the daemon stopped."""
        if not self._watch.stopping:
            return
        settled = trio.Event()

        def heard(_outcome: Outcome) -> None:
            settled.set()

        self.propose_own("daemon.stopped", self._stopped, heard)
        with trio.move_on_after(STOPPED_WITHIN_S):
            await settled.wait()

    def _interval_s(self) -> float:
        last = self._place.ledger.last_save or {}
        return max(self._watch.interval_s, DURATIONS * float(last.get("duration_s", 0.0)))

    def _started(self, draft: Draft, at: At) -> Decision:
        record = {"started": True, "started_at": self._watch.started_at, "stopped_at": None, "pid": self._watch.pid}
        return self._record(draft, at, "daemon.started", record)

    def _stopped(self, draft: Draft, at: At) -> Decision:
        record = {"started": False, "started_at": self._watch.started_at, "stopped_at": at.stamp, "pid": None}
        return self._record(draft, at, "daemon.stopped", record)

    def _record(self, draft: Draft, at: At, op: str, record: dict[str, Any]) -> Decision:
        rev = draft.next_rev("daemon", DAEMON_ID)
        row = {"id": DAEMON_ID, **record, "updated_at": at.stamp, "rev": rev}
        return Decision((Fact(op=op, id=DAEMON_ID, rev=rev, data=msgspec.Raw(encode(row))),), (DAEMON_ID,))

"""Commits: a batch of proposals becomes journal lines, is made durable, and everybody concerned is told.

admit ─► encode ─► one write, one fdatasync ─► tables forward ─► answers, homes, events, runs
│
└─ failed: nothing of it is acknowledged, the journal begins anew (`ground`)
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import msgspec

from actors.kernel.ref import Ref
from actors.ledger import Mode, Problem
from actors.messages.proposal import Committed, Live, Proposal, RowsChanged, Settled
from actors.model.errors import StorageFailed
from actors.model.facts import Fact
from actors.model.keys import Command
from actors.model.state import Line
from actors.model.tables import Row
from actors.storage.contract import Appended, NoRoom, Store
from actors.storage.journal import JournalBroken
from actors.storage.journal_lines import BODY_BYTES_MAX
from actors.writer.admission import Admitted, admit
from actors.writer.backlog import Backlog
from actors.writer.desk import Desk
from actors.writer.ground import Ground
from actors.writer.pace import BRIEFLY_S
from actors.writer.refusals import Refusals
from actors.writer.room import RoomWatch
from actors.writer.waiting import Waiting

_encode = msgspec.json.Encoder().encode


Rows = Sequence[Row | None]


class _Body(msgspec.Struct, frozen=True):
    ts: str
    cmd: Command
    facts: tuple[Fact, ...]


class Commits:
    """One incarnation's; see the module's text."""

    def __init__(
        self, desk: Desk, store: Store, waiting: Waiting, backlog: Backlog, room: RoomWatch, ground: Ground
    ) -> None:
        self._desk = desk
        self._ledger = desk.ledger
        self._store = store
        self._waiting = waiting
        self._backlog = backlog
        self._room = room
        self._ground = ground
        self._refusals = Refusals(desk, ground)
        self._sync_at_s = float("inf")

    def due_in_s(self) -> float:
        """Return the seconds until the journal is to be synced, where a commit does not do that."""
        return float("inf") if self._sync_at_s == float("inf") else self._sync_at_s - self._now()

    async def tick(self) -> None:
        """Sync the journal when it is time."""
        if self.due_in_s() <= 0:
            await self._sync()

    async def commit(self, proposals: Sequence[Proposal]) -> None:
        """Commit a batch; when that crashes the writer, remember of whom, and whom to blame when it was alone."""
        try:
            await self._commit(proposals)
        except Exception:
            for proposal in proposals:
                proposal.request.suspect = True
            if len(proposals) == 1:
                self._desk.mailbox.blame(proposals[0])
            raise

    async def _commit(self, proposals: Sequence[Proposal]) -> None:
        admitted = admit(proposals, self._ledger.tables, self._ledger.epoch, self._desk.replayed)
        if self._ledger.mode is not Mode.OK:
            self._refusals.for_now(admitted)
            return
        if admitted.lines:
            stamp = self._desk.clock.stamp()
            bodies = [_encode(_Body(stamp, line.command, line.facts))[1:-1] for line in admitted.lines]
            if max(map(len, bodies)) > BODY_BYTES_MAX:
                self._refusals.too_long(proposals, dict(zip(admitted.lines, map(len, bodies), strict=True)))
                return
            begun_s = self._now()
            try:
                appended = await self._append(bodies)
            except NoRoom as shortage:
                self._room.found(shortage.room)
                self._refusals.for_now(admitted)
                await self._ground.go_beside(shortage)
                return
            except (OSError, JournalBroken) as error:
                await self._failed(admitted, error)
                return
            duration_s = self._now() - begun_s
            absorbed = self._absorb(admitted.lines, bodies, appended.first_seq, stamp)
            self._answer(admitted)
            self._note(absorbed)
            self._tell_runs(admitted.lines)
            self._observe(admitted, appended, duration_s)
        elif admitted.barriers:
            self._answer(admitted)
        # Only now: what is decided again must find what has just become durable.
        self._refusals.decide_again(admitted.refused)

    async def _append(self, bodies: Sequence[bytes]) -> Appended:
        """Have the lines written and synced; on the spot when that is a matter of a moment."""
        call = partial(self._store.commit, bodies)
        if not self._desk.pace.is_brief(len(bodies)):
            return await self._waiting.call(self._desk.commit_thread, call)
        self._desk.flush()
        job = self._desk.commit_thread.call_briefly(call, BRIEFLY_S)
        appended: Appended = job.result() if job.ended.is_set() else await self._waiting.result_of(job)
        return appended

    def _absorb(
        self, lines: Sequence[Proposal], bodies: Sequence[bytes], first_seq: int, stamp: str
    ) -> list[tuple[Line, Rows, Rows]]:
        """Take the lines into the tables; return each with its rows and those that go."""
        tables = self._ledger.tables
        absorbed: list[tuple[Line, Rows, Rows]] = []
        for seq, (proposal, body) in enumerate(zip(lines, bodies, strict=True), first_seq):
            line = Line(seq=seq, ts=stamp, cmd=proposal.command, facts=proposal.facts, size_bytes=len(body))
            rows = proposal.rows
            absorbed.append((line, rows, tables.leaving(line.facts, rows)))
            tables.absorb(line, rows)
        return absorbed

    def _note(self, absorbed: Sequence[tuple[Line, Rows, Rows]]) -> None:
        """Keep the lines for subscribers and for the files: no reply rests on that, so it comes after the replies."""
        recent, behind = self._ledger.recent, self._backlog.behind
        for line, rows, leaving in absorbed:
            recent.add(line)
            behind.note(line, rows, leaving)
        self._backlog.noted()
        if self._desk.is_followed():
            self._desk.events.tell(Committed(self._ledger.tables.seq))
        if self._desk.settings.durability == "interval" and self._sync_at_s == float("inf"):
            self._sync_at_s = self._now() + self._desk.settings.durability_interval_s

    def _answer(self, admitted: Admitted) -> None:
        """Tell clients and actors that what they asked for is durable; the replies leave at the end of this."""
        settled: dict[Ref, list[Proposal]] = {}
        with self._desk.replying():
            for proposal in (*admitted.lines, *admitted.barriers):
                proposal.request.answer(proposal.outcome)
                settled.setdefault(proposal.home, []).append(proposal)
            for home, proposals in settled.items():
                tell = home.tell if any(proposal.wakes_home for proposal in proposals) else home.tell_quietly
                tell(Settled(proposals))

    def _tell_runs(self, lines: Sequence[Proposal]) -> None:
        changed: dict[str, set[str]] = {"tasks": set(), "runs": set(), "services": set()}
        for line in lines:
            for table, row_id in line.addresses:
                if (ids := changed.get(table)) is not None:
                    ids.add(row_id)
        of_runs = changed["runs"] or changed["services"]
        if of_runs or (changed["tasks"] and self._ledger.tables.runs.queued):
            self._desk.runs.tell(RowsChanged(*(frozenset(changed[table]) for table in ("tasks", "runs", "services"))))

    def _observe(self, admitted: Admitted, appended: Appended, duration_s: float) -> None:
        self._desk.pace.took(appended.sync_s)
        facts = sum(len(line.facts) for line in admitted.lines)
        self._desk.observer.committed(len(admitted.lines), facts, duration_s, appended.sync_s)
        self._desk.log.debug(
            "committed",
            first_seq=appended.first_seq,
            last_seq=appended.last_seq,
            facts=facts,
            bytes=appended.bytes,
            duration_s=round(duration_s, 6),
            sync_s=round(appended.sync_s, 6),
        )

    async def _failed(self, admitted: Admitted, error: Exception) -> None:
        """A write failed: tell it, believe nothing of the tail, and begin the journal anew.

        A new epoch begins, because what lies in the mailbox may rest on the facts that are lost.
        """
        self._desk.log.error("a commit failed: nothing of it is acknowledged", error=str(error))
        self._ledger.show_broken(f"the journal could not be written: {error}", Problem.of(error))
        self._ledger.epoch += 1
        self._refusals.refuse(admitted, partial(StorageFailed, f"the journal could not be written: {error}"))
        self._desk.events.tell(Live("state:save-error", {"error": str(error)}))
        self._desk.mailbox.finished()  # all of the batch is answered or gone home: a crash from here on gives none back
        await self._ground.reopen()

    async def _sync(self) -> None:
        self._sync_at_s = float("inf")
        try:
            await self._waiting.call(self._desk.commit_thread, self._store.sync)
        except (OSError, JournalBroken) as error:
            await self._failed(Admitted((), ()), error)

    def _now(self) -> float:
        return self._desk.clock.monotonic_s()

"""The writer actor: recovers, then makes proposals durable batch by batch, and tells everyone what is true.

All proposals that wait when a commit starts share one write and one fdatasync. When they are durable the writer moves
the tables forward, answers, tells the homes and the events actor, and notes which files follow. It never retries a
failed write: the batch is answered `storage_failed`, and the journal is begun anew behind a fresh snapshot (`ground`).
While that fails, or the disk has nothing left but the reserve (`room`), commands are refused (`read_only`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

import msgspec
import trio

from actors.kernel.actor import BEAT_EVERY_S, Context
from actors.kernel.io_thread import IoThread, Job
from actors.kernel.mailbox import Letter
from actors.kernel.ref import Ask
from actors.ledger import Mode, Problem
from actors.messages.proposal import Committed, Forget, Live, Proposal, Read, RowsChanged, Settled
from actors.messages.questions import ReadArchived, SaveNow
from actors.messages.request import Request
from actors.messages.runtime import StateGet, StateSave
from actors.model.errors import PerdureError, ReadOnly, StorageFailed, TooLarge
from actors.model.facts import Fact
from actors.model.keys import Command
from actors.model.state import Line
from actors.storage.contract import Appended, Cut, NoRoom, Recovered, Store, cut_of
from actors.storage.journal import JournalBroken
from actors.storage.journal_lines import BODY_BYTES_MAX
from actors.writer.admission import Admitted, admit, send_home
from actors.writer.answers import read_of, serve
from actors.writer.backlog import Backlog
from actors.writer.desk import Desk
from actors.writer.ground import Ground
from actors.writer.news import damage, entry, news_of
from actors.writer.pace import BRIEFLY_S
from actors.writer.room import RoomWatch
from actors.writer.saving import Saving
from actors.writer.whole_state import whole_state

T = TypeVar("T")
_encode = msgspec.json.Encoder().encode


class _Body(msgspec.Struct, frozen=True):
    ts: str
    cmd: Command
    facts: tuple[Fact, ...]


class Writer:
    """See the module's text. `context` is the incarnation's, to beat while the disk is waited for."""

    def __init__(self, desk: Desk, context: Context) -> None:
        self._desk = desk
        self._ledger = desk.ledger
        self._context = context
        self._sync_at_s = float("inf")

    async def setup(self) -> None:
        """Wait for the old incarnation's I/O, recover, and show what is durable."""
        self._ledger.mode = Mode.RECOVERING
        await self._join()
        self._store = self._desk.store = self._desk.open_store()
        begun_s = self._now()
        recovered: Recovered = await self._wait_for(self._desk.commit_thread, self._store.recover)
        self._take_in(recovered)
        self._backlog = Backlog(self._desk, self._store, recovered.behind)
        self._saving = Saving(self._desk, self._store, int(recovered.report.get("base_seq") or 0))
        self._room = RoomWatch(self._desk, self._store)
        self._ground = Ground(self._desk, self._store, self._wait_for, self._cut, self._stood)
        self._ledger.show_writable()
        self._desk.observer.loaded(self._now() - begun_s)
        self._desk.log.info("recovered", **entry(recovered.report))
        if recovered.report.get("corrupted"):
            self._desk.log.error(damage(recovered.report), quarantined=recovered.report.get("quarantined"))
        for told in news_of(recovered.report):
            self._desk.events.tell(told)

    async def handle(self, tells: Sequence[Any], letters: Sequence[Letter]) -> None:
        """Commit the proposals as one batch; pass on what needs the disk otherwise."""
        del tells  # nobody tells the writer anything
        number = _share(letters)
        self._desk.mailbox.postpone(len(letters) - number)
        proposals: list[Proposal] = []
        for letter in self._desk.mailbox.each(letters[:number]):
            if isinstance(letter, Proposal):
                proposals.append(letter)
            else:
                self._ask_disk(letter)
        if proposals:
            await self._commit_or_suspect(proposals)
        if not self._desk.mailbox.depth:
            self._desk.replayed.clear()  # whoever waited for an answer since the crash has had it

    def due_in_s(self) -> float:
        """Return the seconds until the disk is tried again, files are due or the journal is to be synced."""
        return min(
            self._ground.due_in_s(), self._backlog.due_in_s(), self._room.due_in_s(), self._sync_at_s - self._now()
        )

    async def tick(self) -> None:
        """Do what time demands."""
        if self._room.is_short and self._ledger.room is not None:
            await self._ground.go_beside(NoRoom(self._ledger.room))
        await self._ground.tick()
        if self._now() >= self._sync_at_s:
            await self._sync()
        self._backlog.tick()
        self._saving.tick()
        self._room.tick()

    async def teardown(self) -> None:
        """Write the files that wait, as far as there is time, take a last snapshot, and close the store."""
        deadline_s = self._now() + self._desk.settings.last_files_within_s
        while not self._is_done(deadline_s):
            self._saving.tick()
            if self._backlog.idle and self._backlog.promising:
                self._backlog.write_portion()
            await self._wait_for(self._desk.background_thread, lambda: None)
        if not self._ground.is_broken and self._ledger.tables.seq > self._saving.saved_seq:
            cut = self._cut()
            try:
                await self._wait_for(self._desk.background_thread, self._store.sync_behind)
                saved = await self._wait_for(self._desk.background_thread, partial(self._store.save, cut))
                await self._wait_for(self._desk.commit_thread, partial(self._store.rotate, saved.seq))
            except (OSError, StorageFailed) as error:
                self._desk.log.warning("the last snapshot could not be written: the journal holds it", error=str(error))
        await self._close()

    def _is_done(self, deadline_s: float) -> bool:
        """Whether nothing is under way, nobody waits for a snapshot, and no file waits that could still be written."""
        is_idle = self._saving.idle and self._backlog.idle and not self._desk.savers
        return is_idle and not (self._backlog.promising and self._now() < deadline_s)

    async def _join(self) -> None:
        """Both threads are idle when a job queued now has run; past a deadline two writers would be possible."""
        with trio.move_on_after(self._desk.settings.join_within_s) as waited:
            for thread in (self._desk.commit_thread, self._desk.background_thread):
                await self._wait_for(thread, lambda: None)
            await self._close()
        if waited.cancelled_caught:
            self._desk.give_up("the disk did not answer: the old writer's I/O has not ended")

    async def _close(self) -> None:
        store, self._desk.store = self._desk.store, None
        if store is not None:
            try:
                await self._wait_for(self._desk.commit_thread, store.close)
            except (OSError, StorageFailed) as error:
                self._desk.log.warning("not everything could be closed in order; recovery sees to it", error=str(error))

    def _take_in(self, recovered: Recovered) -> None:
        self._desk.replayed |= recovered.refs
        ledger = self._ledger
        ledger.tables = recovered.tables
        ledger.epoch = max(ledger.epoch, recovered.epoch) + 1
        ledger.identity = dict(recovered.identity)
        ledger.recovery = dict(recovered.report)
        ledger.recent.clear()
        for line in recovered.lines:
            ledger.recent.add(line)
        ledger.files_backlog = len(recovered.behind)

    def _ask_disk(self, letter: Any) -> None:
        """Serve what is no proposal: a read, a snapshot, a question."""
        asked = letter.message if isinstance(letter, Ask) else getattr(letter, "params", None)
        if isinstance(asked, SaveNow | StateSave):
            self._saving.ask(letter)
        elif isinstance(letter, Read):
            serve(self._desk, self._store, letter, self._backlog.written_before(letter.job, letter.row_id))
        elif isinstance(asked, ReadArchived):  # a session that has just left may not be in the archive yet
            serve(self._desk, self._store, letter, self._backlog.written_before(read_of(asked), asked.session_id))
        elif isinstance(letter, Ask | Request):
            serve(
                self._desk, self._store, letter, self._whole_state() if isinstance(asked, StateGet) else read_of(asked)
            )

    def _whole_state(self) -> Callable[[Store], bytes]:
        cut = self._cut()
        return lambda _store: whole_state(cut, self._ledger.last_save, self._desk.settings.answer_bytes_max)

    async def _commit_or_suspect(self, proposals: Sequence[Proposal]) -> None:
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
            self._refuse_for_now(admitted)
            return
        if admitted.lines:
            stamp = self._desk.clock.stamp()
            bodies = [_encode(_Body(stamp, line.command, line.facts))[1:-1] for line in admitted.lines]
            if max(map(len, bodies)) > BODY_BYTES_MAX:
                self._refuse_long(proposals, dict(zip(admitted.lines, map(len, bodies), strict=True)))
                return
            begun_s = self._now()
            try:
                appended = await self._append(bodies)
            except NoRoom as shortage:
                self._room.found(shortage.room)
                self._refuse_for_now(admitted)
                await self._ground.go_beside(shortage)
                return
            except (OSError, JournalBroken) as error:
                await self._failed(admitted, error)
                return
            duration_s = self._now() - begun_s
            self._desk.pace.took(duration_s)
            self._absorb(admitted.lines, appended, stamp)
            self._observe(admitted, appended, duration_s)
        with self._desk.replying():
            self._answer(admitted)
        # Only now: what is decided again must find what has just become durable.
        self._send_home(admitted.refused)

    def _refuse_for_now(self, admitted: Admitted) -> None:
        """Refuse commands while nothing is written; what lies in the mailbox may rest on them: a new epoch begins."""
        if admitted.lines:
            self._ledger.epoch += 1
        self._refuse(admitted, self._refusal)

    def _refusal(self) -> ReadOnly:
        if self._ground.is_broken or self._ledger.room is None:
            return ReadOnly("the disk cannot be written: " + "; ".join(self._ledger.reasons))
        return ReadOnly(self._ledger.room.shortage(), hint=self._ledger.room.remedy())

    async def _append(self, bodies: Sequence[bytes]) -> Appended:
        """Have the lines written and synced; on the spot when that is a matter of a moment."""
        call = partial(self._store.commit, bodies)
        if not self._desk.pace.is_brief(len(bodies)):
            return await self._wait_for(self._desk.commit_thread, call)
        self._desk.flush()
        job = self._desk.commit_thread.call_briefly(call, BRIEFLY_S)
        appended: Appended = job.result() if job.ended.is_set() else await self._result_of(job)
        return appended

    def _absorb(self, lines: Sequence[Proposal], appended: Appended, stamp: str) -> None:
        tables = self._ledger.tables
        for seq, proposal in enumerate(lines, appended.first_seq):
            line = Line(seq=seq, ts=stamp, cmd=proposal.command, facts=proposal.facts)
            before = [tables.row(fact.kind.table, fact.id) for fact in line.facts]
            tables.absorb(line, proposal.rows)
            self._ledger.recent.add(line)
            self._backlog.behind.note(line, proposal.rows, before)
        self._backlog.noted()
        if self._desk.settings.durability == "interval" and self._sync_at_s == float("inf"):
            self._sync_at_s = self._now() + self._desk.settings.durability_interval_s

    def _answer(self, admitted: Admitted) -> None:
        done = [*admitted.lines, *admitted.barriers]
        for proposal in done:
            proposal.request.answer(proposal.outcome)
        for home in {proposal.home.name: proposal.home for proposal in done}.values():
            settled = [proposal for proposal in done if proposal.home.name == home.name]
            tell = home.tell if any(proposal.wakes_home for proposal in settled) else home.tell_quietly
            tell(Settled(settled))
        if admitted.lines:
            if self._desk.is_followed():
                self._desk.events.tell(Committed(self._ledger.tables.seq))
            self._tell_runs(admitted.lines)

    def _tell_runs(self, lines: Sequence[Proposal]) -> None:
        changed: dict[str, set[str]] = {"tasks": set(), "runs": set(), "services": set()}
        for line in lines:
            for fact in line.facts:
                if (ids := changed.get(fact.kind.table)) is not None:
                    ids.add(fact.id)
        of_runs = changed["runs"] or changed["services"]
        if of_runs or (changed["tasks"] and self._ledger.tables.runs.queued):
            self._desk.runs.tell(RowsChanged(*(frozenset(changed[table]) for table in ("tasks", "runs", "services"))))

    def _observe(self, admitted: Admitted, appended: Appended, duration_s: float) -> None:
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
        self._refuse(admitted, partial(StorageFailed, f"the journal could not be written: {error}"))
        self._desk.events.tell(Live("state:save-error", {"error": str(error)}))
        self._desk.mailbox.finished()  # all of the batch is answered or gone home: a crash from here on gives none back
        await self._ground.reopen()

    async def _sync(self) -> None:
        self._sync_at_s = float("inf")
        try:
            await self._wait_for(self._desk.commit_thread, self._store.sync)
        except (OSError, JournalBroken) as error:
            await self._failed(Admitted((), ()), error)

    def _refuse(self, admitted: Admitted, make: Callable[[], PerdureError]) -> None:
        """Answer commands with an error; barriers rest on what is refused here, so they are decided again."""
        for home in {proposal.home.name: proposal.home for proposal in admitted.lines}.values():
            home.tell(Forget())
        for proposal in admitted.lines:
            proposal.fail(make())
        self._send_home([*admitted.barriers, *admitted.refused])

    def _refuse_long(self, proposals: Sequence[Proposal], lengths: Mapping[Proposal, int]) -> None:
        """Answer commands whose line would be too long; all others may rest on them, and are decided again."""
        self._ledger.epoch += 1
        for proposal, length in lengths.items():
            if length > BODY_BYTES_MAX:
                proposal.home.tell(Forget())
                proposal.fail(TooLarge(f"{proposal.method} would need a line of {length} bytes in the journal"))
        self._send_home([proposal for proposal in proposals if not proposal.request.answered])

    def _send_home(self, refused: Sequence[Proposal]) -> None:
        """Have commands decided again, together with what their homes have handed on since: in the order sent."""
        homes = {proposal.home.name for proposal in refused}
        if homes:
            waiting = self._desk.mailbox.withdraw(lambda letter: self._is_from(letter, homes))
            send_home([*refused, *(letter for letter in waiting if isinstance(letter, Proposal))])

    def _is_from(self, letter: Letter, homes: Collection[str]) -> bool:
        """What was written before a crash is not decided again, whoever sent it."""
        if not isinstance(letter, Proposal) or letter.command.ref in self._desk.replayed:
            return False
        return letter.home.name in homes

    async def _wait_for(self, thread: IoThread, call: Callable[[], T]) -> T:
        result: T = await self._result_of(thread.submit(call))
        return result

    async def _result_of(self, job: Job) -> Any:
        """Wait for a job and beat meanwhile: a slow disk is no hung actor."""
        while not job.ended.is_set():
            with trio.move_on_after(BEAT_EVERY_S):
                await job.ended.wait()
            self._context.beat()
        return job.result()

    def _stood(self, seq: int) -> None:
        """A fresh snapshot is in place, made on the way back."""
        self._saving.saved_seq = seq
        self._ledger.save_problem = None

    def _cut(self) -> Cut:
        return cut_of(self._ledger.tables, self._ledger.epoch, self._ledger.identity, self._desk.clock.stamp())

    def _now(self) -> float:
        return self._desk.clock.monotonic_s()


def _share(letters: Sequence[Letter]) -> int:
    """Return how many of the first letters make one batch: a suspect is alone, so that the guilty one is found.

    It comes as a new proposal of the same request, decided again on what this incarnation found.
    """
    suspects = (n for n, letter in enumerate(letters) if isinstance(letter, Proposal) and letter.request.suspect)
    return max(1, next(suspects, len(letters))) if letters else 0

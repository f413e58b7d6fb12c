"""The writer actor: recovers, then makes proposals durable batch by batch, and tells everyone what is true.

All proposals that wait when a commit starts share one write and one fdatasync (`commits`). It never retries a failed
write: the batch is answered `storage_failed`, and the journal is begun anew behind a fresh snapshot (`ground`). While
that fails, or the disk has nothing left but the reserve (`room`), commands are refused (`refusals`). Files follow
behind (`backlog`), snapshots are taken beside (`saving`), and who only asks is answered from the disk (`answers`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import trio

from actors.kernel.actor import Context
from actors.kernel.mailbox import Letter
from actors.kernel.ref import Ask
from actors.ledger import Mode
from actors.messages.proposal import Proposal, Read
from actors.messages.questions import ReadArchived, SaveNow
from actors.messages.request import Request
from actors.messages.runtime import StateGet, StateSave
from actors.model.errors import StorageFailed
from actors.storage.contract import Cut, NoRoom, Recovered, Store, cut_of
from actors.writer.answers import read_of, serve
from actors.writer.backlog import Backlog
from actors.writer.commits import Commits
from actors.writer.desk import Desk
from actors.writer.ground import Ground
from actors.writer.news import damage, entry, news_of
from actors.writer.room import RoomWatch
from actors.writer.saving import Saving
from actors.writer.waiting import Waiting
from actors.writer.whole_state import whole_state


class Writer:
    """See the module's text. `context` is the incarnation's, to beat while the disk is waited for."""

    def __init__(self, desk: Desk, context: Context) -> None:
        self._desk = desk
        self._ledger = desk.ledger
        self._waiting = Waiting(context)

    async def setup(self) -> None:
        """Wait for the old incarnation's I/O, recover, and show what is durable."""
        self._ledger.mode = Mode.RECOVERING
        await self._join()
        self._store = self._desk.store = self._desk.open_store()
        begun_s = self._now()
        recovered: Recovered = await self._waiting.call(self._desk.commit_thread, self._store.recover)
        self._take_in(recovered)
        self._backlog = Backlog(self._desk, self._store, recovered.behind)
        self._saving = Saving(self._desk, self._store, int(recovered.report.get("base_seq") or 0))
        self._room = RoomWatch(self._desk, self._store)
        self._ground = Ground(self._desk, self._store, self._waiting.call, self._cut, self._stood)
        self._commits = Commits(self._desk, self._store, self._waiting, self._backlog, self._room, self._ground)
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
            await self._backlog.lightened(self._waiting)
            await self._commits.commit(proposals)
        if not self._desk.mailbox.depth:
            self._desk.replayed.clear()  # whoever waited for an answer since the crash has had it

    def due_in_s(self) -> float:
        """Return the seconds until the disk is tried again, files are due or the journal is to be synced."""
        return min(self._ground.due_in_s(), self._backlog.due_in_s(), self._room.due_in_s(), self._commits.due_in_s())

    async def tick(self) -> None:
        """Do what time demands."""
        if self._room.is_short and self._ledger.room is not None:
            await self._ground.go_beside(NoRoom(self._ledger.room))
        await self._ground.tick()
        await self._commits.tick()
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
            await self._waiting.call(self._desk.background_thread, lambda: None)
        if not self._ground.is_broken and self._ledger.tables.seq > self._saving.saved_seq:
            cut = self._cut()
            try:
                await self._waiting.call(self._desk.background_thread, self._store.sync_behind)
                saved = await self._waiting.call(self._desk.background_thread, partial(self._store.save, cut))
                await self._waiting.call(self._desk.commit_thread, partial(self._store.rotate, saved.seq))
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
                await self._waiting.call(thread, lambda: None)
            await self._close()
        if waited.cancelled_caught:
            self._desk.give_up("the disk did not answer: the old writer's I/O has not ended")

    async def _close(self) -> None:
        store, self._desk.store = self._desk.store, None
        if store is not None:
            try:
                await self._waiting.call(self._desk.commit_thread, store.close)
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

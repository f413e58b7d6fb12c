"""Snapshots: asked for by autosave, by a client, by a long journal, and at the end.

The cut is taken between two batches, in a millisecond or two; the background thread writes it while commits go on;
then the commit thread begins a new segment and lets go of what nothing needs any more. Whoever waits for a snapshot
stands on the desk, so that a crash of the writer does not leave them waiting: the next incarnation takes it again.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import msgspec

from actors.kernel.io_thread import Job
from actors.kernel.mailbox import Letter
from actors.kernel.ref import Ask
from actors.ledger import Problem
from actors.messages.proposal import Live
from actors.messages.request import Request
from actors.model.errors import StorageFailed
from actors.storage.backups import BackupFailed
from actors.storage.contract import Saved, Store, cut_of
from actors.writer.desk import Desk

_encode = msgspec.json.Encoder().encode


class Saving:
    """One incarnation's snapshots."""

    def __init__(self, desk: Desk, store: Store, saved_seq: int) -> None:
        self.saved_seq = saved_seq
        self._desk = desk
        self._store = store
        self._busy = False
        self._again_at_s = float("-inf")
        """A long journal brings on a snapshot by itself; one that failed is tried again after a while, not at once."""
        self._waiting: list[Letter] = []
        """Whoever is served by the snapshot that is under way; those on the desk wait for the next."""

    @property
    def idle(self) -> bool:
        """Whether nothing is under way."""
        return not self._busy

    def ask(self, letter: Letter) -> None:
        """Wait for a snapshot that holds everything committed up to now."""
        self._desk.savers.append(letter)

    def tick(self) -> None:
        """Begin a snapshot when somebody waits for one or the journal has grown long."""
        tables = self._desk.ledger.tables
        is_long = tables.seq - self.saved_seq >= self._desk.settings.snapshot_after_facts
        if self._busy or not (self._desk.savers or (is_long and self._now() >= self._again_at_s)):
            return
        self._busy = True
        self._waiting = list(self._desk.savers)
        ledger = self._desk.ledger
        cut = cut_of(tables, ledger.epoch, ledger.identity, self._desk.clock.stamp())
        self._desk.background_thread.submit(partial(self._store.save, cut), self._written)

    def _written(self, job: Job) -> None:
        self._busy = False
        waiting, self._waiting = self._waiting, []
        self._desk.savers[:] = [letter for letter in self._desk.savers if letter not in waiting]
        try:
            saved: Saved = job.result()
        except Exception as error:  # noqa: BLE001 - this is a callback of the loop: what it raised would end the process
            self._failed(waiting, error)
        else:
            self._succeeded(waiting, saved)
        self._desk.mailbox.wake()

    def _succeeded(self, waiting: list[Letter], saved: Saved) -> None:
        self.saved_seq = saved.seq
        self._desk.ledger.save_problem = None
        self._note_backups(saved)
        told: dict[str, Any] = {
            "path": saved.path,
            "seq": saved.seq,
            "bytes": saved.bytes,
            "duration_s": round(saved.duration_s, 6),
        }
        self._desk.ledger.last_save = {**told, "at": self._desk.clock.stamp(), "monotonic_s": self._now()}
        graves = self._desk.ledger.tables.tombstones
        for grave in saved.forgotten:
            if graves.get((grave.table, grave.id)) is grave:
                del graves[grave.table, grave.id]
        self._desk.observer.saved(saved.duration_s)
        self._desk.log.debug("saved", **told)
        self._desk.events.tell(Live("state:saved", told))
        self._desk.commit_thread.submit(partial(self._store.rotate, saved.seq), self._rotated)
        for letter in waiting:
            _answer(letter, told)

    def _note_backups(self, saved: Saved) -> None:
        problem = saved.backup_problem
        self._desk.ledger.backup_problem = None if problem is None else Problem.of(problem)
        if problem is not None:
            self._desk.log.warning("the backups could not be put in order", **told_of(problem))

    def _failed(self, waiting: list[Letter], error: Exception) -> None:
        self._again_at_s = self._now() + self._desk.settings.retry_s
        self._desk.ledger.save_failures += 1
        self._desk.ledger.save_problem = Problem.of(error)
        if isinstance(error, BackupFailed):
            self._desk.ledger.backup_problem = Problem.of(error)
        self._desk.observer.save_failed()
        self._desk.log.warning("the snapshot could not be written; the last one stays", **told_of(error))
        self._desk.events.tell(Live("state:save-error", {"error": str(error)}))
        for letter in waiting:
            letter.fail(
                StorageFailed(
                    f"the snapshot could not be written: {error}",
                    hint="nothing is lost: the journal holds everything; free or repair the disk, then save again",
                )
            )

    def _rotated(self, job: Job) -> None:
        try:
            size = job.result()
        except Exception as error:  # noqa: BLE001 - as above
            # Where the journal itself could not go on, the next commit finds it closed, and reopens it.
            self._desk.log.warning("the journal could not begin a new segment", **told_of(error))
        else:
            self._desk.ledger.journal = {"bytes": size.bytes, "segments": size.segments}

    def _now(self) -> float:
        return self._desk.clock.monotonic_s()


def told_of(error: Exception) -> dict[str, Any]:
    """Return what the log says of it: a disk that refuses in a word, a defect with its traceback."""
    return {"error": str(error)} if isinstance(error, OSError) else {"error": repr(error), "exc_info": error}


def _answer(letter: Letter, told: dict[str, Any]) -> None:
    if isinstance(letter, Request):
        letter.done(_encode(told))
    elif isinstance(letter, Ask):
        letter.answer(told)

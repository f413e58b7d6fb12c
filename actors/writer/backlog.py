"""The backlog: files written behind the journal, in portions, by the background thread.

One portion is under way at a time. It takes everything but task files, and of these a bounded number, so that a query
which needs the disk waits for a portion and never for the whole backlog. A portion that failed is put back and tried
again; writing it twice changes nothing.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from actors.kernel.io_thread import Job
from actors.storage.behind import Behind
from actors.storage.contract import Store
from actors.writer.desk import Desk

TASK_FILES_MAX: Final = 256
"""Task files of one portion: about 50 ms of work."""


class Backlog:
    """One incarnation's files to write."""

    def __init__(self, desk: Desk, store: Store, behind: Behind) -> None:
        self.behind = behind
        self.durable_seq = 0
        """Up to which seq all files are durable."""
        self._desk = desk
        self._store = store
        self._busy = False
        self._due_s = self._now() if len(behind) else float("inf")
        self._sync_due_s = self._now() + desk.settings.files_sync_s
        self._unsynced = True
        self._written_seq = 0

    @property
    def idle(self) -> bool:
        """Whether nothing is under way."""
        return not self._busy

    def due_in_s(self) -> float:
        """Return the seconds until there is something to do."""
        if self._busy:
            return float("inf")
        return min(self._due_s, self._sync_due_s if self._unsynced else float("inf")) - self._now()

    def noted(self) -> None:
        """Something was added to `behind`."""
        self._desk.ledger.files_backlog = len(self.behind)
        if self._due_s == float("inf"):
            self._due_s = self._now() + self._desk.settings.files_delay_s

    def tick(self) -> None:
        """Begin what is due."""
        if self._busy:
            return
        if self._now() >= self._due_s:
            self.write_portion()
        elif self._unsynced and self._now() >= self._sync_due_s:
            self._busy = True
            self._desk.background_thread.submit(self._store.sync_behind, self._synced)

    def write_portion(self) -> None:
        """Hand the next portion to the background thread; also before a query that needs the disk."""
        if not len(self.behind):
            self._due_s = float("inf")
            return
        portion = self.behind.take(TASK_FILES_MAX)
        self._busy = True
        self._unsynced = True
        self._desk.background_thread.submit(partial(self._store.write_behind, portion), partial(self._written, portion))

    def _written(self, portion: Behind, job: Job) -> None:
        self._busy = False
        self._due_s = self._now() if len(self.behind) else float("inf")
        try:
            written = job.result()
        except OSError as error:
            self.behind.put_back(portion)
            self._due_s = self._now() + self._desk.settings.retry_s
            self._desk.log.warning("files behind the journal could not be written", error=str(error))
        else:
            self._desk.log.debug("files written behind", files=len(portion), seq=portion.seq, left=len(self.behind))
            for path in written.edited:
                self._desk.log.warning("a file was edited meanwhile: the edited copy is in quarantine", path=path)
        self._desk.ledger.files_backlog = len(self.behind)
        self._desk.mailbox.wake()

    def _synced(self, job: Job) -> None:
        self._busy = False
        self._sync_due_s = self._now() + self._desk.settings.files_sync_s
        try:
            self.durable_seq = job.result()
        except OSError as error:
            self._desk.log.warning("files behind the journal could not be made durable", error=str(error))
        else:
            self._unsynced = len(self.behind) > 0
        self._desk.mailbox.wake()

    def _now(self) -> float:
        return self._desk.clock.monotonic_s()

"""The backlog: files written behind the journal, in portions, by the background thread.

One portion is under way at a time, unless a query needs the disk: it lets what came since go before it. A portion
takes everything but task files, and of these a bounded number, so that a query waits for a portion and never for the
whole backlog. A portion that failed is put back and tried again; writing it twice changes nothing. Those that were
under way behind it are put back too, though they were written: what is old must not come to lie over what is new.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final, TypeVar

from actors.kernel.io_thread import Job
from actors.ledger import Problem
from actors.messages.proposal import Live
from actors.storage.behind import Behind
from actors.storage.contract import Store, WrittenBehind
from actors.writer.damage import tell_damage
from actors.writer.desk import Desk
from actors.writer.rest import rest_s
from actors.writer.saving import told_of
from actors.writer.waiting import Waiting

T = TypeVar("T")

TASK_FILES_MAX: Final = 64
"""Task files of one portion: about 15 ms of work, three times that beside commands. Larger ones are no faster."""

HELD_BYTES_MAX: Final = 64 << 20
"""Messages and texts that wait in memory for their files; beyond that commands wait until some are written."""


class Backlog:
    """One incarnation's files to write."""

    def __init__(self, desk: Desk, store: Store, behind: Behind) -> None:
        self.behind = behind
        self.durable_seq = 0
        """Up to which seq all files are durable."""
        self.failing = False
        """Whether the last portion could not be written."""
        self._desk = desk
        self._store = store
        self._portions: dict[Job, Behind] = {}
        """Those under way, oldest first."""
        self._syncing = False
        self._again: list[Behind] = []
        """Portions to put back once none is under way."""
        self._elsewhere = 0
        """How many files those two kinds of portions hold."""
        self._begun_s = self._now()
        self._begun_seq = behind.seq
        """When the newest portion was begun, and what the journal held then."""
        self._due_s = self._now() if len(behind) else float("inf")
        self._sync_due_s = self._now() + desk.settings.files_sync_s
        self._unsynced = True

    @property
    def idle(self) -> bool:
        """Whether nothing is under way."""
        return not self._portions and not self._syncing

    @property
    def promising(self) -> bool:
        """Whether something waits, and the disk took the last portion."""
        return len(self.behind) > 0 and not self.failing

    @property
    def _held_bytes(self) -> int:
        return self.behind.held_bytes + sum(portion.held_bytes for portion in self._portions.values())

    @property
    def _is_waiting(self) -> bool:
        return len(self.behind) > 0 or self.behind.after_seq != self.behind.seq

    def due_in_s(self) -> float:
        """Return the seconds until there is something to do."""
        if not self.idle:
            return float("inf")
        return min(self._due_s, self._sync_due_s if self._unsynced else float("inf")) - self._now()

    def noted(self) -> None:
        """Something was added to `behind`."""
        self._desk.ledger.files_backlog = len(self.behind) + self._elsewhere
        if self._due_s == float("inf"):
            self._due_s = self._now() + self._desk.settings.files_delay_s

    def tick(self) -> None:
        """Begin what is due."""
        if not self.idle:
            return
        if self._now() >= self._due_s:
            self.write_portion()
        elif self._unsynced and self._now() >= self._sync_due_s:
            self._syncing = True
            self._desk.background_thread.submit(self._store.sync_behind, self._synced)

    async def lightened(self, waiting: Waiting) -> None:
        """Wait while too much is held in memory for files; not for a disk that does not take them."""
        while self._held_bytes > HELD_BYTES_MAX and not self.failing:
            if not self._portions:
                self.write_portion()
            await waiting.end_of(next(iter(self._portions)))

    def write_portion(self) -> None:
        """Hand the next portion to the background thread; an empty one tells that lines have no files."""
        if not self._is_waiting:
            self._due_s = float("inf")
            return
        self._begun_s, self._begun_seq = self._now(), self.behind.seq
        portion = self.behind.take(TASK_FILES_MAX)
        self._unsynced = True
        write = partial(self._store.write_behind, portion)
        self._portions[self._desk.background_thread.submit(write, self._written)] = portion
        self._elsewhere += len(portion)

    def written_before(self, read: Callable[[Store], T], row_id: str) -> Callable[[Store], T]:
        """Let files that wait be written before something is read, which fails when its own file could not be.

        A page that lacks what was acknowledged would be a lie; that it cannot be read at present is none.
        """
        if len(self.behind):
            self.write_portion()
        portions = [job for job, portion in self._portions.items() if portion.holds(row_id)]

        def read_then(store: Store) -> T:
            for portion in portions:  # ended before this begins: the thread keeps the order
                portion.result()
            return read(store)

        return read_then

    def _written(self, job: Job) -> None:
        portion = self._portions.pop(job)
        try:
            self._tell(portion, job.result())
        except Exception as error:  # noqa: BLE001 - a callback of the loop: what it raised would end the process
            # Every query of a file tries again: on a disk that is full, a line each would fill the log as well.
            tell = self._desk.log.debug if self.failing else self._desk.log.warning
            tell("files behind the journal could not be written", **told_of(error))
            self.failing = True
            self._desk.ledger.files_problem = Problem.of(error)
            self._again.append(portion)
        else:
            if self.failing:
                self._desk.log.warning("files behind the journal are written again")
            self.failing = False
            self._desk.ledger.files_problem = None
            if self._again:
                self._again.append(portion)
        if not self._portions:
            pause_s = self._desk.settings.retry_s if self._again else self._rest_s()
            while self._again:
                self.behind.put_back(self._again.pop())
            # Lines without files count, too: the journal is kept until the watermark has passed them.
            self._due_s = self._now() + pause_s if self._is_waiting else float("inf")
        self._show()
        self._desk.mailbox.wake()

    def _rest_s(self) -> float:
        if len(self.behind) > len(self.behind.tasks):
            return 0.0  # messages and texts are held in memory until they are written; a task's row is there anyway
        lines = self.behind.seq - self._begun_seq
        return rest_s(self._now() - self._begun_s, lines=lines, waiting=len(self.behind))

    def _synced(self, job: Job) -> None:
        self._syncing = False
        self._sync_due_s = self._now() + self._desk.settings.files_sync_s
        try:
            self.durable_seq = job.result()
        except Exception as error:  # noqa: BLE001 - as above
            self._desk.log.warning("files behind the journal could not be made durable", **told_of(error))
        else:
            self._unsynced = self.durable_seq < self.behind.seq
        self._desk.mailbox.wake()

    def _tell(self, portion: Behind, written: WrittenBehind) -> None:
        self._desk.log.debug("files written behind", files=len(portion), seq=portion.seq, left=len(self.behind))
        for path in written.edited:
            message = "a task file was edited meanwhile: the edited copy is in quarantine"
            self._desk.log.warning(message, path=path)
            self._desk.events.tell(Live("task:edited", {"message": message, "path": path}, recorded=True))
        tell_damage(self._desk, self._store)

    def _show(self) -> None:
        """Show how many files are not written, those of portions under way or to be put back included."""
        self._elsewhere = sum(map(len, (*self._portions.values(), *self._again)))
        self._desk.ledger.files_backlog = len(self.behind) + self._elsewhere

    def _now(self) -> float:
        return self._desk.clock.monotonic_s()

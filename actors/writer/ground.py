"""The ground the journal stands on: begun anew after a failure, in the state directory or beside it, and brought back.

    ground     a commit fails     reopening fails    it works in place    it works beside    coming back works
    IN_PLACE   BROKEN
    BROKEN                        BROKEN             IN_PLACE             BESIDE
    BESIDE     BROKEN                                                                        IN_PLACE

Nothing retries a write that failed: each of these begins with a cut of what is durable. While it is BROKEN commands are
refused; BESIDE, they are taken.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from actors.kernel.io_thread import IoThread
from actors.ledger import Mode, Problem
from actors.storage.contract import Cut, Store
from actors.writer.desk import Desk

WaitFor = Callable[[IoThread, Callable[[], Any]], Awaitable[Any]]


class Ground:
    """One incarnation's. `wait_for` does a job on a thread and beats meanwhile; `stood` hears of each new snapshot."""

    def __init__(
        self, desk: Desk, store: Store, wait_for: WaitFor, cut: Callable[[], Cut], stood: Callable[[int], None]
    ) -> None:
        self._desk = desk
        self._store = store
        self._wait_for = wait_for
        self._cut = cut
        self._stood = stood
        self._due_s = self._now() + desk.settings.come_back_every_s
        self._show()

    @property
    def is_broken(self) -> bool:
        """Whether there is no journal to write."""
        ledger = self._desk.ledger
        return ledger.mode is Mode.READ_ONLY and ledger.journal_problem is not None

    def due_in_s(self) -> float:
        """Return the seconds until the disk is tried again."""
        waits = self.is_broken or self._desk.ledger.beside is not None
        return self._due_s - self._now() if waits else float("inf")

    async def tick(self) -> None:
        """Try the disk again when it is time."""
        if self.due_in_s() > 0:
            return
        if self.is_broken:
            await self.reopen()
        else:
            await self._come_back()

    async def reopen(self) -> None:
        """Begin the journal anew, wherever that is possible."""
        await self._wait_for(self._desk.background_thread, lambda: None)
        cut = self._cut()
        try:
            await self._wait_for(self._desk.commit_thread, partial(self._store.reopen, cut))
        except OSError as error:
            self._desk.ledger.show_broken(f"the disk cannot be written: {error}", Problem.of(error))
            self._due_s = self._now() + self._desk.settings.retry_s
            return
        self._go_on(cut, "the journal goes on behind a fresh snapshot")

    async def go_beside(self, why: OSError) -> None:
        """Leave a state directory that has no room; where there is no other place, or it refuses too, stay."""
        if not self._store.has_fallback or self._desk.ledger.beside is not None:
            return
        await self._wait_for(self._desk.background_thread, lambda: None)
        cut = self._cut()
        try:
            await self._wait_for(self._desk.commit_thread, partial(self._store.go_beside, cut, why))
        except OSError as error:
            self._desk.ledger.show_broken(f"the disk cannot be written: {error}", Problem.of(error))
            self._due_s = self._now() + self._desk.settings.retry_s
            return
        self._go_on(cut, "the state directory has no room")

    async def _come_back(self) -> None:
        await self._wait_for(self._desk.background_thread, lambda: None)
        cut = self._cut()
        try:
            await self._wait_for(self._desk.commit_thread, partial(self._store.come_back, cut))
        except OSError as error:
            self._desk.log.debug("the state directory cannot be written yet", error=str(error))
            self._due_s = self._now() + self._desk.settings.come_back_every_s
            return
        self._go_on(cut, "the state directory can be written again: the journal was merged back")

    def _go_on(self, cut: Cut, message: str) -> None:
        self._desk.ledger.show_writable()
        self._due_s = self._now() + self._desk.settings.come_back_every_s
        self._show()
        beside = self._desk.ledger.beside
        if beside is None:
            self._stood(cut.seq)
        self._desk.log.warning(message, seq=cut.seq, fallback=beside is not None, problem=beside)

    def _show(self) -> None:
        self._desk.ledger.beside = self._store.beside

    def _now(self) -> float:
        return self._desk.clock.monotonic_s()

"""Room: keeps an eye on what the disk has left, and stops commands before the reserve is used up.

A commit looks for itself before it writes; this looks every few seconds besides, so that a disk which others fill is
told before anybody asks for something, and one that has room again is used at once. The two watermarks lie a quarter
apart, so that a disk at the edge does not make Perdure go to and fro.
"""

from __future__ import annotations

from actors.kernel.io_thread import Job
from actors.ledger import Mode
from actors.model.room import Room
from actors.storage.contract import Store
from actors.writer.desk import Desk
from actors.writer.saving import told_of


class RoomWatch:
    """One incarnation's eye on the disk."""

    def __init__(self, desk: Desk, store: Store) -> None:
        self._desk = desk
        self._store = store
        self._is_looking = False
        self._due_s = float("-inf")
        self._problem: str | None = None
        """Why the disk could not be looked at; told once."""

    @property
    def is_short(self) -> bool:
        """Whether commands are refused for want of room."""
        ledger = self._desk.ledger
        return ledger.mode is Mode.READ_ONLY and ledger.journal_problem is None

    def due_in_s(self) -> float:
        """Return the seconds until it looks again."""
        return float("inf") if self._is_looking else self._due_s - self._desk.clock.monotonic_s()

    def tick(self) -> None:
        """Look when it is time."""
        if self.due_in_s() <= 0:
            self._is_looking = True
            self._desk.commit_thread.submit(self._store.room, self._looked)

    def found(self, room: Room) -> None:
        """Draw the conclusion from how much room there is."""
        ledger = self._desk.ledger
        ledger.room = room
        if ledger.beside is not None:
            return  # the journal is written elsewhere, whatever this disk has left
        if ledger.mode is Mode.OK and room.is_short:
            ledger.show_short(room)
            self._desk.log.error("commands are refused: the disk is nearly full", problem=room.shortage())
        elif self.is_short and room.is_ample:
            ledger.show_writable()
            self._desk.log.warning("commands are taken again: the disk has room", free_bytes=room.free_bytes)
        elif self.is_short:
            ledger.show_short(room)

    def _looked(self, job: Job) -> None:
        self._is_looking = False
        settings = self._desk.settings
        self._due_s = self._desk.clock.monotonic_s() + (settings.retry_s if self.is_short else settings.look_every_s)
        try:
            room: Room = job.result()
        except Exception as error:  # noqa: BLE001 - a callback of the loop: what it raised would end the process
            if self._problem != str(error):
                self._desk.log.warning("the disk could not be looked at", **told_of(error))
            self._problem = str(error)
        else:
            self._problem = None
            self.found(room)
        self._desk.mailbox.wake()

"""The sessions actor: decides what sessions are, brings them back from the archive, and lets unused ones leave.

Bringing one back needs the disk before it can be decided. Such a command is handled alone: what came before it is
handed on and durable first, then the archive is asked, then it is decided. So all take effect in the order sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from actors.decisions import sessions as decisions
from actors.decisions.decision import At, Decision, Handler, row_reply
from actors.decisions.sessions import Archived
from actors.decisions.sessions_retention import overdue
from actors.domain import Domain, Place
from actors.errands import Returned
from actors.kernel.actor import Context
from actors.kernel.mailbox import Letter
from actors.kernel.patience import patiently
from actors.kernel.ref import Ask
from actors.messages.questions import ReadArchived
from actors.messages.request import Request
from actors.messages.sessions import SessionRestore
from actors.model.draft import Draft
from actors.model.errors import PerdureError
from actors.model.ids import given_session_id
from actors.queries.sessions import QUERIES
from actors.retention import Retention
from actors.spool import SpoolIntake


class Sessions(Domain):
    """See the module's text."""

    def __init__(self, place: Place, context: Context) -> None:
        restore = Handler(self._restore, row_reply("sessions"))
        super().__init__(place, context, {**decisions.HANDLERS, SessionRestore: restore}, QUERIES)
        self._retention = Retention(place, "sessions")
        self._spool = SpoolIntake(place, self._home)
        self._archived: Archived | PerdureError | None = None

    async def handle(self, tells: Sequence[Any], letters: Sequence[Letter]) -> None:
        """Decide what waited, up to the first command that needs the archive; that one begins the next turn."""
        number = next((n for n, letter in enumerate(letters) if _is_restore(letter)), len(letters))
        if number == 0 and letters:
            for tell in tells:
                self.told(tell)
            number = 1 if await self._ask_archive(letters[0]) else 0
            tells = ()
        if number or tells:
            await super().handle(tells, letters[:number])
        self._place.mailbox.postpone(len(letters) - number)

    def told(self, tell: Any) -> None:
        """Take answers from the disk, and what became durable."""
        if isinstance(tell, Returned):
            self._spool.returned(tell)
        else:
            super().told(tell)

    def due_in_s(self) -> float:
        """Return the seconds until the next slice of retention, or the next look into the spool."""
        return min(self._retention.due_in_s(), self._spool.due_in_s())

    async def tick(self) -> None:
        """Let sessions leave that were not used for too long; take in what the hook left."""
        if self._retention.look(self.propose_own):
            self._retention.take(self.propose_own, self._leave)
        self._spool.tick(self.consider, self.at())

    def at(self) -> At:
        """Return the present circumstances of a decision."""
        return self._retention.at()

    def _leave(self, draft: Draft, at: At) -> Decision:
        decision = overdue(draft, at)
        self._retention.took(more=bool(decision.facts))
        return decision

    def _restore(self, draft: Draft, asked: SessionRestore, at: At) -> Decision:
        archived, self._archived = self._archived, None
        if isinstance(archived, PerdureError):
            raise archived
        return decisions.restore(draft, asked, archived, at)

    async def _ask_archive(self, letter: Letter) -> bool:
        """Find out what the archive holds; False when earlier commands came back meanwhile and go first."""
        self._archived = None
        try:
            session_id = given_session_id(letter.params.id)[0] if isinstance(letter, Request) else ""
        except PerdureError:
            return True  # deciding it says what is wrong
        taken_back = self._place.mailbox.taken_back
        await self.settled()
        if self._place.mailbox.taken_back != taken_back:
            return False
        question = Ask(ReadArchived(session_id))
        await self._room()
        self._place.writer.offer([question])
        try:
            found = await patiently(self._context, question.wait)
        except PerdureError as error:
            self._archived = error
        else:
            self._archived = None if found is None else Archived(*found)
        return self._place.mailbox.taken_back == taken_back

    async def _room(self) -> None:
        await patiently(self._context, lambda: self._place.writer.room_for(1))


def _is_restore(letter: Letter) -> bool:
    return isinstance(letter, Request) and isinstance(letter.params, SessionRestore)

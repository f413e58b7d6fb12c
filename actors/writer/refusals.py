"""What becomes of proposals that are not written: refused with an error, or decided again by those who made them.

Whatever was decided on a proposal that is refused rests on facts that will never be; so it goes home too, and a new
epoch tells those apart that still lie in the mailbox.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from actors.kernel.mailbox import Letter
from actors.messages.proposal import Forget, Proposal
from actors.model.errors import PerdureError, ReadOnly, TooLarge
from actors.storage.journal_lines import BODY_BYTES_MAX
from actors.writer.admission import Admitted, send_home
from actors.writer.desk import Desk
from actors.writer.ground import Ground


class Refusals:
    """One incarnation's."""

    def __init__(self, desk: Desk, ground: Ground) -> None:
        self._desk = desk
        self._ground = ground

    def for_now(self, admitted: Admitted) -> None:
        """Refuse commands while nothing is written; what lies in the mailbox may rest on them: a new epoch begins."""
        if admitted.lines:
            self._desk.ledger.epoch += 1
        self.refuse(admitted, self._refusal)

    def _refusal(self) -> ReadOnly:
        if self._ground.is_broken or self._desk.ledger.room is None:
            return ReadOnly("the disk cannot be written: " + "; ".join(self._desk.ledger.reasons))
        return ReadOnly(self._desk.ledger.room.shortage(), hint=self._desk.ledger.room.remedy())

    def refuse(self, admitted: Admitted, make: Callable[[], PerdureError]) -> None:
        """Answer commands with an error; barriers rest on what is refused here, so they are decided again."""
        for home in {proposal.home.name: proposal.home for proposal in admitted.lines}.values():
            home.tell(Forget())
        for proposal in admitted.lines:
            proposal.fail(make())
        self.decide_again([*admitted.barriers, *admitted.refused])

    def too_long(self, proposals: Sequence[Proposal], lengths: Mapping[Proposal, int]) -> None:
        """Answer commands whose line would be too long; all others may rest on them, and are decided again."""
        self._desk.ledger.epoch += 1
        for proposal, length in lengths.items():
            if length > BODY_BYTES_MAX:
                proposal.home.tell(Forget())
                proposal.fail(TooLarge(f"{proposal.method} would need a line of {length} bytes in the journal"))
        self.decide_again([proposal for proposal in proposals if not proposal.request.answered])

    def decide_again(self, refused: Sequence[Proposal]) -> None:
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

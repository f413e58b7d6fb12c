"""Admission: which proposals may become journal lines, which are decided anew, which were written long ago.

A proposal names the revs that it was decided on. The writer, who alone knows what is durable and what is in this batch
before it, lets it pass only when they are still the rows' own. So a command that spans several actors' rows is atomic,
and a proposal of an older epoch that still lay in a mailbox can do no harm. An epoch ends with the incarnation of the
writer, and with a commit that failed: what was decided on the lost facts is decided again, barriers too.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import attrs

from actors.messages.proposal import Forget, Proposal
from actors.model.state import Tables


@attrs.frozen
class Admitted:
    """What became of a batch of proposals, each in the order in which they came."""

    lines: Sequence[Proposal]
    """To be written, one line each."""
    barriers: Sequence[Proposal]
    """Nothing to write: answered when the lines are durable."""
    refused: Sequence[Proposal] = ()
    """To be decided again, by `send_home`."""


def admit(proposals: Sequence[Proposal], tables: Tables, epoch: int, replayed: Collection[str]) -> Admitted:
    """Judge a batch; those written before a crash are answered.

    What an actor decided after a proposal that is refused is refused too: it may rest on it, and must not overtake it.
    """
    revs: dict[tuple[str, str], int] = {}
    keys: set[str] = set()
    lines: list[Proposal] = []
    barriers: list[Proposal] = []
    refused: list[Proposal] = []
    homes_refused: set[str] = set()
    for proposal in proposals:
        if proposal.epoch != epoch and proposal.command.ref in replayed:
            proposal.request.answer(proposal.outcome)  # recovery found it written: whoever waits for it is told so now
        elif proposal.epoch != epoch or proposal.home.name in homes_refused:
            refused.append(proposal)
            homes_refused.add(proposal.home.name)
        elif not proposal.facts and proposal.command.key is None:
            barriers.append(proposal)
        elif _is_current(proposal, tables, revs, keys):
            _stage(proposal, revs, keys)
            lines.append(proposal)
        else:
            refused.append(proposal)
            homes_refused.add(proposal.home.name)
    return Admitted(lines, barriers, refused)


def send_home(refused: Sequence[Proposal]) -> None:
    """Have commands decided again by the actors that decided them, on nothing but what is durable."""
    for home in {proposal.home.name: proposal.home for proposal in refused}.values():
        home.tell(Forget())
        home.take_back([proposal.request for proposal in refused if proposal.home.name == home.name])


def _is_current(proposal: Proposal, tables: Tables, revs: dict[tuple[str, str], int], keys: set[str]) -> bool:
    key = proposal.command.key
    if key is not None and (key in keys or tables.key(key) is not None):
        return False
    return all(_rev(tables, revs, table, row_id) == rev for table, row_id, rev in proposal.expects)


def _rev(tables: Tables, revs: dict[tuple[str, str], int], table: str, row_id: str) -> int:
    staged = revs.get((table, row_id))
    if staged is not None:
        return staged
    row = tables.row(table, row_id)
    return 0 if row is None else row.rev


def _stage(proposal: Proposal, revs: dict[tuple[str, str], int], keys: set[str]) -> None:
    for fact, row in zip(proposal.facts, proposal.rows, strict=True):
        revs[fact.kind.table, fact.id] = 0 if row is None else row.rev
    if proposal.command.key is not None:
        keys.add(proposal.command.key)

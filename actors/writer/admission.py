"""Admission: which proposals may become journal lines, which are decided anew, which were written long ago.

A proposal names the revs that it was decided on, and who had the keys that it looked for. The writer, who alone knows
what is durable and what is in this batch before it, lets it pass only when all of that is still so. So a command that
spans several actors' rows is atomic, what must be unique stays so whoever decides, and a proposal of an older epoch
that still lay in a mailbox can do no harm. An epoch ends with the incarnation of the writer, and with a commit that
failed: what was decided on the lost facts is decided again, barriers too.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import cast

import attrs

from actors.messages.proposal import Forget, Proposal
from actors.model.draft import Address
from actors.model.session_table import Index
from actors.model.state import Tables
from actors.model.tables import Row


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
    rows: dict[Address, Row | None] = {}
    keys: set[str] = set()
    lines: list[Proposal] = []
    barriers: list[Proposal] = []
    refused: list[Proposal] = []
    homes_refused: set[str] = set()
    for proposal in proposals:
        if proposal.epoch != epoch and proposal.command.ref in replayed:
            proposal.request.answer(proposal.outcome)  # recovery found it written: whoever waits for it is told so now
        elif proposal.epoch != epoch or (homes_refused and proposal.home.name in homes_refused):
            refused.append(proposal)
            homes_refused.add(proposal.home.name)
        elif not proposal.facts and proposal.command.key is None:
            barriers.append(proposal)
        elif _is_current(proposal, tables, rows, keys):
            _stage(proposal, rows, keys)
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


def _is_current(proposal: Proposal, tables: Tables, rows: dict[Address, Row | None], keys: set[str]) -> bool:
    key = proposal.command.key
    if key is not None and (key in keys or tables.key(key) is not None):
        return False
    for table, row_id, expected in proposal.expects:  # noqa: SIM110 - on the hot path: a generator costs as much again
        if _found(tables, rows, table, row_id) != expected:
            return False
    return True


def _found(tables: Tables, rows: dict[Address, Row | None], table: str, row_id: str) -> int | str:
    """Return the row's rev, or who has the key of an index, with what is in the batch before."""
    if "." in table:
        changed = {row_id: row for (name, row_id), row in rows.items() if name == "sessions"}
        index = cast("Index", table.partition(".")[2])
        return tables.sessions.holders(index, row_id, changed)
    row = rows[table, row_id] if (table, row_id) in rows else tables.row(table, row_id)
    return 0 if row is None else row.rev


def _stage(proposal: Proposal, rows: dict[Address, Row | None], keys: set[str]) -> None:
    rows.update(zip(proposal.addresses, proposal.rows, strict=True))
    if proposal.command.key is not None:
        keys.add(proposal.command.key)

"""What a domain actor and the writer say to each other.

Down go *proposals*: facts that an actor has decided on, with the revs they were decided on; the writer makes them
durable or sends the request back to be decided anew. A proposal without facts is a barrier: its answer rests on facts
that are not durable yet, and leaves when they are. Up go `Settled` and `Forget`, which never wait.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import attrs
import msgspec

from actors.kernel.ref import Ref
from actors.messages.request import Outcome, Request
from actors.model.draft import Address
from actors.model.errors import PerdureError
from actors.model.facts import Fact
from actors.model.keys import Command
from actors.model.searched import Unfinished
from actors.model.tables import Row

Expected = tuple[str, str, int | str]
"""What a decision was made on: (table, row id, rev; 0: there was no such row), or (`sessions.` and an index, key, the
ids of those who had it)."""


class Proposal(msgspec.Struct, eq=False, kw_only=True):
    """A decided command on its way to the disk."""

    request: Request
    home: Ref
    """The actor that decided, and that decides again when it must."""
    epoch: int
    """The writer's epoch on whose tables it was decided."""
    command: Command
    facts: tuple[Fact, ...]
    addresses: tuple[Address, ...]
    """Where the facts' rows are, one for each."""
    rows: Sequence[Row | None]
    expects: tuple[Expected, ...]
    outcome: Outcome
    wakes_home: bool = False
    """Whether the home acts as soon as the facts are durable; otherwise it learns of it when it is awake anyway."""

    @property
    def deliveries(self) -> int:
        """How often an actor crashed while the command was in its hands, in this proposal or an earlier one."""
        return self.request.deliveries

    @deliveries.setter
    def deliveries(self, number: int) -> None:
        self.request.deliveries = number

    @property
    def method(self) -> str:
        """The command's name, for dead letters."""
        return self.request.method

    def fail(self, error: PerdureError) -> None:
        """Answer the request with an error."""
        self.request.fail(error)


@attrs.define(eq=False)
class Read:
    """A query that needs the disk: the writer runs `job` on its background thread and answers with what it returns."""

    request: Request
    row_id: str
    """Whose file it is."""
    job: Callable[[Any], bytes | Unfinished]
    """Gets the writer's `Store`, returns the encoded result, or is called again; may raise a typed error."""
    deliveries: int = 0

    @property
    def method(self) -> str:
        """The query's name, for dead letters."""
        return self.request.method

    def fail(self, error: PerdureError) -> None:
        """Answer the request with an error."""
        self.request.fail(error)


class Settled(msgspec.Struct, frozen=True):
    """These proposals are durable: the tables hold them now."""

    proposals: Sequence[Proposal]


class Forget(msgspec.Struct, frozen=True):
    """Proposals of this actor were refused or failed: nothing that is not durable may be built on."""


class Committed(msgspec.Struct, frozen=True):
    """Lines became durable, up to and including `seq`."""

    seq: int


class RowsChanged(msgspec.Struct, frozen=True):
    """Lines became durable that changed these rows of tasks, runs and services, whoever decided them."""

    task_ids: frozenset[str]
    run_ids: frozenset[str]
    service_ids: frozenset[str] = frozenset()


class Live(msgspec.Struct, frozen=True):
    """An event that is not journalled (its `seq` is null), such as state:saved or actor:crashed."""

    kind: str
    data: dict[str, Any]
    recorded: bool = False
    """Whether it is also written into the journal as `event.recorded` as soon as the disk takes it."""

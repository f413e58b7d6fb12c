"""Which proposals may be written: told by the revs they were decided on, their epoch and their key."""

from __future__ import annotations

import msgspec
import pytest

from actors.kernel.mailbox import Mailbox
from actors.kernel.ref import Ref
from actors.messages.proposal import Expected, Forget, Proposal
from actors.messages.request import Done, Outcome, Request
from actors.model.draft import addresses_of
from actors.model.facts import Fact
from actors.model.keys import Command
from actors.model.state import Line, Tables, apply
from actors.writer.admission import Admitted, admit, send_home

EPOCH = 3


class Home:
    """An actor's mailbox, and what the requests that it handed on were answered."""

    def __init__(self) -> None:
        self.mailbox = Mailbox("tasks", 100)
        self.answers: list[Outcome] = []

    def proposal(
        self, fact: Fact | None, expects: Expected | None, *, epoch: int = EPOCH, ref: str = "", key: str | None = None
    ) -> Proposal:
        command = Command(method="task.start", ref=ref, key=key)
        return Proposal(
            request=Request(command.method, None, self.answers.append),
            home=Ref(self.mailbox),
            epoch=epoch,
            command=command,
            facts=() if fact is None else (fact,),
            addresses=() if fact is None else addresses_of((fact,)),
            rows=() if fact is None else (apply(None, fact),),
            expects=() if expects is None else (expects,),
            outcome=Done(b'"done"'),
        )


@pytest.fixture
def home() -> Home:
    return Home()


def created(task_id: str, rev: int) -> Fact:
    row = {
        "id": task_id,
        "status": "pending",
        "created_at": "2026-01-01T00:00:00.000Z",
        "description": "d",
        "updated_at": "2026-01-01T00:00:00.000Z",
        "logs": [],
        "rev": rev,
    }
    return Fact(op="task.saved", id=task_id, rev=rev, data=msgspec.Raw(msgspec.json.encode(row)))


def tables_with(task_id: str, rev: int, key: str | None = None) -> Tables:
    tables = Tables()
    fact = created(task_id, rev)
    command = Command(method="task.save", key=key, hash="h", ids=(task_id,))
    tables.absorb(
        Line(seq=1, ts="2026-01-01T00:00:00.000Z", cmd=command, facts=(fact,)),
        [apply(None, fact)],
    )
    return tables


def judge(tables: Tables, *proposals: Proposal, replayed: frozenset[str] = frozenset()) -> Admitted:
    admitted = admit(proposals, tables, EPOCH, replayed)
    send_home(admitted.refused)
    return admitted


async def returned(home: Home) -> int:
    """How many requests went home to be decided again."""
    if not home.mailbox.depth:
        return 0
    tells, letters = await home.mailbox.receive()
    assert any(isinstance(tell, Forget) for tell in tells), "the home must forget its draft before it decides again"
    return len(letters)


async def test_a_proposal_decided_on_the_present_rev_is_written(home: Home) -> None:
    admitted = judge(tables_with("a", 1), home.proposal(created("a", 2), ("tasks", "a", 1)))
    assert len(admitted.lines) == 1
    assert await returned(home) == 0


async def test_a_proposal_decided_on_an_old_rev_is_decided_again(home: Home) -> None:
    admitted = judge(tables_with("a", 2), home.proposal(created("a", 2), ("tasks", "a", 1)))
    assert not admitted.lines
    assert await returned(home) == 1
    assert not home.answers


async def test_a_row_that_was_thought_absent_must_be_absent(home: Home) -> None:
    admitted = judge(tables_with("a", 1), home.proposal(created("a", 1), ("tasks", "a", 0)))
    assert not admitted.lines
    assert await returned(home) == 1


async def test_within_one_batch_each_proposal_sees_those_before_it(home: Home) -> None:
    first = home.proposal(created("a", 2), ("tasks", "a", 1))
    second = home.proposal(created("a", 3), ("tasks", "a", 2))
    rival = home.proposal(created("a", 2), ("tasks", "a", 1))
    admitted = judge(tables_with("a", 1), first, second, rival)
    assert list(admitted.lines) == [first, second]
    assert await returned(home) == 1


async def test_a_proposal_of_an_older_epoch_is_never_written(home: Home) -> None:
    admitted = judge(tables_with("a", 1), home.proposal(created("a", 2), ("tasks", "a", 1), epoch=EPOCH - 1))
    assert not admitted.lines
    assert await returned(home) == 1


async def test_one_that_recovery_found_in_the_journal_is_answered_and_not_written_again(home: Home) -> None:
    old = home.proposal(created("a", 2), ("tasks", "a", 1), epoch=EPOCH - 1, ref="x-1")
    admitted = judge(tables_with("a", 2), old, replayed=frozenset({"x-1"}))
    assert not admitted.lines
    assert home.answers == [Done(b'"done"')]
    assert await returned(home) == 0


async def test_a_key_that_is_known_sends_the_command_home_where_it_becomes_a_repeat(home: Home) -> None:
    admitted = judge(tables_with("a", 1, key="k"), home.proposal(created("a", 2), ("tasks", "a", 1), key="k"))
    assert not admitted.lines
    assert await returned(home) == 1


async def test_one_key_is_written_once_in_a_batch(home: Home) -> None:
    first = home.proposal(created("a", 2), ("tasks", "a", 1), key="k")
    second = home.proposal(created("b", 1), ("tasks", "b", 0), key="k")
    admitted = judge(tables_with("a", 1), first, second)
    assert list(admitted.lines) == [first]
    assert await returned(home) == 1


async def test_what_was_decided_after_a_refused_proposal_is_decided_again_too(home: Home) -> None:
    before = home.proposal(None, None)
    refused = home.proposal(created("a", 2), ("tasks", "a", 1))
    after = home.proposal(None, None)
    other = home.proposal(created("b", 1), ("tasks", "b", 0))
    admitted = judge(tables_with("a", 2), before, refused, after, other)
    assert list(admitted.barriers) == [before]
    assert not admitted.lines
    assert await returned(home) == 3


async def test_a_barrier_is_no_line(home: Home) -> None:
    barrier = home.proposal(None, None)
    admitted = judge(tables_with("a", 1), barrier)
    assert not admitted.lines
    assert list(admitted.barriers) == [barrier]


async def test_a_keyed_command_without_facts_is_a_line_so_that_its_key_is_remembered(home: Home) -> None:
    proposal = home.proposal(None, None, key="k")
    assert list(judge(tables_with("a", 1), proposal).lines) == [proposal]

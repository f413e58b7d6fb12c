"""How a command goes from an actor to the disk and back, and what is told when it does not get through."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio

from actors.decisions.batch import Step, Steps
from actors.decisions.decision import NOTHING, At, Decision, Rules, patch
from actors.domain import Domain, Place
from actors.kernel.mailbox import Mailbox
from actors.kernel.ref import Ask, Ref
from actors.ledger import Ledger
from actors.messages import records
from actors.messages import tasks as ask
from actors.messages.proposal import Forget, Proposal, Read, Settled
from actors.messages.request import Done, Failed, Outcome, Request
from actors.model.draft import Draft
from actors.model.errors import Conflict, Internal, NotFound, PerdureError, StorageFailed
from actors.model.recent_lines import RecentLines
from actors.model.state import Line
from actors.queries.query import FromDisk
from tests.kit.core import PATIENCE_S, Core, HandClock, Life, running_core
from tests.kit.decided import HANDLERS
from tests.kit.rows import START, a_task


def read_count(tables: Any, _asked: ask.TaskList, _at: At) -> bytes:
    return str(len(tables.tasks)).encode()


def read_slowly(_tables: Any, _asked: ask.TaskGet, _at: At) -> FromDisk:
    return FromDisk("a", lambda _store: b'"from the disk"')


class Stand:
    """A domain actor whose writer is the test: it sees what is handed on and says what became of it."""

    def __init__(self, letters_max: int = 100) -> None:
        self.writer = Mailbox("writer", letters_max)
        self.mailbox = Mailbox("tasks", 100)
        self.life = Life()
        self.ledger = Ledger(recent=RecentLines(10))
        self.place = Place(
            mailbox=self.mailbox, writer=Ref(self.writer), ledger=self.ledger, clock=HandClock(), rules=Rules()
        )
        self.actor = self.born()

    def born(self) -> Domain:
        return Domain(self.place, self.life, HANDLERS, {ask.TaskList: read_count, ask.TaskGet: read_slowly})

    async def handle(self, *params: Any, key: str | None = None) -> list[list[Outcome]]:
        """Let the actor handle commands as one batch; return what each is answered, now and later."""
        answers: list[list[Outcome]] = [[] for _ in params]
        requests = [
            Request("m", one, answers[n].append, f"ref-{n}", key, f"digest {one}" if key else None)
            for n, one in enumerate(params)
        ]
        await self.actor.handle((), requests)
        return answers

    async def handed_on(self) -> list[Any]:
        if not self.writer.depth:
            return []
        return list((await self.writer.receive())[1])

    def commit(self, proposals: list[Proposal]) -> None:
        """Do what the writer does: absorb, answer, tell."""
        for proposal in proposals:
            if proposal.facts or proposal.command.key:
                line = Line(seq=self.ledger.tables.seq + 1, ts=START, cmd=proposal.command, facts=proposal.facts)
                self.ledger.tables.absorb(line, proposal.rows)
            proposal.request.answer(proposal.outcome)
        self.actor.told(Settled(proposals))


def results(outcomes: list[Outcome]) -> list[Any]:
    return [msgspec.json.decode(one.result) if isinstance(one, Done) else one.error.kind for one in outcomes]


CREATE = ask.TaskCreate(description="d", id="a")


async def test_a_command_is_answered_when_the_writer_says_so_and_not_before() -> None:
    stand = Stand()
    (answer,) = await stand.handle(CREATE)
    assert not answer
    proposals = await stand.handed_on()
    stand.commit(proposals)
    assert results(answer)[0]["id"] == "a"


async def test_a_proposal_names_the_revs_it_was_decided_on() -> None:
    stand = Stand()
    await stand.handle(CREATE, ask.TaskStart(id="a"))
    first, second = await stand.handed_on()
    assert first.expects == (("tasks", "a", 0),)
    assert second.expects == (("tasks", "a", 1),)
    assert second.command.ref == "ref-1"


async def test_a_query_sees_only_what_is_durable() -> None:
    stand = Stand()
    await stand.handle(CREATE)
    assert results((await stand.handle(ask.TaskList()))[0]) == [0]
    stand.commit(await stand.handed_on())
    assert results((await stand.handle(ask.TaskList()))[0]) == [1]


async def test_a_query_that_needs_the_disk_goes_to_the_writer() -> None:
    stand = Stand()
    await stand.handle(ask.TaskGet(id="a"))
    (read,) = await stand.handed_on()
    assert isinstance(read, Read)
    assert read.job(None) == b'"from the disk"'


async def test_an_error_that_rests_on_what_is_not_durable_waits_for_it() -> None:
    stand = Stand()
    _made, again = await stand.handle(CREATE, CREATE)
    proposals = await stand.handed_on()
    assert not again
    assert not proposals[1].facts
    stand.commit(proposals)
    assert results(again) == ["already_exists"]


async def test_an_error_that_rests_on_durable_facts_is_told_at_once() -> None:
    stand = Stand()
    (answer,) = await stand.handle(ask.TaskStart(id="a"))
    assert results(answer) == ["not_found"]
    assert await stand.handed_on() == []


async def test_a_claim_that_finds_nothing_waits_for_what_it_rests_on() -> None:
    stand = Stand()
    _made, _claimed, nothing = await stand.handle(CREATE, ask.TaskClaim(worker="w"), ask.TaskClaim(worker="w"))
    proposals = await stand.handed_on()
    assert not nothing
    stand.commit(proposals)
    assert results(nothing) == [None]


async def test_a_repeated_key_changes_nothing_and_is_answered_with_the_row_as_it_is_then() -> None:
    stand = Stand()
    await stand.handle(CREATE, key="k")
    stand.commit(await stand.handed_on())
    await stand.handle(ask.TaskStart(id="a"))
    stand.commit(await stand.handed_on())
    (again,) = await stand.handle(CREATE, key="k")
    assert results(again)[0]["status"] == "running"
    assert await stand.handed_on() == []


async def test_a_key_repeated_while_the_first_is_under_way_waits_for_it() -> None:
    stand = Stand()
    await stand.handle(CREATE, key="k")
    first = await stand.handed_on()
    (again,) = await stand.handle(CREATE, key="k")
    second = await stand.handed_on()
    assert not again
    assert not second[0].facts
    stand.commit([*first, *second])
    assert results(again)[0]["rev"] == 1


async def test_a_key_used_for_something_else_is_a_conflict() -> None:
    stand = Stand()
    await stand.handle(CREATE, key="k")
    stand.commit(await stand.handed_on())
    (other,) = await stand.handle(ask.TaskStart(id="a"), key="k")
    assert results(other) == ["conflict"]


async def test_errors_and_null_claims_are_not_remembered_under_their_key() -> None:
    stand = Stand()
    (nothing,) = await stand.handle(ask.TaskClaim(worker="w"), key="k")
    assert results(nothing) == [None]
    (missing,) = await stand.handle(ask.TaskStart(id="a"), key="l")
    assert results(missing) == ["not_found"]
    assert not stand.ledger.tables.keys.records
    await stand.handle(CREATE)
    stand.commit(await stand.handed_on())
    (claimed,) = await stand.handle(ask.TaskClaim(worker="w"), key="k")
    stand.commit(await stand.handed_on())
    assert results(claimed)[0]["status"] == "running"


async def test_what_was_refused_is_decided_again_on_what_is_durable() -> None:
    stand = Stand()
    (answer,) = await stand.handle(CREATE)
    (refused,) = await stand.handed_on()
    stand.ledger.tables.put_row("tasks", a_task("a", rev=4))
    stand.actor.told(Forget())
    await stand.actor.handle((), [refused.request])
    assert results(answer) == ["already_exists"]


async def test_a_request_that_was_answered_before_a_crash_is_not_carried_out_again() -> None:
    stand = Stand()
    request = Request("m", CREATE, lambda _outcome: None)
    request.done(b"1")
    await stand.actor.handle((), [request])
    assert await stand.handed_on() == []


async def test_a_question_that_nobody_here_answers_gets_an_error_and_not_silence() -> None:
    stand = Stand()
    question = Ask("what?")
    await stand.actor.handle((), [question])
    with pytest.raises(Internal):
        await question.wait()


async def test_a_full_writer_holds_the_batch_back_until_there_is_room(autojump_clock: trio.testing.MockClock) -> None:
    stand = Stand(letters_max=1)
    stand.writer.offer([Ask("others")])
    async with trio.open_nursery() as nursery:
        nursery.start_soon(stand.handle, CREATE)
        await trio.sleep(30)
        assert stand.life.beats >= 29, "who waits for a slow disk does not hang"
        assert len(await stand.handed_on()) == 1
    assert len(await stand.handed_on()) == 1


def touch(draft: Draft, _at: At) -> Decision:
    if draft.row("tasks", "a") is None:
        raise NotFound("no task a")
    if draft.rev("tasks", "a") > 4:
        return NOTHING
    return Decision((patch(draft, "tasks", "task.updated", "a", {"priority": 1}),), ())


async def test_what_an_actor_does_by_itself_goes_the_same_way() -> None:
    stand = Stand()
    stand.ledger.tables.put_row("tasks", a_task("a"))
    heard: list[Outcome] = []
    assert stand.actor.propose_own("task.touch", touch, heard.append)
    (own,) = await stand.handed_on()
    assert own.command.method == "task.touch"
    assert own.command.ref.startswith("tasks-")
    stand.commit([own])
    assert heard == [Done(b"null")]
    assert stand.ledger.tables.tasks.rows["a"].priority == 1


async def test_an_own_command_that_was_refused_is_decided_again_by_itself() -> None:
    stand = Stand()
    stand.ledger.tables.put_row("tasks", a_task("a"))
    heard: list[Outcome] = []
    stand.actor.propose_own("task.touch", touch, heard.append)
    (own,) = await stand.handed_on()
    stand.ledger.tables.put_row("tasks", a_task("a", rev=3))
    stand.actor.told(Forget())
    await stand.actor.handle((), [own.request])
    (again,) = await stand.handed_on()
    assert again.expects == (("tasks", "a", 3),)
    stand.commit([again])
    assert heard == [Done(b"null")]


async def test_an_own_command_that_has_nothing_to_do_or_cannot_be_done_says_so() -> None:
    stand = Stand()
    heard: list[Outcome] = []
    stand.actor.propose_own("task.touch", touch, heard.append)
    assert isinstance(heard[0], Failed)
    stand.ledger.tables.put_row("tasks", a_task("a", rev=5))
    stand.actor.propose_own("task.touch", touch, heard.append)
    assert heard[1] == Done(b"null")
    assert await stand.handed_on() == []


async def test_an_own_command_waits_for_the_next_tick_when_the_writer_is_full() -> None:
    stand = Stand(letters_max=0)
    assert not stand.actor.propose_own("task.touch", touch)


async def crashed_writer(core: Core) -> None:
    """The writer loses the core's actors too, as under rest_for_one."""
    for name in ("tasks", "sessions", "runs", "events", "reports"):
        await core.restart(name)


async def test_commands_survive_the_crash_of_the_writer_and_are_applied_once(tmp_path: Path) -> None:
    async with running_core(tmp_path) as core:
        asked = [core.request(ask.TaskCreate(description=str(n), id=f"t{n}")) for n in range(50)]
        assert core.refs["tasks"].offer([request for request, _answered in asked]) == 50
        await core.restart("writer")
        await crashed_writer(core)
        for number, (_request, answered) in enumerate(asked):
            assert (await answered())["id"] == f"t{number}"
        assert len(core.ledger.tables.tasks) == 50
        assert all(row.rev == 1 for row in core.ledger.tables.tasks.rows.values())


async def test_commands_survive_the_crash_of_their_actor(tmp_path: Path) -> None:
    async with running_core(tmp_path) as core:
        asked = [core.request(ask.TaskCreate(description=str(n), id=f"t{n}")) for n in range(50)]
        core.refs["tasks"].offer([request for request, _answered in asked])
        await core.restart("tasks")
        for number, (_request, answered) in enumerate(asked):
            assert (await answered())["id"] == f"t{number}"


async def test_a_poisonous_command_is_told_and_all_others_go_on(tmp_path: Path) -> None:
    async with running_core(tmp_path) as core:
        asked = [core.request(ask.TaskCreate(description=str(n), id=f"t{n}")) for n in range(20)]
        poison, poison_answered = core.request(object())
        core.refs["tasks"].offer([*(request for request, _ in asked[:10]), poison, *(r for r, _ in asked[10:])])
        with pytest.raises(PerdureError) as caught:
            await poison_answered()
        assert caught.value.kind == "actor_crashed"
        for _request, answered in asked:
            assert (await answered())["rev"] == 1
        assert len(core.crashes) == 2
        assert len(core.mailboxes["tasks"].dead_letters) == 1


async def test_two_actors_that_change_the_same_rows_take_turns(tmp_path: Path) -> None:
    async with running_core(tmp_path) as core:
        text = records.LogAppend(session_id="0190163d-8694-739b-aea5-966c26f8ad91", text="0123456789")
        asked = []
        for number in range(100):
            request = core.request(Steps((Step("log.append", text),)) if number % 2 else text)
            core.refs["tasks" if number % 2 else "reports"].offer([request[0]])
            asked.append(request)
        for _request, answered in asked:
            await answered()
        row = core.ledger.tables.row("logs", f"session_{text.session_id}")
        assert row is not None
        assert msgspec.json.decode(row.encoded)["bytes"] == 1000
        assert row.rev == 100


async def test_while_the_disk_refuses_commands_are_told_and_queries_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running_core(tmp_path) as core:
        await core.ask("tasks", CREATE)
        store = core.desk.store
        assert store is not None

        def refuse(*_: Any) -> Any:
            raise OSError(28, "No space left on device")

        for name in ("commit", "reopen"):
            monkeypatch.setattr(store, name, refuse)
        with pytest.raises(StorageFailed):
            await core.ask("tasks", ask.TaskStart(id="a"))
        with pytest.raises(PerdureError) as caught:
            await core.ask("tasks", ask.TaskStart(id="a"))
        assert caught.value.kind == "read_only"
        assert (await core.ask("tasks", ask.TaskGet(id="a")))["status"] == "pending"
        monkeypatch.undo()
        core.clock.pass_s(5)
        core.wake("writer")
        await core.until(lambda: core.ledger.mode.value == "ok")
        with trio.fail_after(PATIENCE_S):
            assert (await core.ask("tasks", ask.TaskStart(id="a")))["status"] == "running"


async def test_a_conflict_of_keys_is_found_across_actors(tmp_path: Path) -> None:
    async with running_core(tmp_path) as core:
        await core.ask("tasks", CREATE, key="k")
        with pytest.raises(Conflict):
            await core.ask("reports", records.ReportSave(data=1), key="k")

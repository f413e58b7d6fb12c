"""How the writer commits: together what waits together, answered when it is durable, and nothing shown before."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from actors.decisions.batch import Step, Steps
from actors.messages.runtime import StateGet
from actors.messages.sessions import SessionCreate, SessionRename
from actors.messages.tasks import TaskClaim, TaskCreate, TaskGet, TaskHeartbeat, TaskList, TaskStart, TaskUpdate
from actors.model.errors import AlreadyExists, Conflict, NotFound, TooLarge
from tests.kit.moody_disk import Gate
from tests.kit.runtimes import Running, Sent, config_of, running_runtime

JOURNAL = "journal/"


def creates(number: int) -> list[TaskCreate]:
    return [TaskCreate(description="x", id=f"t{n}") for n in range(number)]


async def one_commit_under_way(running: Running) -> tuple[Gate, Sent]:
    """Keep the disk busy with one commit, so that whatever comes now waits for the next."""
    gate = running.disk.gate("fdatasync", where=JOURNAL)
    sent = running.send(TaskCreate(description="busy", id="busy"))
    await running.until(lambda: gate.reached)
    return gate, sent


async def handed_on(running: Running, number: int) -> None:
    """Wait until so many proposals stand in the writer's mailbox."""
    await running.until(lambda: running.assembly.mailboxes["writer"].depth >= number)


async def test_whatever_waits_when_a_commit_starts_shares_one_write_and_one_sync(tmp_path: Path) -> None:
    async with running_runtime(tmp_path) as running:
        gate, first = await one_commit_under_way(running)
        burst = running.send_all(creates(64))
        await handed_on(running, 64)
        deeds = len(running.disk.deeds)
        gate.open()
        for sent in (first, *burst):
            await sent.result()
        journal = [deed.call for deed in running.disk.deeds[deeds:] if deed.path.startswith(JOURNAL)]
        assert journal == ["fdatasync", "pwrite", "fdatasync"]


async def test_no_answer_leaves_before_the_sync_that_covers_it(tmp_path: Path) -> None:
    async with running_runtime(tmp_path) as running:
        sent = [one for _ in range(5) for one in running.send_all([TaskCreate(description="x") for _ in range(7)])]
        for one in sent:
            await one.result()
    written: set[str] = set()
    durable: set[str] = set()
    answered = []
    refs = {one.request.ref for one in sent}
    for deed in running.disk.deeds:
        if deed.call == "pwrite" and deed.path.startswith(JOURNAL):
            lines = deed.data.rstrip(b"\0").splitlines()
            written |= {msgspec.json.decode(line)["cmd"].get("ref", "") for line in lines}
        elif deed.call == "fdatasync" and deed.path.startswith(JOURNAL):
            durable |= written
        elif deed.call == "answer":
            assert deed.path in durable
            answered.append(deed.path)
    assert sorted(answered) == sorted(refs)


async def test_a_query_shows_nothing_that_could_still_be_lost(tmp_path: Path) -> None:
    async with running_runtime(tmp_path) as running:
        gate, sent = await one_commit_under_way(running)
        with pytest.raises(NotFound):
            await running.ask(TaskGet(id="busy"))
        assert (await running.ask(TaskList()))["tasks"] == []
        assert running.assembly.ledger.tables.metrics()["total_tasks"] == 0
        assert not sent.is_answered
        gate.open()
        await sent.result()
        assert (await running.ask(TaskGet(id="busy")))["description"] == "busy"


async def test_an_error_decided_on_facts_that_are_not_durable_leaves_after_them(tmp_path: Path) -> None:
    async with running_runtime(tmp_path) as running:
        gate, sent = await one_commit_under_way(running)
        again = running.send(TaskCreate(description="busy", id="busy"))
        await handed_on(running, 1)
        assert not again.is_answered
        gate.open()
        await sent.result()
        assert isinstance(await again.error(), AlreadyExists)
        answers = [deed.path for deed in running.disk.deeds if deed.call == "answer"]
        assert answers == [sent.request.ref, again.request.ref]


async def test_an_error_decided_on_facts_that_failed_is_decided_again(tmp_path: Path) -> None:
    async with running_runtime(tmp_path) as running:
        gate = running.disk.gate("fdatasync", where=JOURNAL)
        running.disk.refuse("fdatasync", where=JOURNAL, times=1)
        lost = running.send(TaskCreate(description="first", id="one"))
        await running.until(lambda: gate.reached)
        second = running.send(TaskCreate(description="second", id="one"))
        await handed_on(running, 1)
        gate.open()
        assert await lost.kind() == "storage_failed"
        assert await second.kind() == "ok", "the first was never there"
        if await second.kind() == "ok":
            assert (await running.ask(TaskGet(id="one")))["description"] == "second"


async def test_an_error_in_the_same_batch_as_the_facts_that_failed_is_decided_again(tmp_path: Path) -> None:
    async with running_runtime(tmp_path) as running:
        gate, busy = await one_commit_under_way(running)
        lost, second = running.send_all([TaskCreate(description="x", id="one"), TaskCreate(description="y", id="one")])
        await handed_on(running, 2)
        running.disk.refuse("pwrite", where=JOURNAL, times=1)
        gate.open()
        await busy.result()
        assert await lost.kind() == "storage_failed"
        assert await second.kind() == "ok"


async def test_a_heartbeat_for_a_claim_that_failed_is_no_success(tmp_path: Path) -> None:
    async with running_runtime(tmp_path) as running:
        await running.ask(TaskCreate(description="x", id="one"))
        gate = running.disk.gate("fdatasync", where=JOURNAL)
        running.disk.refuse("fdatasync", where=JOURNAL, times=1)
        claim = running.send(TaskClaim(worker="w"))
        await running.until(lambda: gate.reached)
        beat = running.send(TaskHeartbeat(id="one", lease=1))
        await handed_on(running, 1)
        gate.open()
        assert await claim.kind() == "storage_failed"
        assert isinstance(await beat.error(), Conflict)


async def test_a_command_decided_on_facts_that_failed_is_decided_again(tmp_path: Path) -> None:
    async with running_runtime(tmp_path) as running:
        gate = running.disk.gate("fdatasync", where=JOURNAL)
        running.disk.refuse("fdatasync", where=JOURNAL, times=1)
        lost = running.send(TaskCreate(description="x", id="one"))
        await running.until(lambda: gate.reached)
        start = running.send(TaskStart(id="one"))
        await handed_on(running, 1)
        gate.open()
        assert await lost.kind() == "storage_failed"
        assert await start.kind() == "not_found"


async def test_of_two_actors_that_changed_a_row_at_once_the_second_decides_again(tmp_path: Path) -> None:
    session_id = "11111111-2222-4333-8444-555555555555"
    created = SessionCreate(id=session_id, title="old", provider="p", model="m", working_directory="/w")
    async with running_runtime(tmp_path) as running:
        await running.ask(created)
        gate, busy = await one_commit_under_way(running)
        renamed = running.send(SessionRename(id=session_id, title="renamed"))
        await handed_on(running, 1)
        steps = Steps(
            (
                Step("session.rename", SessionRename(id=session_id, title="by the batch")),
                Step("task.create", TaskCreate(description="beside it", id="beside")),
            )
        )
        batch = running.sent(steps)
        batch.request.method = "batch.apply"
        running.assembly.mailboxes["tasks"].offer([batch.request])
        await handed_on(running, 2)
        gate.open()
        await busy.result()
        assert (await renamed.result())["rev"] == 2
        session, task = (await batch.result())["results"]
        assert (session["rev"], session["title"]) == (3, "by the batch")
        assert task["id"] == "beside"


async def test_changes_of_one_row_in_one_batch_follow_one_another(tmp_path: Path) -> None:
    async with running_runtime(tmp_path) as running:
        await running.ask(TaskCreate(description="x", id="one"))
        gate, busy = await one_commit_under_way(running)
        burst = running.send_all([TaskUpdate(id="one", description=str(n)) for n in range(5)])
        await handed_on(running, 5)
        gate.open()
        await busy.result()
        assert [(await sent.result())["rev"] for sent in burst] == [2, 3, 4, 5, 6]


async def test_with_durability_interval_answers_do_not_wait_and_the_sync_follows(tmp_path: Path) -> None:
    config = config_of(state={"durability": "interval", "durability_interval_s": 0.05})
    async with running_runtime(tmp_path, config=config) as running:
        await running.until(lambda: running.disk.done("fdatasync", JOURNAL))
        gate = running.disk.gate("fdatasync", where=JOURNAL)
        await running.ask(TaskCreate(description="x", id="one"))
        assert (await running.ask(TaskGet(id="one")))["id"] == "one"
        await running.until(lambda: gate.reached)


async def test_with_durability_interval_a_failed_sync_stops_the_acknowledging(tmp_path: Path) -> None:
    config = config_of(state={"durability": "interval", "durability_interval_s": 0.05})
    async with running_runtime(tmp_path, config=config) as running:
        await running.until(lambda: running.disk.done("fdatasync", JOURNAL))
        await running.ask(TaskCreate(description="x", id="one"))
        running.disk.refuse()
        await running.until(lambda: running.assembly.ledger.mode.value == "read_only")
        assert await running.send(TaskCreate(description="y")).kind() == "read_only"
        running.disk.mend()
        await running.until(lambda: running.assembly.ledger.mode.value == "ok")
        assert (await running.ask(TaskGet(id="one")))["id"] == "one"
        await running.ask(TaskCreate(description="y"))


async def test_with_durability_none_nothing_is_synced_until_the_end(tmp_path: Path) -> None:
    config = config_of(state={"durability": "none"})
    async with running_runtime(tmp_path, config=config) as running:
        deeds = len(running.disk.deeds)
        for _ in range(5):
            await running.ask(TaskCreate(description="x"))
        calls = [deed.call for deed in running.disk.deeds[deeds:] if deed.path.startswith(JOURNAL)]
        assert "pwrite" in calls
        assert "fdatasync" not in calls


async def test_the_whole_state_is_given_as_it_is_durable(tmp_path: Path) -> None:
    async with running_runtime(tmp_path) as running:
        await running.ask(TaskCreate(description="x", id="one"))
        gate, busy = await one_commit_under_way(running)
        state = running.send(StateGet())
        gate.open()
        await busy.result()
        whole = await state.result()
        assert whole["version"] == "2.0.0"
        assert [task["id"] for task in whole["tasks"]] == ["one", "busy"]
        assert whole["metrics"]["total_tasks"] == 2
        assert whole["daemon"]["pid"] == 4242
        assert whole["seq"] == running.assembly.ledger.tables.seq


async def test_a_whole_state_beyond_a_frame_is_refused(tmp_path: Path) -> None:
    config = config_of(gateway={"frame_bytes_max": 2048})
    async with running_runtime(tmp_path, config=config) as running:
        for _ in range(4):
            await running.ask(TaskCreate(description="x" * 600))
        assert isinstance(await running.send(StateGet()).error(), TooLarge)

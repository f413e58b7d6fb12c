"""What is decided twice, or by a restarted actor, is decided as if each command had been the only one in the world."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

from actors.decisions.batch import Step, Steps
from actors.ledger import Mode
from actors.messages import records, sessions
from actors.messages import tasks as ask
from actors.model.errors import InvalidParams, ReadOnly, StorageFailed
from tests.kit.core import running_core
from tests.kit.held_disk import S1, S2, a_session, decided, held_disk, offered, told


async def test_nothing_is_acknowledged_that_was_decided_on_a_write_that_failed(tmp_path: Path) -> None:
    async with running_core(tmp_path) as core:
        await a_session(core)
        with held_disk(core) as gate:
            first = offered(core, "sessions", sessions.SessionClose(id=S1, outcome="done"))
            await core.until(gate.reached.is_set)
            second = offered(core, "sessions", sessions.SessionClose(id=S1, outcome="done"))
            await decided(core, "sessions")
            gate.open(fails=True)
            assert isinstance(await told(first), StorageFailed)
            answer = await told(second)
        row = await core.ask("sessions", sessions.SessionGet(id=S1))
        assert answer == row, "the second command was told of a row that was never durable"


async def test_nothing_is_built_on_a_row_whose_write_failed(tmp_path: Path) -> None:
    async with running_core(tmp_path) as core:
        with held_disk(core) as gate:
            first = offered(core, "tasks", ask.TaskCreate(description="d", id="a"))
            await core.until(gate.reached.is_set)
            second = offered(core, "tasks", ask.TaskCreate(description="d", id="b", depends_on=("a",)))
            await decided(core, "tasks")
            gate.open(fails=True)
            assert isinstance(await told(first), StorageFailed)
            assert isinstance(await told(second), InvalidParams), "a task waits for one that never was"


async def test_commands_of_one_actor_keep_their_order_when_one_is_decided_again(tmp_path: Path) -> None:
    async with running_core(tmp_path) as core:
        await a_session(core, S1)
        await a_session(core, S2)
        with held_disk(core) as gate:
            waits = [offered(core, "events", records.EventRecord(type="t", message="m"))]
            await core.until(gate.reached.is_set)
            batch = Steps((Step("session.rename", sessions.SessionRename(id=S1, title="by the batch")),))
            waits.append(offered(core, "tasks", batch))
            await decided(core, "tasks")
            first = offered(core, "sessions", sessions.SessionRename(id=S1, title="first"))
            second = offered(core, "sessions", sessions.SessionRename(id=S2, title="second"))
            await decided(core, "sessions")
            gate.open()
            for answered in (*waits, first, second):
                await answered()
        lines = core.ledger.recent.since(1) or []
        facts = [line.facts[0] for line in lines if line.facts[0].op == "session.renamed"]
        assert [fact.members()["title"] for fact in facts] == ["by the batch", "first", "second"]


async def test_a_restarted_actor_knows_of_what_is_still_on_its_way_to_the_disk(tmp_path: Path) -> None:
    async with running_core(tmp_path) as core:
        with held_disk(core) as gate:
            made = offered(core, "tasks", ask.TaskCreate(description="d", id="a"))
            await core.until(gate.reached.is_set)
            await core.restart("tasks")
            started = offered(core, "tasks", ask.TaskStart(id="a"))
            await decided(core)
            gate.open()
            assert (await told(made))["id"] == "a"
            assert (await told(started))["status"] == "running"


async def test_fencing_tokens_do_not_repeat_when_the_actor_restarts_with_a_claim_on_its_way(tmp_path: Path) -> None:
    async with running_core(tmp_path) as core:
        for task_id in ("a", "b"):
            await core.ask("tasks", ask.TaskCreate(description="d", id=task_id, tool=task_id))
        with held_disk(core) as gate:
            first = offered(core, "tasks", ask.TaskClaim(worker="w1", tools=("a",)))
            await core.until(gate.reached.is_set)
            await core.restart("tasks")
            second = offered(core, "tasks", ask.TaskClaim(worker="w2", tools=("b",)))
            await decided(core)
            gate.open()
            claims = [await first(), await second()]
        assert {claim["id"] for claim in claims} == {"a", "b"}
        assert claims[0]["lease"] < claims[1]["lease"]


async def test_what_is_decided_again_finds_what_was_written_beside_it(tmp_path: Path) -> None:
    async with running_core(tmp_path) as core:
        await a_session(core, S1)
        with held_disk(core) as gate:
            waits = [offered(core, "events", records.EventRecord(type="t", message="m"))]
            await core.until(gate.reached.is_set)
            waits.append(offered(core, "sessions", sessions.SessionRename(id=S1, title="first")))
            await decided(core, "sessions")
            batch = Steps((Step("session.rename", sessions.SessionRename(id=S1, title="by the batch")),))
            waits += [
                offered(core, "tasks", params)
                for params in (ask.TaskCreate(description="d", id="a"), batch, ask.TaskStart(id="a"))
            ]
            await decided(core, "tasks")
            gate.open()
            answers = [await told(answered) for answered in waits]
        assert answers[-1]["status"] == "running"


async def test_a_disk_that_stays_bad_keeps_no_restarted_actor_busy(tmp_path: Path) -> None:
    async with running_core(tmp_path) as core:
        await a_session(core)
        await core.ask("sessions", sessions.SessionDelete(id=S1))
        store: Any = core.desk.store
        reopen = store.reopen

        def refuse(_cut: Any) -> None:
            raise OSError(errno.EIO, "the disk failed")

        store.reopen = refuse
        with held_disk(core) as gate:
            lost = offered(core, "tasks", ask.TaskCreate(description="d", id="a"))
            await core.until(gate.reached.is_set)
            gate.open(fails=True)
            assert isinstance(await told(lost), StorageFailed)
        for name in ("tasks", "sessions"):
            await core.restart(name)
        assert isinstance(await told(offered(core, "tasks", ask.TaskCreate(description="d", id="b"))), ReadOnly)
        assert isinstance(await told(offered(core, "sessions", sessions.SessionRestore(id=S1))), ReadOnly)
        assert (await core.ask("tasks", ask.TaskList()))["tasks"] == []
        store.reopen = reopen
        core.clock.pass_s(10)
        core.wake("writer")
        await core.until(lambda: core.ledger.mode is Mode.OK)
        assert (await core.ask("tasks", ask.TaskCreate(description="d", id="b")))["rev"] == 1

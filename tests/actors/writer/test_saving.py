"""Snapshots: taken while commits go on, owed to whoever waits for them, and never the same state twice."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from actors.messages.runtime import StateBackups, StateSave
from actors.messages.tasks import TaskCreate
from actors.model.errors import StorageFailed
from actors.storage.contract import Cut, Saved
from supervisor.tree.chaos import Harm
from tests.kit.runtimes import Running, config_of, running_runtime

SNAPSHOT = "state.json.tmp-"


def snapshot(running: Running) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((running.root / "state.json").read_bytes())
    return found


async def create(running: Running, *task_ids: str) -> None:
    for task_id in task_ids:
        await running.ask(TaskCreate(description="x", id=task_id))


async def test_who_asks_for_a_snapshot_is_told_where_it_is_and_what_it_holds(tmp_path: Path) -> None:
    async with running_runtime(tmp_path) as running:
        await create(running, "one")
        told = await running.ask(StateSave())
        assert told["path"] == str(running.root / "state.json")
        assert told["seq"] == running.assembly.ledger.tables.seq == snapshot(running)["seq"]
        assert told["bytes"] == (running.root / "state.json").stat().st_size
        assert told["duration_s"] >= 0
        assert [task["id"] for task in snapshot(running)["tasks"]] == ["one"]


async def test_commits_go_on_while_a_snapshot_is_written_and_are_not_in_it(tmp_path: Path) -> None:
    async with running_runtime(tmp_path) as running:
        await create(running, "before")
        gate = running.disk.gate("fdatasync", "fsync", where=SNAPSHOT)
        save = running.send(StateSave())
        await running.until(lambda: gate.reached)
        await create(running, "meanwhile")
        assert not save.is_answered
        gate.open()
        told = await save.result()
        assert [task["id"] for task in snapshot(running)["tasks"]] == ["before"]
        assert told["seq"] < running.assembly.ledger.tables.seq


async def test_who_asks_while_a_snapshot_is_written_gets_the_next_one(tmp_path: Path) -> None:
    async with running_runtime(tmp_path) as running:
        await create(running, "before")
        gate = running.disk.gate("fdatasync", "fsync", where=SNAPSHOT)
        first = running.send(StateSave())
        await running.until(lambda: gate.reached)
        await create(running, "meanwhile")
        second = running.send(StateSave())
        gate.open()
        assert (await first.result())["seq"] < (await second.result())["seq"]
        assert [task["id"] for task in snapshot(running)["tasks"]] == ["before", "meanwhile"]


async def test_who_waits_for_a_snapshot_gets_it_although_the_writer_crashes(tmp_path: Path) -> None:
    async with running_runtime(tmp_path) as running:
        await create(running, "one")
        gate = running.disk.gate("fdatasync", "fsync", where=SNAPSHOT)
        save = running.send(StateSave())
        await running.until(lambda: gate.reached)
        late = running.send(StateSave())
        running.harm("writer", Harm.CRASH)
        gate.open()
        for sent in (save, late):
            assert (await sent.result())["seq"] >= 2
        await running.until_up("writer", 2)


async def test_a_snapshot_of_what_is_saved_already_is_not_taken_again(tmp_path: Path) -> None:
    async with running_runtime(tmp_path) as running:
        await create(running, "one")
        first = await running.ask(StateSave())
        backups = await running.ask(StateBackups())
        assert await running.ask(StateSave()) == first
        assert await running.ask(StateBackups()) == backups


async def test_a_long_journal_is_a_reason_for_a_snapshot(tmp_path: Path) -> None:
    async with running_runtime(tmp_path, config=config_of(state={"snapshot_after_facts": 5})) as running:
        await create(running, *(f"t{n}" for n in range(6)))
        await running.until(lambda: (running.assembly.ledger.last_save or {}).get("seq", 0) >= 5)


async def test_a_snapshot_lets_the_journal_begin_a_new_segment(tmp_path: Path) -> None:
    async with running_runtime(tmp_path) as running:
        await create(running, "one")
        told = await running.ask(StateSave())
        begun = f"{told['seq'] + 1:020}.jsonl"
        await running.until((running.root / "journal" / begun).exists)
        await create(running, "two")


async def test_a_stop_leaves_a_snapshot_of_everything(tmp_path: Path) -> None:
    async with running_runtime(tmp_path) as running:
        await create(running, "one")
        assert await running.stop() == 0
        state = snapshot(running)
        assert [task["id"] for task in state["tasks"]] == ["one"]
        assert state["seq"] == running.assembly.ledger.tables.seq
        assert state["daemon"]["started"] is False


async def test_a_writer_that_is_stopped_takes_no_snapshot_when_nothing_is_new(tmp_path: Path) -> None:
    async with running_runtime(tmp_path) as running:
        await create(running, "one")
        await running.ask(StateSave())
        backups = await running.ask(StateBackups())
        await running.runtime._tree.restart_child("runtime/core/writer")
        await running.until_up("tasks", 2)
        assert await running.ask(StateBackups()) == backups


async def test_a_stop_whose_last_snapshot_fails_ends_in_order_and_loses_nothing(tmp_path: Path) -> None:
    async with running_runtime(tmp_path) as running:
        await create(running, "one")
        running.disk.refuse("create", where=SNAPSHOT)
        assert await running.stop() == 0
    async with running_runtime(tmp_path) as running:
        assert [task["id"] for task in (await state_of(running))["tasks"]] == ["one"]


async def test_a_stop_on_a_disk_that_refuses_everything_ends_in_order(tmp_path: Path) -> None:
    async with running_runtime(tmp_path) as running:
        await create(running, "one")
        running.disk.refuse()
        assert await running.stop() == 0
    async with running_runtime(tmp_path) as running:
        assert [task["id"] for task in (await state_of(running))["tasks"]] == ["one"]


async def state_of(running: Running) -> dict[str, Any]:
    await running.ask(StateSave())
    return snapshot(running)


@pytest.mark.parametrize(
    ("call", "where"), [("create", SNAPSHOT), ("write", SNAPSHOT), ("link", "state.backup."), ("rename", "state.json")]
)
async def test_while_snapshots_fail_commands_are_acknowledged_and_the_old_snapshot_stays(
    tmp_path: Path, call: str, where: str
) -> None:
    async with running_runtime(tmp_path) as running:
        await create(running, "one")
        await running.ask(StateSave())
        before = (running.root / "state.json").read_bytes()
        await create(running, "two")
        running.disk.refuse(call, where=where)
        with pytest.raises(StorageFailed, match="the snapshot could not be written"):
            await running.ask(StateSave())
        assert (running.root / "state.json").read_bytes() == before
        assert running.assembly.ledger.save_failures == 1
        await create(running, "three")
        running.disk.mend()
        await running.ask(StateSave())
        assert [task["id"] for task in snapshot(running)["tasks"]] == ["one", "two", "three"]
        assert not list(running.root.glob("*.tmp-*"))


def _defect(_cut: Cut) -> Saved:
    raise ZeroDivisionError


async def test_a_snapshot_that_meets_a_defect_is_told_as_failed_and_nobody_crashes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running_runtime(tmp_path) as running:
        await create(running, "one")
        store = running.assembly.desk.store
        assert store is not None
        monkeypatch.setattr(store, "save", _defect)
        assert await running.send(StateSave()).kind() == "storage_failed"
        await create(running, "two")
        monkeypatch.undo()
        await running.ask(StateSave())
        assert running.view("writer").incarnation == 1

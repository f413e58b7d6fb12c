"""FAULTS row 17: the disk runs full and is freed again, with and without a reserve, ordered and on a real small disk.

Reads are answered all the time, what is refused says why and what to do, nothing acknowledged is lost, and Perdure goes
on by itself when there is room.
"""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import attrs
import pytest

from actors.kernel.ref import Ref
from actors.messages.questions import WriteOutput
from actors.messages.runtime import StateSave
from actors.messages.tasks import TaskCreate, TaskGet, TaskList
from actors.model.errors import PerdureError, ReadOnly, StorageFailed
from actors.model.room import Room
from supervisor.root.control import Ready
from tests.kit.runtimes import Running, config_of, running_runtime
from tests.kit.small_disks import fill, free_bytes, small_disk

MIB = 1 << 20
RESERVE = 64 * MIB


async def health(running: Running) -> dict[str, Any]:
    client = await running.client()
    await client.send({"jsonrpc": "2.0", "id": 1, "method": "runtime.health", "params": {}})
    answer: dict[str, Any] = (await client.reply())["result"]
    return answer


async def ids(running: Running) -> set[str]:
    found: set[str] = set()
    cursor = None
    while True:  # big tasks make small pages
        page = await running.ask(TaskList(limit=1000, cursor=cursor))
        found |= {task["id"] for task in page["tasks"]}
        if (cursor := page["next_cursor"]) is None:
            return found


def looking_often(running: Running) -> None:
    running.assembly.desk.settings = attrs.evolve(running.assembly.desk.settings, look_every_s=0.01)


def room(running: Running) -> Room:
    found = running.assembly.ledger.room
    assert found is not None
    return found


async def until_mode(running: Running, mode: str) -> None:
    await running.until(lambda: running.assembly.ledger.mode.value == mode)


async def refused(running: Running, name: str) -> PerdureError:
    return await running.send(TaskCreate(description="x", id=name)).error()


async def test_commands_are_refused_before_the_reserve_is_used_and_the_journal_stays_whole(tmp_path: Path) -> None:
    async with running_runtime(tmp_path) as running:
        await running.ask(TaskCreate(description="x", id="before"))
        journal, segments = (running.disk.done(call, "journal/") for call in ("pwrite", "create"))
        running.disk.free_bytes = RESERVE - 1
        error = await refused(running, "lost")
        assert isinstance(error, ReadOnly)
        assert f"{RESERVE - 1} bytes are free" in error.message
        assert "state.disk_reserve_bytes" in error.message
        assert "state.disk_reserve_bytes" in error.hint
        assert running.disk.done("pwrite", "journal/") == journal, "nothing was written"
        assert (await running.ask(TaskGet(id="before")))["id"] == "before"
        shown = await health(running)
        assert (shown["status"], shown["writeable"]) == ("read_only", False)
        assert "bytes are free" in shown["reasons"][0]
        running.disk.free_bytes = None
        await until_mode(running, "ok")
        await running.ask(TaskCreate(description="x", id="after"))
        assert running.disk.done("create", "journal/") == segments, "the journal went on as it was"
        assert await ids(running) == {"before", "after"}


async def test_between_the_watermarks_what_was_refused_stays_refused_and_what_was_taken_is_taken(
    tmp_path: Path,
) -> None:
    async with running_runtime(tmp_path) as running:
        looking_often(running)
        running.disk.free_bytes = edge = RESERVE + RESERVE // 8
        await running.ask(TaskCreate(description="x", id="taken"))
        running.disk.free_bytes = RESERVE // 2
        assert (await refused(running, "one")).kind == "read_only"
        running.disk.free_bytes = edge
        await running.until(lambda: room(running).free_bytes == edge)
        assert (await refused(running, "two")).kind == "read_only"
        running.disk.free_bytes = 2 * RESERVE
        await until_mode(running, "ok")
        await running.ask(TaskCreate(description="x", id="three"))
        assert await ids(running) == {"taken", "three"}


async def test_a_disk_that_others_fill_is_told_before_anybody_asks(tmp_path: Path) -> None:
    async with running_runtime(tmp_path) as running:
        looking_often(running)
        running.disk.free_bytes = RESERVE - 1
        await until_mode(running, "read_only")
        running.disk.free_bytes = None
        await until_mode(running, "ok")


async def test_the_reserve_is_there_for_a_snapshot_and_for_the_last_one(tmp_path: Path) -> None:
    async with running_runtime(tmp_path) as running:
        await running.ask(TaskCreate(description="x", id="one"))
        running.disk.free_bytes = RESERVE - 1
        assert (await refused(running, "lost")).kind == "read_only"
        assert (await running.ask(StateSave()))["seq"] == running.assembly.ledger.tables.seq
        running.disk.free_bytes = None
        await until_mode(running, "ok")
        await running.ask(TaskCreate(description="x", id="two"))
        running.disk.free_bytes = RESERVE - 1
        assert (await refused(running, "lost")).kind == "read_only"
        seq = running.assembly.ledger.tables.seq
        assert await running.stop() == 0
        assert running.assembly.desk.store is None
        assert f'"seq":{seq},'.encode() in (running.root / "state.json").read_bytes()


async def test_files_behind_the_journal_and_output_of_agents_leave_the_reserve_alone_too(tmp_path: Path) -> None:
    async with running_runtime(tmp_path, config=config_of(state={"task_files_delay_s": 0.3})) as running:
        await running.ask(TaskCreate(description="x", id="one"))
        running.disk.free_bytes = RESERVE - 1
        await running.until(lambda: running.assembly.ledger.files_problem)
        assert "bytes are free" in str(running.assembly.ledger.files_problem)
        with pytest.raises(StorageFailed, match="bytes are free"):
            await Ref(running.assembly.mailboxes["writer"]).ask(WriteOutput("run", "stdout", 0, b"x"))
        assert not list((running.root / "logs").glob("run_*"))
        running.disk.free_bytes = None
        await running.until(lambda: running.assembly.ledger.files_backlog == 0)
        assert (running.root / "tasks" / "one.json").exists()


async def test_the_reserve_grows_with_what_the_next_snapshot_takes(tmp_path: Path) -> None:
    async with running_runtime(tmp_path) as running:
        looking_often(running)
        await running.ask(TaskCreate(description="x" * MIB, id="big"))
        await running.ask(StateSave())
        await running.until(lambda: room(running).reserve_bytes >= RESERVE + MIB)
        running.disk.free_bytes = RESERVE + MIB // 2
        assert (await refused(running, "lost")).kind == "read_only"


async def test_without_a_reserve_the_disk_is_used_to_its_end(tmp_path: Path) -> None:
    async with running_runtime(tmp_path, config=config_of(state={"disk_reserve_bytes": 0})) as running:
        looking_often(running)
        await running.ask(StateSave())
        running.disk.free_bytes = 1
        await running.ask(TaskCreate(description="x", id="taken"))
        await running.until(lambda: room(running).free_bytes == 1)
        assert running.assembly.ledger.mode.value == "ok"


async def test_a_commit_that_fails_while_there_is_no_room_comes_back_in_two_steps(tmp_path: Path) -> None:
    async with running_runtime(tmp_path) as running:
        looking_often(running)
        await running.ask(TaskCreate(description="x", id="before"))
        running.disk.refuse(error=errno.ENOSPC)
        assert (await refused(running, "lost")).kind == "storage_failed"
        running.disk.mend()
        running.disk.free_bytes = RESERVE - 1
        await running.until(lambda: running.assembly.ledger.journal_problem is None)
        assert (await refused(running, "lost")).kind == "read_only"
        running.disk.free_bytes = None
        await until_mode(running, "ok")
        await running.ask(TaskCreate(description="x", id="after"))
        assert await ids(running) == {"before", "after"}


async def fill_up(running: Running, bytes_each: int) -> tuple[set[str], PerdureError]:
    """Create tasks until one is refused; return those that were acknowledged, and the refusal."""
    taken: set[str] = set()
    while True:
        name = f"t{len(taken)}"
        try:
            await running.ask(TaskCreate(description="x" * bytes_each, id=name))
        except PerdureError as error:
            return taken, error
        taken.add(name)


async def test_a_real_disk_runs_full_up_to_the_reserve_and_goes_on_when_it_is_freed(tmp_path: Path) -> None:
    with small_disk(tmp_path, 48 * MIB) as place:
        config = config_of(state={"disk_reserve_bytes": 8 * MIB, "task_files_delay_s": 60.0})
        ballast = place / "ballast"
        async with running_runtime(place, config=config) as running:
            looking_often(running)
            fill(ballast, 24 * MIB)
            taken, error = await fill_up(running, 256 << 10)
            assert (error.kind, "state.disk_reserve_bytes" in error.message) == ("read_only", True)
            assert free_bytes(place) > 6 * MIB, "the reserve is there"
            assert await ids(running) == taken
            assert (await running.ask(StateSave()))["seq"] == running.assembly.ledger.tables.seq
        async with running_runtime(place, config=config, wait_ready=False) as running:
            await running.until(lambda: running.heard(Ready))  # a start needs room too: it is there
            looking_often(running)
            assert await ids(running) == taken
            assert (await refused(running, "lost")).kind == "read_only"
            ballast.unlink()
            await until_mode(running, "ok")
            await running.ask(TaskCreate(description="x", id="after"))
        async with running_runtime(place, config=config) as running:
            assert await ids(running) == taken | {"after"}


@pytest.mark.parametrize("left_bytes", [0, 100 << 10, 3 * MIB])
async def test_a_real_disk_that_is_full_to_its_end_loses_nothing(tmp_path: Path, left_bytes: int) -> None:
    with small_disk(tmp_path, 48 * MIB) as place:
        config = config_of(state={"disk_reserve_bytes": 0})
        ballast = place / "ballast"
        async with running_runtime(place, config=config) as running:
            await running.ask(TaskCreate(description="x", id="before"))
            fill(ballast, left_bytes)
            taken, error = await fill_up(running, 256 << 10)
            assert error.kind in {"storage_failed", "read_only"}
            assert await ids(running) == taken | {"before"}
            assert (await health(running))["status"] == "read_only"
            ballast.unlink()
            await until_mode(running, "ok")
            await running.ask(TaskCreate(description="x", id="after"))
            await running.until(lambda: running.assembly.ledger.files_backlog == 0)
        async with running_runtime(place, config=config) as running:
            assert await ids(running) == taken | {"before", "after"}

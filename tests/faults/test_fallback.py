"""FAULTS row 20, recovery case J: the state directory fails, the journal goes on in the fallback, and is merged later.

Every promise holds meanwhile: what is acknowledged is durable (there), what failed is told, a crashing writer is
invisible, and whatever is killed whenever, the next start finds all of it.
"""

from __future__ import annotations

import errno
import json
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest

from actors.messages.records import EventList
from actors.messages.runtime import StateSave
from actors.messages.tasks import TaskCreate, TaskGet, TaskList
from actors.model.room import Room
from actors.storage.contract import NoRoom
from actors.storage.disk_store import DiskStore
from supervisor.config.schema import Config
from supervisor.root.control import Refused
from supervisor.tree.chaos import Harm
from tests.kit.runtimes import Running, config_of, running_runtime
from tests.kit.small_disks import fill, small_disk

MIB = 1 << 20
SPARE = "fallback/"


def with_fallback(tmp_path: Path, **state: Any) -> Config:
    return config_of(state={"fallback_path": str(tmp_path / "fallback"), **state})


@asynccontextmanager
async def running_beside(tmp_path: Path, config: Config | None = None, **options: Any) -> AsyncIterator[Running]:
    """A runtime whose state directory refuses everything from the first command on; it has taken `before`."""
    async with running_runtime(tmp_path, config=config or with_fallback(tmp_path), **options) as running:
        hurry(running)
        await running.ask(TaskCreate(description="x", id="before"))
        await running.until(lambda: running.assembly.ledger.files_backlog == 0)
        running.disk.refuse(spare=SPARE, error=errno.EROFS)
        assert await running.send(TaskCreate(description="x", id="failed")).kind() == "storage_failed"
        await running.until(lambda: running.assembly.ledger.beside)
        yield running


def hurry(running: Running) -> None:
    settings = attrs.evolve(running.assembly.desk.settings, come_back_every_s=0.02, retry_s=0.02)
    running.assembly.desk.settings = settings


async def ids(running: Running) -> set[str]:
    found: set[str] = set()
    cursor = None
    while True:  # big tasks make small pages
        page = await running.ask(TaskList(limit=1000, cursor=cursor))
        found |= {task["id"] for task in page["tasks"]}
        if (cursor := page["next_cursor"]) is None:
            return found


async def health(running: Running) -> dict[str, Any]:
    client = await running.client()
    await client.send({"jsonrpc": "2.0", "id": 1, "method": "runtime.health", "params": {}})
    answer: dict[str, Any] = (await client.reply())["result"]
    return answer


async def back(running: Running) -> None:
    running.disk.mend()
    await running.until(lambda: running.assembly.ledger.beside is None)


def segments(place: Path) -> list[str]:
    return sorted(path.name for path in (place / "journal").glob("*.jsonl"))


def head(place: Path) -> dict[str, Any]:
    first = (place / "journal" / segments(place)[0]).read_bytes().partition(b"\n")[0]
    found: dict[str, Any] = json.loads(first)
    return found


async def test_commands_are_taken_while_the_state_directory_refuses_and_merged_when_it_does_not(
    tmp_path: Path,
) -> None:
    fallback = tmp_path / "fallback"
    async with running_beside(tmp_path) as running:
        for number in range(3):
            await running.ask(TaskCreate(description="x", id=f"beside{number}"))
        base_seq = head(fallback)["base_seq"]
        assert head(fallback).keys() == {"v", "epoch", "base_seq", "base_crc", "daemon_id", "crc"}
        assert segments(fallback) == [f"{base_seq + 1:020}.jsonl"]
        assert await ids(running) == {"before", "beside0", "beside1", "beside2"}
        shown = await health(running)
        assert shown["status"] == "degraded"
        assert any("the journal goes on in" in reason for reason in shown["reasons"])
        listed = await running.ask(EventList(after_seq=0, limit=1000, kinds=("task.*",)))
        assert [event["id"] for event in listed["events"]] == ["before", "beside0", "beside1", "beside2"]
        assert await running.send(StateSave()).kind() == "storage_failed"
        await back(running)
        assert segments(fallback) == []
        assert f"{base_seq + 1:020}.jsonl" in segments(running.root)
        await running.ask(TaskCreate(description="x", id="after"))
        await running.until(lambda: running.assembly.ledger.files_backlog == 0)
        assert (await health(running))["status"] == "ok"
    (tmp_path / "state" / "state.json").write_bytes(b"damaged")  # so the merged segments and a backup have to do
    async with running_runtime(tmp_path, config=with_fallback(tmp_path)) as running:
        assert await ids(running) == {"before", "beside0", "beside1", "beside2", "after"}
        assert running.assembly.ledger.recovery["seqs_lost"] == []


async def test_the_alert_stands_while_the_journal_is_beside(tmp_path: Path) -> None:
    async with running_beside(tmp_path) as running:
        running.assembly.alerts.look()
        assert "fallback directory" in running.assembly.alerts.shown()[0]["message"]
        await back(running)
        await running.until(lambda: running.assembly.ledger.files_problem is None)
        running.assembly.alerts.look()
        assert running.assembly.alerts.shown() == []


async def test_a_writer_that_crashes_meanwhile_goes_on_beside(tmp_path: Path) -> None:
    async with running_beside(tmp_path) as running:
        await running.ask(TaskCreate(description="x", id="one"))
        running.harm("writer", Harm.CRASH)
        await running.until_up("autosave", 2)
        assert running.assembly.ledger.beside is not None
        await running.ask(TaskCreate(description="x", id="two"))
        assert await ids(running) == {"before", "one", "two"}
        await back(running)
        assert await ids(running) == {"before", "one", "two"}
    async with running_runtime(tmp_path, config=with_fallback(tmp_path)) as running:
        assert await ids(running) == {"before", "one", "two"}


async def test_a_start_while_the_state_directory_refuses_goes_on_beside_and_the_next_one_merges(tmp_path: Path) -> None:
    async with running_beside(tmp_path) as running:
        await running.ask(TaskCreate(description="x", id="one"))
        stubborn = running.disk
        stubborn.mend = lambda: None  # type: ignore[method-assign]
    async with running_runtime(tmp_path, config=with_fallback(tmp_path), disk=stubborn) as running:
        assert running.assembly.ledger.beside is not None
        assert running.assembly.ledger.recovery["case"].startswith("J")
        assert await ids(running) == {"before", "one"}
        await running.ask(TaskCreate(description="x", id="two"))
        assert await running.send(TaskGet(id="two")).kind() == "ok"
    assert segments(tmp_path / "fallback")
    async with running_runtime(tmp_path, config=with_fallback(tmp_path)) as running:
        assert running.assembly.ledger.beside is None
        assert await ids(running) == {"before", "one", "two"}
        assert segments(tmp_path / "fallback") == []


async def test_a_start_finds_what_lies_beside_and_tells_of_it(tmp_path: Path) -> None:
    async with running_beside(tmp_path) as running:
        await running.ask(TaskCreate(description="x", id="one"))
        copied = {path.name: path.read_bytes() for path in (tmp_path / "fallback" / "journal").iterdir()}
        state = {
            path.relative_to(running.root): path.read_bytes() for path in running.root.rglob("*") if path.is_file()
        }
    crashed = tmp_path / "crashed"
    for name, content in state.items():
        (crashed / "state" / name).parent.mkdir(parents=True, exist_ok=True)
        (crashed / "state" / name).write_bytes(content)
    (crashed / "state" / "fallback.json").write_text(json.dumps({"v": 1, "path": str(crashed / "fallback")}))
    (crashed / "fallback" / "journal").mkdir(parents=True)
    mark = (tmp_path / "fallback" / "fallback.json").read_bytes()
    (crashed / "fallback" / "fallback.json").write_bytes(mark)
    for segment, content in copied.items():
        (crashed / "fallback" / "journal" / segment).write_bytes(content)
    async with running_runtime(crashed, config=with_fallback(crashed)) as running:
        assert await ids(running) == {"before", "one"}
        report = running.assembly.ledger.recovery
        assert report["case"].startswith("J")
        assert report["fallback"][0]["outcome"] == "merged"
        assert report["corrupted"] is False
        assert segments(crashed / "fallback") == []
    async with running_runtime(crashed, config=with_fallback(crashed)) as running:
        assert await ids(running) == {"before", "one"}
        assert "fallback" not in running.assembly.ledger.recovery


async def test_when_the_fallback_refuses_too_commands_are_refused_until_one_of_them_works(tmp_path: Path) -> None:
    async with running_beside(tmp_path) as running:
        await running.ask(TaskCreate(description="x", id="one"))
        running.disk.refuse(where=SPARE)
        assert await running.send(TaskCreate(description="x", id="lost")).kind() == "storage_failed"
        assert await running.send(TaskCreate(description="x", id="lost")).kind() == "read_only"
        assert (await health(running))["status"] == "read_only"
        running.disk.mend()
        running.disk.refuse(spare=SPARE)
        await running.until(lambda: running.assembly.ledger.mode.value == "ok")
        assert running.assembly.ledger.beside is not None
        await running.ask(TaskCreate(description="x", id="two"))
        await back(running)
        assert await ids(running) == {"before", "one", "two"}
    async with running_runtime(tmp_path, config=with_fallback(tmp_path)) as running:
        assert await ids(running) == {"before", "one", "two"}
        assert running.assembly.ledger.recovery["corrupted"] is False


async def test_every_step_of_coming_back_may_fail_and_the_journal_goes_on_beside(tmp_path: Path) -> None:
    async with running_beside(tmp_path) as running:
        running.disk.mend()
        steps = [
            ("create", "journal/"),
            ("write", "journal/"),
            ("fsync", "journal/"),
            ("rename", "journal/"),
            ("sync_dir", "journal"),
            ("create", "state.json.tmp"),
            ("write", "state.json.tmp"),
            ("fsync", "state.json.tmp"),
            ("link", "state.backup"),
            ("rename", "state.json"),
        ]
        refusals = [running.disk.refuse(call, where=where, times=3, spare=SPARE) for call, where in steps]
        expected = {"before"}
        while any(refusal.times for refusal in refusals):
            name = f"t{len(expected)}"
            outcome = await running.send(TaskCreate(description="x", id=name)).kind()
            assert outcome in {"ok", "storage_failed", "read_only"}
            if outcome == "ok":
                expected.add(name)
            await running.until(lambda: running.assembly.ledger.mode.value == "ok")
            if running.assembly.ledger.beside is None:
                break
        await back(running)
        assert await ids(running) == expected
    async with running_runtime(tmp_path, config=with_fallback(tmp_path)) as running:
        assert await ids(running) == expected
        assert running.assembly.ledger.recovery["corrupted"] is False


async def test_a_fallback_that_is_gone_keeps_perdure_from_starting_unless_it_is_ignored(tmp_path: Path) -> None:
    config = with_fallback(tmp_path)
    async with running_runtime(tmp_path, config=config) as running:
        await running.ask(TaskCreate(description="x", id="one"))
    away = tmp_path / "away"
    (tmp_path / "fallback").rename(away)
    async with running_runtime(tmp_path, config=config, wait_ready=False) as running:
        await running.until(running.ended.is_set)
        assert running.code == 2
        (refused,) = running.heard(Refused)
        assert "fallback.json is gone" in refused.message
        assert "--ignore-fallback" in refused.hint
    (tmp_path / "fallback").mkdir()  # as a disk that is not mounted leaves it
    async with running_runtime(tmp_path, config=config, wait_ready=False) as running:
        await running.until(running.ended.is_set)
        assert running.code == 2
    async with running_runtime(tmp_path, config=config, ignore_fallback=True) as running:
        assert await ids(running) == {"one"}


async def test_a_configuration_that_forgets_the_fallback_loses_nothing(tmp_path: Path) -> None:
    async with running_beside(tmp_path) as running:
        await running.ask(TaskCreate(description="x", id="one"))
        running.disk.mend = lambda: None  # type: ignore[method-assign]
    assert segments(tmp_path / "fallback")
    async with running_runtime(tmp_path) as running:
        assert await ids(running) == {"before", "one"}
        assert not (running.root / "fallback.json").exists()
    assert segments(tmp_path / "fallback") == []


async def test_what_was_ignored_is_kept_in_quarantine_and_told_when_the_state_directory_went_another_way(
    tmp_path: Path,
) -> None:
    config = with_fallback(tmp_path)
    async with running_beside(tmp_path) as running:
        await running.ask(TaskCreate(description="x", id="beside"))
        running.disk.mend = lambda: None  # type: ignore[method-assign]
    async with running_runtime(tmp_path, config=config, ignore_fallback=True) as running:
        assert await ids(running) == {"before"}
        await running.ask(TaskCreate(description="x", id="other"))
    async with running_runtime(tmp_path, config=config) as running:
        assert await ids(running) == {"before", "other"}
        report = running.assembly.ledger.recovery
        assert (report["fallback"][0]["outcome"], report["corrupted"]) == ("set aside", True)
        assert {"table": None, "id": "beside"} in report["ids_lost"]
        kept = b"".join(path.read_bytes() for path in (running.root / "quarantine").rglob("*.jsonl*"))
        assert b'"beside"' in kept
    async with running_runtime(tmp_path, config=config) as running:
        assert await ids(running) == {"before", "other"}
        assert running.assembly.ledger.recovery["corrupted"] is False


async def test_the_fallback_of_another_state_directory_is_refused(tmp_path: Path) -> None:
    config = with_fallback(tmp_path)
    async with running_runtime(tmp_path, config=config):
        pass
    other = tmp_path / "other"
    other.mkdir()
    async with running_runtime(other):
        pass
    async with running_runtime(other, config=config, wait_ready=False) as running:
        await running.until(running.ended.is_set)
        assert running.code == 2
        assert "another state directory" in running.heard(Refused)[0].message


async def test_a_state_directory_without_room_leaves_for_the_fallback_before_it_is_full(tmp_path: Path) -> None:
    async with running_runtime(tmp_path, config=with_fallback(tmp_path)) as running:
        hurry(running)
        await running.ask(TaskCreate(description="x", id="one"))
        running.disk.free_bytes = MIB
        error = await running.send(TaskCreate(description="x", id="two")).error()
        assert error.kind == "read_only"
        await running.until(lambda: running.assembly.ledger.beside)
        await running.ask(TaskCreate(description="x", id="two"))
        await back(running)
        assert await ids(running) == {"one", "two"}


async def test_what_was_decided_on_a_command_that_was_refused_is_decided_again_on_the_other_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached, go_on = threading.Event(), threading.Event()

    def no_room(_store: DiskStore) -> None:
        if threading.current_thread().name != "commit":  # files behind the journal ask, too
            return
        monkeypatch.undo()
        reached.set()
        assert go_on.wait(60)
        raise NoRoom(Room(free_bytes=1, reserve_bytes=2))

    async with running_runtime(tmp_path, config=with_fallback(tmp_path)) as running:
        monkeypatch.setattr(DiskStore, "_check_room", no_room)
        first = running.send(TaskCreate(description="x", id="first"))
        await running.until(reached.is_set)
        running.disk.free_bytes = MIB
        second = running.send(TaskCreate(description="x", id="second", depends_on=("first",)))
        await running.until(lambda: running.assembly.mailboxes["writer"].depth == 1)
        go_on.set()
        assert await first.kind() == "read_only"
        assert await second.kind() == "invalid_params", "what it depends on is not there"
        assert running.assembly.ledger.beside is not None
        assert await ids(running) == set()


async def test_a_real_disk_that_is_full_is_left_for_the_fallback_and_taken_up_again(tmp_path: Path) -> None:
    with small_disk(tmp_path, 48 * MIB) as place:
        config = with_fallback(tmp_path, disk_reserve_bytes=0)
        taken: set[str] = set()
        async with running_runtime(place, config=config) as running:
            hurry(running)
            ballast = place / "ballast"
            fill(ballast, 2 * MIB)
            for number in range(40):
                name = f"t{number}"
                kind = await running.send(TaskCreate(description="x" * (128 << 10), id=name)).kind()
                assert kind in {"ok", "storage_failed", "read_only"}
                taken |= {name} if kind == "ok" else set()
                await running.until(lambda: running.assembly.ledger.mode.value == "ok")
            assert running.assembly.ledger.beside is not None
            assert len(taken) > 20
            ballast.unlink()
            await running.until(lambda: running.assembly.ledger.beside is None)
            assert await ids(running) == taken
        async with running_runtime(place, config=config) as running:
            assert await ids(running) == taken

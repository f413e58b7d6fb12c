"""FAULTS rows 5, 6, 17-19, 22 and 34: what the disk does to the writer, and what clients notice of it.

After each: nothing that was refused is visible, everything acknowledged is there after a restart, and what was written
in doubt lies in quarantine.
"""

from __future__ import annotations

import errno
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from actors.messages.records import EventSubscribe
from actors.messages.request import Delivery
from actors.messages.runtime import StateSave
from actors.messages.tasks import TaskCreate, TaskGet, TaskList, TaskStart
from tests.kit.runtimes import Running, Sent, config_of, running_runtime

JOURNAL = "journal/"
REFUSALS = [errno.EIO, errno.ENOSPC, errno.EROFS, errno.EDQUOT]


def creates(number: int, prefix: str = "t") -> list[TaskCreate]:
    return [TaskCreate(description="x", id=f"{prefix}{n}") for n in range(number)]


async def ids(running: Running) -> set[str]:
    return {task["id"] for task in (await running.ask(TaskList(limit=1000)))["tasks"]}


async def health(running: Running) -> dict[str, Any]:
    client = await running.client()
    await client.send({"jsonrpc": "2.0", "id": 1, "method": "runtime.health", "params": {}})
    answer: dict[str, Any] = (await client.reply())["result"]
    return answer


async def ok_again(running: Running) -> None:
    await running.until(lambda: running.assembly.ledger.mode.value == "ok")


def quarantined(running: Running) -> bytes:
    return b"".join(path.read_bytes() for path in (running.root / "quarantine").rglob("*") if path.is_file())


@asynccontextmanager
async def nothing_lost(tmp_path: Path, **options: Any) -> AsyncIterator[tuple[Running, dict[str, bool]]]:
    """Run; then start again on what is there: the tasks marked True must be there, those marked False must not."""
    expected: dict[str, bool] = {}
    async with running_runtime(tmp_path, **options) as running:
        yield running, expected
    async with running_runtime(tmp_path) as running:
        there = await ids(running)
        assert {name: name in there for name in expected} == expected


async def batch_of_64(running: Running) -> list[Sent]:
    """Let 64 commands share the next commit."""
    gate = running.disk.gate("fdatasync", where=JOURNAL)
    busy = running.send(TaskCreate(description="busy", id="busy"))
    await running.until(lambda: gate.reached)
    burst = running.send_all(creates(64))
    await running.until(lambda: running.assembly.mailboxes["writer"].depth == 64)
    gate.open()
    await busy.result()
    return burst


@pytest.mark.parametrize("error", REFUSALS)
@pytest.mark.parametrize("call", ["pwrite", "fdatasync"])
async def test_all_of_a_batch_whose_commit_fails_are_told_and_none_is_visible(
    tmp_path: Path, call: str, error: int
) -> None:
    async with nothing_lost(tmp_path) as (running, expected):
        await running.ask(TaskCreate(description="x", id="before"))
        running.disk.refuse(call, where=JOURNAL, error=error, times=1, after=1)
        burst = await batch_of_64(running)
        assert {await sent.kind() for sent in burst} == {"storage_failed"}
        await ok_again(running)
        assert await ids(running) == {"before", "busy"}
        await running.ask(TaskCreate(description="x", id="after"))
        expected |= {"before": True, "busy": True, "after": True, **{f"t{n}": False for n in range(64)}}
        assert (b'"id":"t63"' in quarantined(running)) is (call == "fdatasync"), "what was written in doubt is kept"


@pytest.mark.parametrize("error", [errno.EIO, errno.ENOSPC])
async def test_a_write_that_is_half_done_and_fails_leaves_half_a_line_to_nobody(tmp_path: Path, error: int) -> None:
    async with nothing_lost(tmp_path) as (running, expected):
        await running.ask(TaskCreate(description="x", id="before"))
        running.disk.refuse("pwrite", where=JOURNAL, error=error, times=1, half=True)
        assert await running.send(TaskCreate(description="x", id="half")).kind() == "storage_failed"
        await ok_again(running)
        await running.ask(TaskCreate(description="x", id="after"))
        expected |= {"before": True, "half": False, "after": True}


async def test_a_short_write_is_gone_on_with_and_nobody_notices(tmp_path: Path) -> None:
    async with nothing_lost(tmp_path) as (running, expected):
        running.disk.refuse("pwrite", where=JOURNAL, times=3, short=True)
        for sent in running.send_all(creates(5)):
            await sent.result()
        expected |= {f"t{n}": True for n in range(5)}
        assert running.assembly.ledger.mode.value == "ok"


async def test_a_failed_sync_is_never_tried_again_on_its_file(tmp_path: Path) -> None:
    async with nothing_lost(tmp_path) as (running, expected):
        await running.ask(TaskCreate(description="x", id="before"))
        running.disk.refuse("fdatasync", where=JOURNAL, times=1)
        assert await running.send(TaskCreate(description="x", id="lost")).kind() == "storage_failed"
        await ok_again(running)
        await running.ask(TaskCreate(description="x", id="after"))
        failed = next(n for n, deed in enumerate(running.disk.deeds) if deed.refused)
        touched = running.disk.deeds[failed]
        later = [deed for deed in running.disk.deeds[failed + 1 :] if deed.path == touched.path]
        assert {deed.call for deed in later} <= {"ftruncate", "fsync"}, "only the cut of the doubtful end"
        assert touched.descriptor not in {deed.descriptor for deed in later if deed.call == "fdatasync"}
        begun = [deed.path for deed in running.disk.done("create", JOURNAL)]
        assert touched.path != begun[-1], "the journal goes on in a new segment"
        expected |= {"before": True, "lost": False, "after": True}


async def test_what_comes_back_stands_behind_a_snapshot_that_is_synced_first(tmp_path: Path) -> None:
    async with nothing_lost(tmp_path) as (running, expected):
        await running.ask(TaskCreate(description="x", id="before"))
        running.disk.refuse("fdatasync", where=JOURNAL, times=1)
        deeds = len(running.disk.deeds)
        assert await running.send(TaskCreate(description="x", id="lost")).kind() == "storage_failed"
        await ok_again(running)
        calls = [(deed.call, deed.path) for deed in running.disk.deeds[deeds:] if not deed.refused]
        renamed = calls.index(("rename", "state.json"))
        assert ("sync_dir", ".") in calls[renamed:]
        assert any(call == "fsync" and "state.json.tmp" in path for call, path in calls[:renamed])
        begun = next(n for n, (call, path) in enumerate(calls) if call == "create" and path.startswith(JOURNAL))
        assert renamed < begun
        snapshot = json.loads((running.root / "state.json").read_bytes())
        assert [task["id"] for task in snapshot["tasks"]] == ["before"]
        expected |= {"before": True, "lost": False}


@pytest.mark.parametrize("call", ["pwrite", "fdatasync"])
async def test_a_command_that_is_repeated_with_its_key_takes_effect_once(tmp_path: Path, call: str) -> None:
    async with running_runtime(tmp_path) as running:
        running.disk.refuse(call, where=JOURNAL, times=1)
        command = TaskCreate(description="x")
        assert await running.send(command, key="k").kind() == "storage_failed"
        await ok_again(running)
        made = await running.ask(command, key="k")
        assert (await running.ask(command, key="k"))["id"] == made["id"]
        assert await ids(running) == {made["id"]}
    async with running_runtime(tmp_path) as running:
        assert (await running.ask(command, key="k"))["id"] == made["id"]
        assert await ids(running) == {made["id"]}


@pytest.mark.parametrize("error", REFUSALS)
async def test_while_the_disk_stays_bad_queries_are_answered_and_commands_refused_until_it_is_good(
    tmp_path: Path, error: int
) -> None:
    async with nothing_lost(tmp_path) as (running, expected):
        await running.ask(TaskCreate(description="x", id="before"))
        running.disk.refuse(error=error)
        assert await running.send(TaskCreate(description="x", id="first")).kind() == "storage_failed"
        for _ in range(3):
            refused = await running.send(TaskCreate(description="x", id="second")).error()
            assert (refused.kind, refused.retryable) == ("read_only", True)
            assert (await running.ask(TaskGet(id="before")))["id"] == "before"
        shown = await health(running)
        assert (shown["status"], shown["writeable"]) == ("read_only", False)
        assert any("disk cannot be written" in reason for reason in shown["reasons"])
        running.disk.mend()
        await ok_again(running)
        assert (await health(running))["status"] == "ok"
        await running.ask(TaskCreate(description="x", id="after"))
        expected |= {"before": True, "first": False, "second": False, "after": True}


async def test_an_error_in_read_only_mode_is_the_error_and_not_the_disk(tmp_path: Path) -> None:
    async with running_runtime(tmp_path) as running:
        await running.ask(TaskCreate(description="x", id="one"))
        running.disk.refuse()
        assert await running.send(TaskStart(id="one")).kind() == "storage_failed"
        assert await running.send(TaskStart(id="nobody")).kind() == "not_found"
        assert await running.send(TaskCreate(description="x", id="one")).kind() == "already_exists"


async def test_every_step_of_coming_back_may_fail_and_is_tried_again(tmp_path: Path) -> None:
    async with nothing_lost(tmp_path) as (running, expected):
        await running.ask(TaskCreate(description="x", id="before"))
        running.disk.refuse("fdatasync", where=JOURNAL, times=1)
        steps = [
            ("create", "state.json.tmp"),
            ("write", "state.json.tmp"),
            ("fsync", "state.json.tmp"),
            ("link", "state.backup"),
            ("rename", "state.json"),
            ("mkdir", "quarantine/"),
            ("write", "quarantine/"),
            ("fsync", "quarantine/"),
            ("create", JOURNAL),
            ("sync_dir", "journal"),
            ("ftruncate", JOURNAL),
        ]
        refusals = [running.disk.refuse(call, where=where, times=1) for call, where in steps]
        assert await running.send(TaskCreate(description="x", id="lost")).kind() == "storage_failed"
        await ok_again(running)
        assert [refusal.calls for refusal in refusals if refusal.times] == []
        await running.ask(TaskCreate(description="x", id="after"))
        expected |= {"before": True, "lost": False, "after": True}


async def test_a_stop_in_read_only_mode_ends_in_order(tmp_path: Path) -> None:
    async with nothing_lost(tmp_path) as (running, expected):
        await running.ask(TaskCreate(description="x", id="before"))
        running.disk.refuse()
        assert await running.send(TaskCreate(description="x", id="lost")).kind() == "storage_failed"
        assert await running.stop() == 0
        expected |= {"before": True, "lost": False}


async def test_a_failed_snapshot_and_a_failed_commit_are_told_to_whoever_listens(tmp_path: Path) -> None:
    heard: list[dict[str, Any]] = []

    def notify(line: bytes) -> Delivery:
        heard.extend(json.loads(line)["params"]["events"] if line else [])
        return Delivery.SENT

    def errors() -> int:
        return sum(event["kind"] == "state:save-error" for event in heard)

    async with running_runtime(tmp_path) as running:
        await running.send(EventSubscribe(), notify=notify).result()
        await running.ask(TaskCreate(description="x", id="one"))
        running.disk.refuse("rename", where="state.json", times=1)
        assert await running.send(StateSave()).kind() == "storage_failed"
        await running.until(lambda: errors() == 1)
        running.disk.refuse("pwrite", where=JOURNAL, times=1)
        assert await running.send(TaskCreate(description="x")).kind() == "storage_failed"
        await running.until(lambda: errors() == 2)
        await ok_again(running)
        await running.ask(StateSave())
        await running.until(lambda: any(event["kind"] == "state:saved" for event in heard))


# --- a slow disk


async def test_while_a_sync_takes_long_queries_are_answered_and_the_writer_is_not_taken_for_hung(
    tmp_path: Path,
) -> None:
    config = config_of(supervisor={"hung_after_s": 1.5, "heartbeat_s": 0.1})
    async with nothing_lost(tmp_path, config=config) as (running, expected):
        await running.ask(TaskCreate(description="x", id="before"))
        gate = running.disk.gate("fdatasync", where=JOURNAL)
        slow = running.send(TaskCreate(description="x", id="slow"))
        await running.until(lambda: gate.reached)
        begun_s = running.assembly.desk.clock.monotonic_s()
        while running.assembly.desk.clock.monotonic_s() < begun_s + 2.0:
            assert (await running.ask(TaskGet(id="before")))["id"] == "before"
            assert await running.send(TaskGet(id="slow")).kind() == "not_found"
            await running.until(_after(running, 0.05))
        assert not slow.is_answered
        gate.open()
        await slow.result()
        assert {running.view(actor).incarnation for actor in ("writer", "tasks", "gateway")} == {1}
        expected |= {"before": True, "slow": True}


def _after(running: Running, seconds: float) -> Callable[[], bool]:
    until_s = running.assembly.desk.clock.monotonic_s() + seconds
    return lambda: running.assembly.desk.clock.monotonic_s() >= until_s


async def test_while_a_sync_takes_long_what_waits_is_bounded_and_then_all_of_it_is_answered(tmp_path: Path) -> None:
    config = config_of(gateway={"in_flight_max": 50})
    async with nothing_lost(tmp_path, config=config) as (running, expected):
        gate = running.disk.gate("fdatasync", where=JOURNAL)
        clients = [await running.client() for _ in range(3)]
        for number, client in enumerate(clients):
            await client.send(
                *(
                    {"jsonrpc": "2.0", "id": n, "method": "task.create", "params": {"description": "x", "id": name}}
                    for n, name in ((n, f"c{number}-{n}") for n in range(200))
                )
            )
        await running.until(lambda: gate.reached and running.assembly.gateway.commands_under_way == 150)
        assert sum(mailbox.depth for mailbox in running.assembly.mailboxes.values()) <= 150
        gate.open()
        for client in clients:
            replies = await client.replies(200)
            assert sorted(replies) == list(range(200))
            assert not [reply for reply in replies.values() if "error" in reply]
        expected |= {f"c{number}-{n}": True for number in range(3) for n in range(200)}


async def test_health_says_that_the_disk_does_not_answer_while_it_does_not(tmp_path: Path) -> None:
    async with running_runtime(tmp_path) as running:
        gate = running.disk.gate("create", where="tasks/")
        await running.ask(TaskCreate(description="x", id="one"))
        await running.until(lambda: gate.reached)
        shown = await health(running)
        assert shown["status"] == "degraded"
        assert any("did not answer" in reason for reason in shown["reasons"])
        await running.ask(TaskCreate(description="x", id="two"))
        gate.open()
        await running.until(lambda: running.assembly.ledger.files_backlog == 0)
        assert (await health(running))["status"] == "ok"

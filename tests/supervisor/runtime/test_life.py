"""The runtime's life under its root: ready when clients are served, stopped in order, ended with the right code."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import trio

from actors.messages.records import EventSubscribe
from actors.messages.request import Delivery
from actors.messages.tasks import TaskCreate, TaskGet
from supervisor.gateway.connection import Connection
from supervisor.gateway.pump import Pump
from supervisor.root.control import Beat, GaveUp, Hello, Ready, Refused, Status, Stop, Stopped
from supervisor.tree.chaos import Harm
from tests.kit.moody_disk import MoodyDisk
from tests.kit.runtimes import PATIENCE_S, config_of, running_runtime


def create(call_id: int, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": call_id, "method": "task.create", "params": {"description": "x", **params}}


async def test_it_is_ready_with_the_seq_it_recovered(tmp_path: Path) -> None:
    async with running_runtime(tmp_path) as running:
        for _ in range(3):
            await running.ask(TaskCreate(description="x"))
    seq = running.assembly.ledger.tables.seq
    async with running_runtime(tmp_path) as running:
        (ready,) = running.heard(Ready)
        assert ready.seq >= seq
        assert ready.recovery["case"] == "B"
        assert ready.recovery["facts_replayed"] == 0


async def test_it_beats_while_it_lives(tmp_path: Path) -> None:
    config = config_of(supervisor={"heartbeat_s": 0.01})
    async with running_runtime(tmp_path, config=config) as running:
        await running.until(lambda: len(running.heard(Beat)) > 5)


async def test_a_stop_answers_what_is_under_way_saves_and_ends_with_0(tmp_path: Path) -> None:
    async with running_runtime(tmp_path) as running:
        gate = running.disk.gate("fdatasync", where="journal/")
        client = await running.client()
        await client.send(create(1, id="under-way"))
        await running.until(lambda: gate.reached)
        running.order(Stop(reason="test", grace_s=40))
        await running.until(lambda: running.assembly.watch.stopping)
        gate.open()
        assert (await client.reply())["result"]["id"] == "under-way"
        await running.until(running.ended.is_set)
        assert running.code == 0
        await running.until(lambda: running.heard(Stopped))
        assert await client.ends()
    state = json.loads((running.root / "state.json").read_bytes())
    assert [task["id"] for task in state["tasks"]] == ["under-way"]


async def test_what_comes_during_a_stop_is_told_to_come_again(tmp_path: Path) -> None:
    async with running_runtime(tmp_path) as running:
        gate = running.disk.gate("fdatasync", where="journal/")
        client = await running.client()
        await client.send(create(1))
        await running.until(lambda: gate.reached)
        running.order(Stop(reason="test", grace_s=40))
        await running.until(lambda: running.assembly.watch.stopping)
        await client.send(create(2))
        error = (await client.reply())["error"]["data"]
        assert (error["kind"], error["retryable"]) == ("shutting_down", True)
        gate.open()
        assert (await client.reply())["id"] == 1


async def test_a_stop_on_a_disk_that_does_not_answer_gives_up_when_its_time_is_over(tmp_path: Path) -> None:
    config = config_of(supervisor={"stop_grace_s": 0.2})
    async with running_runtime(tmp_path, config=config) as running:
        gate = running.disk.gate("fdatasync", where="journal/")
        sent = running.send(TaskCreate(description="x"))
        await running.until(lambda: gate.reached)
        running.order(Stop(reason="test", grace_s=0.2))
        await running.until(running.ended.is_set)
        assert running.code == 0
        assert await sent.kind() == "shutting_down"
        assert not running.runtime.writes_no_more(0.01), "the lock is not given away while a thread may still write"
        gate.open()
        assert running.runtime.writes_no_more(60)


async def test_a_newer_version_is_refused_and_the_root_is_told_why(tmp_path: Path) -> None:
    async with running_runtime(tmp_path) as running:
        await running.ask(TaskCreate(description="x"))
    path = tmp_path / "state" / "state.json"
    newer = path.read_bytes().replace(b'"version":"2.0.0"', b'"version":"3.0.0"')
    path.write_bytes(newer)
    async with running_runtime(tmp_path, wait_ready=False) as running:
        await running.until(running.ended.is_set)
        assert running.code == 6
        await running.until(lambda: running.heard(Refused))
    assert path.read_bytes() == newer


async def test_a_foreign_directory_is_refused_and_not_touched(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "thesis.tex").write_text("precious")
    async with running_runtime(tmp_path, wait_ready=False) as running:
        await running.until(running.ended.is_set)
        assert running.code == 7
        await running.until(lambda: running.heard(Refused))
    assert [path.name for path in (tmp_path / "state").iterdir()] == ["thesis.tex"]


async def test_a_disk_that_cannot_be_read_at_the_start_is_left_to_the_root_to_try_again(tmp_path: Path) -> None:
    async with running_runtime(tmp_path) as running:
        await running.ask(TaskCreate(description="x", id="one"))

    disk = MoodyDisk(tmp_path / "state")
    disk.refuse()
    async with running_runtime(tmp_path, disk=disk, wait_ready=False) as running:
        await running.until(running.ended.is_set)
        assert running.code == 75
        await running.until(lambda: running.heard(GaveUp))
    async with running_runtime(tmp_path) as running:
        assert (await running.ask(TaskGet(id="one")))["id"] == "one"


async def test_a_crash_is_told_live_to_whoever_listens_and_recorded(tmp_path: Path) -> None:
    heard: list[dict[str, Any]] = []

    def notify(line: bytes) -> Delivery:
        heard.extend(json.loads(line)["params"]["events"] if line else [])
        return Delivery.SENT

    def kinds() -> list[str]:
        return [event["kind"] for event in heard]

    async with running_runtime(tmp_path) as running:
        await running.send(EventSubscribe(kinds=("actor:*", "event.*")), notify=notify).result()
        running.harm("runs", Harm.CRASH)
        await running.until(lambda: len(kinds()) == 4)
        assert kinds()[:1] == ["actor:crashed"]
        assert sorted(kinds()) == ["actor:crashed", "actor:restarted", "event.recorded", "event.recorded"]
        assert heard[0]["data"]["actor"] == "runtime/core/domain/runs"
        assert heard[0]["data"]["reason"] == "chaos"


async def test_a_second_hello_and_news_of_the_root_change_nothing(tmp_path: Path) -> None:
    async with running_runtime(tmp_path) as running:
        running.order(
            Hello(
                config={},
                state_path="/elsewhere",
                listen_fd=0,
                incarnation=2,
                root_pid=os.getpid(),
                started_at="",
                log_level="info",
            )
        )
        await running.ask(TaskCreate(description="x"))
        assert not running.heard(Status)
        assert not running.ended.is_set()


async def test_an_actor_that_does_not_leave_ends_the_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A task cannot be abandoned; going on with two of one actor would be worse than a restart of the process."""
    release = trio.Event()

    async def handle(_self: object, _tells: object, _letters: object) -> None:
        with trio.CancelScope(shield=True):
            await release.wait()

    config = config_of(supervisor={"stop_grace_s": 0.1})
    async with running_runtime(tmp_path, config=config) as running:
        (core,) = running.runtime._tree._crew.inner.values()
        (domain,) = core.inner.values()
        object.__setattr__(domain.roster._spec, "stuck_after_s", 0.1)  # ten seconds otherwise
        monkeypatch.setattr("actors.runs.Runs.handle", handle)
        running.assembly.mailboxes["runs"].tell("anything")
        running.harm("runs", Harm.CRASH)
        running.runtime._tree._crew.stop("test")
        await running.until(lambda: running.given_up)
        assert "runtime/core/domain/runs" in running.given_up[0]
        release.set()


async def test_a_defect_in_sending_replies_is_the_gateways_crash_and_not_the_writers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    struck: list[Connection] = []
    send = Pump.send

    def crash(self: Pump, connection: Connection) -> None:
        if not struck and b'"result"' in bytes(connection.to_send()):
            struck.append(connection)
            raise RuntimeError("planted")
        send(self, connection)

    async with running_runtime(tmp_path) as running:
        await running.settle()
        clients = [await running.client() for _ in range(3)]
        gate = running.disk.gate("fdatasync", where="journal/")
        first = running.send(TaskCreate(description="holds the disk"))
        await running.until(lambda: gate.reached)
        for number, client in enumerate(clients):
            await client.send(create(number, id=f"t{number}"))
        await running.until(lambda: running.assembly.gateway.commands_under_way == len(clients))
        await running.until(lambda: running.assembly.mailboxes["writer"].depth == len(clients))
        monkeypatch.setattr(Pump, "send", crash)
        gate.open()
        await first.result()
        with trio.fail_after(PATIENCE_S):
            answers = [await client.line() for client in clients]
        assert len(struck) == 1
        assert sorted(answer is None for answer in answers) == [False, False, True], "one in hand is lost, and no other"
        assert running.view("writer").incarnation == 1
        await running.until_up("gateway", 2)

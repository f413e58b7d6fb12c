"""Autosave: a snapshot now and then when something changed, and the record of the daemon."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from actors.kernel.mailbox import Mailbox
from actors.messages.records import EventSubscribe
from actors.messages.request import Delivery
from actors.messages.runtime import StateSave
from actors.messages.tasks import TaskCreate
from supervisor.tree.chaos import Harm
from tests.kit.core import HandClock
from tests.kit.runtimes import Running, config_of, running_runtime

INTERVAL_S = 30.0


def daemon(running: Running) -> dict[str, Any]:
    """The record as it is durable; empty before there is any."""
    row = running.assembly.ledger.tables.row("daemon", "daemon")
    found: dict[str, Any] = {} if row is None else json.loads(row.encoded)
    return found


async def recorded(running: Running) -> dict[str, Any]:
    await running.until(lambda: daemon(running))
    return daemon(running)


def saved_seq(running: Running) -> int | None:
    return (running.assembly.ledger.last_save or {}).get("seq")


async def turn(running: Running, *, seconds: float) -> None:
    """Let time pass, and autosave take a whole turn in it."""
    clock = running.assembly.desk.clock
    assert isinstance(clock, HandClock)
    clock.pass_s(seconds)
    turns: list[None] = []
    mailbox = running.assembly.mailboxes["autosave"]

    def finished() -> None:
        Mailbox.finished(mailbox)
        turns.append(None)  # the tick follows without a checkpoint

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mailbox, "finished", finished)
        mailbox.tell("look at the clock")
        await running.until(lambda: turns)


def at_interval(**state: Any) -> dict[str, Any]:
    return {"clock": HandClock(), "config": config_of(state={"autosave_interval_s": INTERVAL_S, **state})}


async def test_what_changed_is_saved_when_the_interval_is_over_and_not_before(tmp_path: Path) -> None:
    async with running_runtime(tmp_path, **at_interval()) as running:
        await running.ask(TaskCreate(description="x"))
        await turn(running, seconds=INTERVAL_S - 1)
        assert saved_seq(running) is None
        await turn(running, seconds=2)
        await running.until(lambda: saved_seq(running) == running.assembly.ledger.tables.seq)


async def test_what_did_not_change_is_not_saved_again(tmp_path: Path) -> None:
    async with running_runtime(tmp_path, **at_interval()) as running:
        await running.ask(TaskCreate(description="x"))
        await running.ask(StateSave())
        saves = len(running.disk.done("rename", "state.json"))
        for _ in range(3):
            await turn(running, seconds=INTERVAL_S + 1)
        assert len(running.disk.done("rename", "state.json")) == saves
        await running.ask(TaskCreate(description="y"))
        await turn(running, seconds=INTERVAL_S + 1)
        await running.until(lambda: len(running.disk.done("rename", "state.json")) == saves + 1)


async def test_a_state_that_takes_long_to_save_is_saved_less_often(tmp_path: Path) -> None:
    async with running_runtime(tmp_path, **at_interval()) as running:
        await running.ask(TaskCreate(description="x"))
        await running.ask(StateSave())
        assert running.assembly.ledger.last_save is not None
        running.assembly.ledger.last_save["duration_s"] = 7.0
        await running.ask(TaskCreate(description="y"))
        first = saved_seq(running)
        await turn(running, seconds=INTERVAL_S + 1)
        await turn(running, seconds=38)
        assert saved_seq(running) == first, "70 seconds, ten times the last save, are not over"
        await turn(running, seconds=2)
        await running.until(lambda: saved_seq(running) != first)


async def test_while_a_save_is_under_way_no_other_is_asked_for(tmp_path: Path) -> None:
    async with running_runtime(tmp_path, **at_interval()) as running:
        await running.ask(TaskCreate(description="x"))
        gate = running.disk.gate("create", where="state.json.tmp")
        await turn(running, seconds=INTERVAL_S + 1)
        await running.until(lambda: gate.reached)
        for _ in range(3):
            await running.ask(TaskCreate(description="y"))
            await turn(running, seconds=INTERVAL_S + 1)
        assert len(running.assembly.desk.savers) == 1
        gate.open()
        await running.until(lambda: saved_seq(running) is not None)


async def test_a_new_interval_holds_at_once(tmp_path: Path) -> None:
    async with running_runtime(tmp_path, **at_interval()) as running:
        running.assembly.take_live(config_of(state={"autosave_interval_s": 5.0}))
        await running.ask(TaskCreate(description="x"))
        await turn(running, seconds=6)
        await running.until(lambda: saved_seq(running) is not None)


async def test_a_save_by_the_clock_is_told_to_whoever_listens(tmp_path: Path) -> None:
    heard: list[dict[str, Any]] = []

    def notify(line: bytes) -> Delivery:
        heard.extend(json.loads(line)["params"]["events"] if line else [])
        return Delivery.SENT

    async with running_runtime(tmp_path, **at_interval()) as running:
        await running.send(EventSubscribe(kinds=("autosave:*", "state:*")), notify=notify).result()
        await running.ask(TaskCreate(description="x"))
        await turn(running, seconds=INTERVAL_S + 1)
        await running.until(lambda: len(heard) == 2)
        assert [event["kind"] for event in heard] == ["autosave:triggered", "state:saved"]
        assert heard[1]["data"]["seq"] == saved_seq(running)


async def test_the_daemon_is_recorded_as_started_and_at_the_end_as_stopped(tmp_path: Path) -> None:
    async with running_runtime(tmp_path) as running:
        started = await recorded(running)
        assert (started["started"], started["pid"], started["stopped_at"]) == (True, 4242, None)
        assert started["started_at"] == "2026-03-01T11:59:59.000Z"
    stopped = daemon(running)
    assert (stopped["started"], stopped["pid"]) == (False, None)
    assert stopped["stopped_at"].endswith("Z")
    assert stopped["started_at"] == started["started_at"]


@pytest.mark.parametrize("actor", ["autosave", "writer"])
async def test_a_restart_of_an_actor_is_no_start_of_the_daemon(tmp_path: Path, actor: str) -> None:
    async with running_runtime(tmp_path) as running:
        await running.ask(TaskCreate(description="x"))
        before = await recorded(running)
        running.harm(actor, Harm.CRASH)
        await running.until_up(actor, 2)
        await running.until_up("autosave", 2)
        await running.ask(TaskCreate(description="x"))
        assert daemon(running) == before


async def test_a_runtime_restarted_by_its_root_is_no_start_of_the_daemon(tmp_path: Path) -> None:
    async with running_runtime(tmp_path) as running:
        before = await recorded(running)
        await _die(running)
    async with running_runtime(tmp_path) as running:
        assert daemon(running) == before


async def test_a_record_that_was_never_closed_is_replaced_at_the_next_start(tmp_path: Path) -> None:
    async with running_runtime(tmp_path) as running:
        await recorded(running)
        await _die(running)
    async with running_runtime(tmp_path, started_at="2026-03-02T08:00:00.000Z") as running:
        await running.until(lambda: daemon(running).get("started_at") == "2026-03-02T08:00:00.000Z")
        assert daemon(running)["started"] is True
        assert daemon(running)["rev"] == 2


async def test_a_stop_whose_last_fact_the_disk_does_not_take_ends_all_the_same(tmp_path: Path) -> None:
    async with running_runtime(tmp_path) as running:
        await recorded(running)
        running.disk.refuse()
        assert await running.stop() == 0
    async with running_runtime(tmp_path) as running:
        assert daemon(running)["started"] is True


async def _die(running: Running) -> None:
    """Stop without the record's being closed, as a runtime does that is killed."""
    running.runtime._tree.stop("killed")
    await running.until(running.ended.is_set)

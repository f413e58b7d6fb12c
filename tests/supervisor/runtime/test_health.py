"""`runtime.health`: each rule of its table, and the figures behind them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from actors.messages.runtime import StateSave
from actors.messages.tasks import TaskCreate
from supervisor.tree.chaos import Harm
from tests.kit.core import HandClock
from tests.kit.runtimes import PATHS, Running, config_of, running_runtime


async def health(running: Running) -> dict[str, Any]:
    client = await running.client()
    await client.send({"jsonrpc": "2.0", "id": 1, "method": "runtime.health", "params": {}})
    answer: dict[str, Any] = (await client.reply())["result"]
    return answer


async def test_when_nothing_is_amiss_it_is_ok_and_shows_its_figures(tmp_path: Path) -> None:
    async with running_runtime(tmp_path) as running:
        await running.ask(TaskCreate(description="x"))
        await running.ask(StateSave())
        await running.until(lambda: running.assembly.ledger.files_backlog == 0)
        shown = await health(running)
        assert (shown["status"], shown["reasons"]) == ("ok", [])
        assert shown["state_dir_exists"] is True
        assert shown["writeable"] is True
        assert shown["disk_free_bytes"] > 0
        assert shown["backup_count"] >= 1
        assert shown["quarantine_count"] == 0
        assert shown["durability"] == "commit"
        assert shown["journal"]["seq"] == running.assembly.ledger.tables.seq
        assert shown["journal"]["segments"] >= 1
        assert shown["journal"]["bytes"] > 0
        assert shown["journal"]["lag"] == 0
        assert shown["last_save_time"].endswith("Z")
        assert shown["last_save_age_s"] >= 0
        assert {shown["actors"][path] for path in PATHS.values()} == {"running"}
        assert shown["watchdog"]["heartbeat_s"] == 1.0


async def test_the_age_of_the_last_save_grows_and_a_clock_that_is_put_back_does_not_change_it(tmp_path: Path) -> None:
    clock = HandClock()
    async with running_runtime(tmp_path, clock=clock) as running:
        await running.ask(TaskCreate(description="x"))
        await running.ask(StateSave())
        clock.pass_s(90)
        clock.wall_s -= 86_400
        assert (await health(running))["last_save_age_s"] == 90


async def test_a_save_of_an_earlier_runtime_is_shown_too(tmp_path: Path) -> None:
    clock = HandClock()
    async with running_runtime(tmp_path, clock=clock) as running:
        await running.ask(TaskCreate(description="x"))
    saved_at = json.loads((tmp_path / "state" / "state.json").read_bytes())["last_saved"]
    clock.pass_s(60)
    async with running_runtime(tmp_path, clock=clock) as running:
        shown = await health(running)
        assert shown["last_save_time"] == saved_at
        assert shown["last_save_age_s"] == 60


async def test_while_the_writer_finds_out_what_is_true_it_is_recovering(tmp_path: Path) -> None:
    async with running_runtime(tmp_path) as running:
        gate = running.disk.gate("create", where="journal/")
        running.harm("writer", Harm.CRASH)
        await running.until(lambda: gate.reached)
        shown = await health(running)
        assert shown["status"] == "recovering"
        assert shown["actors"][PATHS["writer"]] == "starting"
        gate.open()
        await running.until_up("autosave", 2)
        assert (await health(running))["status"] == "ok"


async def test_while_the_disk_refuses_it_is_read_only(tmp_path: Path) -> None:
    async with running_runtime(tmp_path) as running:
        running.disk.refuse()
        assert await running.send(TaskCreate(description="x")).kind() == "storage_failed"
        shown = await health(running)
        assert (shown["status"], shown["writeable"]) == ("read_only", False)
        assert shown["reasons"]


async def test_a_child_that_is_not_running_is_a_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def setup(_self: object) -> None:
        raise ZeroDivisionError

    async with running_runtime(tmp_path, config=config_of(supervisor={"restarts_max": 1_000_000})) as running:
        monkeypatch.setattr("actors.runs.Runs.setup", setup)
        running.harm("runs", Harm.CRASH)
        await running.until(lambda: running.view("runs").restarts > 3)
        shown = await health(running)
        while shown["actors"][PATHS["runs"]] == "running":
            shown = await health(running)
        assert shown["status"] == "degraded"
        assert any(PATHS["runs"] in reason for reason in shown["reasons"])
        monkeypatch.undo()


async def test_a_disk_that_is_nearly_full_is_a_reason(tmp_path: Path) -> None:
    async with running_runtime(tmp_path, config=config_of(health={"disk_low_bytes": 2**62})) as running:
        shown = await health(running)
        assert shown["status"] == "degraded"
        assert "health.disk_low_bytes" in shown["reasons"][0]


async def test_a_directory_that_does_not_answer_is_a_reason(tmp_path: Path) -> None:
    async with running_runtime(tmp_path) as running:
        gate = running.disk.gate("fdatasync", where="journal/")
        slow = running.send(TaskCreate(description="x"))
        await running.until(lambda: gate.reached)
        shown = await health(running)
        assert shown["status"] == "degraded"
        assert "did not answer" in shown["reasons"][0]
        gate.open()
        await slow.result()


async def test_a_snapshot_that_could_not_be_written_is_a_reason_until_one_is(tmp_path: Path) -> None:
    async with running_runtime(tmp_path) as running:
        await running.ask(TaskCreate(description="x"))
        running.disk.refuse("create", where="state.json.tmp")
        assert await running.send(StateSave()).kind() == "storage_failed"
        shown = await health(running)
        assert (shown["status"], shown["save_failures"]) == ("degraded", 1)
        assert "snapshot" in shown["reasons"][0]
        running.disk.mend()
        await running.ask(StateSave())
        assert (await health(running))["status"] == "ok"


async def test_files_that_cannot_be_written_are_a_reason_until_they_are(tmp_path: Path) -> None:
    async with running_runtime(tmp_path) as running:
        running.disk.refuse("create", where="tasks/")
        await running.ask(TaskCreate(description="x"))
        await running.until(lambda: running.assembly.ledger.files_problem)
        shown = await health(running)
        assert (shown["status"], shown["journal"]["lag"]) == ("degraded", 1)
        assert "files behind the journal" in shown["reasons"][0]
        running.disk.mend()
        await running.until(lambda: running.assembly.ledger.files_problem is None)
        assert (await health(running))["status"] == "ok"


async def test_files_that_lag_far_behind_are_a_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("supervisor.runtime.health.BACKLOG_MAX", 1)
    config = config_of(state={"task_files_delay_s": 60})
    async with running_runtime(tmp_path, config=config) as running:
        for _ in range(2):
            await running.ask(TaskCreate(description="x"))
        shown = await health(running)
        assert (shown["status"], shown["journal"]["lag"]) == ("degraded", 2)
        assert "lag behind" in shown["reasons"][0]


async def test_damage_that_recovery_found_is_a_reason(tmp_path: Path) -> None:
    async with running_runtime(tmp_path) as running:
        for _ in range(3):
            await running.ask(TaskCreate(description="x"))
    for path in (tmp_path / "state").glob("state*.json"):
        path.write_bytes(path.read_bytes().replace(b'"description":"x"', b'"description":"y"', 1))
    for path in (tmp_path / "state" / "journal").iterdir():
        path.write_bytes(path.read_bytes().replace(b'"description":"x"', b'"description":"z"', 1))
    async with running_runtime(tmp_path) as running:
        shown = await health(running)
        assert shown["status"] == "degraded"
        assert any("found damage" in reason for reason in shown["reasons"])
        assert shown["quarantine_count"] >= 1


@pytest.mark.parametrize("durability", ["interval", "none"])
async def test_a_durability_that_risks_something_says_so(tmp_path: Path, durability: str) -> None:
    async with running_runtime(tmp_path, config=config_of(state={"durability": durability})) as running:
        shown = await health(running)
        assert (shown["status"], shown["durability"]) == ("degraded", durability)
        assert "may be lost" in shown["reasons"][0] or "is lost" in shown["reasons"][0]

"""Every alert on a running runtime: an event raised once and cleared once, a fact, a metric, `health`, the command."""

from __future__ import annotations

import errno
import json
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import msgspec
import pytest
import trio

from actors.messages.records import EventList, EventSubscribe
from actors.messages.request import Delivery
from actors.messages.runtime import StateSave
from actors.messages.tasks import TaskCreate
from actors.model.errors import PerdureError
from supervisor.tree.chaos import Harm
from tests.kit.runtimes import PATIENCE_S, Running, config_of, running_runtime

MIB = 1 << 20

APPEND = "import sys; open(sys.argv[1], 'a').write(sys.stdin.read())"


@attrs.define(eq=False)
class Heard:
    """The alerts that a subscriber heard: (name, state), live ones only."""

    running: Running
    live: list[tuple[str, str]] = attrs.field(factory=list)

    def notify(self, line: bytes) -> Delivery:
        params = json.loads(line)["params"] if line else {"events": []}
        for event in params["events"]:
            if event["kind"].startswith("alert:") and params["seq"] is None:
                self.live.append((event["kind"], event["data"]["state"]))
        return Delivery.SENT

    async def until_live(self, name: str, state: str) -> None:
        """Look until this was heard."""
        self.running.assembly.alerts.look()
        await self.running.until(lambda: (f"alert:{name}", state) in self.live)

    async def until(self, name: str, state: str) -> None:
        """Look again and again until this was heard; then some times more, which must not tell it again."""

        def heard() -> bool:
            self.running.assembly.alerts.look()
            return (f"alert:{name}", state) in self.live

        await self.running.until(heard)
        for _ in range(3):
            self.running.assembly.alerts.look()
        await self.running.settle()
        assert self.live.count((f"alert:{name}", state)) == 1


@asynccontextmanager
async def listening(tmp_path: Path, **sections: dict[str, Any]) -> AsyncIterator[Heard]:
    async with running_runtime(tmp_path, config=config_of(**sections)) as running:
        running.assembly.desk.settings = attrs.evolve(running.assembly.desk.settings, look_every_s=0.01)
        heard = Heard(running)
        await running.send(EventSubscribe(kinds=("alert:*",)), notify=heard.notify).result()
        yield heard


async def recorded(running: Running) -> list[tuple[str, str]]:
    """The alerts that are facts."""
    await running.settle()
    listed = await running.ask(EventList(after_seq=0, limit=1000, kinds=("event.recorded",)))
    told = [event["data"] for event in listed["events"]]
    return [(data["type"], data["detail"]["state"]) for data in told if data["type"].startswith("alert:")]


async def until_recorded(running: Running, expected: list[tuple[str, str]]) -> None:
    """Wait until the alerts that are facts are these, and see that no more follow."""
    with trio.fail_after(PATIENCE_S):
        while await recorded(running) != expected:  # noqa: ASYNC110 - the events actor has no event for it
            await trio.sleep(0.01)
    running.assembly.alerts.look()
    assert await recorded(running) == expected


async def call(running: Running, method: str, **params: Any) -> Any:
    client = await running.client()
    await client.send({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
    return (await client.reply())["result"]


async def standing(running: Running) -> list[str]:
    shown = {alert["alert"] for alert in (await call(running, "runtime.health"))["alerts"]}
    assert shown == {alert["alert"] for alert in (await call(running, "runtime.status"))["alerts"]}
    metrics = await call(running, "runtime.metrics")
    assert shown == {one["labels"]["alert"] for one in metrics["perdure_alert"] if one["value"] == 1}
    return sorted(shown)


async def a_failing_snapshot(running: Running) -> Callable[[], Any]:
    running.disk.refuse("create", where="state.json.tmp")
    await running.ask(TaskCreate(description="x"))
    with pytest.raises(PerdureError, match="snapshot could not be written"):
        await running.ask(StateSave())

    async def over() -> None:
        running.disk.mend()
        await running.ask(StateSave())

    return over


async def a_disk_nearly_full(running: Running) -> Callable[[], Any]:
    running.disk.free_bytes = 2 * MIB

    async def over() -> None:
        running.disk.free_bytes = None

    return over


async def backups_that_cannot_be_removed(running: Running) -> Callable[[], Any]:
    running.disk.refuse("unlink", where="state.backup")
    for _ in range(3):
        await running.ask(TaskCreate(description="x"))
        await running.ask(StateSave())

    async def over() -> None:
        running.disk.mend()
        await running.ask(StateSave())

    return over


async def a_directory_open_to_others(running: Running) -> Callable[[], Any]:
    running.root.chmod(0o755)

    async def over() -> None:
        running.root.chmod(0o700)

    return over


async def files_that_may_not_be_written(running: Running) -> Callable[[], Any]:
    running.disk.refuse("create", where="tasks/", error=errno.EACCES)
    await running.ask(TaskCreate(description="x"))

    async def over() -> None:
        running.disk.mend()

    return over


async def a_storm(running: Running) -> Callable[[], Any]:
    for number in range(2, 5):
        running.harm("reports", Harm.CRASH)
        await running.until_up("reports", number)

    async def over() -> None:
        running.assembly.alerts._restarts_at_s.clear()  # as when a minute has passed

    return over


async def files_that_lag(running: Running) -> Callable[[], Any]:
    gate = running.disk.gate("create", where="tasks/")
    for _ in range(4):
        await running.ask(TaskCreate(description="x"))
    await running.until(lambda: gate.reached)

    async def over() -> None:
        gate.open()
        await running.until(lambda: running.assembly.ledger.files_backlog == 0)

    return over


TROUBLE: dict[str, tuple[Callable[[Running], Any], dict[str, dict[str, Any]]]] = {
    "save_failed": (a_failing_snapshot, {}),
    "disk_low": (a_disk_nearly_full, {"health": {"disk_low_bytes": 8 * MIB}, "state": {"disk_reserve_bytes": 0}}),
    "backup_failed": (backups_that_cannot_be_removed, {"state": {"backups_kept": 1}}),
    "permission": (a_directory_open_to_others, {}),
    "restart_storm": (a_storm, {"alerts": {"restarts": 3}}),
    "lag": (files_that_lag, {"alerts": {"lag_files": 2}}),
}


@pytest.mark.parametrize("name", TROUBLE)
async def test_trouble_is_told_once_in_every_way_and_so_is_its_end(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    trouble, sections = TROUBLE[name]
    told = tmp_path / "told"
    command = {"command": [sys.executable, "-c", APPEND, str(told)]}
    sections = {**sections, "alerts": {**sections.get("alerts", {}), **command}}
    async with listening(tmp_path, **sections) as heard:
        running = heard.running
        monkeypatch.setattr(running.assembly.alerts.standing._watched[name], "condition", _at_once(running, name))
        over = await trouble(running)
        await heard.until(name, "raised")
        assert name in await standing(running)
        await over()
        await heard.until(name, "cleared")
        assert await standing(running) == []
        mine = [state for alert, state in await recorded(running) if alert == f"alert:{name}"]
        assert mine == ["raised", "cleared"], "facts too"
        await running.until(lambda: told.exists() and told.read_text().count("\n") == 2)
        given = [json.loads(line) for line in told.read_text().splitlines()]
        assert [(alert["alert"], alert["state"]) for alert in given] == [(name, "raised"), (name, "cleared")]
        assert given[0]["hint"]


def _at_once(running: Running, name: str) -> Any:
    """The condition without its delay, which `test_standing` shows."""
    return msgspec.structs.replace(running.assembly.alerts.standing._watched[name].condition, for_s=0.0)


async def test_a_disk_that_forbids_writing_is_a_matter_of_permission(tmp_path: Path) -> None:
    async with listening(tmp_path) as heard:
        over = await files_that_may_not_be_written(heard.running)
        await heard.until("permission", "raised")
        await over()
        await heard.until("permission", "cleared")


async def test_a_snapshot_that_cannot_be_kept_as_a_backup_says_so(tmp_path: Path) -> None:
    async with listening(tmp_path) as heard:
        running = heard.running
        await running.ask(TaskCreate(description="x"))
        running.disk.refuse("link", where="state.backup")
        with pytest.raises(PerdureError):
            await running.ask(StateSave())
        await heard.until("backup_failed", "raised")
        assert ("alert:save_failed", "raised") in heard.live
        running.disk.mend()
        await running.ask(StateSave())
        await heard.until("backup_failed", "cleared")


async def test_damage_that_recovery_found_is_an_alert_until_a_recovery_finds_none(tmp_path: Path) -> None:
    async with running_runtime(tmp_path) as running:
        for _ in range(3):
            await running.ask(TaskCreate(description="x"))
    for path in [*(tmp_path / "state").glob("state*.json"), *(tmp_path / "state" / "journal").iterdir()]:
        path.write_bytes(path.read_bytes().replace(b'"description":"x"', b'"description":"y"', 1))
    async with running_runtime(tmp_path) as running:
        await running.until(running.assembly.alerts.shown)
        assert await standing(running) == ["corruption"]
        await running.until(lambda: not running.assembly._subscriptions.unrecorded)
        await until_recorded(running, [("alert:corruption", "raised")])
    async with running_runtime(tmp_path) as running:  # the one that finds it over tells so
        await running.until(lambda: not running.assembly.alerts.shown() and running.assembly.alerts._knows_the_past)
        await until_recorded(running, [("alert:corruption", "raised"), ("alert:corruption", "cleared")])


async def test_what_stood_when_a_runtime_ended_is_not_raised_again_by_the_next(tmp_path: Path) -> None:
    sections: dict[str, Any] = {"health": {"disk_low_bytes": 2**62}}
    async with listening(tmp_path, **sections) as heard:
        await heard.running.until(heard.running.assembly.alerts.shown)
        await until_recorded(heard.running, [("alert:disk_low", "raised")])
    async with listening(tmp_path, **sections) as heard:
        await heard.running.until(heard.running.assembly.alerts.shown)
        await until_recorded(heard.running, [("alert:disk_low", "raised")])
        assert heard.live == []
    async with listening(tmp_path) as heard:
        await heard.running.until(lambda: heard.running.assembly.alerts._knows_the_past)
        await heard.running.until(lambda: not heard.running.assembly.alerts.shown())
        await until_recorded(heard.running, [("alert:disk_low", "raised"), ("alert:disk_low", "cleared")])


async def test_an_alert_of_a_disk_that_takes_nothing_is_live_at_once_and_a_fact_when_it_does(tmp_path: Path) -> None:
    async with listening(tmp_path) as heard:
        running = heard.running
        running.disk.refuse()
        with pytest.raises(PerdureError):
            await running.ask(TaskCreate(description="x"))
        await heard.until_live("save_failed", "raised")
        running.disk.mend()
        await heard.until("save_failed", "cleared")
        await until_recorded(running, [("alert:save_failed", "raised"), ("alert:save_failed", "cleared")])


async def test_restarts_of_the_runtime_count_as_those_of_actors_do(tmp_path: Path) -> None:
    async with listening(tmp_path, alerts={"restarts": 3}) as heard:
        watch = heard.running.assembly.alerts
        watch.processes_restarted([1000.0, 2.0, 1.0])
        watch.look()
        assert watch.shown() == []
        watch.restarted()
        await heard.until("restart_storm", "raised")
        watch.processes_restarted([1000.0, 999.0])
        watch._restarts_at_s.clear()
        await heard.until("restart_storm", "cleared")


async def test_a_watch_that_crashes_goes_on_where_it_was(tmp_path: Path) -> None:
    async with listening(tmp_path, health={"disk_low_bytes": 2**62}) as heard:
        running = heard.running
        await running.until(running.assembly.alerts.shown)
        running.harm("runtime/alerts", Harm.CRASH)
        await running.until_up("runtime/alerts", 2)
        assert await standing(running) == ["disk_low"]
        assert [state for alert, state in await recorded(running) if alert == "alert:disk_low"] == ["raised"]

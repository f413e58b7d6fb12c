"""The local methods, asked over the socket: they answer whatever the actors are doing."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from actors.messages.tasks import TaskCreate
from supervisor.config.loading import to_wire
from supervisor.root.control import Reload, ReloadRefused, ReloadWanted, Root, Shutdown
from supervisor.tree.chaos import Harm
from supervisor.wire.methods import METHODS
from tests.kit.runtimes import PATHS, Running, config_of, running_runtime


async def reply(running: Running, method: str, **params: Any) -> dict[str, Any]:
    client = await running.client()
    await client.send({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
    answer: dict[str, Any] = await client.reply()
    return answer


async def call(running: Running, method: str, **params: Any) -> Any:
    answer = await reply(running, method, **params)
    assert "error" not in answer, answer
    return answer["result"]


async def kind(running: Running, method: str, **params: Any) -> str:
    answer = await reply(running, method, **params)
    assert "result" not in answer, answer
    return str(answer["error"]["data"]["kind"])


async def test_a_ping_tells_the_newest_durable_seq(tmp_path: Path) -> None:
    async with running_runtime(tmp_path) as running:
        await running.ask(TaskCreate(description="x"))
        assert await call(running, "runtime.ping") == {"pong": True, "seq": running.assembly.ledger.tables.seq}


async def test_status_tells_who_and_what_is_running(tmp_path: Path) -> None:
    async with running_runtime(tmp_path) as running:
        await running.ask(TaskCreate(description="x"))
        pids = {"root": 4242, "standby": None, "host": None}
        running.order(Root(pids=pids, restarts=3, last_error="killed by SIGKILL", phase="running"))
        await running.until(lambda: running.assembly.office.root)
        status = await call(running, "runtime.status")
        assert status["pids"] == {**pids, "runtime": os.getpid(), "agents": []}
        assert status["root"]["restarts"] == 3
        assert status["root"]["last_error"] == "killed by SIGKILL"
        assert status["seq"] == running.assembly.ledger.tables.seq
        assert status["mode"] == "ok"
        assert status["version"] == "0.0.0"
        assert set(status["identity"]) >= {"daemon_id", "node_id", "created_at"}
        assert (status["daemon"]["started"], status["daemon"]["pid"]) == (True, 4242)
        assert status["counts"]["tasks"]["pending"] == status["counts"]["tasks"]["total"] == 1
        assert status["recovery"]["case"] == "A"
        assert status["state_path"] == str(running.root)
        assert status["socket"] == str(running.socket_path)
        assert {row["path"] for row in status["actors"]} >= set(PATHS.values())
        assert status["config"]["state"]["durability"] == "commit"


async def test_status_is_a_copy_that_changes_nothing(tmp_path: Path) -> None:
    async with running_runtime(tmp_path) as running:
        first = await call(running, "runtime.status")
        second = await call(running, "runtime.status")
        for status in (first, second):
            for row in status["actors"]:
                row.pop("uptime_s")
        assert first == second


async def test_local_methods_answer_while_the_writer_recovers(tmp_path: Path) -> None:
    async with running_runtime(tmp_path) as running:
        gate = running.disk.gate("create", where="journal/")
        running.harm("writer", Harm.CRASH)
        await running.until(lambda: gate.reached)
        assert (await call(running, "runtime.ping"))["pong"] is True
        assert (await call(running, "runtime.status"))["mode"] == "recovering"
        rows = {row["name"]: row for row in (await call(running, "actor.list"))["actors"]}
        assert rows["writer"]["state"] == "starting"
        assert (await call(running, "runtime.metrics"))["perdure_seq"]
        gate.open()
        await running.until_up("autosave", 2)


async def test_a_list_of_actors_tells_what_became_of_each(tmp_path: Path) -> None:
    async with running_runtime(tmp_path) as running:
        running.harm("tasks", Harm.CRASH)
        await running.until_up("tasks", 2)
        rows = {row["name"]: row for row in (await call(running, "actor.list"))["actors"]}
        assert list(rows)[:2] == ["runtime", "core"], "parents first"
        assert rows["tasks"]["restarts"] == 1
        assert rows["tasks"]["incarnation"] == 2
        assert rows["tasks"]["last_crash"]["reason"] == "chaos"
        assert "traceback" not in rows["tasks"]["last_crash"]
        assert rows["sessions"]["last_crash"] is None
        assert rows["tasks"]["mailbox_depth"] == 0
        assert rows["tasks"]["dead_letters"] == []


@pytest.mark.parametrize("name", ["tasks", "runtime/core/domain/tasks"])
async def test_an_actor_is_restarted_in_order_and_it_is_no_crash(tmp_path: Path, name: str) -> None:
    async with running_runtime(tmp_path) as running:
        row = await call(running, "actor.restart", name=name)
        assert (row["path"], row["state"], row["incarnation"], row["restarts"]) == (PATHS["tasks"], "running", 2, 0)
        assert running.view("tasks").last_crash is None
        await running.ask(TaskCreate(description="x"))


async def test_the_writer_is_restarted_with_everybody_above_it(tmp_path: Path) -> None:
    async with running_runtime(tmp_path) as running:
        await running.ask(TaskCreate(description="x"))
        await call(running, "actor.restart", name="writer")
        await running.until_up("autosave", 2)
        await running.ask(TaskCreate(description="y"))
        assert len(running.assembly.ledger.tables.tasks) == 2
        assert running.view("gateway").incarnation == 1


async def test_an_actor_that_does_not_come_back_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def setup(_self: object) -> None:
        raise ZeroDivisionError("at start")

    config = config_of(supervisor={"restarts_max": 1_000_000, "backoff_base_s": 0.05, "backoff_max_s": 0.1})
    async with running_runtime(tmp_path, config=config) as running:
        monkeypatch.setattr("actors.runs.Runs.setup", setup)
        error = (await reply(running, "actor.restart", name="runs"))["error"]
        assert error["data"]["kind"] == "conflict"
        assert "at start" in error["message"]
        monkeypatch.undo()


@pytest.mark.parametrize("method", ["actor.restart", "actor.kill"])
async def test_an_actor_that_nobody_knows_is_not_found(tmp_path: Path, method: str) -> None:
    params = {"name": "nobody", **({"how": "crash"} if method == "actor.kill" else {})}
    async with running_runtime(tmp_path) as running:
        assert await kind(running, method, **params) == "not_found"


async def test_killing_is_forbidden_unless_chaos_is_wanted(tmp_path: Path) -> None:
    async with running_runtime(tmp_path, config=config_of(chaos={"enabled": False})) as running:
        assert await kind(running, "actor.kill", name="tasks", how="crash") == "forbidden"
        assert running.view("tasks").incarnation == 1


@pytest.mark.parametrize("how", ["crash", "cancel", "hang"])
async def test_an_actor_is_killed_in_each_way(tmp_path: Path, how: str) -> None:
    config = config_of(supervisor={"hung_after_s": 3.0, "heartbeat_s": 0.1})
    async with running_runtime(tmp_path, config=config) as running:
        assert await call(running, "actor.kill", name="runs", how=how) == {"name": "runs", "how": how}
        await running.until_up("runs", 2)
        crash = running.view("runs").last_crash
        assert crash is not None
        assert crash.reason == {"crash": "chaos", "cancel": "cancelled", "hang": "hung"}[how]


async def test_a_way_of_killing_that_there_is_not_is_refused(tmp_path: Path) -> None:
    async with running_runtime(tmp_path) as running:
        assert await kind(running, "actor.kill", name="runs", how="gently") == "invalid_params"


async def test_a_reload_is_asked_of_the_root_and_answered_with_what_it_did(tmp_path: Path) -> None:
    async with running_runtime(tmp_path) as running:
        client = await running.client()
        await client.send({"jsonrpc": "2.0", "id": 1, "method": "runtime.reload", "params": {}})
        await running.until(lambda: running.heard(ReloadWanted))
        changed = to_wire(config_of(state={"autosave_interval_s": 7.0}, tasks={"logs_kept": 3}))
        applied = ("state.autosave_interval_s", "tasks.logs_kept")
        running.order(Reload(config=changed, applied=applied, needs_restart=("gateway.in_flight_max",)))
        assert (await client.reply())["result"] == {
            "applied": list(applied),
            "needs_restart": ["gateway.in_flight_max"],
        }
        assert running.assembly.watch.interval_s == 7.0
        assert {place.rules.logs_kept for place in running.assembly.places.values()} == {3}
        assert (await call(running, "runtime.status"))["config"]["state"]["autosave_interval_s"] == 7.0


async def test_a_reload_that_the_root_refuses_tells_why_and_changes_nothing(tmp_path: Path) -> None:
    async with running_runtime(tmp_path) as running:
        client = await running.client()
        await client.send({"jsonrpc": "2.0", "id": 1, "method": "runtime.reload", "params": {}})
        await running.until(lambda: running.heard(ReloadWanted))
        running.order(ReloadRefused(message="perdure.toml: state.durabilty is unknown"))
        error = (await client.reply())["error"]
        assert error["data"]["kind"] == "invalid_params"
        assert "durabilty" in error["message"]
        assert running.assembly.office.config == config_of()


async def test_a_root_that_does_not_answer_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("supervisor.runtime.methods.RELOAD_WITHIN_S", 0.05)
    async with running_runtime(tmp_path) as running:
        assert await kind(running, "runtime.reload") == "internal"
        assert running.assembly.office.reloads == []


async def test_a_shutdown_is_asked_of_the_root(tmp_path: Path) -> None:
    async with running_runtime(tmp_path) as running:
        assert await call(running, "runtime.shutdown") == {"stopping": True}
        await running.until(lambda: running.heard(Shutdown))


async def test_what_is_discovered_is_the_table_that_dispatches(tmp_path: Path) -> None:
    async with running_runtime(tmp_path) as running:
        document = await call(running, "rpc.discover")
        described = {method["name"]: method for method in document["methods"]}
        assert set(described) == set(METHODS)
        for name, row in METHODS.items():
            keyed = any(param["name"] == "idempotency_key" for param in described[name]["params"])
            assert keyed is row.mutates
        assert document["info"]["version"] == "0.0.0"


async def test_a_defect_in_a_local_method_is_told_with_a_crash_id_and_the_next_is_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(_office: object) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr("supervisor.runtime.methods.health", broken)
    async with running_runtime(tmp_path) as running:
        answer = await reply(running, "runtime.health")
        assert answer["error"]["data"]["kind"] == "internal"
        assert answer["error"]["data"]["crash_id"]
        assert (await call(running, "runtime.ping"))["pong"] is True
        assert running.view("gateway").incarnation == 1

"""The tasks actor on a real directory: leases that end by themselves, heartbeats, batches, the archive."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from actors.decisions.batch import Step, Steps
from actors.decisions.decision import Rules
from actors.messages import records, sessions
from actors.messages import tasks as ask
from actors.model.errors import Conflict, InvalidParams, NotFound
from actors.model.stamps import later
from tests.kit.core import Core, running_core

DAY_S = 86_400.0
YEAR_S = 365 * DAY_S


async def claimed(core: Core, lease_s: float = 60.0) -> Any:
    await core.ask("tasks", ask.TaskCreate(description="d", id="a"))
    task = await core.ask("tasks", ask.TaskClaim(worker="w", lease_s=lease_s))
    return await settled(core, task)


async def settled(core: Core, answer: Any) -> Any:
    """Let the actor learn that what was answered is durable: a lease begins then, and the clock moves only after."""
    await core.ask("tasks", ask.TaskList(limit=1))
    return answer


def status(core: Core, task_id: str = "a") -> str:
    return core.ledger.tables.tasks.rows[task_id].status


async def looked(core: Core) -> None:
    """Let the actor look at the clock, and be done with what it does then."""
    core.wake("tasks")
    await core.ask("tasks", ask.TaskCreate(description="a marker behind whatever the actor does by itself"))


async def test_a_silent_workers_task_is_given_back_and_another_one_gets_it(tmp_path: Path) -> None:
    async with running_core(tmp_path) as core:
        first = await claimed(core)
        core.clock.pass_s(61)
        core.wake("tasks")
        await core.until(lambda: status(core) == "pending")
        second = await core.ask("tasks", ask.TaskClaim(worker="other"))
        assert second["lease"] > first["lease"]
        with pytest.raises(Conflict):
            await core.ask("tasks", ask.TaskComplete(id="a", lease=first["lease"]))
        assert (await core.ask("tasks", ask.TaskComplete(id="a", lease=second["lease"])))["status"] == "completed"


async def test_a_lease_holds_to_its_end(tmp_path: Path) -> None:
    async with running_core(tmp_path) as core:
        await claimed(core)
        core.clock.pass_s(59)
        await looked(core)
        assert status(core) == "running"


async def test_a_heartbeat_holds_the_task_and_is_not_journalled(tmp_path: Path) -> None:
    async with running_core(tmp_path) as core:
        task = await claimed(core)
        seq = core.ledger.tables.seq
        for _ in range(5):
            core.clock.pass_s(50)
            beaten = await core.ask("tasks", ask.TaskHeartbeat(id="a", lease=task["lease"]))
            assert beaten == task | {"lease_expires_at": later(core.clock.stamp(), 60)}
        assert core.ledger.tables.seq == seq
        core.clock.pass_s(61)
        core.wake("tasks")
        await core.until(lambda: status(core) == "pending")


async def test_a_heartbeat_may_ask_for_another_length(tmp_path: Path) -> None:
    async with running_core(tmp_path) as core:
        task = await claimed(core)
        beaten = await core.ask("tasks", ask.TaskHeartbeat(id="a", lease=task["lease"], lease_s=1000))
        assert beaten["lease_expires_at"] == later(core.clock.stamp(), 1000)
        core.clock.pass_s(900)
        await looked(core)
        assert status(core) == "running"


@pytest.mark.parametrize("lease", [0, 2])
async def test_a_heartbeat_with_another_token_is_a_conflict(tmp_path: Path, lease: int) -> None:
    async with running_core(tmp_path) as core:
        await claimed(core)
        with pytest.raises(Conflict):
            await core.ask("tasks", ask.TaskHeartbeat(id="a", lease=lease))
        with pytest.raises(NotFound):
            await core.ask("tasks", ask.TaskHeartbeat(id="x", lease=1))


async def test_a_heartbeat_of_a_task_that_is_over_is_a_conflict(tmp_path: Path) -> None:
    async with running_core(tmp_path) as core:
        task = await claimed(core)
        await core.ask("tasks", ask.TaskComplete(id="a", lease=task["lease"]))
        with pytest.raises(Conflict):
            await core.ask("tasks", ask.TaskHeartbeat(id="a", lease=task["lease"]))


@pytest.mark.parametrize("jump_s", [-10 * YEAR_S, -3600, 3600, 10 * YEAR_S])
async def test_a_wall_clock_that_jumps_ends_no_lease(tmp_path: Path, jump_s: float) -> None:
    async with running_core(tmp_path) as core:
        task = await claimed(core)
        core.clock.wall_s += jump_s
        await looked(core)
        assert status(core) == "running"
        assert (await core.ask("tasks", ask.TaskHeartbeat(id="a", lease=task["lease"])))["status"] == "running"
        core.clock.pass_s(61)
        core.wake("tasks")
        await core.until(lambda: status(core) == "pending")


async def test_a_restart_gives_every_lease_its_full_length_again(tmp_path: Path) -> None:
    async with running_core(tmp_path) as core:
        await claimed(core, lease_s=100)
        core.clock.pass_s(90)
        await core.ask("tasks", ask.TaskLog(id="a", message="still at it"))

    async with running_core(tmp_path) as core:
        core.clock.pass_s(90)
        await looked(core)
        assert status(core) == "running"
        core.clock.pass_s(11)
        core.wake("tasks")
        await core.until(lambda: status(core) == "pending")


async def test_many_leases_that_end_together_are_all_given_back(tmp_path: Path) -> None:
    async with running_core(tmp_path) as core:
        steps: list[Step] = []
        for number in range(250):
            steps.append(Step("task.create", ask.TaskCreate(description="d", id=f"t{number}")))
            steps.append(Step("task.claim", ask.TaskClaim(worker="w")))
        await settled(core, await core.ask("tasks", Steps(tuple(steps))))
        core.clock.pass_s(61)
        core.wake("tasks")
        await core.until(lambda: core.ledger.tables.tasks.count("pending") == 250)


async def test_a_batch_over_tasks_sessions_and_records_is_one_line(tmp_path: Path) -> None:
    async with running_core(tmp_path) as core:
        answer = await core.ask(
            "tasks",
            Steps(
                (
                    Step("task.create", ask.TaskCreate(description="d", id="a")),
                    Step(
                        "session.create",
                        sessions.SessionCreate(
                            title="t", provider="p", model="m", working_directory="/w", messages=({"n": 1},)
                        ),
                    ),
                    Step("report.save", records.ReportSave(data=1, id="r")),
                )
            ),
            key="k",
        )
        assert core.ledger.tables.seq == 1
        session_id = answer["results"][1]["id"]
        found = await core.ask("sessions", sessions.SessionMessages(id=session_id))
        assert found["messages"] == [{"n": 1}]


async def test_a_batch_that_needs_the_disk_first_is_refused(tmp_path: Path) -> None:
    async with running_core(tmp_path) as core:
        restore = sessions.SessionRestore(id="0190163d-8694-739b-aea5-966c26f8ad91")
        with pytest.raises(InvalidParams):
            await core.ask("tasks", Steps((Step("session.restore", restore),)))


async def test_a_repeated_batch_changes_nothing_and_answers_with_the_rows_as_they_are(tmp_path: Path) -> None:
    async with running_core(tmp_path) as core:
        steps = Steps((Step("task.create", ask.TaskCreate(description="d", id="a")),))
        await core.ask("tasks", steps, key="k")
        await core.ask("tasks", ask.TaskStart(id="a"))
        again = await core.ask("tasks", steps, key="k")
        assert again["results"][0]["status"] == "running"
        assert core.ledger.tables.seq == 2


async def test_tasks_completed_long_ago_move_to_the_archive(tmp_path: Path) -> None:
    async with running_core(tmp_path, rules=Rules(archive_tasks_after_days=90)) as core:
        for name in ("done", "open"):
            await core.ask("tasks", ask.TaskCreate(description="d", id=name))
        await core.ask("tasks", ask.TaskStart(id="done"))
        await core.ask("tasks", ask.TaskComplete(id="done"))
        core.clock.pass_s(91 * DAY_S)
        core.wake("tasks")
        await core.until(lambda: list(core.ledger.tables.tasks.rows) == ["open"])
        with pytest.raises(NotFound):
            await core.ask("tasks", ask.TaskGet(id="done"))
        await core.until(lambda: not (tmp_path / "tasks" / "done.json").exists())
        await core.until((tmp_path / "archive" / "tasks" / "done").exists)


async def test_a_clock_that_jumps_archives_no_task(tmp_path: Path) -> None:
    async with running_core(tmp_path) as core:
        await core.ask("tasks", ask.TaskSave(task=ask.WholeTask(id="a", description="d", status="completed")))
        core.clock.wall_s += 10 * YEAR_S
        await looked(core)
        core.clock.pass_s(3 * DAY_S)
        await looked(core)
        assert status(core) == "completed"

"""Commands, lines and rows beyond what the formats on disk can hold are refused, and nobody crashes of them."""

from __future__ import annotations

from pathlib import Path

from actors.decisions.batch import Step, Steps
from actors.messages import records, runtime
from actors.messages import tasks as ask
from actors.model.errors import TooLarge
from tests.kit.core import running_core
from tests.kit.held_disk import offered, told


async def test_a_batch_too_long_for_a_line_is_told_so_and_crashes_nobody(tmp_path: Path) -> None:
    async with running_core(tmp_path) as core:
        long = "x" * (8 << 20)
        await core.ask("runs", records.RunPut(run=records.WholeRun(id="r", result=long)))
        step = Step("run.put", records.RunPut(run=records.WholeRun(id="r", attempt=2)))
        other = offered(core, "tasks", ask.TaskCreate(description="d", id="a"))
        answer = await told(offered(core, "tasks", Steps((step,) * 12)))
        assert isinstance(answer, TooLarge), answer
        assert (await other())["id"] == "a"
        assert not core.crashes
        assert (await core.ask("tasks", ask.TaskCreate(description="d", id="b")))["id"] == "b"


async def test_a_task_with_a_very_long_log_survives_a_restart(tmp_path: Path) -> None:
    async with running_core(tmp_path) as core:
        await core.ask("tasks", ask.TaskCreate(description="d", id="a"))
        for n in range(70):
            logged = await core.ask("tasks", ask.TaskLog(id="a", message=f"{n} " + "x" * 1_000_000))
            assert logged["log_count"] == n + 1
        await core.ask("writer", runtime.StateSave())
    async with running_core(tmp_path) as core:
        assert core.ledger.recovery["base"] == "state.json", core.ledger.recovery
        task = await core.ask("tasks", ask.TaskGet(id="a"))
        assert task["logs"][-1]["message"].startswith("69 ")


async def test_no_row_grows_beyond_what_a_snapshot_can_hold(tmp_path: Path) -> None:
    async with running_core(tmp_path) as core:
        floats = [1e15] * 2_000_000
        await core.ask("tasks", ask.TaskCreate(description="d", id="a"))
        answers = [
            await told(offered(core, "tasks", ask.TaskUpdate(id="a", metadata={"m": floats}))),
            await told(offered(core, "tasks", ask.TaskStart(id="a"))),
            await told(offered(core, "tasks", ask.TaskComplete(id="a", result=floats))),
        ]
        assert any(isinstance(answer, TooLarge) for answer in answers)
        await core.ask("writer", runtime.StateSave())
        seen = await core.ask("tasks", ask.TaskGet(id="a"))
    async with running_core(tmp_path) as core:
        assert core.ledger.recovery["base"] == "state.json"
        assert await core.ask("tasks", ask.TaskGet(id="a")) == seen

"""Runs that somebody else carries out."""

from __future__ import annotations

from pathlib import Path

from actors.messages import records as ask
from tests.kit.core import running_core


async def test_a_run_is_recorded_changed_read_and_listed(tmp_path: Path) -> None:
    async with running_core(tmp_path) as core:
        made = await core.ask("runs", ask.RunPut(run=ask.WholeRun(id="r", task_id="t", status="running", pid=7)))
        ended = await core.ask("runs", ask.RunPut(run=ask.WholeRun(id="r", status="exited", exit_code=0)))
        assert ended == made | {"status": "exited", "exit_code": 0, "rev": 2}
        assert await core.ask("runs", ask.RunGet(id="r")) == ended
        assert await core.ask("runs", ask.RunList(task_id="t")) == {"runs": [ended], "next_cursor": None}


async def test_a_repeated_put_under_its_key_changes_nothing(tmp_path: Path) -> None:
    async with running_core(tmp_path) as core:
        put = ask.RunPut(run=ask.WholeRun(id="r", status="running"))
        first = await core.ask("runs", put, key="k")
        assert await core.ask("runs", put, key="k") == first


async def test_runs_are_there_after_a_restart(tmp_path: Path) -> None:
    async with running_core(tmp_path) as core:
        run = await core.ask("runs", ask.RunPut(run=ask.WholeRun(id="r", argv=("true",), result={"x": 1})))
    async with running_core(tmp_path) as core:
        assert await core.ask("runs", ask.RunGet(id="r")) == run

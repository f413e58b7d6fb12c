"""Runs that have been over for long leave for the archive with their logs, and with an event that says so."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from actors.messages import records as record
from actors.messages import runs as ask
from actors.model.errors import NotFound
from tests.actors.test_runs_agents import executed, runtime, status
from tests.kit.core import Core
from tests.kit.fake_host import FakeHost

DAY_S = 86_400.0


async def ended(core: Core, host: FakeHost, said: bytes) -> str:
    """Let a run print something and end; return its id."""
    run_id = str((await executed(core))["id"])
    host.write(run_id, said)
    host.exit(run_id)
    await status(core, run_id, "exited")
    return run_id


async def test_a_run_that_has_been_over_for_long_moves_to_the_archive_with_its_logs(tmp_path: Path) -> None:
    host = FakeHost()
    async with runtime(tmp_path, host, keep_days=30) as core:
        run_id = await ended(core, host, b"hello\n")
        before = core.ledger.tables.runs.rows[run_id].encoded
        running = await executed(core)
        core.clock.pass_s(31 * DAY_S)
        core.wake("runs")
        await core.until(lambda: list(core.ledger.tables.runs.rows) == [running["id"]])
        with pytest.raises(NotFound):
            await core.ask("runs", record.RunGet(id=run_id))
        home = tmp_path / "archive" / "runs" / run_id / "1"
        await core.until(lambda: not (tmp_path / "logs" / f"run_{run_id}.stdout.log").exists())
        assert (home / f"run_{run_id}.stdout.log").read_bytes() == b"hello\n"
        assert (home / "row.archived").read_bytes() == before
        events = await core.ask("events", record.EventList(kinds=("run.archived",)))
        (event,) = events["events"]
        assert (event["id"], msgspec.json.encode(event["data"]["row"])) == (run_id, before)


async def test_the_oldest_of_too_many_runs_leave(tmp_path: Path) -> None:
    host = FakeHost()
    async with runtime(tmp_path, host, runs_max=1) as core:
        first = await ended(core, host, b"1")
        second = await ended(core, host, b"2")
        core.clock.pass_s(DAY_S)
        core.wake("runs")
        await core.until(lambda: first not in core.ledger.tables.runs.rows)
        assert list(core.ledger.tables.runs.rows) == [second]
        read = await core.ask("runs", ask.RunOutput(id=second))
        assert read["data"] == "2"


async def test_a_clock_that_jumps_archives_no_run(tmp_path: Path) -> None:
    host = FakeHost()
    async with runtime(tmp_path, host, keep_days=30) as core:
        run_id = await ended(core, host, b"hello\n")
        core.clock.wall_s += 10 * 365 * DAY_S
        core.wake("runs")
        await core.ask("runs", record.RunList())
        core.clock.pass_s(3 * DAY_S)
        core.wake("runs")
        await core.ask("runs", record.RunList())
        assert run_id in core.ledger.tables.runs.rows

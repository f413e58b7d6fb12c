"""A wall clock that is stepped back an hour, or put on ten years: order, leases, retention and backoff stay right."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from actors.messages import records as record
from actors.messages import sessions as session
from actors.messages import tasks as task
from tests.actors.test_runs_agents import executed, run_of, runtime, status
from tests.kit.core import DOMAIN, Core, running_core
from tests.kit.fake_host import FakeHost

DAY_S = 86_400.0
TEN_YEARS_S = 3653 * DAY_S
JUMPS_S = [-3600.0, 3600.0, -TEN_YEARS_S, TEN_YEARS_S]

LEASE_S = 60.0
BACKOFF_S = 1_000_000.0
"""So long that the delay, drawn from it, is not over by chance."""

OLD = tuple(f"old-{number}" for number in range(3))


async def looked(core: Core) -> None:
    """Everybody has looked at the clock, and done what that demands."""
    for _ in range(3):
        core.wake("writer", *DOMAIN)
        await core.ask("tasks", task.TaskList(limit=1))
        await core.ask("sessions", session.SessionFind())
        await core.ask("runs", record.RunList())
        await core.ask("events", record.EventList(limit=1))


async def listed(core: Core) -> list[str]:
    """The tasks as somebody reads them who turns the pages."""
    ids: list[str] = []
    cursor = None
    while True:
        page = await core.ask("tasks", task.TaskList(limit=2, cursor=cursor))
        ids += [row["id"] for row in page["tasks"]]
        cursor = page["next_cursor"]
        if cursor is None:
            return ids


async def facts_of(core: Core) -> list[tuple[int, str]]:
    """Every event with its number, in the order told."""
    events = (await core.ask("events", record.EventList(after_seq=0, limit=1000)))["events"]
    return [(event["seq"], event["kind"]) for event in events]


async def prepared(core: Core, host: FakeHost) -> dict[str, Any]:
    """One of everything that has to do with time; each at a time of its own."""
    for task_id in (*OLD, "claimed"):
        await core.ask("tasks", task.TaskCreate(id=task_id, description="d", priority=5, tool="WORK"))
        core.clock.pass_s(1)
    await core.ask("tasks", task.TaskCreate(id="done", description="d"))
    await core.ask("tasks", task.TaskStart(id="done"))
    await core.ask("tasks", task.TaskComplete(id="done"))
    made = await core.ask("sessions", session.SessionCreate(title="t", provider="p", model="m", working_directory="/w"))
    over = await executed(core, "true")
    host.exit(over["id"])
    await status(core, over["id"], "exited")
    failed = await executed(core, "false", max_attempts=2)
    host.exit(failed["id"], 3)
    await status(core, failed["id"], "exited")
    (waiting,) = core.ledger.tables.runs.by_task[failed["task_id"]] - {failed["id"]}
    claimed = await core.ask("tasks", task.TaskClaim(worker="w", tools=("WORK",), lease_s=LEASE_S))
    return {"claimed": claimed, "waiting": waiting, "over": over["id"], "session": made["id"]}


@pytest.mark.parametrize("jump_s", JUMPS_S)
async def test_a_clock_that_jumps_changes_no_order_ends_no_lease_archives_nobody_and_hurries_no_retry(
    tmp_path: Path, jump_s: float
) -> None:
    host = FakeHost()
    async with runtime(tmp_path, host, backoff_base_s=BACKOFF_S, backoff_max_s=BACKOFF_S) as core:
        given = await prepared(core, host)
        lease, before = given["claimed"]["lease"], await listed(core)
        core.clock.wall_s += jump_s
        await looked(core)

        # Leases: nothing has passed but the time on the wall.
        assert core.ledger.tables.tasks.rows[OLD[0]].status == "running"
        beaten = await core.ask("tasks", task.TaskHeartbeat(id=OLD[0], lease=lease))
        assert beaten["status"] == "running"

        # Backoff: the retry waits as before.
        assert (await run_of(core, given["waiting"]))["status"] == "queued"

        # Order: who came first has his turn first, lists stay as they were, and events are numbered as they happened.
        assert await listed(core) == before
        told = await facts_of(core)
        await core.ask("tasks", task.TaskLog(id=OLD[1], message="after"))
        assert await listed(core) == before
        assert (await facts_of(core))[: len(told)] == told
        numbers = [seq for seq, _kind in await facts_of(core)]
        assert numbers == sorted(numbers)
        assert set(numbers) == set(range(1, core.ledger.tables.seq + 1))
        turn = [(await core.ask("tasks", task.TaskClaim(worker="v", tools=("WORK",))))["id"] for _ in OLD]
        assert turn == [OLD[1], OLD[2], "claimed"]

        # Retention: three days at the wrong time, and everybody is still here.
        for _ in range(3):
            core.clock.pass_s(DAY_S)
            await looked(core)
        tables = core.ledger.tables
        assert {"done", *OLD} <= set(tables.tasks.rows)
        assert given["session"] in tables.sessions.rows
        assert given["over"] in tables.runs.rows
        assert not [kind for _seq, kind in await facts_of(core) if kind.endswith(".archived")]

        # Time that really passes counts as ever.
        await core.until(lambda: core.ledger.tables.tasks.rows[OLD[0]].status == "pending")
        core.clock.pass_s(BACKOFF_S)
        core.wake("runs")
        await status(core, given["waiting"], "running")
        assert not core.crashes


@pytest.mark.parametrize("jump_s", JUMPS_S)
async def test_a_start_under_another_time_gives_leases_and_retries_their_full_length(
    tmp_path: Path, jump_s: float
) -> None:
    host = FakeHost()
    rules: Any = {"backoff_base_s": BACKOFF_S, "backoff_max_s": BACKOFF_S}
    async with runtime(tmp_path, host, **rules) as core:
        given = await prepared(core, host)
        seq, wall_s = core.ledger.tables.seq, core.clock.wall_s
    async with runtime(tmp_path, host, **rules) as core:
        core.clock.wall_s = wall_s + jump_s
        await looked(core)
        core.clock.pass_s(LEASE_S - 1)
        await looked(core)
        assert core.ledger.tables.tasks.rows[OLD[0]].status == "running"
        assert (await run_of(core, given["waiting"]))["status"] == "queued"
        assert {given["session"]} == set(core.ledger.tables.sessions.rows)
        numbers = [number for number, _kind in await facts_of(core)]
        assert sorted(set(numbers)) == list(range(1, core.ledger.tables.seq + 1))
        assert core.ledger.tables.seq >= seq
        core.clock.pass_s(2)
        core.wake("tasks")
        await core.until(lambda: core.ledger.tables.tasks.rows[OLD[0]].status == "pending")
        assert not core.crashes


@pytest.mark.parametrize("how", ["a new incarnation of each actor", "a new runtime"])
async def test_a_wrong_time_is_not_believed_by_the_next_because_of_what_was_written_under_it(
    tmp_path: Path, how: str
) -> None:
    async with AsyncExitStack() as stack:
        core = await stack.enter_async_context(runtime(tmp_path, FakeHost()))
        await core.ask("tasks", task.TaskCreate(id="done", description="d"))
        await core.ask("tasks", task.TaskStart(id="done"))
        await core.ask("tasks", task.TaskComplete(id="done"))
        await looked(core)
        wall_s = core.clock.wall_s
        core.clock.wall_s += TEN_YEARS_S
        await looked(core)
        await core.ask("tasks", task.TaskCreate(id="under the wrong time", description="d"))
        if how == "a new runtime":
            await stack.aclose()

            def late(core: Core) -> None:
                core.clock.wall_s = wall_s + TEN_YEARS_S + 60.0

            core = await stack.enter_async_context(running_core(tmp_path, before=late))
        else:
            for name in ("tasks", "sessions", "runs"):
                await core.restart(name)
        await looked(core)
        core.clock.pass_s(3 * DAY_S)
        await looked(core)
        assert "done" in core.ledger.tables.tasks.rows

        # Put right, it is believed again, and time that really passes counts.
        core.clock.wall_s -= TEN_YEARS_S
        await looked(core)
        await core.until(
            lambda: len(core.ledger.tables.events) == 6
        )  # of tasks, sessions and runs: a doubt and its end
        told = (await core.ask("events", record.EventList(kinds=("event.recorded",), limit=1000)))["events"]
        types = [event["data"]["type"] for event in told if event["data"]["detail"]["of"] == "tasks"]
        assert types == ["retention:suspended", "retention:resumed"]
        core.clock.pass_s(91 * DAY_S)
        core.wake("tasks")
        await core.until(lambda: "done" not in core.ledger.tables.tasks.rows)


async def test_a_correction_of_the_clock_lets_nobody_overtake(tmp_path: Path) -> None:
    host = FakeHost()
    async with runtime(tmp_path, host) as core:
        await core.ask("tasks", task.TaskCreate(id="b", description="d"))
        core.clock.wall_s -= 3600.0
        await core.ask("tasks", task.TaskCreate(id="c", description="d"))
        core.clock.pass_s(1)
        await core.ask("tasks", task.TaskCreate(id="d", description="d"))
        assert await listed(core) == ["b", "c", "d"]
        assert [(await core.ask("tasks", task.TaskClaim(worker="w")))["id"] for _ in "bcd"] == ["b", "c", "d"]

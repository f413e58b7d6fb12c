"""
FAULTS row 24: each actor crashed, cancelled and hung at each of its awaits, under a workload that crosses them all.

An instrument sees where the actor's tasks go to sleep; round after round, the blow falls where none fell before, until
a round goes by without one. Clients work through the socket and see latency only: every answer is right, and what
took effect did so once. The journal of all rounds is whole, so there were never two writers.
"""

from __future__ import annotations

import contextlib
import threading
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import pytest
import trio

from supervisor.client import ConnectionLost, TrioClient, connect_trio
from supervisor.config import Config
from supervisor.tree.chaos import Harm
from tests.kit.runtimes import PATHS, Running, config_of, running_runtime
from tests.kit.strikes import Striker, striking

QUIET_ROUNDS: Final = 2
"""Rounds that are over before the blow came, after which the actor has no further await: one may be a quick one."""

TIMES: Final = 5
"""In the ordinary run: at its first, second … fifth sleep of a round at each place."""

SLEEPS_LEAST: Final = 1
"""Of any actor in one round: a quiet one on a slow machine only waits before its mailbox."""

TIMES_LONG: Final = 100
"""More often than any actor sleeps in one round."""

SOON_HUNG: Final = {"hung_after_s": 2.0, "heartbeat_s": 0.1, "restarts_max": 1_000_000}
"""Above BEAT_EVERY_S; and no number of blows is too many."""

TWICE: Final = 5
"""Rounds in which the actor is struck again on its way back, each time at another place."""


def config() -> Config:
    return config_of(supervisor=SOON_HUNG, state={"autosave_interval_s": 0.05})


async def tasks(client: TrioClient, n: int) -> None:
    task = await client.call("task.create", id=f"t{n}", description=f"round {n}", tool="T")
    assert task["rev"] == 1
    assert (await client.call("task.log", id=f"t{n}", message="begun"))["log_count"] == 1
    claimed = await client.call("task.claim", worker="w", tools=["T"])
    assert (claimed["id"], claimed["rev"]) == (f"t{n}", 3)
    done = await client.call("task.complete", id=f"t{n}", lease=claimed["lease"])
    assert (done["status"], done["rev"]) == ("completed", 4)
    assert await client.call("task.get", id=f"t{n}") == done


async def sessions(client: TrioClient, n: int) -> None:
    about = {"provider": "p", "model": "m", "working_directory": "/w"}
    session = (await client.call("session.create", title=f"s{n}", **about))["id"]
    for index in (1, 2):
        assert (await client.call("session.append", id=session, messages=[{"n": index}]))["message_count"] == index
    page = await client.call("session.messages", id=session)
    assert page["messages"] == [{"n": 1}, {"n": 2}]
    assert (await client.call("log.append", session_id=session, text="said\n"))["bytes"] == 5
    assert (await client.call("log.read", session_id=session))["text"] == "said\n"
    assert (await client.call("session.rename", id=session, title="renamed"))["rev"] == 4


async def runs(client: TrioClient, n: int) -> None:
    assert (await client.call("run.put", run={"id": f"r{n}"}))["rev"] == 1
    assert (await client.call("run.put", run={"id": f"r{n}", "status": "exited"}))["rev"] == 2
    assert (await client.call("run.get", id=f"r{n}"))["status"] == "exited"


async def events(client: TrioClient, n: int) -> None:
    seq = (await client.call("runtime.ping"))["seq"]
    made = await client.call("event.record", type="note", message=f"round {n}")
    listed = await client.call("event.list", after_seq=seq, kinds=["event.recorded"])
    assert made["id"] in {event["id"] for event in listed["events"]}


async def reports(client: TrioClient, n: int) -> None:
    assert (await client.call("report.save", id=f"p{n}", data={"n": n}))["id"] == f"p{n}"
    assert (await client.call("report.get", id=f"p{n}"))["data"] == {"n": n}


async def batches(client: TrioClient, n: int) -> None:
    made = [{"method": "task.create", "params": {"id": f"b{n}-{m}", "description": "b"}} for m in range(2)]
    made.append({"method": "run.put", "params": {"run": {"id": f"b{n}"}}})
    results = (await client.call("batch.apply", commands=made))["results"]
    assert [row["id"] for row in results] == [f"b{n}-0", f"b{n}-1", f"b{n}"]


async def snapshots(client: TrioClient, _n: int) -> None:
    with contextlib.suppress(ConnectionLost):  # it is not sent again unasked; two would do no harm
        await client.call("state.save")


LANES: Final[tuple[Callable[[TrioClient, int], Awaitable[None]], ...]] = (
    tasks,
    sessions,
    runs,
    events,
    reports,
    batches,
    snapshots,
)
"""What goes on at the same time in one round; every actor has something to do."""


async def one_round(client: TrioClient, n: int) -> None:
    async with trio.open_nursery() as nursery:
        for lane in LANES:
            nursery.start_soon(lane, client, n)


def effects(running: Running) -> dict[str, Counter[str]]:
    """Every row that a round makes, by the part of its id that the rounds count."""
    tables = running.assembly.ledger.tables
    return {
        "tasks": Counter(f"{row.id} {row.rev} {row.status}" for row in tables.tasks.rows.values()),
        "sessions": Counter(f"{row.title} {row.rev} {row.message_count}" for row in tables.sessions.rows.values()),
        "runs": Counter(f"{row.id} {row.rev}" for row in tables.runs.rows.values()),
        "reports": Counter(row.id for row in tables.reports.rows.values()),
    }


def expected(rounds: int) -> dict[str, Counter[str]]:
    numbers = range(1, rounds + 1)
    return {
        "tasks": Counter(
            [f"t{n} 4 completed" for n in numbers] + [f"b{n}-{m} 1 pending" for n in numbers for m in range(2)]
        ),
        "sessions": Counter(["renamed 4 2"] * min(rounds, 100)),
        "runs": Counter([f"r{n} 2" for n in numbers] + [f"b{n} 1" for n in numbers]),
        "reports": Counter(f"p{n}" for n in numbers),
    }


def writers_alive() -> int:
    return sum(thread.name == "commit" for thread in threading.enumerate())


async def struck_at_every_await(tmp_path: Path, actor: str, harm: Harm, times: int) -> Striker:
    """Round after round, harm the actor at an await where it was not yet; hold what is there against what was asked."""
    rounds = 0
    async with running_runtime(tmp_path, config=config()) as running:
        async with connect_trio(running.socket_path) as client:
            with striking(running, actor, harm, times) as striker:
                quiet = 0
                while quiet < QUIET_ROUNDS:
                    incarnation = running.view(actor).incarnation
                    striker.aim()
                    rounds += 1
                    await one_round(client, rounds)
                    assert writers_alive() <= 1
                    quiet = quiet + 1 if striker.is_aimed else 0
                    if not striker.is_aimed:
                        await running.until_up(actor, incarnation + 1)
                striker.rest()
            assert (await client.call("state.verify"))["findings"] == []
        assert effects(running) == expected(rounds)
        assert all(not box.dead_letters for box in running.assembly.mailboxes.values())
    async with running_runtime(tmp_path, config=config()) as running:
        assert effects(running) == expected(rounds)
    return striker


@pytest.mark.parametrize("harm", [Harm.CRASH, Harm.CANCEL])
@pytest.mark.parametrize("actor", PATHS)
async def test_an_actor_struck_at_any_of_its_awaits_is_noticed_by_nobody(
    tmp_path: Path, actor: str, harm: Harm
) -> None:
    striker = await struck_at_every_await(tmp_path, actor, harm, times=TIMES)
    assert striker.struck.total() >= SLEEPS_LEAST, striker.struck


@pytest.mark.long
@pytest.mark.parametrize("harm", [Harm.CRASH, Harm.CANCEL])
@pytest.mark.parametrize("actor", PATHS)
async def test_an_actor_struck_again_and_again_at_any_of_its_awaits_is_noticed_by_nobody(
    tmp_path: Path, actor: str, harm: Harm
) -> None:
    striker = await struck_at_every_await(tmp_path, actor, harm, times=TIMES_LONG)
    assert striker.struck.total() >= SLEEPS_LEAST, striker.struck


@pytest.mark.long
@pytest.mark.parametrize("actor", PATHS)
async def test_an_actor_that_hangs_after_any_of_its_awaits_is_noticed_by_nobody(tmp_path: Path, actor: str) -> None:
    striker = await struck_at_every_await(tmp_path, actor, Harm.HANG, times=TIMES)
    assert striker.struck.total() >= SLEEPS_LEAST, striker.struck


@pytest.mark.parametrize("actor", PATHS)
async def test_an_actor_struck_again_while_it_comes_back_comes_back(tmp_path: Path, actor: str) -> None:
    async with running_runtime(tmp_path, config=config()) as running:
        async with connect_trio(running.socket_path) as client:
            with striking(running, actor, Harm.CRASH, times=2) as striker:
                for number in range(1, TWICE + 1):
                    incarnation = running.view(actor).incarnation
                    running.harm(actor, Harm.CRASH)
                    striker.aim()
                    await one_round(client, number)
                    striker.rest()
                    await running.until_up(actor, incarnation + 1)
                assert striker.struck
        assert effects(running) == expected(TWICE)

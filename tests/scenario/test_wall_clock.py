"""The time of day steps while a whole Perdure runs, and while it is down: its processes see it, its promises do not."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import pytest

from tests.kit.perdure import Perdure, eventually
from tests.kit.wall_clock import NoCompiler, WallClock

TEN_YEARS_S: Final = 3653 * 86_400.0
STEPS_S: Final = {"an hour back": -3600.0, "ten years on": TEN_YEARS_S, "ten years back": -TEN_YEARS_S}

LEASE_S: Final = 2.0
WORK: Final = ("a", "b", "c")


@pytest.fixture
def clock(tmp_path: Path) -> WallClock:
    try:
        return WallClock(tmp_path)
    except NoCompiler as error:
        pytest.skip(str(error))


@pytest.fixture
def stepped(clock: WallClock, make: Callable[..., Perdure]) -> Perdure:
    """A Perdure that lives by the test's clock."""
    whole = make()
    whole.environment.update(clock.environment)
    whole.start()
    return whole


def wall_s(whole: Perdure) -> float:
    """How far Perdure's time of day is from ours."""
    made = whole.call("event.record", type="note", message="what time is it?")
    return datetime.fromisoformat(made["created_at"]).timestamp() - time.time()


def statuses(whole: Perdure) -> dict[str, str]:
    return {row["id"]: row["status"] for row in whole.call("task.list", limit=100)["tasks"]}


def events_of(whole: Perdure) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = whole.call("event.list", after_seq=0, limit=1000)["events"]
    return events


def lived(whole: Perdure) -> str:
    """One of everything that has to do with time; the id of a run that goes on."""
    for task_id in WORK:
        whole.call("task.create", id=task_id, description="d", tool="WORK")
    whole.call("task.create", id="done", description="d")
    whole.call("task.start", id="done")
    whole.call("task.complete", id="done")
    whole.call("session.create", title="t", provider="p", model="m", working_directory="/")
    run_id: str = whole.call("run.exec", argv=["sleep", "3600"])["id"]
    eventually(lambda: whole.call("run.get", id=run_id)["status"] == "running", "the agent is there")
    return run_id


def still_there(whole: Perdure) -> None:
    """Nothing left, nothing is out of order, everything on the disk is good."""
    assert {*WORK, "done"} <= statuses(whole).keys()
    assert len(whole.call("session.list")["sessions"]) == 1
    told = events_of(whole)
    assert not [event for event in told if event["kind"].endswith(".archived")]
    numbers = [event["seq"] for event in told]
    assert numbers == sorted(numbers)
    assert set(numbers) == set(range(1, numbers[-1] + 1))
    assert whole.call("state.verify")["findings"] == []


@pytest.mark.parametrize("step", STEPS_S)
def test_a_step_while_it_runs_ends_no_lease_stops_no_agent_and_archives_nobody(
    stepped: Perdure, clock: WallClock, step: str
) -> None:
    run_id = lived(stepped)
    claimed = stepped.call("task.claim", worker="w", tools=["WORK"], lease_s=LEASE_S)
    clock.step_to(STEPS_S[step])
    beaten = stepped.call("task.heartbeat", id="a", lease=claimed["lease"])
    assert beaten["status"] == "running"
    if abs(STEPS_S[step]) > 3600:  # a correction is not told at once: stamps stand still until it is caught up with
        assert wall_s(stepped) == pytest.approx(STEPS_S[step], abs=60)
    assert stepped.call("task.claim", worker="v", tools=["WORK"], lease_s=3600)["id"] == "b"
    stepped.call("task.create", id="later", description="d", tool="WORK")
    assert stepped.call("run.get", id=run_id)["status"] == "running"
    eventually(lambda: statuses(stepped)["a"] == "pending", "the lease runs out when its time is over")
    assert statuses(stepped)["b"] == "running"
    stepped.call("state.save")
    still_there(stepped)


@pytest.mark.parametrize("step", STEPS_S)
def test_a_start_at_another_time_finds_everything_and_goes_on(stepped: Perdure, clock: WallClock, step: str) -> None:
    lived(stepped)
    stepped.stop()
    for offset_s in (STEPS_S[step], 0.0):
        clock.step_to(offset_s)
        stepped.start()
        seq = stepped.call("runtime.status")["seq"]
        stepped.call("task.update", id="c", priority=3)
        stepped.call("state.save")
        still_there(stepped)
        stepped.kill_runtime()
        assert stepped.call("runtime.status")["seq"] > seq
        still_there(stepped)
        stepped.stop()

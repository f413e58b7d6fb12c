"""A runtime without memory, a host and a root without processes: told clearly, and over when it is over."""

from __future__ import annotations

import contextlib
import resource
from collections.abc import Callable, Iterator
from typing import Any, Final

import psutil
import pytest

from actors.model.errors import PerdureError
from supervisor.root.lock import read_lock
from tests.kit.perdure import Perdure, eventually
from tests.kit.process_limits import Most, processes_limited

MIB: Final = 1 << 20
ROOM_BYTES: Final = 24 * MIB
"""What the runtime may still map: less than what is asked of it, more than what it needs to go on for a while."""

HEAVY: Final = "x" * 500_000


@pytest.fixture
def allow_processes() -> Iterator[Callable[[int, Most], object]]:
    """Limit how many processes a process may have. Asked for before the Perdure, which must be gone before it ends."""
    with processes_limited() as limit:
        yield limit


def starved(whole: Perdure) -> psutil.Process:
    """Let the runtime map hardly more than it has; its successor is not bound by that."""
    runtime = psutil.Process(whole.runtime_pid())
    most = runtime.memory_info().vms + ROOM_BYTES
    runtime.rlimit(resource.RLIMIT_AS, (most, most))
    return runtime


def everything(whole: Perdure) -> dict[str, str]:
    """Every task's description, by id."""
    found: dict[str, str] = {}
    cursor = None
    while True:
        page = whole.call("task.list", limit=10, cursor=cursor)
        found |= {row["id"]: row["description"] for row in page["tasks"]}
        cursor = page["next_cursor"]
        if cursor is None:
            return found


def test_a_runtime_without_memory_answers_an_error_or_is_taken_over_and_nothing_acknowledged_is_lost(
    running: Perdure,
) -> None:
    agent = running.call("run.exec", argv=["sleep", "3600"])
    eventually(lambda: running.call("run.get", id=agent["id"])["status"] == "running", "the agent is there")
    runtime = starved(running)
    acknowledged: dict[str, str] = {}
    refused: list[str] = []
    for number in range(200):
        task_id, description = f"t{number:03}", f"{number} {HEAVY}"
        try:
            running.call("task.create", id=task_id, description=description)
        except PerdureError as error:
            refused.append(error.kind)
        else:
            acknowledged[task_id] = description
        if refused or not runtime.is_running():
            break
    assert refused or not runtime.is_running(), "it never ran out of memory"
    assert not {"parse_error", "invalid_request", "invalid_params"} & set(refused), (
        "nothing was wrong with what was sent"
    )
    with contextlib.suppress(psutil.NoSuchProcess):
        runtime.kill()  # one that answered errors is still there, without memory for what comes now
    eventually(lambda: running.runtime_pid() != runtime.pid, "another runtime has taken over")
    there = everything(running)
    assert {task_id: there.get(task_id) for task_id in acknowledged} == acknowledged
    assert running.call("task.create", id="after", description=HEAVY)["rev"] == 1
    assert running.call("run.get", id=agent["id"])["status"] == "running", "agents go on"
    assert running.call("state.verify")["findings"] == []
    assert eventually(lambda: running.call("runtime.health")["status"] == "ok", "nothing is left of it")


def test_without_processes_a_run_fails_clearly_and_the_next_one_begins_when_there_are_some(
    allow_processes: Callable[[int, Most], object], running: Perdure
) -> None:
    host = running.call("runtime.status")["pids"]["host"]
    allow_processes(host, "1")
    made = running.call("run.exec", argv=["true"])
    failed: dict[str, Any] = eventually(
        lambda: (row := running.call("run.get", id=made["id"]))["status"] == "failed_to_start" and row,
        "the run has failed to start",
    )
    assert failed["error"]["kind"] == "failed_to_start"
    assert failed["error"]["message"] == "true cannot be started: Resource temporarily unavailable"
    task = running.call("task.get", id=failed["task_id"])
    assert (task["status"], task["error"]["message"]) == ("failed", failed["error"]["message"])
    assert running.call("task.create", description="x")["rev"] == 1, "all else goes on"
    allow_processes(host, "max")
    again = running.call("run.exec", argv=["true"])
    eventually(lambda: running.call("run.get", id=again["id"])["status"] == "exited", "the next run is over")
    assert running.call("runtime.status")["pids"]["host"] == host


def test_a_root_without_processes_starts_the_next_runtime_as_soon_as_it_can(
    allow_processes: Callable[[int, Most], object], running: Perdure
) -> None:
    running.call("task.create", id="before", description="x")
    allow_processes(running.root_pid, "1")
    running.kill_runtime()
    eventually(
        lambda: "Resource temporarily unavailable" in (read_lock(running.state_path).last_error or ""), "it says why"
    )
    allow_processes(running.root_pid, "max")
    assert running.call("task.get", id="before")["rev"] == 1
    assert psutil.pid_exists(running.root_pid)

"""FAULTS rows 35-37 under load: memory stays bounded, the others are served, and it is over when the attack is."""

from __future__ import annotations

import resource
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Final

import psutil
import pytest

from supervisor.root.lock import read_lock
from tests.kit.attacks import MIB, connections, deaf, dripping, hostile, idle, memory_bytes, swollen
from tests.kit.perdure import Perdure, eventually, frame

BUDGET_BYTES: Final = 32 * MIB
SLACK_BYTES: Final = 48 * MIB
"""What the allocator keeps, what is decoded and encoded at the moment, and what the kernel counts."""

SMALL: Final = {
    "gateway__memory_bytes_max": str(BUDGET_BYTES),
    "gateway__unsent_bytes_max": str(16 * MIB),
    "gateway__half_frame_s": "1",
    "gateway__connections_max": "600",
}

ATTACKS: Final[dict[str, Callable[[Perdure], AbstractContextManager[None]]]] = {
    "500 connections": lambda whole: idle(whole, 500),
    "one byte after the other": lambda whole: dripping(whole, 100),
    "replies never read": lambda whole: deaf(whole, 20, "long"),
    "lines that do not end": lambda whole: swollen(whole, 20, 15 * MIB),
    "hostile JSON": lambda whole: hostile(whole, 4),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_under_an_attack_memory_is_bounded_and_others_are_served(make: Callable[..., Perdure], name: str) -> None:
    whole = make(**SMALL)
    whole.start()
    with whole.wire() as other:
        other.call("task.create", id="long", description="x" * 100_000)
        quiet_bytes = most_bytes = memory_bytes(whole)
        with ATTACKS[name](whole):
            for number in range(60):
                assert other.call("task.create", id=f"t{number}", description="x" * 1000)["rev"] == 1
                most_bytes = max(most_bytes, memory_bytes(whole))
        assert most_bytes - quiet_bytes < 1.5 * BUDGET_BYTES + SLACK_BYTES
        # The budget is free again: somebody else may hold as much as one may.
        assert len(other.call("task.get", id="long")["description"]) == 100_000
        assert other.call("runtime.status")["counts"]["tasks"]["total"] == 61
        assert other.call("runtime.health")["status"] == "ok"
        assert whole.call("state.verify")["findings"] == []


@pytest.fixture
def many_descriptors() -> Iterator[int]:
    """As many descriptors as 5000 connections take on this side, and on the other, which inherits the limit."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 5300
    if before[1] != resource.RLIM_INFINITY and before[1] < wanted:
        pytest.skip(f"this system allows {before[1]} descriptors")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(before[0], wanted), before[1]))
    yield wanted
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.long
def test_five_thousand_connections_are_served(make: Callable[..., Perdure], many_descriptors: int) -> None:
    whole = make(gateway__connections_max="5100")
    whole.start()
    quiet_bytes = memory_bytes(whole)
    with idle(whole, 5000), whole.wire() as other:
        assert other.call("task.create", description="x")["rev"] == 1
        assert (memory_bytes(whole) - quiet_bytes) / 5000 < 20_000, "bytes for each connection"
    with whole.wire() as after:
        assert after.call("runtime.health")["status"] == "ok"


def test_without_descriptors_connections_wait_and_commands_go_on_and_all_is_well_afterwards(running: Perdure) -> None:
    with running.wire() as steady:
        steady.call("runtime.ping")
        runtime = psutil.Process(running.runtime_pid())
        before = runtime.rlimit(resource.RLIMIT_NOFILE)
        runtime.rlimit(resource.RLIMIT_NOFILE, (runtime.num_fds(), before[1]))
        with connections(running, 20) as waiting:
            for number in range(20):
                assert steady.call("task.create", id=f"t{number}", description="x")["rev"] == 1
            for one in waiting:
                one.sendall(frame("runtime.ping", 1))
            runtime.rlimit(resource.RLIMIT_NOFILE, before)
            assert all(b'"pong":true' in one.recv(4096) for one in waiting)
        steady.call("state.save")
        eventually((running.state_path / "tasks" / "t19.json").exists, "what waited for a descriptor is written")
        eventually(lambda: steady.call("runtime.health")["status"] == "ok", "nothing is left of it")
        assert steady.call("state.verify")["findings"] == []


def test_a_root_without_descriptors_starts_the_next_runtime_as_soon_as_it_can(running: Perdure) -> None:
    running.call("task.create", id="before", description="x")
    root = psutil.Process(running.root_pid)
    before = root.rlimit(resource.RLIMIT_NOFILE)
    root.rlimit(resource.RLIMIT_NOFILE, (3, before[1]))
    running.kill_runtime()
    eventually(lambda: "Too many open files" in (read_lock(running.state_path).last_error or ""), "it says why")
    root.rlimit(resource.RLIMIT_NOFILE, before)
    assert running.call("task.get", id="before")["rev"] == 1
    assert root.is_running()

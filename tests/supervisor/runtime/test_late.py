"""What is loaded after the start: nobody waits for it, and nothing ends by it."""

from __future__ import annotations

import subprocess
import sys
import threading
from typing import Any

import pytest
import trio

from supervisor.runtime import late
from supervisor.wire.methods import METHODS, Method

PATIENCE_S = 60.0

LOADS = """
import sys
from supervisor.runtime import late
before = "prometheus_client" in sys.modules
late.import_metrics()
print(before, "prometheus_client" in sys.modules)
"""

WITHOUT_DESCRIPTORS = """
import resource
import sys
import trio
from supervisor.runtime import late

late.LATE_AFTER_S = 0.0
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)

async def main():
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    await late.load_the_rest()
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    print("prometheus_client" in sys.modules)
    late.import_metrics()
    print("prometheus_client" in sys.modules)

trio.run(main)
"""


def run_apart(program: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


async def test_the_loop_goes_on_while_the_library_is_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, gone_on = trio.Event(), threading.Event()
    token = trio.lowlevel.current_trio_token()
    seen: list[bool] = []

    def import_metrics() -> None:
        token.run_sync_soon(begun.set)
        seen.append(gone_on.wait(PATIENCE_S))

    monkeypatch.setattr(late, "LATE_AFTER_S", 0.0)
    monkeypatch.setattr(late, "import_metrics", import_metrics)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(late.load_the_rest)
        await begun.wait()
        gone_on.set()
    assert seen == [True]


async def test_structs_are_found_out_on_the_loop_which_goes_on_between_two(monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[tuple[str, str, int]] = []
    turns = 0

    def validate(row: Method, _params: Any) -> None:
        found.append((row.name, threading.current_thread().name, turns))

    async def turn() -> None:
        nonlocal turns
        while True:
            turns += 1
            await trio.lowlevel.checkpoint()

    monkeypatch.setattr(late, "validate", validate)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(turn)
        await late.find_out_structs()
        nursery.cancel_scope.cancel()
    assert [name for name, _thread, _turns in found] == list(METHODS)
    assert {thread for _name, thread, _turns in found} == {threading.main_thread().name}
    assert turns >= len(METHODS) - 1


def test_the_metrics_library_is_loaded_then_and_not_with_the_runtime() -> None:
    assert run_apart(LOADS) == ["False", "True"]


def test_without_descriptors_the_runtime_goes_on_and_the_library_is_loaded_later() -> None:
    assert run_apart(WITHOUT_DESCRIPTORS) == ["False", "True"]


async def test_without_a_thread_to_be_had_it_is_loaded_on_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded_in: list[str] = []
    monkeypatch.setattr(late, "LATE_AFTER_S", 0.0)
    monkeypatch.setattr(late, "import_metrics", lambda: loaded_in.append(threading.current_thread().name))
    before = threading.stack_size(1 << 46)  # no system gives a thread with such a stack
    try:
        await late.load_the_rest()
    finally:
        threading.stack_size(before)
    assert loaded_in == [threading.main_thread().name]

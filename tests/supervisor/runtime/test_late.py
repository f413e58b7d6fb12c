"""What is loaded after the start: in a thread, so that nobody waits for it."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest
import trio

from supervisor.runtime import late

PATIENCE_S = 60.0

LOADS = """
import sys
from supervisor.runtime import late
before = "prometheus_client" in sys.modules
late.load()
print(before, "prometheus_client" in sys.modules)
"""


async def test_the_loop_goes_on_while_it_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, gone_on = trio.Event(), threading.Event()
    token = trio.lowlevel.current_trio_token()
    seen: list[bool] = []

    def load() -> None:
        token.run_sync_soon(begun.set)
        seen.append(gone_on.wait(PATIENCE_S))

    monkeypatch.setattr(late, "LATE_AFTER_S", 0.0)
    monkeypatch.setattr(late, "load", load)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(late.load_the_rest)
        await begun.wait()
        gone_on.set()
    assert seen == [True]


def test_the_metrics_library_is_loaded_then_and_not_with_the_runtime() -> None:
    done = subprocess.run([sys.executable, "-c", LOADS], capture_output=True, text=True, timeout=PATIENCE_S, check=True)
    assert done.stdout.split() == ["False", "True"]


async def test_without_a_thread_to_be_had_it_is_loaded_on_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded_in: list[str] = []
    monkeypatch.setattr(late, "LATE_AFTER_S", 0.0)
    monkeypatch.setattr(late, "load", lambda: loaded_in.append(threading.current_thread().name))
    before = threading.stack_size(1 << 46)  # no system gives a thread with such a stack
    try:
        await late.load_the_rest()
    finally:
        threading.stack_size(before)
    assert loaded_in == [threading.main_thread().name]

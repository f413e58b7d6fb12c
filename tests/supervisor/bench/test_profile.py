"""bench/profile.py and supervisor/bench/cpu.py: processor time for each command, of a runtime under a load."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from supervisor.bench.cpu import cpu_time

CHECKOUT = Path(__file__).parents[3]


def test_the_time_of_a_thread_that_works_is_its_own() -> None:
    over = threading.Event()
    idle = threading.Thread(target=over.wait, args=(60,))
    idle.start()
    try:
        before = cpu_time(os.getpid())
        while cpu_time(os.getpid()).since(before).total_s < 0.05:
            pass
        used = cpu_time(os.getpid()).since(before)
        assert used.by_thread[threading.get_native_id()] > 0.02
        assert used.by_thread[idle.native_id or 0] < 0.02
    finally:
        over.set()
        idle.join()


@pytest.mark.parametrize("tasks", [0, 50])
def test_a_load_is_told_in_processor_time_for_each_command(tasks: int, tmp_path: Path) -> None:
    argv = [sys.executable, str(CHECKOUT / "bench" / "profile.py"), "2x3", "--seconds", "0.2", "--tasks", str(tasks)]
    ended = subprocess.run(
        argv, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(CHECKOUT)}, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert re.match(r"2 × 3: [\d,]+/s, median [\d.]+ ms\n", ended.stdout)
    figures = dict(re.findall(r"^  (\S.*?) {2,}([\d.-]+) ", ended.stdout, re.MULTILINE))
    assert {"all", "user", "loop", "switches", "growth", "load"} <= figures.keys()
    assert 0 < float(figures["loop"]) <= float(figures["all"])
    assert list(tmp_path.iterdir()) == []

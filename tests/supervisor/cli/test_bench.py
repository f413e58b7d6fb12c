"""supervisor/cli/bench.py: a whole measurement with real processes, and what is told of it."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import attrs
import pytest

from supervisor.bench.figures import Figure
from supervisor.bench.goals import judged
from supervisor.bench.questions import QUESTIONS, Report
from supervisor.cli import bench
from supervisor.cli.faults import CommandFailed
from supervisor.cli.invocation import Invocation
from supervisor.cli.screen import Screen

MACHINE = {"at": "2026-11-21", "cores": 2, "load": 0.1, "system": "Linux", "python": "3.11"}
REPORT = Report(
    goals=tuple(judged([Figure("single", 2000.0, "/s", ratio=0.3, peer="raw")], ["throughput"])),
    others=(Figure("Redis", None, "/s", "Redis, 16 × 32", note="Redis is not installed"),),
    points=(),
    machine=MACHINE,
    quick=False,
    verified=10,
    missing=("b1-0-3",),
)


def shown(report: Report) -> str:
    out = io.StringIO()
    invocation = Invocation()
    invocation.screen = Screen(out)
    bench._show(invocation, report)
    return out.getvalue()


def measured(*options: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "supervisor", "bench", "--quick", *options]
    return subprocess.run(argv, capture_output=True, text=True, timeout=300, check=False)


def test_a_quick_measurement_finds_everything_acknowledged_and_draws_it(tmp_path: Path) -> None:
    ended = measured("--only", "latency", "--verify", "--json", "--plot", "drawn.svg")
    assert ended.returncode == 0, ended.stderr
    told: dict[str, Any] = json.loads(ended.stdout)
    assert told["verified"] > 0
    assert told["missing"] == []
    assert [figure["name"] for figure in told["figures"]] == ["latency 1 × 1", "latency 8 × 1", "latency 16 × 32"]
    assert "<polyline" in (tmp_path / "drawn.svg").read_text()
    assert [entry.name for entry in tmp_path.iterdir()] == ["drawn.svg"]


def test_each_goal_of_what_was_asked_has_a_row_and_a_verdict() -> None:
    lines = shown(REPORT).splitlines()
    (single,) = (line for line in lines if line.startswith("single:"))
    assert "2,000 /s" in single
    assert "0.30 × raw" in single
    assert single.endswith("not reached")
    assert sum(line.endswith("not measured") for line in lines) == 2
    assert any("Redis is not installed" in line for line in lines)


def test_what_is_missing_after_the_kill_is_told() -> None:
    assert "10 acknowledged tasks looked for after kill -9, 1 missing" in shown(REPORT)


@pytest.mark.parametrize(("load", "said"), [(0.9, False), (1.1, True)])
def test_a_busy_machine_is_told(load: float, said: bool) -> None:
    report = attrs.evolve(REPORT, machine={**MACHINE, "load": load})
    assert ("the machine was busy" in shown(report)) is said


def test_what_would_draw_nothing_is_refused_before_anything_is_measured(tmp_path: Path) -> None:
    ended = measured("--only", "memory", "--plot", "drawn.svg")
    assert ended.returncode == 2
    assert "ask growth or latency as well" in ended.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_file_system_in_memory_is_refused() -> None:
    memory = Path("/dev/shm")
    if not memory.is_dir():
        pytest.skip("there is no /dev/shm")
    with pytest.raises(CommandFailed, match="nothing is ever synced"):
        bench._disk(memory)


def test_the_names_that_the_command_knows_are_the_questions() -> None:
    assert tuple(QUESTIONS) == bench.NAMES

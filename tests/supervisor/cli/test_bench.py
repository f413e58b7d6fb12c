"""supervisor/cli/bench.py: a whole measurement with real processes, and what is told of it."""

from __future__ import annotations

import io
import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import attrs
import psutil
import pytest

from supervisor.bench.figures import Answer, Figure, compared, taken
from supervisor.bench.goals import GOALS, Verdict, judged
from supervisor.bench.questions import QUESTIONS, Question, Report, asked
from supervisor.bench.setting import WHOLE, Setting
from supervisor.cli import bench
from supervisor.cli.bench_view import show
from supervisor.cli.faults import CommandFailed
from supervisor.cli.screen import Screen

MACHINE = {
    "at": "2026-11-21",
    "cores": 2,
    "processor": "some processor",
    "load": 0.1,
    "file_system": "ext4",
    "system": "Linux",
    "python": "3.11",
    "versions": {"Perdure": "0.1.0", "SQLite": "3.40"},
    "load_generator": "C",
    "took_s": 60,
}
REPORT = Report(
    goals=tuple(
        judged(
            [compared(taken("single", [1000.0, 2000.0, 2500.0], "/s", note="busy"), [5000.0] * 3, "raw")],
            ["throughput"],
        )
    ),
    others=(Figure("Redis", None, "/s", "Redis, 16 × 32", note="Redis is not installed"),),
    points=(),
    machine=MACHINE,
    quick=False,
    verified=10,
    missing=("b1-0-3",),
)
ORDINARY = ("growth", "session")
"""The quick looks that take few seconds, and are not taken elsewhere."""


def shown(report: Report) -> str:
    out = io.StringIO()
    show(Screen(out), report)
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
    assert {figure["name"] for figure in told["figures"]} >= {"latency 1 × 1", "latency 8 × 1", "latency 16 × 32"}
    assert told["machine"]["file_system"]
    assert "<polyline" in (tmp_path / "drawn.svg").read_text()
    assert [entry.name for entry in tmp_path.iterdir()] == ["drawn.svg"]


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in ORDINARY else pytest.mark.long) for name in QUESTIONS]
)
def test_a_quick_look_measures_each_goal_of_each_question(name: str, tmp_path: Path) -> None:
    ended = measured("--only", name, "--json")
    assert ended.returncode == 0, ended.stderr
    told: dict[str, Any] = json.loads(ended.stdout)
    assert [row["name"] for row in told["goals"]] == [goal.name for goal in GOALS if goal.question == name]
    for row in told["goals"]:
        assert row["verdict"] == "not judged"
        assert row["figure"]["value"] is not None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.long
def test_no_two_figures_of_a_whole_look_have_one_name() -> None:
    told: dict[str, Any] = json.loads(measured("--json").stdout)
    names = [row["name"] for row in told["goals"]] + [figure["name"] for figure in told["figures"]]
    assert sorted(names) == sorted(set(names))


def test_ended_from_outside_it_leaves_nothing_behind(tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "supervisor", "bench", "--quick", "--only", "throughput"]
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as measuring:
        deadline_s = time.monotonic() + 60
        while not list(tmp_path.glob("perdure-bench-*/subject-*/coding-agent-state/journal")):
            assert time.monotonic() < deadline_s
            time.sleep(0.02)
        started = psutil.Process(measuring.pid).children(recursive=True)
        assert started
        measuring.terminate()
        assert measuring.wait(60) == 128 + signal.SIGTERM
    assert psutil.wait_procs(started, timeout=30)[1] == []
    assert list(tmp_path.iterdir()) == []


def test_a_question_that_fails_does_not_take_the_others_along(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_setting: Setting) -> Answer:
        raise RuntimeError("the disk is gone")

    def fine(setting: Setting) -> Answer:
        setting.say("measuring")
        return Answer((Figure("status", 90.0, "ms"),))

    monkeypatch.setitem(QUESTIONS, "memory", Question(broken, 60))
    monkeypatch.setitem(QUESTIONS, "startup", Question(fine, 120))
    said: list[str] = []
    report = asked(Setting(tmp_path, WHOLE, say=said.append), ["startup", "memory"])
    assert report.failed == {"memory": "the disk is gone"}
    assert {row.goal.name: row.verdict for row in report.goals} == {
        "task-memory": Verdict.UNMEASURED,
        "idle-memory": Verdict.UNMEASURED,
        "status": Verdict.REACHED,
    }
    assert said == ["2/2 startup: measuring, about 2 min"]


def test_each_goal_of_what_was_asked_has_a_row_and_a_verdict() -> None:
    lines = shown(REPORT).splitlines()
    single, meaning = (line for line in lines if line.startswith("single "))
    assert "2,000 /s" in single
    assert "0.40 x" in single
    assert "0.2-0.5" in single
    assert single.endswith(" reached")
    assert meaning.endswith("the same, one client, one in flight, to raw append + fdatasync (busy)")
    assert sum(line.endswith("not measured") for line in lines) == 2
    assert any("Redis is not installed" in line for line in lines)


def test_a_goal_and_its_verdict_fit_a_terminal_of_eighty_columns() -> None:
    wide = taken("growth-cpu", [123_456.0, 654_321.0], "µs")
    rows = judged([attrs.evolve(wide, ratio=1.05, tasks=1_000_000)], ["growth"])
    table = shown(attrs.evolve(REPORT, goals=tuple(rows), others=())).split("\n\n")[1]
    assert max(map(len, table.splitlines())) <= 80


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

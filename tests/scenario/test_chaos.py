"""`perdure chaos`, as its user runs it: a real trial, its schedule, and what it keeps."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.kit.perdure import CHECKOUT, eventually

SHORT_S = 30
LONG_S = 600
AFTERWARDS_S = 240
"""The last agents, the last copies and the checks may take that long on a busy machine."""


def chaos(folder: Path, *arguments: str, within_s: float = AFTERWARDS_S) -> subprocess.CompletedProcess[str]:
    """Run `perdure chaos` with temporary directories below `folder`."""
    return subprocess.run(
        [sys.executable, "-m", "supervisor", "chaos", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=within_s,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT), "TMPDIR": str(folder)},
        cwd=folder,
        check=False,
    )


def no_violation(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """The outcome of a trial in which every promise was kept."""
    assert done.returncode in {0, 1}, done.stderr
    outcome: dict[str, Any] = json.loads(done.stdout)
    found = {row["promise"]: row["violations"][:5] for row in outcome["promises"] if row["violations"]}
    assert (found, done.returncode) == ({}, 0), f"perdure chaos --replay {outcome['kept']}/outcome.json"
    return outcome


def test_a_short_trial_keeps_every_promise_and_leaves_nothing_behind(tmp_path: Path) -> None:
    outcome = no_violation(chaos(tmp_path, "--seconds", str(SHORT_S), "--seed", "1", "--json"))
    assert {row["promise"] for row in outcome["promises"] if not row["checks"]} <= {"told"}
    assert outcome["acknowledged"] > 100
    assert outcome["harms"]["damage copy"] == 7
    assert len(outcome["harms"]) > 8
    assert list(tmp_path.iterdir()) == []


def test_ended_from_outside_it_leaves_nothing_behind(tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "supervisor", "chaos", "--seconds", "600", "--seed", "1"]
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT), "TMPDIR": str(tmp_path)}
    with subprocess.Popen(argv, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as trial:
        eventually(lambda: list(tmp_path.glob("perdure-chaos-*/followed-*.jsonl")), "clients follow")
        started = psutil.Process(trial.pid).children(recursive=True)
        assert started
        trial.terminate()
        assert trial.wait(60) == 128 + signal.SIGTERM
    assert psutil.wait_procs(started, timeout=30)[1] == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.long
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_two_minutes_keep_every_promise(tmp_path: Path, seed: int) -> None:
    no_violation(chaos(tmp_path, "--seconds", "120", "--seed", str(seed), "--json", within_s=120 + AFTERWARDS_S))


@pytest.mark.long
def test_ten_minutes_keep_every_promise(tmp_path: Path) -> None:
    seed = os.environ.get("PERDURE_SEED", "10")
    arguments = ("--seconds", str(LONG_S), "--seed", seed, "--json")
    no_violation(chaos(tmp_path, *arguments, within_s=LONG_S + 2 * AFTERWARDS_S))


def test_the_same_seed_prints_the_same_schedule(tmp_path: Path) -> None:
    one, other = (chaos(tmp_path, "--seconds", "60", "--seed", "7", "--schedule") for _ in range(2))
    assert one.returncode == 0
    assert one.stdout == other.stdout
    assert len(json.loads(one.stdout)["blows"]) > 50


def test_what_was_kept_of_a_trial_can_be_played_again(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    done = chaos(tmp_path, "--seconds", "1", "--seed", "3", "--keep", str(kept))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "seed 3" in done.stdout
    assert "violations" in done.stdout
    assert {path.name for path in kept.iterdir()} >= {"coding-agent-state", "records", "outcome.json"}
    again = chaos(tmp_path, "--replay", str(kept / "outcome.json"), "--schedule")
    assert json.loads(again.stdout) == json.loads((kept / "outcome.json").read_text())["schedule"]


def test_a_folder_that_holds_something_is_not_kept_into(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("precious")
    done = chaos(tmp_path, "--keep", str(tmp_path))
    assert (done.returncode, (tmp_path / "mine").read_text()) == (2, "precious")
    assert "is not empty" in done.stderr


def test_a_file_that_tells_of_no_trial_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("{}")
    done = chaos(tmp_path, "--replay", str(tmp_path / "file"))
    assert done.returncode == 2
    assert "tells of no trial" in done.stderr

"""supervisor/cli/up.py: what a person at a terminal is told."""

import json
import os
import select
import subprocess
import sys
from pathlib import Path

import pytest

from supervisor.cli.up import announcement
from supervisor.root.errors import ExitCode


def test_the_announcement_says_where_the_state_is_and_how_to_stop() -> None:
    said = announcement(Path("/srv/my state"), "/srv/my state/perdure.sock")
    assert "/srv/my state/perdure.sock" in said
    assert "export STATE_PATH='/srv/my state'" in said
    assert "perdure down" in said


def test_the_default_directory_needs_no_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert "STATE_PATH" not in announcement(tmp_path / "coding-agent-state", "/s")


def test_it_runs_where_whoever_started_it_closed_its_standard_streams(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    line = f"exec {sys.executable} -m supervisor up --state-path {tmp_path}/state --ready-fd {writing} <&- >&- 2>&-"
    root = subprocess.Popen(["sh", "-c", line], pass_fds=[writing])
    try:
        os.close(writing)
        readable, _, _ = select.select([reading], [], [], 60)
        assert readable, "no runtime is ready"
        with os.fdopen(reading) as ready:
            assert json.loads(ready.readline())["pid"] == root.pid
    finally:
        root.terminate()
        assert root.wait(60) == 0


@pytest.mark.parametrize("descriptor", [*range(3, 12), 1 << 40])
def test_a_descriptor_that_nobody_passed_is_refused_before_anything_gets_its_number(
    tmp_path: Path, descriptor: int
) -> None:
    command = [sys.executable, "-m", "supervisor", "up", "--ready-fd", str(descriptor), "--state-path", str(tmp_path)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60.0, check=False)
    assert done.returncode == ExitCode.USAGE
    assert f"{descriptor} is not an open descriptor" in done.stderr
    assert not any(tmp_path.iterdir())

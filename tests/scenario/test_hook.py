"""`perdure session hook` with the runtime up, down, hanging: always 0, nothing printed, lost or told twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from supervisor.cli import session_hook
from tests.kit.foreign import sample
from tests.kit.perdure import WITHIN_S, Perdure, eventually
from tests.scenario.conftest import Make

UUID = "0b3c4d5e-0000-4000-8000-000000000000"


def hook(whole: Perdure, text: str | None = None, **environment: str) -> None:
    """Run the hook, and check what always holds."""
    given = {"session_id": UUID, "cwd": str(whole.folder), "transcript_path": str(sample("claude") / "session_b.jsonl")}
    argv = [sys.executable, "-m", "supervisor", "session", "hook", "--state-path", str(whole.state_path)]
    ended = subprocess.run(
        argv,
        input=json.dumps(given) if text is None else text,
        capture_output=True,
        text=True,
        timeout=WITHIN_S,
        env={**os.environ, **whole.environment, **environment},
        cwd=whole.folder,
        check=False,
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")


def spooled(whole: Perdure) -> list[Path]:
    folder = whole.state_path / "spool"
    return sorted(folder.iterdir()) if folder.is_dir() else []


def sessions(whole: Perdure) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = whole.call("session.find", external_id=UUID)["sessions"]
    return rows


def sightings(whole: Perdure) -> int:
    return len(whole.call("event.list", kinds=["session.created", "session.seen"], limit=1000)["events"])


def test_with_the_runtime_up_it_is_recorded_at_once(running: Perdure) -> None:
    hook(running)
    (row,) = sessions(running)
    assert row["identity_resolution"]["source"] == "minted"
    assert row["first_prompt_preview"].startswith("This is from a different session file")
    assert row["transcript_files"][0]["last_uuid"] == "session_b_003"
    assert spooled(running) == []
    hook(running)
    assert [row["identity_resolution"]["confidence"] for row in sessions(running)] == ["exact"]


def test_with_the_runtime_down_it_is_taken_in_at_the_next_start(make: Make) -> None:
    whole = make()
    whole.start()
    whole.stop()
    for _number in range(3):
        hook(whole)
    assert len(spooled(whole)) == 3
    whole.start()
    eventually(lambda: not spooled(whole), "the spool is taken in")
    assert len(sessions(whole)) == 1
    assert sightings(whole) == 3


def test_where_perdure_never_ran_it_is_kept_for_the_first_start(make: Make) -> None:
    whole = make()
    hook(whole)
    assert whole.state_path.stat().st_mode & 0o777 == 0o700
    assert [path.stat().st_mode & 0o777 for path in spooled(whole)] == [0o600]
    whole.start()
    eventually(lambda: not spooled(whole), "the spool is taken in")
    assert len(sessions(whole)) == 1


@pytest.mark.parametrize("victim", ["runtime", "root", "both"])
def test_with_perdure_hanging_nobody_waits_and_nothing_is_lost_or_recorded_twice(make: Make, victim: str) -> None:
    whole = make(supervisor__hung_after_s="300")
    whole.start()
    pids = {"runtime": [whole.runtime_pid()], "root": [whole.root_pid]}
    pids["both"] = [*pids["runtime"], *pids["root"]]
    for pid in pids[victim]:
        os.kill(pid, signal.SIGSTOP)
    try:
        hook(whole)
        assert len(spooled(whole)) == (0 if victim == "root" else 1)
    finally:
        for pid in pids[victim]:
            os.kill(pid, signal.SIGCONT)
    eventually(lambda: not spooled(whole), "the spool is taken in")
    assert len(sessions(whole)) == 1
    assert sightings(whole) == 1


def test_the_hook_gives_up_by_itself_within_its_time() -> None:
    """Its own clock, so that a slow machine cannot make it fail: what it allows itself is less than two seconds."""
    assert session_hook.WHOLE_S + session_hook.LAST_S < 2
    assert session_hook.INPUT_S + session_hook.CALL_S < session_hook.WHOLE_S


def test_an_input_that_never_ends_keeps_nobody(running: Perdure) -> None:
    argv = [sys.executable, "-m", "supervisor", "session", "hook", "--state-path", str(running.state_path)]
    environment = {**os.environ, **running.environment}
    with subprocess.Popen(argv, stdin=subprocess.PIPE, env=environment, cwd=running.folder) as process:
        assert process.wait(WITHIN_S) == 0


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '{"session_id": 7}', "\ud800".encode("utf-8", "replace").decode()]
)
def test_rubbish_is_passed_over(running: Perdure, text: str) -> None:
    hook(running, text)
    assert spooled(running) == []
    assert running.call("session.list")["sessions"] == []


def test_the_kill_switch_switches_it_off(running: Perdure) -> None:
    hook(running, PERDURE_HOOK="off")
    assert running.call("session.list")["sessions"] == []
    hook(running, PERDURE_HOOK_FIRST_PROMPT="0")
    assert [row["first_prompt_preview"] for row in sessions(running)] == [None]


def test_no_state_directory_is_made_where_nobody_named_one(tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "supervisor", "session", "hook"]
    environment = {name: value for name, value in os.environ.items() if name != "STATE_PATH"}
    text = json.dumps({"session_id": UUID, "cwd": str(tmp_path)})
    environment["PYTHONPATH"] = str(Path(__file__).parents[2])
    ended = subprocess.run(
        argv, input=text, capture_output=True, text=True, timeout=WITHIN_S, env=environment, cwd=tmp_path, check=False
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
    assert list(tmp_path.iterdir()) == []


def test_a_broken_configuration_is_no_business_of_the_agent(running: Perdure) -> None:
    broken = running.folder / "broken.toml"
    broken.write_text("[[[")
    hook(running, PERDURE_CONFIG=str(broken))
    (running.folder / ".env").write_bytes(b"\xff\xfe")
    hook(running)

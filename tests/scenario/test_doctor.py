"""`perdure doctor` on real directories: no false alarm, whatever happened to them; faults told while one runs."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.kit.crew import at_work
from tests.kit.perdure import Perdure, eventually

SAMPLE = Path(__file__).parents[1] / "samples" / "state-v1"


def doctor(whole: Perdure, *arguments: str) -> dict[str, Any]:
    ended = whole.ended("doctor", "--json", *arguments)
    assert ended.returncode in {0, 1}, ended.stderr
    found: dict[str, Any] = json.loads(ended.stdout)
    assert ended.returncode == (0 if found["ok"] else 1)
    return found


def test_a_fresh_directory_has_no_findings_on_line_and_off(running: Perdure) -> None:
    assert doctor(running)["findings"] == []
    running.stop()
    assert doctor(running)["findings"] == []


def test_a_busy_one_has_none_while_clients_change_everything(make: Any) -> None:
    whole: Perdure = make(state__autosave_interval_s="0.3")
    whole.start()
    with at_work(whole) as crew:
        for _ in range(4):
            crew.wait_for_rounds(10)
            assert doctor(whole)["findings"] == []
        whole.kill_runtime()
        crew.wait_for_rounds(10)
        assert doctor(whole)["findings"] == []
    crew.check()
    whole.stop()
    assert doctor(whole)["findings"] == []


@pytest.mark.parametrize("number", range(3))
def test_one_that_was_killed_under_load_has_nothing_but_what_a_crash_leaves(make: Any, number: int) -> None:
    whole: Perdure = make(state__autosave_interval_s="0.2")
    whole.start()
    with at_work(whole) as crew:
        crew.wait_for_rounds(12)
        whole.kill_root()
        found = doctor(whole)
        assert found["ok"]
        left = {(one["severity"], one["problem"].split(":")[0]) for one in found["findings"]}
        assert left <= {("info", "left by a crash under a temporary name"), ("info", "torn tail")}, found["findings"]
        whole.start()
        crew.wait_for_rounds(2)
    crew.check()


def test_a_directory_of_runs_sessions_and_reports_has_none(running: Perdure) -> None:
    assert running.ended("run", "--", "sh", "-c", "echo out; echo err >&2").returncode == 0
    session = running.call("session.create", title="s", provider="p", model="m", working_directory="/")["id"]
    running.call("session.append", id=session, messages=[{"role": "user", "content": "one"}])
    gone = running.call("session.create", title="t", provider="p", model="m", working_directory="/")["id"]
    running.call("session.delete", id=gone)
    running.call("log.append", session_id=session, text="a line\n")
    running.call("report.save", data={"a": 1})
    running.call("task.create", id="logged", description="much to say")
    running.call("task.log", id="logged", entries=[{"message": str(number)} for number in range(1500)])
    running.call("task.create", id="deleted", description="not for long")
    running.call("task.delete", id="deleted")
    running.call("session.restore", id=gone)
    assert doctor(running)["findings"] == []
    running.stop()
    found = doctor(running)
    assert found["findings"] == []
    assert (found["counts"]["run_logs"], found["counts"]["report_files"], found["counts"]["sessions"]) == (2, 1, 2)


def test_a_migrated_directory_has_none(make: Any) -> None:
    whole: Perdure = make()
    shutil.copytree(SAMPLE, whole.state_path)
    whole.start()
    assert doctor(whole)["findings"] == []
    whole.stop()
    assert doctor(whole)["findings"] == []


PLANTED: dict[str, tuple[Callable[[Path], object], str]] = {
    "a link": (lambda root: (root / "tasks" / "x.json").symlink_to("/etc/passwd"), "symbolic link"),
    "a stray file": (lambda root: (root / "notes").touch(), "belongs to nothing"),
    "an edit": (
        lambda root: (root / "tasks" / "kept.json").write_text(
            (root / "tasks" / "kept.json").read_text().replace("to be kept", "by hand")
        ),
        "somebody changed it",
    ),
    "rights": (lambda root: (root / "tasks").chmod(0o755), "others may use it"),
    "a task of nobody": (
        lambda root: shutil.copy(root / "tasks" / "kept.json", root / "tasks" / "y.json"),
        "its id is not",
    ),
}


def test_faults_are_told_beside_a_running_one_and_mended_when_it_is_down(running: Perdure) -> None:
    running.call("task.create", id="kept", description="to be kept")
    eventually((running.state_path / "tasks" / "kept.json").exists, "the task's file")
    running.ended("save")
    for plant, _ in PLANTED.values():
        plant(running.state_path)
    on_line = doctor(running)
    for _, problem in PLANTED.values():
        assert any(problem in one["problem"] for one in on_line["findings"]), (problem, on_line["findings"])
    refused = running.ended("doctor", "--repair")
    assert (refused.returncode, "perdure down" in refused.stderr) == (5, True)
    running.stop()
    shown = running.ended("doctor")
    assert (shown.returncode, "--repair: moves it to quarantine/" in shown.stdout) == (1, True)
    assert doctor(running, "--repair")["findings"] == []
    assert doctor(running)["findings"] == []
    running.start()
    assert running.call("task.get", id="kept")["description"] == "to be kept"

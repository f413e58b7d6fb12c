"""supervisor/bench/filling.py: a directory with many tasks is one that a Perdure takes for its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from supervisor.bench.filling import MODEL, multiply
from supervisor.bench.setting import QUICK, Setting
from supervisor.bench.subject import DESCRIPTION, measured

TASKS = 300


def test_a_start_on_it_finds_every_task_and_nothing_amiss(tmp_path: Path) -> None:
    said: list[str] = []
    setting = Setting(tmp_path, QUICK, say=said.append)
    with setting.filled(TASKS) as subject, subject.line() as line:
        listed = line.call("task.list", limit=1000)["tasks"]
        assert len({task["id"] for task in listed}) == TASKS
        assert {task["description"] for task in listed} == {DESCRIPTION}
        line.create("one more")
        recovery = line.call("runtime.status")["recovery"]
        assert (recovery["quarantined"], recovery["warnings"]) == ([], [])
        names = {path.name for path in (subject.stage.state_path / "tasks").iterdir()}
        assert {f"{task['id']}.json" for task in listed} <= names
    made = [text for text in said if text.startswith("making")]
    with setting.filled(TASKS) as subject, subject.line() as line:
        assert line.knows("one more")
    assert [text for text in said if text.startswith("making")] == made


def test_a_directory_with_other_tasks_is_left_as_it_is(tmp_path: Path) -> None:
    with measured(tmp_path) as subject:
        with subject.line() as line:
            line.create(MODEL)
            line.create("another")
        subject.stage.stop()
        before = (subject.stage.state_path / "state.json").read_bytes()
        with pytest.raises(RuntimeError, match="not the snapshot of one task"):
            multiply(subject.stage.state_path, TASKS, lambda _done: None)
        assert (subject.stage.state_path / "state.json").read_bytes() == before

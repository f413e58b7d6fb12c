"""supervisor/cli/up.py: what a person at a terminal is told."""

from pathlib import Path

import pytest

from supervisor.cli.up import announcement


def test_the_announcement_says_where_the_state_is_and_how_to_stop() -> None:
    said = announcement(Path("/srv/my state"), "/srv/my state/perdure.sock")
    assert "/srv/my state/perdure.sock" in said
    assert "export STATE_PATH='/srv/my state'" in said
    assert "perdure down" in said


def test_the_default_directory_needs_no_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert "STATE_PATH" not in announcement(tmp_path / "coding-agent-state", "/s")

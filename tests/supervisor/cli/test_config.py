"""supervisor/cli/config.py: what holds, where it was read, and every mistake."""

import json
from pathlib import Path

import pytest

from supervisor.cli.entry import run
from supervisor.config.schema import KEYS


def test_every_key_is_shown_with_where_it_was_read(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PERDURE_LOG__LEVEL", "debug")
    assert run(["config", "show", "--state-path", "/srv/state", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert list(shown) == list(KEYS)
    assert shown["state.path"] == {"value": "/srv/state", "source": "option"}
    assert shown["log.level"]["value"] == "debug"
    assert "PERDURE_LOG__LEVEL" in shown["log.level"]["source"]


def test_defaults_are_called_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["config", "show", "log.level"]) == 0
    header, row = capsys.readouterr().out.splitlines()
    assert header.split() == ["KEY", "VALUE", "SOURCE"]
    assert row.split() == ["log.level", '"info"', "default"]


def test_a_section_shows_its_keys_only(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["config", "show", "tasks", "--json"]) == 0
    assert list(json.loads(capsys.readouterr().out)) == [name for name in KEYS if name.startswith("tasks.")]


def test_a_key_that_is_not_there_is_told_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["config", "show", "state.pth"]) == 2
    assert capsys.readouterr().err.endswith("did you mean state.path?\n")


def test_a_right_configuration_is_called_right(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert run(["config", "check"]) == 0
    assert str(tmp_path / "coding-agent-state") in capsys.readouterr().out


def test_tools_that_are_not_installed_are_named_and_are_no_mistake(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "claude").write_text("#!/bin/sh\n")
    (tmp_path / "claude").chmod(0o755)
    assert run(["config", "check"]) == 0
    told = capsys.readouterr().out.splitlines()[1]
    assert told == "Not installed here, and so not to be used: CODEX (codex), NANOCODER (nanocoder)"
    for name in ("codex", "nanocoder"):
        (tmp_path / name).symlink_to(tmp_path / "claude")
    assert run(["config", "check"]) == 0
    assert "Not installed" not in capsys.readouterr().out


def test_every_mistake_is_named_on_a_line_of_its_own(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "wrong.toml").write_text('[log]\nlevl = "info"\n[state]\nbackups_kept = "ten"\n')
    assert run(["config", "check", "--config", "wrong.toml"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert all(line.startswith("perdure: ") and "wrong.toml" in line for line in lines)
    assert any("did you mean log.level?" in line for line in lines)


def test_a_file_that_is_not_there_is_a_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["config", "check", "--config", "nowhere.toml"]) == 2
    assert "nowhere.toml" in capsys.readouterr().err

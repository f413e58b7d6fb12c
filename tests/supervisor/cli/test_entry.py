"""supervisor/cli/entry.py: every way a command can end, in one line and with its exit code."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from supervisor import __version__
from supervisor.cli.entry import run

CHECKOUT = Path(__file__).parents[3]


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["version"]) == 0
    assert __version__ in capsys.readouterr().out
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"perdure {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["statsu"], 'there is no command "statsu"; did you mean status? perdure --help'),
        (["task", "shw"], "did you mean show? perdure task --help"),
        (["task", "add"], "missing argument 'DESCRIPTION': perdure task add --help"),
        (["task", "add", "x", "--priority", "12"], "--priority"),
        (["task", "add", "x", "--metadata", "[1]"], "is no JSON object"),
        (["task", "add", "x", "--metadata", "{"], "is not JSON"),
        (["task", "list", "--status", "done"], "'completed'"),
        (["version", "--jsno"], "--json"),
        (["config", "show", "state.paht"], "there is no key state.paht"),
        (["status", "--watch"], "--watch draws on a terminal"),
        (["metrics", "--json", "--openmetrics"], "choose one"),
    ],
)
def test_a_wrong_command_line_is_told_in_one_line(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("perdure: ")
    assert said in told.err
    assert told.err.count("\n") == 1


@pytest.mark.parametrize(
    "arguments", [["task", "add", "x"], ["events"], ["health"], ["save"], ["session", "list"], ["actors"]]
)
def test_where_nothing_runs_a_command_ends_with_3(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments) == 3
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.endswith("coding-agent-state: perdure up starts it\n")


def test_status_tells_where_nothing_runs(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert run(["status", "--state-path", str(tmp_path / "state")]) == 3
    assert "nothing runs here" in capsys.readouterr().out
    assert not (tmp_path / "state").exists()


def test_a_mistake_in_the_configuration_ends_with_2(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "perdure.toml").write_text("[stat]\npath = 'x'\n")
    assert run(["up", "--config", "perdure.toml"]) == 2
    told = capsys.readouterr().err
    assert told.startswith("perdure: ")
    assert "did you mean state" in told
    assert told.count("\n") == 1


def test_a_defect_is_told_without_a_traceback_unless_it_is_asked_for(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> None:
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr("platform.python_version", broken)
    assert run(["version", "--json"]) == 1
    assert capsys.readouterr().err.startswith("perdure: ZeroDivisionError: by zero (a defect in Perdure): repeat")
    assert run(["version", "--json", "--debug"]) == 1
    assert "Traceback" in capsys.readouterr().err


def perdure(arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    return subprocess.run(
        ["sh", "-c", f"{sys.executable} -m supervisor {arguments}"],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        env=environment,
    )


def test_a_reader_that_goes_away_is_no_failure_worth_words() -> None:
    done = perdure("config show 2>&1 | head -n 0")
    assert done.stdout == ""
    assert done.stderr == ""


def test_an_encoding_without_a_character_is_no_failure() -> None:
    done = perdure("demo --help")
    assert done.returncode == 0
    plain = subprocess.run(
        [sys.executable, "-m", "supervisor", "there-is-no-日本"],
        check=False,
        capture_output=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT), "PYTHONIOENCODING": "ascii"},
    )
    assert plain.returncode == 2
    assert b"there-is-no-" in plain.stderr


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_standard_stream_that_is_closed_is_no_failure(closed: str) -> None:
    done = perdure(f"version {closed}")
    assert done.returncode == 0
    assert "defect" not in done.stderr

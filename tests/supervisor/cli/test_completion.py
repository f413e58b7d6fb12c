"""supervisor/cli/completion.py: what a shell is given, and what it is offered while somebody types."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from supervisor.cli.entry import run
from tests.supervisor.cli.conftest import Serve
from tests.supervisor.cli.rows import task

CHECKOUT = Path(__file__).parents[3]


def offered(words: str, at: int) -> list[str]:
    """What bash would offer for the word number `at` of `words`."""
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; sys.argv[0] = 'perdure'; from supervisor.cli import main; sys.exit(main())",
        ],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        env={
            **os.environ,
            "PYTHONPATH": str(CHECKOUT),
            "_PERDURE_COMPLETE": "bash_complete",
            "COMP_WORDS": words,
            "COMP_CWORD": str(at),
        },
    )
    assert done.returncode == 0, done.stderr
    return [line.partition(",")[2] for line in done.stdout.splitlines() if line]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_script_is_printed_for_every_shell(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert "_PERDURE_COMPLETE" in script
    assert f"{shell}_complete" in script


def test_bash_takes_its_script(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["completion", "bash"]) == 0
    done = subprocess.run(
        ["bash", "-n"], check=False, input=capsys.readouterr().out, text=True, capture_output=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_commands_options_and_words_are_completed() -> None:
    assert offered("perdure ta", 1) == ["task"]
    assert set(offered("perdure task re", 2)) == {"reopen"}
    assert "--status" in offered("perdure task list --st", 3)
    assert offered("perdure task list --status comp", 4) == ["completed"]


def test_ids_are_completed_from_what_is_there(serve: Serve) -> None:
    serve(
        {"task.list": lambda _: {"tasks": [task("fix-login"), task("fix-logout"), task("other")], "next_cursor": None}}
    )
    assert offered("perdure task show fix", 3) == ["fix-login", "fix-logout"]


def test_where_nothing_runs_no_id_is_offered_and_nothing_is_said() -> None:
    assert offered("perdure task show fix", 3) == []

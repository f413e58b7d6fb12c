"""README is true: each command and each program in it is run here, in its order, against a real Perdure."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest

from supervisor.cli.commands import perdure
from supervisor.cli.invocation import Invocation
from tests.kit.perdure import WITHIN_S, Perdure

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
CHECKOUT = Path(__file__).parents[2]


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


COMMANDS = [line for block in blocks("sh") for line in block.splitlines() if line]
PROGRAMS = blocks("python")


def environment() -> dict[str, str]:
    """As after an installation: `perdure` on the path, its packages importable."""
    bin_folder = str(Path(sys.executable).parent)
    return {
        **{name: value for name, value in os.environ.items() if name != "STATE_PATH"},
        "PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(CHECKOUT),
    }


def run(argv: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        argv,
        cwd=folder,
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=WITHIN_S,
        check=False,
    )


def test_every_command_of_the_tour_works_in_its_order(running: Perdure) -> None:
    assert COMMANDS[-1] == "perdure down"
    for command in COMMANDS:
        program, *arguments = shlex.split(command)
        assert program == "perdure"
        done = run([sys.executable, "-m", "supervisor", *arguments], running.folder)
        assert done.returncode == 0, f"{command}: {done.stderr}"
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize("program", PROGRAMS, ids=["stdio", "socket", "client"])
def test_every_program_works(program: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    folder = tmp_path
    if "--stdio" not in program:
        perdure: Perdure = request.getfixturevalue("running")
        perdure.call("task.create", description="something to claim")
        folder = perdure.folder
    else:
        program = program.replace('["perdure", ', '[sys.executable, "-m", "supervisor", ').replace(
            "import json\n", "import json\nimport sys\n", 1
        )
    done = run([sys.executable, "-c", program], folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


SHOWN = sorted(
    {line.removeprefix("$ ") for block in blocks("text") for line in block.splitlines() if "$ perdure" in line}
)


@pytest.mark.parametrize("line", SHOWN)
def test_every_command_that_is_shown_takes_what_it_is_given(line: str) -> None:
    words = shlex.split(line, comments=True)
    ends = [number for number, word in enumerate(words) if word in {"|", "2>", ">", "&"}]
    arguments = words[1 : min(ends, default=len(words))]
    found: click.Command = perdure
    path = ["perdure"]
    while isinstance(found, click.Group):
        name = arguments.pop(0)
        inner = found.get_command(click.Context(found), name)
        assert inner is not None, name
        found, path = inner, [*path, name]
    found.make_context(" ".join(path), arguments, obj=Invocation())  # raises UsageError for what it does not know


def test_the_map_names_every_folder() -> None:
    mapped = README.partition("## The map")[2].partition("## Limits")[0]
    folders = ["bench", "configs", "tests"]
    for root in ("actors", "supervisor", "supervisor/runtime", "tests"):
        folders += [folder.name for folder in (CHECKOUT / root).iterdir() if any(folder.glob("*.py"))]
    assert "alerts" in folders
    assert [name for name in folders if not re.search(rf"[`/]{name}[`/]", mapped)] == []


def test_the_commands_named_in_the_text_exist() -> None:
    named = set(re.findall(r"`perdure ([a-z]+)", README))
    shown = run([sys.executable, "-m", "supervisor", "--help"], CHECKOUT).stdout
    assert {name for name in named if not re.search(rf"^  {name}\b", shown, flags=re.MULTILINE)} == set()

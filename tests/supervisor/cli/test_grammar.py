"""supervisor/cli/grammar.py and commands.py: what all commands share, and groups that load what is asked for."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from supervisor.cli.commands import perdure
from supervisor.cli.grammar import Command, LazyGroup
from supervisor.cli.invocation import Invocation

CHECKOUT = Path(__file__).parents[3]


def every(group: LazyGroup, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], LazyGroup, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        found = group.get_command(context, name)
        assert found is not None
        yield (*path, name), group, found
        if isinstance(found, LazyGroup):
            yield from every(found, (*path, name))


def first_clause(text: str) -> str:
    return re.split("[.,;:]", " ".join(text.split()))[0]


ALL = [pytest.param(*row, id=" ".join(row[0])) for row in every(perdure)]


@pytest.mark.parametrize(("path", "group", "found"), ALL)
def test_the_table_says_what_the_help_says(path: tuple[str, ...], group: LazyGroup, found: click.Command) -> None:
    assert found.name == path[-1]
    assert first_clause(found.help or "") == first_clause(group.table[path[-1]].summary)


@pytest.mark.parametrize(("path", "group", "found"), ALL)
def test_a_list_of_commands_has_one_line_for_each(
    path: tuple[str, ...], group: LazyGroup, found: click.Command
) -> None:
    listed = CliRunner().invoke(group, ["--help"], terminal_width=80).output
    assert f"  {group.table[path[-1]].summary}\n" in listed


@pytest.mark.parametrize(("path", "group", "found"), ALL)
def test_every_command_has_the_common_options_and_an_example(
    path: tuple[str, ...], group: LazyGroup, found: click.Command
) -> None:
    options = {option for parameter in found.params for option in parameter.opts}
    assert {"--state-path", "--config", "--debug"} <= options
    if isinstance(found, Command):
        assert f"perdure {' '.join(path)}" in (found.epilog or "")


@pytest.mark.parametrize(("path", "group", "found"), ALL)
def test_help_is_shown_for_every_command(path: tuple[str, ...], group: LazyGroup, found: click.Command) -> None:
    done = CliRunner().invoke(perdure, [*path, "--help"])
    assert done.exit_code == 0
    assert done.output.startswith(f"Usage: perdure {' '.join(path)}")
    assert "Example" in done.output or isinstance(found, LazyGroup)


def test_the_common_options_may_stand_before_the_command_or_after_it() -> None:
    for arguments in (["--state-path", "/s", "version", "--json"], ["version", "--state-path", "/s", "--json"]):
        invocation = Invocation()
        done = CliRunner().invoke(perdure, arguments, obj=invocation)
        assert done.exit_code == 0
        assert (invocation.state_option, invocation.as_json) == ("/s", True)


def test_what_stands_after_the_command_wins() -> None:
    invocation = Invocation()
    CliRunner().invoke(perdure, ["--state-path", "/before", "version", "--state-path", "/after"], obj=invocation)
    assert invocation.state_option == "/after"


@pytest.mark.parametrize("arguments", [["--help"], ["task", "--help"], ["version"]])
def test_only_what_is_run_is_imported(arguments: list[str]) -> None:
    program = (
        "import sys\nfrom supervisor.cli.entry import run\n"
        f"run({arguments!r})\n"
        "print(*sorted(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, cwd=CHECKOUT, capture_output=True, text=True, timeout=60
    )
    loaded = set(done.stderr.split())
    assert "supervisor.cli.commands" in loaded
    assert loaded.isdisjoint(
        {"trio", "rich", "structlog", "attrs", "supervisor.cli.up", "supervisor.cli.task_writing", "supervisor.client"}
    )

"""`perdure run`: start an agent, print what it prints, end with its status."""

import os
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from supervisor.cli.choices import task_id
from supervisor.cli.faults import Exit, told
from supervisor.cli.grammar import command
from supervisor.cli.invocation import Invocation
from supervisor.cli.logs import raw_option
from supervisor.cli.reach import Runtime, runtime
from supervisor.cli.short_ids import do_with_id
from supervisor.cli.starting import create_and_start


@command(
    "run",
    example='perdure run -- make test\n  perdure run --tool CLAUDECODE "Make the tests pass"',
    data=True,
    # What stands behind the command's name belongs to it.
    context_settings={"allow_interspersed_args": False},
)
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="[--] CMD... | DESCRIPTION")
@click.option("--tool", metavar="NAME", help="Let this tool carry out DESCRIPTION, instead of running a command.")
@click.option("--task", metavar="ID", shell_complete=task_id, help="Run a task that is there already.")
@click.option("--cwd", metavar="DIR", help="Where it works (default: where the tool does, else here).")
@click.option("--env", metavar="NAME=VALUE", multiple=True, help="A variable for it; NAME alone hands on ours.")
@click.option("--timeout", type=click.FloatRange(0, min_open=True), metavar="SECONDS", help="How long it may take.")
@click.option("--max-attempts", type=click.IntRange(1), metavar="N", help="How often it is tried (a command: once).")
@raw_option
@click.option("--detach", "-d", is_flag=True, help="Do not wait: print the run's id and end.")
def run(invocation: Invocation, words: Sequence[str], tool: str | None, task: str | None, **given: Any) -> int:
    """
    Run a command or a tool, and print what it prints.

    Ends with the agent's exit code, with 128 and the number for a signal, with 127 for a command that is missing and
    126 for one that cannot be executed, and with 125 where Perdure itself failed.
    At a terminal, what a tool prints as JSON lines is shown as a person reads it: what the agent says, and a line for
    each tool that it uses. In a pipe, or with --raw, it comes as it is.
    The agent is Perdure's and not this terminal's: closing the terminal leaves it running, and Ctrl-C asks
    whether it is to be stopped. Where nobody can be asked, in a script, Ctrl-C stops it.
    """
    starting = _starting(words, tool, task, given)
    if invocation.as_json and not given["detach"]:
        raise click.UsageError("--json goes with --detach; without it, standard output is the agent's")
    try:
        with runtime(invocation) as perdure:
            row = starting(perdure)
            if not given["detach"]:
                from supervisor.cli.run_watching import watched

                return watched(perdure, row, raw=given["raw"])
    except (click.exceptions.Abort, click.ClickException):
        raise
    except Exception as error:  # noqa: BLE001  whatever it is, it must not look like the agent's own exit code
        if invocation.debug:
            traceback.print_exc()
        sys.stderr.write(told(error).line + "\n")
        return Exit.PERDURE_FAILED
    if invocation.as_json:
        invocation.screen.json(row)
    else:
        invocation.screen.say(row["id"])
    return Exit.FINE


def _starting(
    words: Sequence[str], tool: str | None, task: str | None, given: dict[str, Any]
) -> Callable[[Runtime], dict[str, Any]]:
    """What starts the run that the command line asks for. Raises UsageError."""
    settings = {name: given[name] for name in ("cwd", "env", "timeout", "max_attempts") if given[name]}
    if task is not None:
        if words or tool or settings:
            raise click.UsageError("--task names all that there is to run: only --detach and --raw go with it")
        return lambda perdure: do_with_id(perdure, "task", task, lambda id_: perdure.call("run.start", task_id=id_))
    if not words:
        raise click.UsageError("there is nothing to run: write -- and a command, or --tool NAME and a description")
    params = _settings(settings)
    attempts = params.pop("max_attempts", None)
    tries = {} if attempts is None else {"max_attempts": attempts}
    if tool is None:
        return lambda perdure: perdure.call("run.exec", argv=list(words), **params, **tries)
    if len(words) > 1:
        raise click.UsageError("a tool takes one DESCRIPTION: put it into quotes, behind all options")
    if "cwd" not in settings:  # the tool may know a better place than the one where this was typed
        params["called_from"] = params.pop("cwd")
    described = {"description": _description(words[0]), "tool": tool, "metadata": params, **tries}
    return lambda perdure: create_and_start(perdure, described).run


def _settings(settings: dict[str, Any]) -> dict[str, Any]:
    """What the command line says of the run, as the protocol has it."""
    params: dict[str, Any] = {"cwd": str(Path(settings.get("cwd", ".")).expanduser().absolute())}
    if "env" in settings:
        params["env"] = dict(_variable(text) for text in settings["env"])
    if "timeout" in settings:
        params["timeout_s"] = settings["timeout"]
    if "max_attempts" in settings:
        params["max_attempts"] = settings["max_attempts"]
    return params


def _variable(text: str) -> tuple[str, str]:
    name, given, value = text.partition("=")
    if not name:
        raise click.UsageError(f"--env {text!r} has no name: write NAME=VALUE")
    if given:
        return name, value
    if name not in os.environ:
        raise click.UsageError(f"--env {name}: there is no such variable here to hand on: write NAME=VALUE")
    return name, os.environ[name]


def _description(word: str) -> str:
    """The description; `-` stands for standard input."""
    return sys.stdin.read().rstrip("\n") if word == "-" else word

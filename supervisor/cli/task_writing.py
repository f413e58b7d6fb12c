"""`perdure task add|log|start|done|fail|cancel|reopen|rm`: one command of the protocol each."""

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import click

from supervisor.cli import task_view
from supervisor.cli.choices import JsonObject, json_or_text, task_id
from supervisor.cli.each import do_each
from supervisor.cli.grammar import command
from supervisor.cli.invocation import Invocation
from supervisor.cli.reach import runtime, until_over
from supervisor.cli.short_ids import do_with_id
from supervisor.cli.starting import create_and_start
from supervisor.cli.task_reading import get_task

ids_argument = click.argument("ids", nargs=-1, required=True, metavar="ID...", shell_complete=task_id)
id_argument = click.argument("id", metavar="ID", shell_complete=task_id)
lease_option = click.option("--lease", type=int, metavar="N", help="The token of the claim, when the task is claimed.")


@command("add", example='perdure task add "Write the tests" --tool CLAUDECODE --priority 2', data=True)
@click.argument("description")
@click.option("--id", metavar="ID", help="The task's id (default: a new one).")
@click.option("--tool", metavar="NAME", help="The tool that is to carry it out.")
@click.option(
    "--priority", type=click.IntRange(0, 9), metavar="N", help="0 is the most urgent, 9 the least (default: 5)."
)
@click.option("--session", "session_id", metavar="ID", help="The session it belongs to.")
@click.option(
    "--depends-on", metavar="ID", multiple=True, shell_complete=task_id, help="A task to wait for; repeatable."
)
@click.option("--max-attempts", type=click.IntRange(1), metavar="N", help="How often it is tried.")
@click.option("--metadata", type=JsonObject(), metavar="JSON", help="A JSON object of your own.")
@click.option("--run", "running", is_flag=True, help="Let its tool carry it out as soon as its turn comes.")
def add(invocation: Invocation, description: str, depends_on: Sequence[str], running: bool, **given: Any) -> None:  # noqa: FBT001  click gives flags so
    """
    Add a task and print its id.

    DESCRIPTION may be `-`: then it is read from standard input. A task is only a note of what is to be done, unless
    --run is given; with it, --json prints the task and its run.
    """
    if running and not given.get("tool"):
        raise click.UsageError("--run needs a --tool that carries it out")
    text = sys.stdin.read().rstrip("\n") if description == "-" else description
    if not text:
        raise click.UsageError("DESCRIPTION is empty")
    params = {"description": text, **{name: value for name, value in given.items() if value is not None}}
    if depends_on:
        params["depends_on"] = list(depends_on)
    with runtime(invocation) as perdure:
        if running:
            made = create_and_start(perdure, params)
            row, shown = made.task, {"task": made.task, "run": made.run}
        else:
            shown = row = perdure.call("task.create", **params)
    if invocation.as_json:
        invocation.screen.json(shown)
        return
    invocation.screen.say(row["id"])
    if params.get("id") not in (None, row["id"]):
        sys.stderr.write(f'The task is called {row["id"]}: an id names a file, which holds no / \\ : * ? " < > |\n')


@command("log", example='perdure task log fix-login "Half of it is done" --level warning', data=True)
@id_argument
@click.argument("message", required=False)
@click.option("--level", metavar="WORD", help="info (the default), warning, error or another word.")
@click.option("--type", "type_", metavar="WORD", help="What kind of entry it is (default: user).")
@lease_option
def log(
    invocation: Invocation, id: str, message: str | None, level: str | None, type_: str | None, lease: int | None
) -> None:
    """Add a message to a task's log, or show the log when no MESSAGE is given."""
    if message is None:
        if level or type_ or lease is not None:
            raise click.UsageError("--level, --type and --lease belong to a MESSAGE, and there is none")
        _show_log(invocation, id)
        return
    given = _without_nothing({"message": message, "level": level, "type": type_, "lease": lease})
    with runtime(invocation) as perdure:
        answer = do_with_id(perdure, "task", id, lambda id_: perdure.call("task.log", id=id_, **given))
    if invocation.as_json:
        invocation.screen.json(answer)
    else:
        invocation.screen.say(f"{answer['id']}: entry {answer['log_count']}")


@command("start", example="perdure task start fix-login", data=True)
@ids_argument
def start(invocation: Invocation, ids: Sequence[str]) -> int:
    """Say that a pending task is now running, carried out by you."""
    return do_each(invocation, "task", ids, lambda perdure, id_: perdure.call("task.start", id=id_), _outcome)


@command("done", example="""perdure task done fix-login --result '{"tests_passed": true}'""", data=True)
@ids_argument
@click.option("--result", metavar="JSON", help="What came of it: JSON, or text where it is none.")
@lease_option
def done(invocation: Invocation, ids: Sequence[str], result: str | None, lease: int | None) -> int:
    """Say that a running task is done."""
    given = _without_nothing({"result": None if result is None else json_or_text(result), "lease": lease})
    return do_each(
        invocation, "task", ids, lambda perdure, id_: perdure.call("task.complete", id=id_, **given), _outcome
    )


@command("fail", example='perdure task fail fix-login "the tests do not pass"', data=True)
@id_argument
@click.argument("error")
@click.option("--kind", metavar="WORD", help="A word that programs know this failure by.")
@lease_option
def fail(invocation: Invocation, id: str, error: str, kind: str | None, lease: int | None) -> int:
    """Say that a running task has failed, and why."""
    failure: Any = error if kind is None else {"kind": kind, "message": error}
    given = _without_nothing({"error": failure, "lease": lease})
    return do_each(invocation, "task", [id], lambda perdure, id_: perdure.call("task.fail", id=id_, **given), _outcome)


@command("cancel", example='perdure task cancel fix-login --reason "no longer needed"', data=True)
@ids_argument
@click.option("--reason", metavar="TEXT", help="Why; it stays with the task.")
def cancel(invocation: Invocation, ids: Sequence[str], reason: str | None) -> int:
    """Give up tasks; a running agent of one is stopped first."""
    given = _without_nothing({"reason": reason})
    return do_each(
        invocation, "task", ids, lambda perdure, id_: until_over(perdure, "task.cancel", id=id_, **given), _outcome
    )


@command("reopen", example="perdure task reopen fix-login", data=True)
@ids_argument
def reopen(invocation: Invocation, ids: Sequence[str]) -> int:
    """Put finished tasks back to pending."""
    return do_each(invocation, "task", ids, lambda perdure, id_: perdure.call("task.reopen", id=id_), _outcome)


@command("rm", example="perdure task rm fix-login", data=True)
@ids_argument
def rm(invocation: Invocation, ids: Sequence[str]) -> int:
    """Remove tasks for good, their files included; a running agent of one is stopped first."""
    return do_each(invocation, "task", ids, lambda perdure, id_: until_over(perdure, "task.delete", id=id_), _outcome)


def _outcome(row: Mapping[str, Any]) -> str:
    return f"{row['id']}: {'deleted' if row.get('deleted') else row.get('status')}"


def _show_log(invocation: Invocation, id_: str) -> None:
    with runtime(invocation) as perdure:
        row = get_task(perdure, id_)
    if invocation.as_json:
        invocation.screen.json(row.get("logs", []))
    else:
        invocation.screen.show(task_view.logged(row)._replace(title="", empty="No entries."))


def _without_nothing(params: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in params.items() if value is not None}

"""`perdure task list|show`."""

import sys
from datetime import UTC, datetime
from typing import Any, Final

import click

from supervisor.cli import run_view, task_view
from supervisor.cli.choices import TASK_STATUSES, one_of, task_id, told
from supervisor.cli.grammar import command
from supervisor.cli.invocation import Invocation
from supervisor.cli.reach import ROWS_SHOWN, Runtime, listing, runtime
from supervisor.cli.short_ids import do_with_id

RUNS_SHOWN: Final = 5
"""Of one task: more than it is tried by default; `perdure runs --task` shows all."""


@command("list", example="perdure task list --status pending --tool CLAUDECODE", data=True)
@click.option(
    "--status", type=one_of(*TASK_STATUSES), metavar="WORD", help=told("Only tasks in this status", TASK_STATUSES)
)
@click.option("--tool", metavar="NAME", help="Only tasks for this tool.")
@click.option("--session", "session_id", metavar="ID", help="Only tasks of this session.")
@click.option("--text", metavar="TEXT", help="Only tasks whose description holds this text.")
@click.option(
    "--limit", type=click.IntRange(1), metavar="N", default=ROWS_SHOWN, show_default=True, help="How many at most."
)
@click.option("--all", "everything", is_flag=True, help="All of them, however many.")
def list_(invocation: Invocation, limit: int, everything: bool, **filters: str | None) -> None:  # noqa: FBT001  click gives flags so
    """List tasks, the filtered ones or all."""
    given = {name: value for name, value in filters.items() if value is not None}
    with runtime(invocation) as perdure:
        found = listing(perdure, "task.list", "tasks", given, None if everything else limit)
    if invocation.as_json:
        invocation.screen.json({"tasks": found.rows, "more": found.more})
        return
    invocation.screen.show(task_view.listed(found.rows, datetime.now(UTC)))
    if found.more:
        sys.stderr.write(f"These are the first {len(found.rows)}; --limit N or --all shows more.\n")


@command("show", example="perdure task show fix-login", data=True)
@click.argument("id", shell_complete=task_id)
def show(invocation: Invocation, id: str) -> None:
    """Show one task with its log and its newest runs."""
    with runtime(invocation) as perdure:
        row = get_task(perdure, id)
        if invocation.as_json:
            invocation.screen.json(row)
            return
        runs = listing(perdure, "run.list", "runs", {"task_id": row["id"]}, RUNS_SHOWN).rows if row.get("tool") else []
    now = datetime.now(UTC)
    invocation.screen.show(*task_view.shown(row, now), run_view.of_task(runs, now))


def get_task(perdure: Runtime, text: str) -> Any:
    """The task that `text` names, by its id or what that ends with."""
    return do_with_id(perdure, "task", text, lambda id_: perdure.call("task.get", id=id_))


def whole_task_id(perdure: Runtime, text: str) -> str:
    """The whole id of a task; a task that was removed still has its runs, under the id as it is written."""
    from actors.model.errors import NotFound

    try:
        return str(get_task(perdure, text)["id"])
    except NotFound:
        return text

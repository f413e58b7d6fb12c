"""`perdure runs`: what ran, runs and waits."""

import sys
from datetime import UTC, datetime

import click

from supervisor.cli import run_view
from supervisor.cli.choices import RUN_STATUSES, one_of, task_id, told
from supervisor.cli.grammar import command
from supervisor.cli.invocation import Invocation
from supervisor.cli.reach import ROWS_SHOWN, listing, runtime
from supervisor.cli.task_reading import whole_task_id


@command("runs", example="perdure runs --status running", data=True)
@click.option("--task", metavar="ID", shell_complete=task_id, help="Only runs of this task.")
@click.option(
    "--status", type=one_of(*RUN_STATUSES), metavar="WORD", help=told("Only runs in this status", RUN_STATUSES)
)
@click.option(
    "--limit", type=click.IntRange(1), metavar="N", default=ROWS_SHOWN, show_default=True, help="How many at most."
)
@click.option("--all", "everything", is_flag=True, help="All of them, however many.")
def runs(invocation: Invocation, task: str | None, status: str | None, limit: int, everything: bool) -> None:  # noqa: FBT001  click gives flags so
    """List runs, the newest first."""
    with runtime(invocation) as perdure:
        filters = {"status": status, "task_id": None if task is None else whole_task_id(perdure, task)}
        given = {name: value for name, value in filters.items() if value is not None}
        found = listing(perdure, "run.list", "runs", given, None if everything else limit)
    if invocation.as_json:
        invocation.screen.json({"runs": found.rows, "more": found.more})
        return
    invocation.screen.show(run_view.listed(found.rows, datetime.now(UTC)))
    if found.more:
        sys.stderr.write(f"These are the first {len(found.rows)}; --limit N or --all shows more.\n")

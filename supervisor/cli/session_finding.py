"""`perdure session find|tree|sweep`."""

from datetime import UTC, datetime
from pathlib import Path

import click

from supervisor.cli import session_view
from supervisor.cli.choices import SESSION_ACTIVITIES, SESSION_OUTCOMES, one_of, session_id, told
from supervisor.cli.grammar import command
from supervisor.cli.invocation import Invocation
from supervisor.cli.last_list import remember
from supervisor.cli.reach import PAGE_ROWS, ROWS_SHOWN, runtime
from supervisor.cli.session_names import named_session
from supervisor.cli.words import counted


@command("find", example="perdure session find login --branch main", data=True)
@click.argument("text", required=False)
@click.option("--alias", metavar="NAME", help="Called so.")
@click.option("--external-id", metavar="ID", help="Known by this id elsewhere.")
@click.option("--task", "task_id", metavar="ID", help="Linked to this task.")
@click.option("--project", metavar="NAME", help="Linked to this project.")
@click.option("--branch", metavar="NAME", help="On this branch, now or at the start.")
@click.option("--cwd", metavar="DIR", help="Working in this directory.")
@click.option("--outcome", type=one_of(*SESSION_OUTCOMES), metavar="WORD", help=told("Ended so", SESSION_OUTCOMES))
@click.option(
    "--activity",
    type=one_of(*SESSION_ACTIVITIES),
    metavar="WORD",
    help=told("As the last sweep labelled it", SESSION_ACTIVITIES),
)
@click.option(
    "--limit", type=click.IntRange(1, PAGE_ROWS), metavar="N", default=ROWS_SHOWN, show_default=True, help="How many."
)
def find(invocation: Invocation, limit: int, **asked: str | None) -> None:
    """
    Find sessions that fit everything that is given.

    TEXT is looked for in titles, first prompts and aliases, however it is written; then in the messages: all of its
    words in one of them.
    """
    given = {name: value for name, value in asked.items() if value is not None}
    if "cwd" in given:
        given["cwd"] = str(Path(given["cwd"]).expanduser().absolute())
    with runtime(invocation) as perdure:
        found = perdure.call("session.find", **given, limit=limit)
    rows = found["sessions"]
    remember(invocation.state_path, [row["id"] for row in rows])
    if invocation.as_json:
        invocation.screen.json(found)
        return
    invocation.screen.show(session_view.listed(rows, datetime.now(UTC)))
    if problem := found.get("messages_problem"):
        invocation.screen.say(f"not all messages were searched: {problem}")


@command("tree", example="perdure session tree", data=True)
@click.argument("id", required=False, metavar="[ID]", shell_complete=session_id)
def tree(invocation: Invocation, id: str | None) -> None:
    """Draw who descends from whom: below one session, or all."""
    with runtime(invocation) as perdure:
        asked = {} if id is None else {"id": named_session(perdure, invocation.state_path, id)}
        forest = perdure.call("session.tree", **asked)
    if invocation.as_json:
        invocation.screen.json(forest)
    else:
        invocation.screen.show(session_view.drawn(forest["roots"], datetime.now(UTC)))


@command("sweep", example="perdure session sweep --idle-days 7 --dry-run", data=True)
@click.option("--idle-days", type=click.FloatRange(0), metavar="N", help="Without progress for so long: idle (14).")
@click.option("--archive-days", type=click.FloatRange(0), metavar="N", help="For so long: archived (30).")
@click.option("--dry-run", is_flag=True, help="Say what would be labelled, and change nothing.")
def sweep(invocation: Invocation, dry_run: bool, **days: float | None) -> None:  # noqa: FBT001  click gives flags so
    """
    Label sessions that make no progress.

    First as idle, then as archived. A label only: they stay where they are, and progress makes them active again.
    """
    given = {name: value for name, value in days.items() if value is not None}
    with runtime(invocation) as perdure:
        found = perdure.call("session.sweep", **given, dry_run=dry_run)
    if invocation.as_json:
        invocation.screen.json(found)
        return
    would = "would be" if dry_run else "were" if len(found["changed"]) != 1 else "was"
    invocation.screen.say(f"{counted(len(found['changed']), 'session')} {would} labelled")
    invocation.screen.show(session_view.swept(found["changed"]))

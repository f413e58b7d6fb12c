"""`perdure clean`: what is left over is listed, then removed."""

from typing import Any

import click

from supervisor.cli import state_view
from supervisor.cli.faults import Exit
from supervisor.cli.grammar import command
from supervisor.cli.invocation import Invocation
from supervisor.cli.offline_work import Works, agreed, working_offline
from supervisor.cli.progress import progress
from supervisor.cli.words import counted

DAYS = click.FloatRange(0)


@command("clean", example="perdure clean --dry-run --days 7", data=True)
@click.option("--dry-run", is_flag=True, help="Only list.")
@click.option("--days", type=DAYS, default=30.0, show_default=True, metavar="N", help="Of quarantine/: what is older.")
@click.option("--archive-days", type=DAYS, metavar="N", help="Of archive/: what is older (default: nothing).")
@click.option(
    "--tasks-days", type=DAYS, metavar="N", help="Finished tasks that are older move to archive/ (default: none)."
)
@click.option("--yes", is_flag=True, help="Do not ask.")
def clean(invocation: Invocation, dry_run: bool, yes: bool, **days: float | None) -> int:  # noqa: FBT001  click gives flags so
    """
    Remove leftovers; only while nothing runs.

    Leftovers are files that a crash left under temporary names and what has lain in quarantine/ for long; with
    --archive-days also what has lain in archive/; with --tasks-days finished tasks move to archive/. They are listed
    first, and on a terminal it is asked; without a terminal it needs --yes.
    """
    with working_offline(invocation) as works:
        found = _clean(works, days, dry_run=True)
        if not invocation.as_json:
            invocation.screen.show(*state_view.leftovers(found))
        number = len(found["leftovers"]) + len(found["tasks"])
        if not dry_run and number:
            if not agreed(f"Remove {counted(number, 'leftover')}?", yes=yes, ask=click.confirm, needs_yes=True):
                invocation.screen.say("Nothing was changed.")
                return Exit.FAILED
            found = _clean(works, days, dry_run=False)
    if invocation.as_json:
        invocation.screen.json(found)
    elif found["removed"]:
        invocation.screen.say("Done.")
    return Exit.FINE


def _clean(works: Works, days: dict[str, float | None], *, dry_run: bool) -> dict[str, Any]:
    from actors.storage.offline import clean as clean_offline

    with progress() as told:
        return clean_offline(
            works.path,
            dry_run=dry_run,
            quarantine_days=days["days"] or 0.0,
            archive_days=days["archive_days"],
            tasks_days=days["tasks_days"],
            settings=works.settings,
            limits=works.limits,
            told=told,
        )

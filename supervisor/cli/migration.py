"""`perdure migrate` and `perdure rollback`: from version 1 to this one, and back byte for byte."""

import click

from supervisor.cli import state_view
from supervisor.cli.faults import Exit
from supervisor.cli.grammar import command
from supervisor.cli.invocation import Invocation
from supervisor.cli.offline_work import agreed, working_offline
from supervisor.cli.progress import progress


@command("migrate", example="perdure migrate --dry-run", data=True)
@click.option("--dry-run", is_flag=True, help="Say what would be done, and change nothing.")
def migrate(invocation: Invocation, dry_run: bool) -> None:  # noqa: FBT001  click gives flags so
    """
    Make a directory of version 1 one of this version; only while nothing runs.

    `perdure up` does the same by itself. A full copy of the old directory stays in archive/pre-migration/.
    """
    from actors.storage.offline import migrate as migrate_offline

    with working_offline(invocation) as works, progress() as told:
        report = migrate_offline(works.path, dry_run=dry_run, settings=works.settings, limits=works.limits, told=told)
    if invocation.as_json:
        invocation.screen.json(report)
    else:
        invocation.screen.show(*state_view.migrated(report, dry_run=dry_run))


@command("rollback", example="perdure rollback", data=True)
@click.option("--yes", is_flag=True, help="Do not ask.")
def rollback(invocation: Invocation, yes: bool) -> int:  # noqa: FBT001  click gives flags so
    """
    Go back to before the migration, byte for byte; only while nothing runs.

    What was done since then is moved to archive/, not deleted. Asks on a terminal.
    """
    from actors.storage.offline import rollback as rollback_offline

    with working_offline(invocation) as works:
        question = f"Go back to before the migration of {works.path}? What was done since moves to archive/."
        if not agreed(question, yes=yes, ask=click.confirm):
            invocation.screen.say("Nothing was changed.")
            return Exit.FAILED
        report = rollback_offline(works.path)
    if invocation.as_json:
        invocation.screen.json(report)
    else:
        invocation.screen.say(
            f"{works.path} is as it was before the migration; what was newer is in {report['kept_in']}"
        )
    return Exit.FINE

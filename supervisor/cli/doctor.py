"""`perdure doctor` and `perdure rebuild`: what is wrong on disk, and building the state anew from what is readable."""

import click

from supervisor.cli import state_view
from supervisor.cli.faults import CommandFailed, Exit
from supervisor.cli.grammar import command
from supervisor.cli.invocation import Invocation
from supervisor.cli.offline_work import working_offline
from supervisor.cli.paper import Table
from supervisor.cli.progress import progress
from supervisor.cli.reach import held_by, runtime


@command("doctor", example="perdure doctor", data=True)
@click.option("--repair", is_flag=True, help="Do what is said about each finding; only while nothing runs.")
def doctor(invocation: Invocation, repair: bool) -> int:  # noqa: FBT001  click gives flags so
    """
    Check everything on disk, and say of each finding what --repair would do.

    Works while Perdure runs and while nothing runs. Without --repair nothing is changed; with it, whatever leaves its
    place goes to quarantine/ first. Ends with 0 when all is well (or well again), 1 when something is wrong.
    """
    running = held_by(invocation.state_path).held
    if repair:
        if running:
            raise CommandFailed(
                f"Perdure runs in {invocation.state_path}", "perdure down stops it; then repair", Exit.CONFLICT
            )
        return _repair(invocation)
    if running:
        with runtime(invocation) as perdure:
            found = perdure.call("state.verify")
    else:
        from actors.storage.offline import verify

        with working_offline(invocation) as works, progress() as told:
            found = verify(works.path, told)
    return _tell(invocation, found, state_view.verified(found))


def _repair(invocation: Invocation) -> int:
    from actors.storage.offline import repair

    with working_offline(invocation) as works, progress() as told:
        done = repair(works.path, works.settings, works.limits, told)
    return _tell(invocation, done, state_view.repaired(done))


def _tell(invocation: Invocation, found: state_view.Report, shown: list[Table]) -> int:
    if invocation.as_json:
        invocation.screen.json(found)
    else:
        invocation.screen.show(*shown)
    return Exit.FINE if found.get("ok") else Exit.FAILED


@command("rebuild", example="perdure rebuild", data=True)
def rebuild(invocation: Invocation) -> int:
    """
    Build the state anew from backups, journal and task files; only while nothing runs.

    The present state.json goes to quarantine/. Ends with 1 when something that was acknowledged could not be found.
    """
    from actors.storage.offline import rebuild as rebuild_offline

    with working_offline(invocation) as works, progress() as told:
        report = rebuild_offline(works.path, works.settings, works.limits, told)
    return _tell_recovery(invocation, report)


def _tell_recovery(invocation: Invocation, report: state_view.Report) -> int:
    if invocation.as_json:
        invocation.screen.json(report)
    else:
        invocation.screen.show(*state_view.recovered(report))
    return Exit.FAILED if report.get("corrupted") else Exit.FINE

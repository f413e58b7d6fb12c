"""`perdure import`: what other tools keep, brought in."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from supervisor.cli import foreign_view
from supervisor.cli.bytes_progress import bytes_progress
from supervisor.cli.choices import one_of
from supervisor.cli.faults import CommandFailed, Exit
from supervisor.cli.grammar import command
from supervisor.cli.invocation import Invocation
from supervisor.cli.reach import Runtime, held_by
from supervisor.cli.serving import serving

if TYPE_CHECKING:
    from supervisor.foreign.report import Report

KIND_NAMES: Final = ("nanocoder", "sessions-db", "claude", "codex", "codexd", "state-v1")
"""A test holds it equal to the table, which is not imported for the help."""


@command("import", example="perdure import claude ~/.claude --dry-run", data=True)
@click.argument("kind", metavar="KIND", type=one_of(*KIND_NAMES))
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="Say what would be imported, and change nothing.")
def import_(invocation: Invocation, kind: str, directory: Path, dry_run: bool) -> None:  # noqa: FBT001  click gives flags so
    """
    Bring in what other tools keep: sessions, tasks, events.

    KIND is nanocoder, sessions-db, claude, codex, codexd or state-v1, DIR the directory where that tool keeps it.
    Nothing in it is changed, and importing again brings in what is new and nothing twice. What cannot be read is
    passed over and told, with file and line. Where no Perdure runs, one is started for the time of the import.
    """
    from supervisor.foreign.importer import import_from
    from supervisor.foreign.kinds import KINDS, WrongKind, check

    directory = directory.expanduser()
    if not directory.is_dir():
        raise CommandFailed(f"{directory} is no directory", "name the one where the tool keeps its files", Exit.USAGE)
    chosen = KINDS[kind]
    try:
        check(chosen, directory)
    except WrongKind as error:
        raise CommandFailed(str(error), "perdure import --help lists the kinds", Exit.USAGE) from error
    with bytes_progress(
        f"importing {kind}", lambda: sum(file.size_bytes for file in chosen.files(directory))
    ) as advance:
        if dry_run and _nothing_is_there(invocation):
            report = import_from(chosen, directory, None, dry_run=True, advance=advance)
            kept = None
        else:
            with serving(invocation) as perdure:
                report = import_from(chosen, directory, perdure, dry_run=dry_run, advance=advance)
                kept = _beyond_the_limit(perdure, report)
    if kept is not None:
        report.note(kept)
    _show(invocation, report)


def _nothing_is_there(invocation: Invocation) -> bool:
    return not invocation.state_path.is_dir() and not held_by(invocation.state_path).held


def _beyond_the_limit(perdure: Runtime, report: "Report") -> str | None:
    """Whether so many sessions were imported that others, or they, leave for the archive soon."""
    if not report.outcomes.get("sessions"):
        return None
    status: dict[str, Any] = perdure.call("runtime.status")
    limit = status["config"]["sessions"]["max"]
    number = status["counts"]["sessions"]
    if not limit or number <= limit:
        return None
    return (
        f"there are {number} sessions now and sessions.max is {limit}: the {number - limit} used longest ago move to "
        "the archive soon; raise it (0: no limit) to keep them at hand"
    )


def _show(invocation: Invocation, report: "Report") -> None:
    if invocation.as_json:
        invocation.screen.json(report.members())
        return
    invocation.screen.show(*foreign_view.imported(report.members()))
    for line in foreign_view.told(report.members()):
        sys.stderr.write(line + "\n")

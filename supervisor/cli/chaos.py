"""`perdure chaos`: everything broken at seeded moments, every promise checked."""

import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from actors.model.errors import PerdureError
from supervisor.cli.ended import ended_in_order
from supervisor.cli.faults import CommandFailed, Exit
from supervisor.cli.grammar import command
from supervisor.cli.invocation import Invocation
from supervisor.cli.paper import BAD, FAINT, GOOD, Cell, Column, Table

if TYPE_CHECKING:
    from supervisor.chaos.schedule import Schedule
    from supervisor.chaos.verdict import Outcome

REPLAY = "outcome.json"
"""In the folder that is kept: what was found, and the schedule that `--replay` takes."""


@command("chaos", example="perdure chaos --seconds 30 --seed 1", data=True)
@click.option(
    "--seconds",
    type=click.FloatRange(1, 86_400),
    metavar="N",
    default=30.0,
    show_default=True,
    help="How long things are broken; then it is checked, which takes about as long again.",
)
@click.option(
    "--seed", type=click.IntRange(0), metavar="N", help="The same seed and length: the same schedule (default: drawn)."
)
@click.option(
    "--keep",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Keep state, records and outcome there.",
)
@click.option(
    "--replay", type=click.Path(path_type=Path, dir_okay=False, exists=True), help="Do again what this file tells."
)
@click.option("--schedule", "only_schedule", is_flag=True, help="Print the schedule, and do nothing.")
def chaos(
    invocation: Invocation,
    seconds: float,
    seed: int | None,
    keep: Path | None,
    replay: Path | None,
    only_schedule: bool,  # noqa: FBT001  click gives flags so
) -> int:
    """
    Break everything that can break, at seeded moments, and check every promise.

    A Perdure in a temporary directory works for several clients while its actors and processes are crashed, stopped
    and starved, and copies of its directory damaged and recovered. Ends with 1 when a promise was broken; the
    directory, the records of all clients and what a replay needs are kept then.
    """
    from supervisor.chaos.schedule import draw  # here and below: perdure --help must not pay for it

    schedule = _read(replay) if replay is not None else draw(_drawn_seed() if seed is None else seed, seconds)
    if only_schedule:
        invocation.screen.json(schedule.as_json())
        return Exit.FINE
    folder = _folder(keep)
    (folder / REPLAY).write_text(json.dumps({"schedule": schedule.as_json()}) + "\n", encoding="utf-8")
    try:
        with ended_in_order():
            outcome = _tried(invocation, schedule, folder)
    except (KeyboardInterrupt, SystemExit):
        if keep is None:
            shutil.rmtree(folder, ignore_errors=True)
        raise
    return _told(invocation, outcome, folder, keep_it=keep is not None)


def _read(file: Path) -> "Schedule":
    from supervisor.chaos.schedule import Schedule

    try:
        members = json.loads(file.read_bytes())
        return Schedule.from_json(members.get("schedule", members))
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise CommandFailed(
            f"{file} tells of no trial: {error!r}", f"give the {REPLAY} of a trial that was kept", Exit.USAGE
        ) from None


def _drawn_seed() -> int:
    return int.from_bytes(os.urandom(3), "big")


def _folder(keep: Path | None) -> Path:
    if keep is None:
        return Path(tempfile.mkdtemp(prefix="perdure-chaos-"))
    keep.mkdir(parents=True, exist_ok=True)
    if any(keep.iterdir()):
        raise CommandFailed(f"{keep} is not empty", "name a folder that is, or is not there yet", Exit.USAGE)
    return keep.resolve()


def _tried(invocation: Invocation, schedule: "Schedule", folder: Path) -> "Outcome":
    from supervisor.chaos.trial import SETTINGS, Trial
    from supervisor.trials.stage import Stage

    if not invocation.as_json:
        invocation.screen.say(f"seed {schedule.seed}, {schedule.seconds:g} s, {len(schedule.blows)} blows")
    stage = Stage(folder, SETTINGS)
    try:
        return Trial(stage, schedule, _progress(invocation, schedule)).run()
    except (RuntimeError, PerdureError) as error:
        raise CommandFailed(
            f"the trial came to no end: {error}", f"{folder} holds the state, the records and the logs", Exit.FAILED
        ) from error
    finally:
        stage.close()


def _progress(invocation: Invocation, schedule: "Schedule") -> Any:
    shows = invocation.screen.is_terminal and not invocation.as_json

    def show(gone_s: float, what: str) -> None:
        if shows:
            invocation.screen.write(f"\r\x1b[K{gone_s:5.1f} of {schedule.seconds:g} s  {what}")
            if gone_s >= schedule.seconds and what == "checking":
                invocation.screen.write("\r\x1b[K")

    return show


def _told(invocation: Invocation, outcome: "Outcome", folder: Path, *, keep_it: bool) -> int:
    import attrs

    if outcome.violations or keep_it:
        outcome = attrs.evolve(outcome, kept=str(folder))
        (folder / REPLAY).write_text(json.dumps(outcome.as_json(), indent=2) + "\n", encoding="utf-8")
    else:
        shutil.rmtree(folder)
    if invocation.as_json:
        invocation.screen.json(outcome.as_json())
    else:
        _show(invocation, outcome)
    return Exit.FAILED if outcome.violations else Exit.FINE


def _show(invocation: Invocation, outcome: "Outcome") -> None:
    screen = invocation.screen
    number = Column("", right=True)
    promises = Table(
        (Column("promise"), number._replace(name="checks"), number._replace(name="violations")),
        [
            (
                Cell(verdict.promise.value),
                Cell(str(verdict.checks)),
                Cell(str(len(verdict.violations)), BAD if verdict.violations else GOOD),
            )
            for verdict in outcome.verdicts
        ],
    )
    names = sorted({*outcome.harms, *outcome.missed})
    harms = Table(
        (Column("done to it"), number._replace(name="times"), number._replace(name="missed")),
        [
            (Cell(name), Cell(str(outcome.harms.get(name, 0))), Cell(str(outcome.missed.get(name, 0)), FAINT))
            for name in names
        ],
        title=" ",
    )
    screen.show(promises, harms)
    screen.say()
    for verdict in outcome.verdicts:
        for violation in verdict.violations[:10]:
            screen.say(f"{verdict.promise.value}: {violation}", BAD)
    said = f"{outcome.exchanges} commands, {outcome.acknowledged} acknowledged, {outcome.lines} lines of journal"
    screen.say(f"{said}, {outcome.violations} violations", BAD if outcome.violations else GOOD)
    if outcome.kept is not None:
        screen.say(f"kept in {outcome.kept}; again: perdure chaos --replay {outcome.kept}/{REPLAY}")

"""`perdure restore`: back to a moment of the past, by new facts; what was is kept."""

import re
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click

from supervisor.cli import restore_view
from supervisor.cli.faults import CommandFailed, Exit
from supervisor.cli.grammar import command
from supervisor.cli.invocation import Invocation
from supervisor.cli.offline_work import Works, agreed, working_offline
from supervisor.cli.progress import progress
from supervisor.cli.reach import held_by

_AGO: Final = re.compile(r"(\d{1,9})([smhd])")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


@command("restore", example="perdure restore --time 2h --dry-run", data=True)
@click.option("--seq", type=click.IntRange(0), metavar="N", help="To the state after line N of the journal.")
@click.option("--time", "when", metavar="T", help="To the state at a time: ISO 8601 (local without a zone), or 2h ago.")
@click.option("--backup", type=click.Path(path_type=Path), metavar="FILE", help="To what a snapshot of here holds.")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and change nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def restore(
    invocation: Invocation,
    seq: int | None,
    when: str | None,
    backup: Path | None,
    dry_run: bool,  # noqa: FBT001  click gives flags so
    yes: bool,  # noqa: FBT001
) -> int:
    """
    Go back to a moment of the past; only while nothing runs.

    Tasks, sessions with their messages, and reports become as they were, by new facts that the journal holds: nothing
    of the past is rewritten, and another restore takes this one back. Runs, events, text logs and idempotency keys
    stay: they tell what really happened. The state before is kept in backups and in archive/. It says first what it
    will do, and asks; without a terminal it needs --yes.
    """
    if [seq, when, backup].count(None) != 2:  # noqa: PLR2004  one of three is given
        raise CommandFailed("which moment?", "give one of --seq N, --time T, --backup FILE", Exit.USAGE)
    if held_by(invocation.state_path).held:
        raise CommandFailed(
            f"Perdure runs in {invocation.state_path}", "perdure down stops it; then restore", Exit.CONFLICT
        )
    with working_offline(invocation) as works:
        time_stamp = None if when is None else _stamp(when)
        planned = _restore(works, seq, time_stamp, backup, dry_run=True)
        if dry_run or not planned["facts"]:
            _tell(invocation, planned)
            return Exit.FINE
        if not invocation.as_json and not yes:  # nobody is asked: what was done says the same
            invocation.screen.show(*restore_view.restored(planned))
        question = f"Restore {works.path} to seq {planned['to_seq']}?"
        if not agreed(question, yes=yes, ask=click.confirm, needs_yes=True):
            invocation.screen.say("Nothing was changed.")
            return Exit.FAILED
        done = _restore(works, seq, time_stamp, backup, dry_run=False)
    _tell(invocation, done)
    return Exit.FINE


def _restore(works: Works, seq: int | None, when: str | None, backup: Path | None, *, dry_run: bool) -> dict[str, Any]:
    from actors.storage.offline import restore as restore_offline
    from actors.storage.restore import Moment

    moment = Moment(seq=seq, time=when, backup=None if backup is None else _found(works.path, backup))
    with progress() as told:
        return restore_offline(
            works.path, moment, dry_run=dry_run, settings=works.settings, limits=works.limits, told=told
        )


def _tell(invocation: Invocation, done: dict[str, Any]) -> None:
    if invocation.as_json:
        invocation.screen.json(done)
    else:
        invocation.screen.show(*restore_view.restored(done))


def _found(state_path: Path, given: Path) -> Path:
    """A snapshot's path as given, or its name as `perdure backups` shows it."""
    places = (given, state_path / given, state_path / "archive" / "snapshots" / given)
    return next((place for place in places if place.is_file()), given)


def _stamp(text: str) -> str:
    """A time in words as a stamp; raises what ends with exit code 2."""
    if match := _AGO.fullmatch(text.removesuffix(" ago").strip()):
        moment = datetime.fromtimestamp(time.time() - int(match[1]) * _SECONDS[match[2]], UTC)
    else:
        try:
            moment = datetime.fromisoformat(text).astimezone(UTC)
        except (ValueError, OverflowError):
            hint = "write it as 2026-01-31T12:00 (local), 2026-01-31T12:00Z, or 30s, 15m, 2h, 3d for that long ago"
            raise CommandFailed(f"{text!r} is no time", hint, Exit.USAGE) from None
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")

"""`perdure bench`: how fast, beside the systems that one would take instead."""

import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from supervisor.cli.ended import ended_in_order
from supervisor.cli.faults import CommandFailed, Exit
from supervisor.cli.grammar import command
from supervisor.cli.invocation import Invocation

if TYPE_CHECKING:
    from supervisor.bench.questions import Report
    from supervisor.bench.setting import Setting

NAMES = ("throughput", "latency", "growth", "snapshot", "recovery", "restart", "memory", "session", "startup")
"""What can be asked: `questions.QUESTIONS`, which a completion must not load."""

DRAWN = {"latency", "growth"}
"""The questions that give points of the picture."""

WITHOUT_A_DISK = {"tmpfs", "ramfs"}
"""File systems on which a sync does nothing: every ratio to it would be false."""


@command("bench", example="perdure bench --only throughput --only restart", data=True)
@click.option("--only", type=click.Choice(NAMES), multiple=True, help="Ask this; may be given more than once.")
@click.option("--quick", is_flag=True, help="Seconds instead of minutes: shows that it works, judges no goal.")
@click.option("--verify", is_flag=True, help="Kill all of it afterwards, and look for everything acknowledged.")
@click.option("--plot", type=click.Path(path_type=Path, dir_okay=False), help="Draw latency and growth there (SVG).")
@click.option(
    "--in",
    "place",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    default=Path(),
    help="Measure on the disk of this folder (default: the working directory).",
)
def bench(
    invocation: Invocation,
    only: tuple[str, ...],
    quick: bool,  # noqa: FBT001  click gives flags so
    verify: bool,  # noqa: FBT001
    plot: Path | None,
    place: Path,
) -> int:
    """
    Measure how fast it is, beside the systems that one would take instead.

    Starts a Perdure and the peers that are installed in a temporary directory, measures them in turns on the same
    disk, and tells each goal with its figure and its ratio. Take a machine that does nothing else, and a quarter of an
    hour. Ends with 1 only when a question came to no end, or --verify misses something.
    """
    from supervisor.bench.questions import asked

    if plot is not None and only and not DRAWN.intersection(only):
        raise CommandFailed("nothing of that is drawn", f"ask {' or '.join(sorted(DRAWN))} as well", Exit.USAGE)
    _disk(place)
    with ended_in_order(), tempfile.TemporaryDirectory(prefix="perdure-bench-", dir=place.resolve()) as folder:
        report = asked(_setting(Path(folder), quick=quick, verify=verify), only or NAMES)
        _told("removing what was made")
    _told("")
    if invocation.as_json:
        invocation.screen.json(report.as_json())
    else:
        from supervisor.cli.bench_view import show

        show(invocation.screen, report)
    if plot is not None:
        _draw(plot, report)
    for name, why in report.failed.items():
        sys.stderr.write(f"perdure: {name} came to no end: {why}; try it again with --only {name}\n")
    return Exit.FAILED if report.missing or report.failed else Exit.FINE


def _disk(place: Path) -> None:
    """Refuse a file system that lives in memory."""
    from supervisor.bench.machine import file_system

    kind = file_system(place)
    if kind in WITHOUT_A_DISK:
        raise CommandFailed(
            f"{place.resolve()} is in memory ({kind}), where nothing is ever synced",
            "name a folder on a disk with --in",
            Exit.USAGE,
        )


def _setting(folder: Path, *, quick: bool, verify: bool) -> "Setting":
    from supervisor.bench.setting import QUICK, WHOLE, Setting
    from supervisor.cli.commands import TABLE

    return Setting(folder, QUICK if quick else WHOLE, commands=tuple(TABLE), verify=verify, say=_told)


def _told(text: str) -> None:
    """Tell what is being done, on standard error: results may go into a file meanwhile. Nothing in a pipe."""
    if sys.stderr.isatty():
        width = shutil.get_terminal_size().columns - 1
        sys.stderr.write(f"\r\x1b[K{text[:width]}")
        sys.stderr.flush()


def _draw(plot: Path, report: "Report") -> None:
    from supervisor.bench.plot import picture

    if not report.points:
        raise CommandFailed("there is nothing to draw: no figure could be told", "see the notes above", Exit.FAILED)
    try:
        plot.write_text(picture(report.points), encoding="utf-8")
    except OSError as error:
        raise CommandFailed(
            f"cannot write {plot}: {error.strerror}", "name another file with --plot", Exit.FAILED
        ) from error

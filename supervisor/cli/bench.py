"""`perdure bench`: how fast, beside the systems that one would take instead."""

import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import click

from supervisor.cli.faults import CommandFailed, Exit
from supervisor.cli.grammar import command
from supervisor.cli.invocation import Invocation
from supervisor.cli.paper import BAD, FAINT, GOOD, PLAIN, WARNING, Cell, Column, Table

if TYPE_CHECKING:
    from supervisor.bench.figures import Figure
    from supervisor.bench.goals import Judged
    from supervisor.bench.questions import Report
    from supervisor.bench.setting import Setting

NAMES = ("throughput", "latency", "growth", "snapshot", "recovery", "restart", "memory", "session", "startup")
"""What can be asked: `questions.QUESTIONS`, which a completion must not load."""

DRAWN = {"latency", "growth"}
"""The questions that give points of the picture."""

BUSY_SHARE = 0.5
"""Of the cores: a load average above it, before anything began, is somebody else's work."""

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
    with _ended_in_order(), tempfile.TemporaryDirectory(prefix="perdure-bench-", dir=place.resolve()) as folder:
        report = asked(_setting(Path(folder), quick=quick, verify=verify), only or NAMES)
        _told("removing what was made")
    _told("")
    if invocation.as_json:
        invocation.screen.json(report.as_json())
    else:
        _show(invocation, report)
    if plot is not None:
        _draw(plot, report)
    for name, why in report.failed.items():
        sys.stderr.write(f"perdure: {name} came to no end: {why}; try it again with --only {name}\n")
    return Exit.FAILED if report.missing or report.failed else Exit.FINE


@contextmanager
def _ended_in_order() -> Iterator[None]:
    """Let SIGTERM end it as an exception would: what was started is stopped, what was made is removed."""

    def end(number: int, _frame: FrameType | None) -> None:
        sys.exit(128 + number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


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


def _show(invocation: Invocation, report: "Report") -> None:
    screen = invocation.screen
    machine = report.machine
    screen.say(
        f"{machine['at']}, {machine['cores']} cores ({machine['processor'] or 'unknown'}), load {machine['load']}"
        f" before, {machine['file_system'] or 'unknown file system'}, {machine['system']}, Python {machine['python']}"
    )
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    screen.say(f"{versions}; load generator in {machine['load_generator']}; it took {machine['took_s']} s")
    if report.quick:
        screen.say("quick: it shows that it works; the figures are those of moments, so no goal is judged")
    if machine["load"] > machine["cores"] * BUSY_SHARE:
        screen.say("the machine was busy with something else: the figures tell little", WARNING)
    screen.say()
    right = Column("", right=True)
    figure = (right._replace(name="figure"), Column("ratio"), Column("rounds"))
    screen.show(
        Table((Column("goal"), *figure, Column("wanted"), Column("verdict")), [_goal_row(row) for row in report.goals]),
        Table(
            (Column("besides"), *figure, Column("note")),
            [(Cell(figure.what), *_cells(figure), Cell(figure.note, FAINT)) for figure in report.others],
            title=" ",
        ),
    )
    for row in report.goals:
        if row.figure is not None and row.figure.note:
            screen.say(f"{row.goal.name}: {row.figure.note}", FAINT)
    if report.verified is not None:
        said = f"{report.verified} acknowledged tasks looked for after kill -9, {len(report.missing)} missing"
        screen.say(said, BAD if report.missing else GOOD)


def _goal_row(row: "Judged") -> tuple[Cell, ...]:
    style = {"not reached": BAD, "reached": GOOD, "reached (stretch)": GOOD}.get(row.verdict.value, FAINT)
    figure = (Cell("-"), Cell(""), Cell("")) if row.figure is None else _cells(row.figure)
    return (Cell(f"{row.goal.name}: {row.goal.what}"), *figure, Cell(row.goal.bound), Cell(row.verdict.value, style))


def _cells(figure: "Figure") -> tuple[Cell, Cell, Cell]:
    """Figure, ratio, and how far the rounds lie apart: in their ratios where there are some."""
    value = "-" if figure.value is None else f"{_number(figure.value)} {figure.unit}"
    ratio = "" if figure.ratio is None else f"{figure.ratio:.2f} × {figure.peer}"
    spread = "" if figure.spread is None else "-".join(map(_number, figure.spread))
    return Cell(value, PLAIN), Cell(ratio), Cell(spread, FAINT)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"  # noqa: PLR2004  more digits would be noise

"""`perdure bench`: how fast, beside the systems that one would take instead."""

import tempfile
from pathlib import Path
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
    disk, and tells each goal with its figure and its ratio. Take a machine that does nothing else. Ends with 1 only
    when --verify misses something.
    """
    from supervisor.bench.questions import asked

    if plot is not None and only and not DRAWN.intersection(only):
        raise CommandFailed("nothing of that is drawn", f"ask {' or '.join(sorted(DRAWN))} as well", Exit.USAGE)
    _disk(place)
    with tempfile.TemporaryDirectory(prefix="perdure-bench-", dir=place.resolve()) as folder:
        try:
            report = asked(_setting(invocation, Path(folder), quick=quick, verify=verify), only or NAMES)
        except (RuntimeError, OSError) as error:
            raise CommandFailed(
                f"the measurement came to no end: {error}", "again, or one question at a time with --only", Exit.FAILED
            ) from error
    if invocation.as_json:
        invocation.screen.json(report.as_json())
    else:
        _show(invocation, report)
    if plot is not None:
        _draw(plot, report)
    return Exit.FAILED if report.missing else Exit.FINE


def _disk(place: Path) -> None:
    """Refuse a file system that lives in memory."""
    import psutil

    where = place.resolve()
    mounts = {Path(part.mountpoint): part.fstype for part in psutil.disk_partitions(all=True)}
    kind = next((mounts[above] for above in (where, *where.parents) if above in mounts), "")
    if kind in WITHOUT_A_DISK:
        raise CommandFailed(
            f"{where} is in memory ({kind}), where nothing is ever synced",
            "name a folder on a disk with --in",
            Exit.USAGE,
        )


def _setting(invocation: Invocation, folder: Path, *, quick: bool, verify: bool) -> "Setting":
    from supervisor.bench.setting import QUICK, WHOLE, Setting
    from supervisor.cli.commands import TABLE

    shows = invocation.screen.is_terminal and not invocation.as_json

    def say(text: str) -> None:
        if shows:
            invocation.screen.write(f"\r\x1b[K{text}")

    return Setting(folder, QUICK if quick else WHOLE, commands=tuple(TABLE), verify=verify, say=say)


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
    if screen.is_terminal:
        screen.write("\r\x1b[K")
    machine = report.machine
    screen.say(
        f"{machine['at']}, {machine['cores']} cores, load {machine['load']} before, {machine['system']},"
        f" Python {machine['python']}"
    )
    if report.quick:
        screen.say("quick: it shows that it works; the figures are those of moments, so no goal is judged")
    if machine["load"] > machine["cores"] * BUSY_SHARE:
        screen.say("the machine was busy with something else: the figures tell little", WARNING)
    screen.say()
    right = Column("", right=True)
    columns = (Column("goal"), right._replace(name="figure"), Column("ratio"), Column("wanted"), Column("verdict"))
    screen.show(
        Table(columns, [_goal_row(row) for row in report.goals]),
        Table(
            (Column("besides"), right._replace(name="figure"), Column("ratio"), Column("note")),
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
    figure = (Cell("-"), Cell("")) if row.figure is None else _cells(row.figure)
    return (Cell(f"{row.goal.name}: {row.goal.what}"), *figure, Cell(row.goal.bound), Cell(row.verdict.value, style))


def _cells(figure: "Figure") -> tuple[Cell, Cell]:
    """Figure and ratio."""
    value = "-" if figure.value is None else f"{_number(figure.value)} {figure.unit}"
    ratio = "" if figure.ratio is None else f"{figure.ratio:.2f} × {figure.peer}"
    return Cell(value, PLAIN), Cell(ratio)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"  # noqa: PLR2004  more digits would be noise

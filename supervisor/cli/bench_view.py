"""What `perdure bench` shows: a line for each goal that fits a terminal, and below it what each figure is."""

from collections.abc import Iterator

from supervisor.bench.figures import Figure
from supervisor.bench.goals import Judged
from supervisor.bench.questions import Report
from supervisor.cli.paper import BAD, FAINT, GOOD, WARNING, Cell, Column, Table, facts
from supervisor.cli.screen import Screen

BUSY_SHARE = 0.5
"""Of the cores: a load average above it, before anything began, is somebody else's work."""

STYLES = {"not reached": BAD, "reached": GOOD, "stretch reached": GOOD}
"""By the verdict in words."""


def show(screen: Screen, report: Report) -> None:
    """Show all of it."""
    for text, style in _head(report):
        screen.say(text, style)
    screen.say()
    right = Column(right=True)
    figure = (right._replace(name="figure"), right._replace(name="ratio"))
    screen.show(
        Table(
            (Column("goal"), *figure, Column("rounds"), Column("wanted"), Column("verdict")),
            [_goal(row) for row in report.goals],
        ),
        facts([(row.goal.name, _meaning(row)) for row in report.goals], title="the goals"),
        Table(
            (Column("besides", elastic=True), *figure, Column("to")),
            [(Cell(figure.what), _value(figure), _ratio(figure), Cell(figure.peer, FAINT)) for figure in report.others],
            title=" ",
        ),
        facts([(figure.what, figure.note) for figure in report.others if figure.note], title="notes"),
    )
    if report.verified is not None:
        said = f"{report.verified} acknowledged tasks looked for after kill -9, {len(report.missing)} missing"
        screen.say(said, BAD if report.missing else GOOD)


def _head(report: Report) -> Iterator[tuple[str, str]]:
    """Lines and their styles: on what it was measured."""
    machine = report.machine
    yield f"{machine['at']}, {machine['cores']} cores ({machine['processor'] or 'unknown'})", ""
    yield f"{machine['system']}, {machine['file_system'] or 'unknown file system'}, Python {machine['python']}", ""
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    yield f"{versions}; load generator in {machine['load_generator']}; it took {machine['took_s']} s", ""
    if report.quick:
        yield "quick: it shows that it works; the figures are those of moments, so no goal is judged", ""
    if machine["load"] > machine["cores"] * BUSY_SHARE:
        yield f"the machine was busy with something else (load {machine['load']}): the figures tell little", WARNING


def _goal(row: Judged) -> tuple[Cell, ...]:
    figure = row.figure
    told = (Cell("-"), Cell(""), Cell("")) if figure is None else (_value(figure), _ratio(figure), _spread(figure))
    verdict = row.verdict.value
    return (Cell(row.goal.name), *told, Cell(row.goal.bound), Cell(verdict, STYLES.get(verdict, FAINT)))


def _meaning(row: Judged) -> str:
    """What a goal measures, and what is to be said of this figure."""
    note = "" if row.figure is None or not row.figure.note else f" ({row.figure.note})"
    return row.goal.what + note


def _value(figure: Figure) -> Cell:
    return Cell("-" if figure.value is None else f"{_number(figure.value)} {figure.unit}")


def _ratio(figure: Figure) -> Cell:
    return Cell("" if figure.ratio is None else f"{figure.ratio:.2f} x")


def _spread(figure: Figure) -> Cell:
    """How far the rounds lie apart: in their ratios where there are some."""
    return Cell("" if figure.spread is None else "-".join(map(_short, figure.spread)), FAINT)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"  # noqa: PLR2004  more digits would be noise


def _short(value: float) -> str:
    return f"{value / 1000:.3g}k" if value >= 10_000 else _number(value)  # noqa: PLR2004  beside many others

"""How runs look, and which code `perdure run` ends with. Pure functions from the rows that the runtime answered."""

import shlex
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from supervisor.cli.faults import Exit
from supervisor.cli.paper import BAD, BUSY, FAINT, GOOD, PLAIN, STRONG, WARNING, Cell, Column, Table
from supervisor.cli.words import age, dig, duration, moment, one_line, scalar

Run = Mapping[str, Any]

LIVE: Final = frozenset({"queued", "starting", "running"})
"""As `actors.model.run` has it; a test holds them equal."""

STYLES: Final[Mapping[str, str]] = {
    "queued": PLAIN,
    "starting": BUSY,
    "running": BUSY,
    "exited": GOOD,
    "interrupted": WARNING,
    "cancelled": FAINT,
    "timed_out": BAD,
    "failed_to_start": BAD,
}


def listed(runs: Sequence[Run], now: datetime) -> Table:
    """The list: a row per run. Columns in which no run has anything to say are left out."""
    columns: list[tuple[Column, Any]] = [
        (Column("ID", ids=True), lambda run: Cell(scalar(run.get("id")), STRONG)),
        (Column("STATUS"), status),
    ]
    if any(run.get("tool") not in (None, "SHELL") for run in runs):
        columns.append((Column("TOOL"), lambda run: Cell(scalar(run.get("tool")))))
    if any(run.get("attempt", 1) != 1 for run in runs):
        columns.append((Column("TRY", right=True), lambda run: Cell(scalar(run.get("attempt")))))
    columns += [
        (Column("BEGUN", right=True), lambda run: Cell(age(run.get("started_at"), now), FAINT)),
        (Column("TOOK", right=True), lambda run: Cell(took(run, now), FAINT)),
        (Column("TASK", ids=True), lambda run: Cell(scalar(run.get("task_id")))),
        (Column("COMMAND", elastic=True), lambda run: Cell(command_line(run))),
    ]
    rows = [tuple(cell_of(run) for _, cell_of in columns) for run in runs]
    return Table(tuple(column for column, _ in columns), rows, empty="No runs.")


def of_task(runs: Sequence[Run], now: datetime) -> Table:
    """A task's runs, the newest first: what became of each try, and why the next one was needed."""
    columns = (
        Column("RUN", ids=True),
        Column("TRY", right=True),
        Column("STATUS"),
        Column("BEGUN", right=True),
        Column("TOOK", right=True),
        Column("ERROR", elastic=True),
    )
    rows = [
        (
            Cell(scalar(run.get("id")), STRONG),
            Cell(scalar(run.get("attempt"))),
            status(run),
            Cell(age(run.get("started_at"), now), FAINT),
            Cell(took(run, now), FAINT),
            Cell(one_line(str(dig(run, "error", "message") or ""))),
        )
        for run in runs
    ]
    return Table(columns, rows, title="Runs")


def status(run: Run) -> Cell:
    """The status, with what the agent ended with where that is not what everybody hopes for."""
    text = scalar(run.get("status"))
    style = STYLES.get(text, PLAIN)
    if text == "exited" and run.get("error") is not None:
        style = BAD
    if run.get("signal") is not None:
        return Cell(f"{text} (signal {run['signal']})", style)
    if run.get("exit_code"):
        return Cell(f"{text} ({run['exit_code']})", style)
    return Cell(text, style)


def took(run: Run, now: datetime) -> str:
    """How long it ran, or has run; `-` before it began."""
    begun = moment(run.get("started_at"))
    ended = moment(run.get("ended_at")) if run.get("status") not in LIVE else now
    return duration(max(0.0, (ended - begun).total_seconds())) if begun and ended else "-"


def command_line(run: Run) -> str:
    """The command as a person would type it."""
    return one_line(shlex.join(str(word) for word in run.get("argv") or ()))


def waiting(run: Run, active: int, queued: int, now: datetime) -> str:
    """The line of progress while there is no output; `active` and `queued` are how many other runs there are."""
    attempt = run.get("attempt", 1)
    what = "the run" if attempt == 1 else f"attempt {attempt}"
    if run.get("status") == "queued":
        others = [f"{number} {word}" for number, word in ((active, "running"), (queued, "queued")) if number]
        return f"{what} waits for its turn{': ' + ', '.join(others) if others else ''}"
    if run.get("status") == "starting":
        return f"{what} is starting"
    return f"{what} is running for {took(run, now)}; no output yet"


def exit_code(run: Run) -> int:
    """
    The code that `perdure run` ends with: the agent's status, 128 and the number for a signal.

    0 is for success alone: an agent that was stopped and left with 0 gives 1; one that hung after its result and was
    stopped for that has done its work, and gives 0. A command that is missing gives 127, one that cannot be executed
    126, as shells, `env` and docker have it. Where there is no status of an agent otherwise it is 125.
    """
    if run.get("status") == "exited" and run.get("error") is None:
        return Exit.FINE
    if run.get("signal") is not None:
        return 128 + int(run["signal"])
    if run.get("exit_code") is None:
        status = dig(run, "error", "exit_status")
        return status if status in {126, 127} else Exit.PERDURE_FAILED
    return int(run["exit_code"]) or Exit.FAILED


_ENDINGS: Final[Mapping[str, str]] = {
    "interrupted": "was interrupted",
    "cancelled": "was stopped",
    "timed_out": "took too long",
    "failed_to_start": "could not start",
}


def ending(run: Run) -> str | None:
    """What to tell of an end that the agent did not choose; None where its own output and status say it all."""
    words = _ENDINGS.get(str(run.get("status")))
    if words is None:
        return None
    why = dig(run, "error", "message")
    return f"run {run.get('id')} {words}{': ' + one_line(str(why)) if why else ''}"

"""
Watching a run from its start to its end, all attempts of its task included.

What is watched is what is durable, so a lost connection, a killed runtime or a second look cost nothing: the output is
followed from the byte where it was left, and after an end the newest run of the task says whether another attempt
follows (it is made in the same line of the journal).
"""

import contextlib
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import click

from actors.model.errors import PerdureError
from actors.model.run import output_path
from supervisor.cli import run_view
from supervisor.cli.faults import Exit
from supervisor.cli.interrupts import Interrupted, Interrupts
from supervisor.cli.printing import Printer, Progress, is_to_be_readable
from supervisor.cli.reach import PAGE_ROWS, until_over
from supervisor.client.output import follow_output

if TYPE_CHECKING:
    from supervisor.client import Client

LOOK_AGAIN_S: Final = 1.0
"""How often a person who waits at a terminal is told anew what for. Where nobody looks nothing is asked."""

Run = Mapping[str, Any]


class _Left(Exception):
    """The person at the terminal lets the run go on without looking at it."""


def watched(perdure: "Client", run: Run, *, raw: bool = False) -> int:
    """
    Print what a run and the further attempts of its task print; give the exit code that says how the last one ended.

    `raw`: as it is printed, also at a terminal.

    Raises what the client raises.
    """
    with Interrupts() as interrupts:
        watch = _Watch(perdure, interrupts, raw=raw)
        try:
            while True:
                over = watch.until_over(run)
                run = watch.newest_of_its_task(over)
                if run["id"] == over["id"]:
                    break
        except _Left:
            sys.stderr.write(f"perdure: the run goes on: perdure logs -f {run['id']}\n")
            return Exit.INTERRUPTED
        except BrokenPipeError:
            with contextlib.suppress(OSError):  # the terminal may be gone altogether
                sys.stderr.write(f"perdure: nobody reads any more; the run goes on: perdure logs -f {run['id']}\n")
            return Exit.PIPE_CLOSED
    if said := run_view.ending(over):
        sys.stderr.write(f"perdure: {said}\n")
    code = run_view.exit_code(over)
    return Exit.INTERRUPTED if watch.is_stopping and code == Exit.PERDURE_FAILED else code


class _Watch:
    """One call of `watched`."""

    def __init__(self, perdure: "Client", interrupts: Interrupts, *, raw: bool) -> None:
        self.is_stopping = False
        """Whether Ctrl-C has stopped it: then no further attempt is waited for."""
        self._perdure = perdure
        self._interrupts = interrupts
        self._raw = raw
        self._progress = Progress()
        self._is_at_line_start = True
        """Whether a line of progress can be shown without wiping out what an agent has printed."""

    def until_over(self, run: Run) -> Run:
        """Print what one run prints; give its row when it is over."""
        readable = is_to_be_readable(run, sys.stdout, raw=self._raw)
        outlets = {"stdout": sys.stdout, "stderr": sys.stderr}
        printer = Printer(self._interrupts, outlets, dict.fromkeys(outlets, 0), readable=readable)
        if self.is_stopping:
            self._stop(run)
        while True:
            try:
                self._print(run, printer)
                printer.finish()
            except Interrupted:
                self._asked_to_stop(run)
            else:
                over: Run = self._perdure.call("run.get", id=run["id"])
                return over

    def newest_of_its_task(self, run: Run) -> Run:
        """Give the last attempt at the run's task: the run itself when none follows."""
        rows = self._perdure.call("run.list", task_id=run["task_id"], limit=1)["runs"] if run["task_id"] else []
        newest: Run = rows[0] if rows else run
        return newest if newest["id"] > run["id"] and _is_own(newest) else run

    def _print(self, run: Run, printer: Printer) -> None:
        """Print until the run is over."""

        def wait(descriptor: int) -> None:
            is_silent = self._progress.is_shown and self._is_at_line_start and not any(printer.offsets.values())
            while not self._interrupts.until_readable(descriptor, LOOK_AGAIN_S if is_silent else None):
                self._tell_what_for(run)

        try:
            with contextlib.closing(follow_output(self._perdure, run["id"], printer.offsets, wait)) as pieces:
                for piece in pieces:
                    self._progress.clear()
                    self._is_at_line_start = piece.data.endswith(b"\n")
                    printer.write(piece)
        finally:
            self._progress.clear()

    def _tell_what_for(self, run: Run) -> None:
        """Show what is waited for; while the runtime does not tell, what it told before."""
        with contextlib.suppress(PerdureError):
            now: Run = self._perdure.call("run.get", id=run["id"])
            active = queued = 0
            if now["status"] == "queued":
                active = self._others(now, "starting") + self._others(now, "running")
                queued = self._others(now, "queued")
            self._progress.show(run_view.waiting(now, active, queued, datetime.now(UTC)))

    def _others(self, run: Run, status: str) -> int:
        rows = self._perdure.call("run.list", status=status, limit=PAGE_ROWS)["runs"]
        return sum(1 for row in rows if row["id"] != run["id"] and _is_own(row))

    def _asked_to_stop(self, run: Run) -> None:
        """Ctrl-C: ask whoever sits there; where nobody does, it means stop. Raises _Left."""
        self._progress.clear()
        answer = self._answer() if sys.stdin.isatty() and sys.stderr.isatty() else "stop"
        if answer == "leave":
            raise _Left
        if answer == "stop":
            self.is_stopping = True
            self._stop(run)

    def _answer(self) -> str:
        """What the person wants: stop, leave or watch; one who presses Ctrl-C again wants out, and stops nothing."""
        with self._interrupts.switched_off():
            try:
                sys.stderr.write("\n")
                chosen: str = click.prompt(
                    "Stop the run, leave it running, or watch on?",
                    type=click.Choice(_ANSWERS),
                    default="leave",
                    value_proc=_answered,
                    err=True,
                )
            except (click.Abort, KeyboardInterrupt):
                sys.stderr.write("\n")
                return "leave"
        return chosen

    def _stop(self, run: Run) -> None:
        """Have it ended; what it prints meanwhile is printed afterwards. One that is over stays as it is."""
        until_over(self._perdure, "run.stop", id=run["id"])


_ANSWERS: Final = ("stop", "leave", "watch")


def _answered(text: str) -> str:
    """The answer that `text` begins: `s` is enough. Raises UsageError, at which it is asked again."""
    word = text.strip().lower()
    for answer in _ANSWERS:
        if word and answer.startswith(word):
            return answer
    raise click.UsageError(f"say {', '.join(_ANSWERS[:-1])} or {_ANSWERS[-1]}, or their first letter")


def _is_own(run: Run) -> bool:
    """Whether Perdure carries it out; runs of others do not stand in our queue."""
    path: str | None = run["stdout"]["path"]
    return path == output_path(run["id"], "stdout")

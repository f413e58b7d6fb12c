"""`perdure logs`: what a run printed, byte for byte; JSON lines of a tool, at a terminal, as people read them."""

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from supervisor.cli.choices import run_id
from supervisor.cli.faults import Exit
from supervisor.cli.grammar import command
from supervisor.cli.interrupts import Interrupted, Interrupts
from supervisor.cli.invocation import Invocation
from supervisor.cli.printing import Printer, is_to_be_readable
from supervisor.cli.reach import Runtime, runtime
from supervisor.cli.short_ids import do_with_id
from supervisor.cli.task_reading import whole_task_id

if TYPE_CHECKING:
    from supervisor.client import Client

follow_option = click.option(
    "-f", "--follow", "following", is_flag=True, help="Go on until the run is over, or until Ctrl-C."
)
stderr_option = click.option(
    "--stderr", "errors", is_flag=True, help="What it printed to standard error, instead of its output."
)
offset_option = click.option(
    "--offset", type=click.IntRange(0), default=0, metavar="N", help="Leave out the first N bytes."
)
raw_option = click.option("--raw", is_flag=True, help="What a tool prints as it is, also at a terminal.")


@command("logs", example="perdure logs -f 01a1fd99-6037-73d0-930e-f08bfe6d6489")
@click.argument("id", metavar="RUN", shell_complete=run_id)
@follow_option
@stderr_option
@offset_option
@raw_option
def logs(invocation: Invocation, id: str, following: bool, errors: bool, offset: int, raw: bool) -> int:  # noqa: FBT001  click gives flags so
    """
    Show what a run printed; -f follows.

    RUN is a run's id or what that ends with, or a task's: then it is the newest run of that task.
    """
    with runtime(invocation) as perdure:
        row = _named_run(perdure, id)
        readable = not errors and is_to_be_readable(row, sys.stdout, raw=raw)
        return show_output(perdure, row, following=following, errors=errors, offset=offset, readable=readable)


def _named_run(perdure: Runtime, text: str) -> Any:
    """The run that `text` names, or the newest of the task that it names: `perdure task add --run` tells only that."""
    from actors.model.errors import NotFound

    try:
        return do_with_id(perdure, "run", text, lambda id_: perdure.call("run.get", id=id_))
    except NotFound:
        newest = perdure.call("run.list", task_id=whole_task_id(perdure, text), limit=1)["runs"]
        if not newest:
            raise
        return newest[0]


def show_output(
    perdure: "Client", row: Mapping[str, Any], *, following: bool, errors: bool, offset: int, readable: bool = False
) -> int:
    """Print what a run printed, given its row; return the exit code."""
    from supervisor.client.output import follow_output, read_output

    stream, other = ("stderr", "stdout") if errors else ("stdout", "stderr")
    with Interrupts() as interrupts:
        printer = Printer(interrupts, {stream: sys.stdout}, {stream: offset}, readable=readable)
        try:
            for piece in (
                follow_output(perdure, row["id"], printer.offsets, interrupts.until_readable)
                if following
                else read_output(perdure, row["id"], stream, offset)
            ):
                printer.write(piece)
            printer.finish()
        except Interrupted:
            return Exit.FINE if following else Exit.INTERRUPTED
        except BrokenPipeError:  # `perdure logs RUN | head`
            return Exit.PIPE_CLOSED
    if not printer.offsets[stream] and row[other]["bytes"] and sys.stderr.isatty():
        sys.stderr.write(
            f"Nothing on {stream}; perdure logs {'--stderr ' if not errors else ''}{row['id']} shows {other}.\n"
        )
    return Exit.FINE

"""
`perdure up`: the supervisor process, in the foreground.

What happens from here on is `supervisor.root`'s. Here its options are read, and a person at a terminal is told in one
short block, as soon as clients are served, where the state is and how to stop.
"""

import json
import os
import shlex
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from supervisor.cli.grammar import command
from supervisor.cli.invocation import Invocation


def _passed_in(_context: click.Context, _option: click.Parameter, descriptor: int | None) -> int | None:
    """Refuse a descriptor that is not open while nothing else is: its number would be the next thing's that opens."""
    if descriptor is not None:
        try:
            os.fstat(descriptor)
        except (OSError, OverflowError):
            raise click.BadParameter(f"{descriptor} is not an open descriptor") from None
    return descriptor


@command("up", example="perdure up --state-path ~/agents/state")
@click.option("--stdio", is_flag=True, help="Also serve one client on stdin and stdout; stop at the end of input.")
@click.option(
    "--ready-fd",
    type=click.IntRange(0),
    callback=_passed_in,
    metavar="N",
    help="Write one line of JSON there when ready.",
)
@click.option("--ignore-fallback", is_flag=True, help="Start without state.fallback_path; what is only there is lost.")
def up(invocation: Invocation, stdio: bool, ready_fd: int | None, ignore_fallback: bool) -> int:  # noqa: FBT001  click
    """
    Run Perdure in the foreground.

    It stops in order at Ctrl-C, SIGTERM or `perdure down`; at a second Ctrl-C at once. SIGHUP reads the configuration
    again. Ends with 5 when another one runs there already, 7 when the directory is somebody else's.
    """
    from supervisor.root.ahead import sent_ahead

    with sent_ahead() as ahead:  # first of all: whatever is done before it, the first answer waits for
        config = invocation.config()

        from supervisor.root import run_root
        from supervisor.root.options import RootOptions

        is_told = ready_fd is None and not stdio and sys.stderr.isatty()
        with _announced(config.state.path, wanted=is_told) as announcing_fd:
            return run_root(
                RootOptions(
                    config=config,
                    state_path=config.state.path,
                    load_config=invocation.config,
                    stdio=stdio,
                    standby=config.supervisor.standby,
                    ignore_fallback=ignore_fallback,
                    ready_fd=announcing_fd if ready_fd is None else ready_fd,
                    ahead=ahead,
                )
            )


def announcement(state_path: Path, socket: str) -> str:
    """What a person wants to know of a Perdure that has just come up."""
    return (
        f"\nPerdure is up.\n"
        f"  state    {state_path}\n"
        f"  socket   {socket}\n"
        f'  use it   perdure task add "Write the tests"\n'
        f"  from     another terminal, {_named(state_path)}\n"
        f"  stop it  Ctrl-C here, or perdure down\n\n"
    )


def _named(state_path: Path) -> str:
    """How the other terminal finds the same state directory."""
    if state_path == Path.cwd() / "coding-agent-state":
        return "in this directory"
    return f"after export STATE_PATH={shlex.quote(str(state_path))}"


@contextmanager
def _announced(state_path: Path, *, wanted: bool) -> Iterator[int | None]:
    """Give the descriptor on which the root says that it is ready; a thread waits there and tells it to the person."""
    if not wanted:
        yield None
        return
    reading, writing = os.pipe()
    teller = threading.Thread(target=_tell_when_ready, args=(reading, state_path), name="announcement", daemon=True)
    teller.start()
    try:
        yield writing
    finally:
        # The root has closed its end by now, ready or not, so the thread has met the end of the pipe.
        teller.join(timeout=1.0)


def _tell_when_ready(reading: int, state_path: Path) -> None:
    with os.fdopen(reading, encoding="utf-8") as pipe:
        line = pipe.readline()
    if line:
        sys.stderr.write(announcement(state_path, json.loads(line)["socket"]))
        sys.stderr.flush()

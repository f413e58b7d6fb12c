"""
`perdure down`: stop what runs there, and wait until it has.

The runtime is asked; where none answers the root gets SIGTERM, which means the same. A root that is stopping already
gets no signal, because a second one means "at once". The wait is for the lock: whoever gets it next finds everything
saved.
"""

import os
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from supervisor.cli.faults import CommandFailed, Exit
from supervisor.cli.grammar import command
from supervisor.cli.invocation import Invocation
from supervisor.cli.reach import held_by, runtime
from supervisor.cli.words import counted

if TYPE_CHECKING:
    from supervisor.root.lock import LockInfo

ASKING_S: Final = 5.0
"""How long the runtime has for its answer before the root is told."""
POLL_S: Final = 0.02
IMPATIENT_AFTER_S: Final = 3.0
"""After this a person wonders."""
RUNNING: Final = "running"
STOPPING: Final = frozenset({"stopping", "stopped"})


@command("down", example="perdure down")
@click.option(
    "--within", "within_s", type=click.FloatRange(0), default=60.0, show_default=True, metavar="SECONDS",
    help="How long to wait for its end.",
)  # fmt: skip
def down(invocation: Invocation, within_s: float) -> None:
    """
    Stop what runs there, and wait until it has.

    Ends with 0 when it has stopped, 3 when nothing ran, 1 when it has not stopped within the time.
    """
    from supervisor.root.lock import read_lock

    state_path = invocation.state_path
    before = held_by(state_path)
    if not before.held:
        raise CommandFailed(f"nothing runs in {state_path}", "there is nothing to stop", Exit.NOTHING_RUNS)
    began = time.monotonic()
    if before.phase not in STOPPING and not (before.phase == RUNNING and _ask(invocation)):
        _signal(read_lock(state_path), before)
    _wait(state_path, before, began, within_s)
    invocation.screen.say("Stopped.")


def _ask(invocation: Invocation) -> bool:
    """Ask the runtime to stop everything; False when none takes the question."""
    from actors.model.errors import PerdureError

    try:
        with runtime(invocation, patience_s=ASKING_S) as perdure:
            perdure.call("runtime.shutdown")
    except (PerdureError, CommandFailed, OSError):
        return False
    return True


def _signal(now: "LockInfo", before: "LockInfo") -> None:
    """Tell the root itself, if it is still the same one and does not stop already."""
    if not now.held or now.pid != before.pid or now.pid is None or now.phase in STOPPING:
        return
    try:
        os.kill(now.pid, signal.SIGTERM)
    except ProcessLookupError:
        return
    except PermissionError as error:
        raise CommandFailed(f"process {now.pid} belongs to somebody else", "stop it as its owner") from error


def _wait(state_path: Path, before: "LockInfo", began: float, within_s: float) -> None:
    """Wait until the lock is free, or somebody else's: a service manager may start the next one at once."""
    from supervisor.root.lock import read_lock

    told = False
    while True:
        now = read_lock(state_path)
        if not now.held or now.pid != before.pid:
            return
        waited_s = time.monotonic() - began
        if waited_s > within_s:
            raise CommandFailed(
                f"process {before.pid} has not stopped within {counted(int(within_s), 'second')} ({now.phase})",
                f"wait, or end it with kill -9 {before.pid}: what was acknowledged is safe",
            )
        if waited_s > IMPATIENT_AFTER_S and not told:
            told = True
            sys.stderr.write(f"It is stopping (process {before.pid}); saving a large state takes a moment.\n")
        time.sleep(POLL_S)

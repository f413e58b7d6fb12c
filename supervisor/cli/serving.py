"""
A runtime for a command that needs one: the one that runs there, or else one for the duration of the command.

That one is a root of its own, spawned with `--stdio`: it stops in order at the end of its input, which comes when the
command is done and also when the command is killed. Ctrl-C is not its business, so it is out of the terminal's reach.
"""

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

from supervisor.cli.faults import CommandFailed
from supervisor.cli.invocation import Invocation
from supervisor.cli.reach import PATIENCE_S, held_by, runtime

if TYPE_CHECKING:
    from supervisor.client import Client

STOP_WITHIN_S: Final = 60.0
"""A snapshot of the largest states fits."""

_TOLD_BYTES: Final = 4096


@contextmanager
def serving(invocation: Invocation) -> "Iterator[Client]":
    """
    A connection to the runtime of this state directory, which is started where none runs and stopped afterwards.

    Raises CommandFailed when it does not start, naming why; and as `runtime` does.
    """
    with ExitStack() as stack:
        if not held_by(invocation.state_path).held:
            stack.enter_context(_for_the_duration(invocation))
        yield stack.enter_context(runtime(invocation, patience_s=PATIENCE_S))


@contextmanager
def _for_the_duration(invocation: Invocation) -> Iterator[None]:
    reading, writing = os.pipe()
    with tempfile.TemporaryFile() as errors:
        try:
            root = subprocess.Popen(
                [*_command(invocation), "--stdio", "--ready-fd", str(writing)],
                pass_fds=(writing,),
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                start_new_session=True,
            )
        finally:
            os.close(writing)
        with root:
            try:
                with os.fdopen(reading, encoding="utf-8") as ready:
                    line = ready.readline()
                if not line:
                    root.wait(STOP_WITHIN_S)
                    raise CommandFailed(f"no runtime could be started: {_last_line(errors)}", "perdure up shows more")
                json.loads(line)
                yield
            finally:
                _stop(root)


def _command(invocation: Invocation) -> list[str]:
    from supervisor.root.programs import perdure_argv

    options = ["--state-path", str(invocation.state_path)]
    if invocation.config_option is not None:
        options += ["--config", str(Path(invocation.config_option).expanduser().absolute())]
    return [*perdure_argv(), "up", *options]


def _stop(root: "subprocess.Popen[bytes]") -> None:
    """Let it stop in order; one that does not is told so by a signal, and in the end killed."""
    if root.stdin is not None:
        root.stdin.close()
    for insist in (root.terminate, root.kill):
        try:
            root.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            insist()
        else:
            return


def _last_line(errors: IO[bytes]) -> str:
    """What it said last before it ended."""
    end = errors.seek(0, os.SEEK_END)
    errors.seek(max(0, end - _TOLD_BYTES))
    lines = errors.read().decode("utf-8", "replace").strip().splitlines()
    if not lines:
        return "it said nothing"
    return lines[-1].removeprefix("perdure: ")

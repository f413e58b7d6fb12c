"""
Working on a state directory while nothing runs there: the one place where the command line meets the storage.

`actors.storage.offline` takes the directory's locks and does the work; here it is told what the configuration says, and
its refusals get the exit codes of the command line.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from supervisor.cli.faults import CommandFailed, Exit
from supervisor.cli.invocation import Invocation


class Works(NamedTuple):
    """What an offline command is given."""

    path: Path
    settings: Any
    """`actors.storage.settings.StorageSettings`, as configured."""
    limits: Any
    """`actors.model.state.Limits`, as configured."""


@contextmanager
def working_offline(invocation: Invocation) -> Iterator[Works]:
    """
    The state directory, for the time of the block.

    Raises what ends with exit code 7 where there is none, and ConfigError; the storage's other refusals (somebody
    holds it, a newer version) go on as they are.
    """
    config = invocation.config()
    path = config.state.path
    if not path.is_dir():
        there = "is not a directory" if path.exists() else "is not there"
        raise CommandFailed(f"{path} {there}", "name another one with --state-path", Exit.NOT_A_STATE_DIRECTORY)

    from actors.model.errors import InvalidParams
    from actors.model.state import Limits
    from supervisor.root.directory import is_foreign
    from supervisor.root.errors import NotAStateDirectory
    from supervisor.runtime.settings import storage_settings

    if is_foreign(path):
        raise NotAStateDirectory(f"{path} is no state directory of Perdure; it was left untouched")
    limits = Limits(
        events_kept=config.events.cache_size,
        keys_kept=config.idempotency.keys_max,
        keys_kept_s=config.idempotency.keep_s,
    )
    try:
        yield Works(path, storage_settings(config), limits)
    except InvalidParams as error:
        raise CommandFailed(error.message, error.hint, Exit.NOT_A_STATE_DIRECTORY) from error


def agreed(question: str, *, yes: bool, ask: Callable[[str], bool], needs_yes: bool = False) -> bool:
    """
    Whether to go on: a person at a terminal is asked, a script has decided already.

    With `needs_yes` a script must have said so: raises what ends with exit code 2 when it has not.
    """
    import sys

    if yes:
        return True
    if sys.stdin.isatty() and sys.stdout.isatty():
        return ask(question)
    if needs_yes:
        raise CommandFailed("nobody is there to be asked", "give --yes to do it, or --dry-run to look", Exit.USAGE)
    return True

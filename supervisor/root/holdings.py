"""
What a root holds for its whole life, and the order in which it takes it.

The state directory is judged before anything in it is touched, the lock is taken before anything is changed, and the
socket comes last: whoever finds the socket finds a root behind it. Everything is let go in the reverse order.
"""

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from attrs import define

from supervisor.config import Config
from supervisor.log_file import LogFile, LogRefused, Rotation, open_log
from supervisor.logs import configure_to_stream, get_logger, quiet
from supervisor.root import directory
from supervisor.root.board import Phase
from supervisor.root.errors import NotAStateDirectory
from supervisor.root.listener import Listener, listen
from supervisor.root.lock import StateLock
from supervisor.root.notify import Notifier
from supervisor.root.options import RootOptions
from supervisor.root.ready import ReadyLine
from supervisor.root.sink import Sink

_log: Final = get_logger("supervision:root")


@define(kw_only=True, eq=False)
class Holdings:
    """What the root holds for its whole life."""

    state_path: Path
    environment: dict[str, str]
    """For children: without what the service manager meant for the root."""
    lock: StateLock
    notifier: Notifier
    listener: Listener
    ready_line: ReadyLine
    log_file: LogFile | None
    """None when the disk would not take one; lines then only go to standard error."""
    take_line: Callable[[bytes], None]
    """Takes what runtimes print."""


def take_hold(options: RootOptions, stack: contextlib.ExitStack) -> Holdings:
    """Take everything that a root holds; `stack` lets it go in the reverse order. Raises `CannotRun`."""
    environment = dict(options.environment)
    state_path = Path(os.path.realpath(options.state_path.expanduser()))
    ready_line = ReadyLine(options.ready_fd)
    stack.callback(ready_line.close)
    prepared = directory.prepare(state_path)
    lock = StateLock.acquire(state_path, Phase.STARTING)
    stack.callback(lock.release)
    log_file = _open_log(options.config, state_path)
    if log_file is not None:
        stack.callback(log_file.close)
    sink = Sink(log_file, options.echo)
    configure_to_stream(sink.stream, options.config.log.level, options.config.log.debug)
    stack.callback(quiet)
    if log_file is None:
        _log.error("the log file cannot be written; lines go to standard error only")
    if prepared.repaired_mode is not None:
        _log.warning("the state directory was not 0700 as it has to be; changed", was=f"{prepared.repaired_mode:o}")
    notifier = Notifier.taken_from(environment)
    stack.callback(notifier.close)
    listening = listen(state_path, environment, None if options.ahead is None else options.ahead.unbound)
    stack.callback(listening.close)
    return Holdings(
        state_path=state_path,
        environment=environment,
        lock=lock,
        notifier=notifier,
        listener=listening,
        ready_line=ready_line,
        log_file=log_file,
        take_line=sink.relay,
    )


def _open_log(config: Config, state_path: Path) -> LogFile | None:
    """A planted log is refused; a disk that is full or failing is no reason to stay down."""
    rotation = Rotation(rotate_bytes=config.log.rotate_bytes, rotated_kept=config.log.rotated_kept)
    try:
        return open_log(state_path / "logs" / "perdure.log", rotation)
    except LogRefused as error:
        raise NotAStateDirectory(f"{error.filename} {error.strerror}; it was left untouched") from None
    except OSError:
        return None

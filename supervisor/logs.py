"""
Structured logs: one JSON object per line, times in UTC, secrets masked, parts switched on by name.

Only the root process writes `logs/perdure.log` (`configure_to_file`). The other processes write their lines to standard
error (`configure_to_stream`); the root reads them and passes them on to the file, so that there is one writer and one
order. A logger has a namespace (`persistence:journal`); `DEBUG=persistence:*` switches on the debug lines of all that
match, whatever the level is, as npm's `debug` does; a leading `-` leaves some out.

Logging never fails and never blocks for long: it is called from event loops. structlog's `a*` methods need asyncio and
are not to be used. Importing this module costs 20 ms (structlog): what must start quickly does not. It would be twice
that with rich, which structlog takes, where it finds it, for tracebacks in colour; nothing here shows any.
"""

import fnmatch
import os
import threading
from collections.abc import Callable, MutableMapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, cast

import attrs
import orjson

from supervisor.absent import absent
from supervisor.log_file import LogFile, Rotation, open_log
from supervisor.masking import MASK, looks_secret, mask, mask_text

with absent("rich"):
    import structlog
    from structlog.typing import FilteringBoundLogger

LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40, "critical": 50}

ALIASES = {"warn": "warning", "exception": "error", "fatal": "critical"}
"""Methods of a logger that are other words for a level."""

Record = MutableMapping[str, Any]
WriteLine = Callable[[bytes], None]


@attrs.frozen
class Selection:
    """Which lines are wanted: a level for all, and debug lines of the namespaces that a `DEBUG` text names."""

    level: int
    wanted: tuple[str, ...] = ()
    unwanted: tuple[str, ...] = ()
    _known: dict[tuple[str, int], bool] = attrs.field(factory=dict, init=False, eq=False, repr=False)
    """What was asked before: namespaces are few, and the question is asked for every debug line of the hot path."""

    @classmethod
    def of(cls, level: str, debug: str) -> "Selection":
        """`level` is a key of LEVELS; `debug` globs separated by commas or blanks, a leading `-` leaves out."""
        globs = debug.replace(",", " ").split()
        return cls(
            LEVELS[level],
            tuple(glob for glob in globs if not glob.startswith("-")),
            tuple(glob[1:] for glob in globs if glob.startswith("-")),
        )

    def takes(self, namespace: str, level: int) -> bool:
        """Whether a line of this level from this namespace is wanted."""
        if level >= self.level:
            return True
        known = self._known.get((namespace, level))
        if known is None:
            known = self._known[namespace, level] = self._matches(namespace)
        return known

    def _matches(self, namespace: str) -> bool:
        if any(fnmatch.fnmatchcase(namespace, glob) for glob in self.unwanted):
            return False
        return any(fnmatch.fnmatchcase(namespace, glob) for glob in self.wanted)


def get_logger(namespace: str) -> FilteringBoundLogger:
    """
    The logger of a part, named `area:part` (`persistence:journal`, `supervision`).

    May be called at import: what is configured later holds for it. Before that nothing is written.
    """
    return cast("FilteringBoundLogger", _Logger(namespace))


def configure_to_stream(stream: BinaryIO, level: str, debug: str) -> None:
    """Write lines to `stream`, which stays the caller's: a child process gives `sys.stderr.buffer`."""
    lock = threading.Lock()

    def write_line(line: bytes) -> None:
        try:
            with lock:
                stream.write(line + b"\n")
                stream.flush()
        except (OSError, ValueError):  # the reader is gone, or the stream is closed: there is nobody left to tell
            return

    _configure(write_line, Selection.of(level, debug))


def configure_to_file(path: Path, level: str, debug: str, rotate_bytes: int, rotated_kept: int) -> LogFile:
    """
    Write lines to the file at `path`, and give that file, for the lines that children send, and to be closed.

    Raises what `log_file.open_log` raises; then nothing is changed.
    """
    file = open_log(path, Rotation(rotate_bytes=rotate_bytes, rotated_kept=rotated_kept))
    _configure(file.write, Selection.of(level, debug))
    return file


def select(level: str, debug: str) -> None:
    """Change which lines are wanted, while running."""
    _Current.selection = Selection.of(level, debug)


def quiet() -> None:
    """Write nothing more: what holds before a configuration, and what a test goes back to."""
    _configure(_nowhere, Selection(LEVELS["critical"] + 1))


class _Current:
    """What holds in this process. One slot, replaced whole, so that threads see the old or the new."""

    selection = Selection(LEVELS["critical"] + 1)


class _Logger:
    """structlog's logger of a namespace; debug lines that nobody wants end here, before they cost anything."""

    def __init__(self, namespace: str) -> None:
        self._namespace = namespace
        self._logger = structlog.get_logger(namespace=namespace)

    def debug(self, event: str, *args: object, **values: object) -> None:
        """Log a line for whoever looks for a fault."""
        if _Current.selection.takes(self._namespace, LEVELS["debug"]):
            self._logger.debug(event, *args, **values)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._logger, name)


class _LineLogger:
    """The end of structlog's chain: every method of a level takes the finished line."""

    def __init__(self, write_line: WriteLine) -> None:
        for method in (*LEVELS, *ALIASES):
            setattr(self, method, write_line)


def _nowhere(_line: bytes) -> None:
    """Take a line and do nothing with it."""


def _configure(write_line: WriteLine, selection: Selection) -> None:
    _Current.selection = selection
    structlog.configure(
        processors=[_wanted, structlog.processors.format_exc_info, _ordered, _encoded],
        wrapper_class=structlog.make_filtering_bound_logger(0),
        context_class=dict,
        logger_factory=lambda *_names: _LineLogger(write_line),
        cache_logger_on_first_use=False,
    )


def _wanted(_logger: object, method: str, record: Record) -> Record:
    """First of all, and cheap: most lines that are dropped are debug lines."""
    level = ALIASES.get(method, method)
    if not _Current.selection.takes(record.get("namespace", ""), LEVELS[level]):
        raise structlog.DropEvent
    record["level"] = level
    return record


def _ordered(_logger: object, _method: str, record: Record) -> Record:
    """What every line has comes first, in the same order, so that people can read the file."""
    ts = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    first = {"ts": ts, "level": record.pop("level"), "logger": record.pop("namespace", ""), "pid": os.getpid()}
    return {**first, "event": record.pop("event", ""), **record}


def _encoded(_logger: object, _method: str, record: Record) -> bytes:
    try:
        return orjson.dumps(mask(record), default=_shown, option=orjson.OPT_NON_STR_KEYS)
    except (TypeError, RecursionError):  # a lone surrogate, an int beyond 64 bits, a value that contains itself
        return orjson.dumps({name: MASK if looks_secret(name) else _shown(value) for name, value in record.items()})


def _shown(value: object) -> str:
    """Any value as text that JSON can hold."""
    try:
        return mask_text(ascii(value) if not isinstance(value, str) or not value.isprintable() else value)
    except Exception:  # noqa: BLE001 - whatever somebody's __repr__ raises, a log line must not raise it
        return f"<{type(value).__name__} that cannot be shown>"


quiet()

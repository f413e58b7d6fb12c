"""
How a command fails: the exit code of each kind of error, and the one line that tells it.

The line is `perdure: what is wrong (why): what to do next`, on standard error. The codes are those of SPEC's operator's
section and are for scripts: each says what a script could do about it.
"""

import re
from enum import IntEnum
from typing import Final, NamedTuple

from actors.model.errors import PerdureError
from supervisor.cli.words import one_line


class Exit(IntEnum):
    """Every exit code of the command line."""

    FINE = 0
    FAILED = 1
    USAGE = 2
    """The command line or the configuration is wrong."""
    NOTHING_RUNS = 3
    NOT_FOUND = 4
    CONFLICT = 5
    """Somebody else holds it or changed it, or its status does not allow this."""
    INCOMPATIBLE = 6
    NOT_A_STATE_DIRECTORY = 7
    GAVE_UP = 70
    PERDURE_FAILED = 125
    """`perdure run` has no status of an agent to end with: Perdure itself failed. As docker has it."""
    INTERRUPTED = 130
    """Ctrl-C: 128 and the signal's number, as shells have it."""
    PIPE_CLOSED = 141
    """The reader of our output went away: 128 and SIGPIPE's number."""


EXIT_OF_KIND: Final[dict[str, Exit]] = {
    "parse_error": Exit.FAILED,
    "invalid_request": Exit.FAILED,
    "unknown_method": Exit.INCOMPATIBLE,
    "invalid_params": Exit.USAGE,
    "internal": Exit.FAILED,
    "not_found": Exit.NOT_FOUND,
    "already_exists": Exit.CONFLICT,
    "invalid_transition": Exit.CONFLICT,
    "conflict": Exit.CONFLICT,
    "overloaded": Exit.FAILED,
    "storage_failed": Exit.FAILED,
    "read_only": Exit.FAILED,
    "actor_crashed": Exit.FAILED,
    "too_large": Exit.FAILED,
    "forbidden": Exit.FAILED,
    "shutting_down": Exit.NOTHING_RUNS,
    "incompatible_version": Exit.INCOMPATIBLE,
    "not_running": Exit.NOTHING_RUNS,
    "connection_lost": Exit.FAILED,
    "timed_out": Exit.FAILED,
}
"""Error kind, of the protocol or of the client library → exit code. An unknown method: a runtime of another version."""


_METHOD: Final = re.compile(r"\b(?:task|session|service|run|event)\.[a-z]+\b")
_COMMANDS: Final[dict[str, str]] = {
    "run.list": "perdure runs",
    "run.stop": "perdure stop",
    "event.list": "perdure events",
}
"""Hints of the runtime name methods; whoever reads them here types commands, which are mostly called alike."""


_KEPT_OUT: Final = "do it as whom that belongs to, or name a directory of your own with --state-path"
_UNANSWERED: Final = "it may still take effect: perdure status says what the runtime is at; look before you repeat it"


class CommandFailed(Exception):
    """A failure that the command line found by itself."""

    def __init__(self, message: str, hint: str = "", exit_code: Exit = Exit.FAILED) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.exit_code = exit_code


class Told(NamedTuple):
    """An error as a person and a script get it."""

    line: str
    exit_code: int


def told(error: Exception) -> Told:
    """Say in one line what `error` is and what to do next, and with which code to end."""
    if isinstance(error, CommandFailed):
        return Told(_line(error.message, "", error.hint), error.exit_code)
    if isinstance(error, PerdureError):
        return _told_of_runtime(error)
    if _is_config_error(error):
        return Told(_line(str(error), "", getattr(error, "hint", "")), Exit.USAGE)
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        hint = _KEPT_OUT if isinstance(error, PermissionError) and error.filename else ""
        return Told(_line(f"{where}{error.strerror or error}", type(error).__name__, hint), Exit.FAILED)
    return Told(
        _line(
            f"{type(error).__name__}: {error}",
            "a defect in Perdure",
            "repeat the command with --debug and report what it prints",
        ),
        Exit.FAILED,
    )


def _told_of_runtime(error: PerdureError) -> Told:
    own_code = getattr(error, "exit_code", None)
    if own_code is not None:
        return Told(_line(error.message, "", error.hint), int(own_code))
    message = error.message
    violations = error.details.get("violations") or []
    untold = [violation for violation in violations if str(violation.get("message")) not in message]
    if untold:
        message += ": " + "; ".join(f"{violation.get('path')}: {violation.get('message')}" for violation in untold)
    if crash_id := error.details.get("crash_id"):
        message = f"{message} [crash {crash_id}]"
    if error.kind == "timed_out":  # the client's own hint speaks of a key, which nobody has here
        return Told(_line(message, error.kind, _UNANSWERED), Exit.FAILED)
    hint = _METHOD.sub(_typed, error.hint).replace("the parameters named in violations", "what is named")
    return Told(_line(message, error.kind, hint), EXIT_OF_KIND.get(error.kind, Exit.FAILED))


def _typed(method: re.Match[str]) -> str:
    name = method.group()
    return _COMMANDS.get(name) or f"perdure {name.replace('.', ' ')}"


def _is_config_error(error: Exception) -> bool:
    """Look without importing: whoever raised it has imported its class."""
    import sys

    errors = sys.modules.get("supervisor.config.errors")
    return errors is not None and isinstance(error, errors.ConfigError)


def _line(message: str, why: str, hint: str) -> str:
    text = message.rstrip(". ")
    if why:
        text += f" ({why})"
    return f"perdure: {one_line(with_hint(text, hint))}"


def with_hint(text: str, hint: str) -> str:
    """`text: hint`; after a question (`did you mean status?`) a colon would be one mark too many."""
    if not hint:
        return text
    return f"{text} {hint}" if text.endswith("?") else f"{text}: {hint}"

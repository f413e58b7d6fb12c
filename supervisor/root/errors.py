"""
Why the root does not start, or stops: each reason with the exit code that a shell or a service manager sees.

These errors never travel over the wire; they share the one error root so that the command line shows all errors alike.
"""

from __future__ import annotations

from enum import IntEnum

from actors.model.errors import PerdureError


class ExitCode(IntEnum):
    """The exit codes of the root and of the runtime (SPEC section 9); 75 is the runtime's own word to the root."""

    FINE = 0
    FAILED = 1
    USAGE = 2
    LOCKED = 5
    INCOMPATIBLE = 6
    NOT_A_STATE_DIRECTORY = 7
    GAVE_UP = 70
    STORAGE_UNAVAILABLE = 75
    """The runtime could not open its storage; trying again may help."""


NOT_RETRIED = frozenset({ExitCode.USAGE, ExitCode.INCOMPATIBLE, ExitCode.NOT_A_STATE_DIRECTORY})
"""A runtime that leaves with one of these would leave with it again: the root ends with the same code."""


class CannotRun(PerdureError):
    """The root of what ends the root. Nothing was changed that was not ours."""

    kind = "cannot_run"
    exit_code: ExitCode = ExitCode.FAILED


class NotAStateDirectory(CannotRun):
    """The path is no state directory and must not become one, or something in it was planted."""

    exit_code = ExitCode.NOT_A_STATE_DIRECTORY
    default_hint = "name another directory with --state-path, or an empty one"


class AlreadyRunning(CannotRun):
    """Another process holds the lock; `details["pid"]` is its pid, None when it did not say."""

    exit_code = ExitCode.LOCKED
    default_hint = "perdure status shows what it does; perdure down stops it"


class BadActivation(CannotRun):
    """What the service manager or the spawning program passed in (LISTEN_FDS, --ready-fd) cannot be used."""

    exit_code = ExitCode.USAGE
    default_hint = "pass one listening Unix stream socket, and descriptors that are open"


class RuntimeRefused(CannotRun):
    """The runtime will not run on this state directory or configuration; `exit_code` is its own."""

    def __init__(self, code: ExitCode, message: str, hint: str) -> None:
        super().__init__(message, hint=hint or "perdure doctor tells more")
        self.exit_code = code


class RuntimeGivenUp(CannotRun):
    """The runtime died more often than the restart intensity allows."""

    exit_code = ExitCode.GAVE_UP
    default_hint = "logs/perdure.log in the state directory says why; perdure doctor checks the state"

"""What can go wrong on the client's side of the socket. None of these ever travels; the codes are only there to differ.

Each is also the built-in exception that programs expect of sockets.
"""

from __future__ import annotations

from actors.model.errors import PerdureError


class NotRunning(PerdureError, ConnectionError):
    """Nobody listens there."""

    code = -32090
    kind = "not_running"
    retryable = True
    default_hint = "perdure up starts it"


class ConnectionLost(PerdureError, ConnectionError):
    """The connection broke, and the call is not of the kind that is sent again unasked: its outcome is unknown."""

    code = -32091
    kind = "connection_lost"
    retryable = True
    default_hint = "the outcome is unknown: look at the state first, then repeat"


class TimedOut(PerdureError, TimeoutError):
    """No answer came in time. A mutating call may still take effect: `idempotency_key` says which key it had."""

    code = -32092
    kind = "timed_out"
    retryable = True
    default_hint = "the outcome is unknown: repeat the call with the same idempotency_key"

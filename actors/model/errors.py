"""One error root. Every failure that a person or a program can meet is one of these classes.

The codes are fixed by the protocol (SPEC section 6): a code is unique and never changes its meaning. Each class says
whether trying again can help (`retryable`) and what to do next (`hint`); an instance may sharpen the hint and add
members (`details`) that go out as part of the error's `data`.
"""

from __future__ import annotations

from typing import Any, ClassVar, Final

UNDECODABLE: Final = (ValueError, RecursionError)
"""
What decoders of JSON and msgpack raise for bytes that are none of what they want: errors of their own (all of them are
ValueErrors), UnicodeDecodeError for what is no UTF-8, and RecursionError for what is nested beyond Python's depth.
"""


class PerdureError(Exception):
    """The root of all typed errors. `message` says what is wrong, `hint` what to do about it."""

    code: ClassVar[int] = -32603
    kind: ClassVar[str] = "internal"
    retryable: ClassVar[bool] = False
    default_hint: ClassVar[str] = "this is a defect in Perdure: please report it with the crash id"

    def __init__(self, message: str, *, hint: str | None = None, **details: Any) -> None:
        """Build the error; `details` become members of the error's `data` on the wire."""
        super().__init__(message)
        self.message = message
        self.hint = hint if hint is not None else self.default_hint
        self.details = details

    def data(self) -> dict[str, Any]:
        """Return the `data` member as the protocol wants it: kind, hint, retryable, then the details."""
        return {"kind": self.kind, "hint": self.hint, "retryable": self.retryable, **self.details}


class ParseError(PerdureError):
    """The frame is not JSON that this protocol allows."""

    code = -32700
    kind = "parse_error"
    default_hint = "send one UTF-8 JSON object per line: no NaN, no duplicate keys, no lone surrogates"


class InvalidRequest(PerdureError):
    """The frame is JSON but not a JSON-RPC 2.0 request."""

    code = -32600
    kind = "invalid_request"
    default_hint = 'a request is {"jsonrpc":"2.0","id":1,"method":"...","params":{...}}'


class UnknownMethod(PerdureError):
    """There is no such method."""

    code = -32601
    kind = "unknown_method"
    default_hint = "rpc.discover lists every method"


class InvalidParams(PerdureError):
    """The parameters break a rule; `violations` lists all of them as {path, message}."""

    code = -32602
    kind = "invalid_params"
    default_hint = "correct the parameters named in violations"

    def __init__(self, message: str, *, violations: list[dict[str, str]] | None = None, **details: Any) -> None:
        """Build the error from all the violations that were found."""
        super().__init__(message, violations=violations or [], **details)

    @classmethod
    def of(cls, path: str, message: str) -> InvalidParams:
        """Build the error for one violation at `path`."""
        return cls(f"{path}: {message}", violations=[{"path": path, "message": message}])


class Internal(PerdureError):
    """Something broke that should not have; the crash report has the id `crash_id`."""


class NotFound(PerdureError):
    """The thing named does not exist."""

    code = -32001
    kind = "not_found"
    default_hint = "check the id; the list method of its kind shows what is there"


class AlreadyExists(PerdureError):
    """Something with this id is already there."""

    code = -32002
    kind = "already_exists"
    default_hint = "choose another id, or change the one that is there"


class InvalidTransition(PerdureError):
    """The status does not allow this; nothing was changed."""

    code = -32003
    kind = "invalid_transition"
    default_hint = "look at the row's status first"


class Conflict(PerdureError):
    """Someone else changed or holds this: a wrong rev, a wrong lease, or a key used for something else."""

    code = -32004
    kind = "conflict"
    default_hint = "read the row again and decide anew"


class Overloaded(PerdureError):
    """Too much is waiting; try again after `retry_after_s` seconds."""

    code = -32005
    kind = "overloaded"
    retryable = True
    default_hint = "try again after retry_after_s seconds"


class StorageFailed(PerdureError):
    """The disk refused; whether the command took effect is unknown until it is repeated with its key."""

    code = -32006
    kind = "storage_failed"
    retryable = True
    default_hint = "the outcome is unknown: repeat the command with the same idempotency_key"


class ReadOnly(PerdureError):
    """The disk cannot be written at present; queries go on, commands are refused and change nothing."""

    code = -32007
    kind = "read_only"
    retryable = True
    default_hint = "free or repair the disk; Perdure comes back by itself"


class ActorCrashed(PerdureError):
    """The command crashed its actor twice and was not applied; `crash_id` names the crash report."""

    code = -32008
    kind = "actor_crashed"
    default_hint = "the command was not applied; the crash report says why"


class TooLarge(PerdureError):
    """A frame, a result or a value is beyond its limit."""

    code = -32009
    kind = "too_large"
    default_hint = "send or ask for less at once"


class Forbidden(PerdureError):
    """This is not allowed here."""

    code = -32010
    kind = "forbidden"
    default_hint = "the configuration does not allow this"


class ShuttingDown(PerdureError):
    """Perdure is stopping; the command was not applied."""

    code = -32011
    kind = "shutting_down"
    retryable = True
    default_hint = "start Perdure again, then repeat"


class IncompatibleVersion(PerdureError):
    """The state directory was written by a newer version; nothing was touched."""

    code = -32012
    kind = "incompatible_version"
    default_hint = "use the newer Perdure that wrote it"


ERRORS: tuple[type[PerdureError], ...] = (
    ParseError,
    InvalidRequest,
    UnknownMethod,
    InvalidParams,
    Internal,
    NotFound,
    AlreadyExists,
    InvalidTransition,
    Conflict,
    Overloaded,
    StorageFailed,
    ReadOnly,
    ActorCrashed,
    TooLarge,
    Forbidden,
    ShuttingDown,
    IncompatibleVersion,
)
"""Every error class that the protocol knows, in the order of SPEC section 6."""

BY_KIND: dict[str, type[PerdureError]] = {error.kind: error for error in ERRORS}

"""Errors on the wire: a PerdureError becomes the `error` member of a reply, and a reply's error becomes one again.

The way back goes by `kind`. A newer server may know kinds that this program does not: those become an UnknownFault that
carries their code, kind, hint and whether trying again can help, so that a client can still act on them.
"""

from __future__ import annotations

from typing import Any, Final

from actors.model.errors import BY_KIND, Internal, PerdureError

_OWN_MEMBERS: Final = frozenset({"kind", "hint", "retryable", "message", "self"})
"""Members of `data` that are no details: they are the class's own, or no keyword could carry them."""


class UnknownFault(PerdureError):
    """An error of a kind that this version does not know; its class attributes say what the server said."""


def to_object(error: PerdureError) -> dict[str, Any]:
    """Return the JSON-RPC error object: code, message, and data with kind, hint, retryable and the details."""
    return {"code": error.code, "message": error.message, "data": error.data()}


def from_object(fault: Any) -> PerdureError:
    """Return the error that a reply's `error` member stands for, whatever it holds."""
    if not isinstance(fault, dict):
        return Internal(f"the server's error is no object: {fault!r:.200}")
    data = fault.get("data")
    if not isinstance(data, dict):
        data = {}
    message = str(fault.get("message", "the server gave no message"))
    hint = data.get("hint")
    details = {name: value for name, value in data.items() if name not in _OWN_MEMBERS}
    kind = data.get("kind")
    known = BY_KIND.get(kind) if isinstance(kind, str) else None
    if known is None:
        known = _class_of_unknown(fault.get("code"), kind, retryable=bool(data.get("retryable")))
    return known(message, hint=hint if isinstance(hint, str) else None, **details)


def _class_of_unknown(code: Any, kind: Any, *, retryable: bool) -> type[PerdureError]:
    members = {
        "code": code if isinstance(code, int) else PerdureError.code,
        "kind": kind if isinstance(kind, str) else "unknown",
        "retryable": retryable,
        "default_hint": "this server is newer than its client: the error's message says more",
    }
    return type("UnknownFault", (UnknownFault,), members)

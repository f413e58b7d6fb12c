"""JSON-RPC 2.0: what a parsed frame asks for, and how replies are written.

A frame is one call or a batch of them. A call that breaks the specification is no exception here but a Malformed: in a
batch its neighbours go on, and the reply to it needs the id that could still be read (null otherwise).

Ids are kept as the bytes that go into the reply; None is a notification, which gets none.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Final

import msgspec
import orjson

from actors.model.errors import InvalidParams, InvalidRequest, PerdureError, TooLarge
from supervisor.wire.faults import to_object

BATCH_LENGTH_MAX: Final = 10_000
"""Calls in one frame: sixteen MiB could ask for millions of replies otherwise."""

NULL_ID: Final = b"null"
_NO_PARAMS: Final[dict[str, Any]] = {}
_ABSENT: Final = object()


class Call(msgspec.Struct, frozen=True):
    """One thing asked for. `id` is encoded JSON; None means that no reply is wanted."""

    method: str
    params: dict[str, Any]
    id: bytes | None


class Malformed(msgspec.Struct, frozen=True):
    """Something that is no call, to be answered with `error` under `id`; None: a notification, not to be answered."""

    error: PerdureError
    id: bytes | None = NULL_ID


def parse(value: Any) -> Call | Malformed | list[Call | Malformed]:
    """Return what a frame's value asks for: one call, or the list of a batch (never empty)."""
    if type(value) is dict:
        return _call(value)
    if type(value) is not list:
        return Malformed(InvalidRequest(f"a request is an object or an array of them, not {_kind_of(value)}"))
    if not value:
        return Malformed(InvalidRequest("a batch holds at least one request"))
    if len(value) > BATCH_LENGTH_MAX:
        return Malformed(TooLarge(f"a batch holds at most {BATCH_LENGTH_MAX} requests, this one {len(value)}"))
    return [_call(item) for item in value]


def _call(item: Any) -> Call | Malformed:
    if type(item) is not dict:
        return Malformed(InvalidRequest(f"a request is an object, not {_kind_of(item)}"))
    given = item.get("id", _ABSENT)
    kind = type(given)
    if given is _ABSENT:
        call_id = None
    elif kind is int:
        call_id = b"%d" % given
    elif kind is str or kind is float:
        call_id = bytes(msgspec.json.encode(given))
    elif given is None:
        call_id = NULL_ID
    else:
        return Malformed(InvalidRequest(f"an id is a string, a number or null, not {_kind_of(given)}"))
    method = item.get("method")
    params = item.get("params", _NO_PARAMS)
    if item.get("jsonrpc") == "2.0" and type(method) is str:
        if type(params) is dict:
            return Call(method, params, call_id)
        if type(params) is list:
            return Malformed(InvalidParams.of("params", "parameters are given by name, in an object"), call_id)
    return Malformed(_what_is_wrong(item), call_id or NULL_ID)


def _what_is_wrong(item: dict[str, Any]) -> InvalidRequest:
    if item.get("jsonrpc") != "2.0":
        return InvalidRequest('the member jsonrpc must be the string "2.0"')
    if "method" not in item:
        return InvalidRequest("the member method is missing")
    if not isinstance(item["method"], str):
        return InvalidRequest(f"method is a string, not {_kind_of(item['method'])}")
    return InvalidRequest(f"params is an object, not {_kind_of(item['params'])}")


def _kind_of(value: Any) -> str:
    if value is None:
        return "null"
    names = {bool: "a boolean", int: "a number", float: "a number", str: "a string", list: "an array"}
    return names.get(type(value), "an object")


def success(call_id: bytes, result: bytes) -> bytes:
    """Return the reply to `call_id`; `result` is encoded JSON and is not looked into."""
    return b'{"jsonrpc":"2.0","id":%b,"result":%b}' % (call_id, result)


def failure(call_id: bytes, error: PerdureError) -> bytes:
    """Return the reply that tells `error`."""
    return b'{"jsonrpc":"2.0","id":%b,"error":%b}' % (call_id, _encoded(to_object(error)))


def _encoded(fault: dict[str, Any]) -> bytes:
    """Encode an error, whatever its details hold: none of them may cost the client its answer."""
    try:
        return orjson.dumps(fault, default=str)
    except orjson.JSONEncodeError:  # file names that are not UTF-8 come as lone surrogates
        return json.dumps(fault, default=str, ensure_ascii=False).encode("utf-8", "replace")


def batch(replies: Iterable[bytes]) -> bytes:
    """Return the reply to a batch: the replies to its calls, as an array."""
    return b"[%b]" % b",".join(replies)

"""The OpenRPC document that `rpc.discover` returns, made from the table that dispatches: it can say nothing else."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

import msgspec
import orjson

from actors.model.errors import ERRORS
from actors.model.ids import KEY_BYTES_MAX
from supervisor.wire.methods import METHODS, Method

OPENRPC_VERSION: Final = "1.3.2"
_COMPONENT: Final = "#/components/schemas/{name}"
_KEY_PARAM: Final[dict[str, Any]] = {
    "name": "idempotency_key",
    "description": "a repeat with the same key changes nothing and returns the row as it is then",
    "required": False,
    "schema": {"type": ["string", "null"], "maxLength": KEY_BYTES_MAX},
}


def document(version: str) -> dict[str, Any]:
    """Return the document for the program's `version`."""
    rows = [row for row in METHODS.values() if row.row is not None]
    types = [row.params for row in METHODS.values()] + list(dict.fromkeys(row.row for row in rows))
    _, components = msgspec.json.schema_components(types, ref_template=_COMPONENT)
    methods = [_described(row, components) for row in METHODS.values()]
    own = {row.params.__name__ for row in METHODS.values()}
    return {
        "openrpc": OPENRPC_VERSION,
        "info": {
            "title": "Perdure",
            "version": version,
            "description": "JSON-RPC 2.0, one object per line; parameters by name.",
        },
        "methods": methods,
        "components": {
            "schemas": {name: schema for name, schema in components.items() if name not in own},
            "errors": {error.kind: _error(error) for error in ERRORS},
        },
    }


@cache
def encoded(version: str) -> bytes:
    """Return the document as JSON; made once."""
    return bytes(bytearray(orjson.dumps(document(version))))


def _described(row: Method, components: dict[str, Any]) -> dict[str, Any]:
    schema = components[row.params.__name__]
    required = set(schema.get("required", ()))
    params = [
        {"name": name, "required": name in required, "schema": member}
        for name, member in schema.get("properties", {}).items()
    ]
    if row.mutates:
        params.append(_KEY_PARAM)
    # What must be given stands first: OpenRPC asks for it, and readers do too.
    params.sort(key=lambda param: not param["required"])
    result = {"$ref": _COMPONENT.format(name=row.row.__name__)} if row.row is not None else {}
    return {
        "name": row.name,
        "summary": row.summary,
        "description": schema.get("description", row.summary),
        "paramStructure": "by-name",
        "params": params,
        "result": {"name": row.result, "schema": result},
        "errors": [{"$ref": f"#/components/errors/{error.kind}"} for error in ERRORS],
        "tags": [{"name": row.actor}, {"name": "mutation" if row.mutates else "query"}],
        "examples": [
            {
                "name": "example",
                "params": [{"name": name, "value": value} for name, value in row.example.items()],
            }
        ],
    }


def _error(error: Any) -> dict[str, Any]:
    return {
        "code": error.code,
        "message": error.kind,
        "data": {"kind": error.kind, "hint": error.default_hint, "retryable": error.retryable},
    }

"""What a file must be to be read as one record of JSON, whatever people have edited in it. Pure."""

from __future__ import annotations

from typing import Any

import orjson


def parsed(content: bytes, id: str) -> dict[str, Any] | str:
    """Return the record that the file of this id holds, or why it holds none."""
    try:
        record = orjson.loads(content)
        if not isinstance(record, dict):
            return "not a JSON object"
        orjson.dumps(record)  # what is nested too deeply can be read but not be written again
    except (ValueError, TypeError) as error:
        return f"not JSON that can be kept: {error}"
    if record.get("id") != id:
        return "its id is not the file's name"
    return record

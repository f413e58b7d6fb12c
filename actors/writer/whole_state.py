"""`state.get`: the whole state as one JSON object, as the seeds' loadState gives it, spliced from rows as they are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from actors.model.errors import TooLarge
from actors.model.state import VERSION
from actors.storage.contract import Cut

_encode = msgspec.json.Encoder().encode

SECTIONS = {
    "tasks": "tasks",
    "sessions": "sessions",
    "runs": "runs",
    "services": "services",
    "recent_events": "events",
}
"""Member of the answer → table."""


def whole_state(cut: Cut, last_save: Mapping[str, Any] | None, bytes_max: int) -> bytes:
    """Return everything that is true as of the cut; raises TooLarge when that would not fit into a frame."""
    rows = {member: [row.encoded for row in cut.rows[table]] for member, table in SECTIONS.items()}
    size_bytes = sum(len(row) + 1 for section in rows.values() for row in section)
    if size_bytes > bytes_max:
        raise TooLarge(
            f"the whole state has {size_bytes} bytes, a frame at most {bytes_max}",
            hint="read it page by page with task.list and session.list, or read state.json after state.save",
        )
    daemon = cut.rows["daemon"]
    members: dict[str, bytes] = {
        "version": _encode(VERSION),
        "seq": _encode(cut.seq),
        "epoch": _encode(cut.epoch),
        "last_saved": _encode((last_save or {}).get("at")),
        "metrics": _encode(cut.metrics),
        "identity": _encode(cut.identity),
        "daemon": daemon[0].encoded if daemon else b"null",
    }
    members.update({member: _array(section) for member, section in rows.items()})
    return b"{" + b",".join(_encode(name) + b":" + value for name, value in members.items()) + b"}"


def _array(rows: Iterable[bytes]) -> bytes:
    return b"[" + b",".join(rows) + b"]"

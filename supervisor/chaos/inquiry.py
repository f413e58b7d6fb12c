"""Everything that can be asked at the end: all rows, all messages, all text logs, as the socket tells them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from actors.model.errors import NotFound
from actors.model.run import LIVE
from supervisor.chaos.evidence import Address
from supervisor.client import Client

PAGE: Final = 1000
READ_BYTES: Final = 1 << 20

_LISTS: Final[Mapping[str, str]] = {"tasks": "task.list", "sessions": "session.list", "runs": "run.list"}


def live_rows(client: Client) -> dict[Address, dict[str, Any]]:
    """Return every task, session and run."""
    return {(table, row["id"]): row for table, method in _LISTS.items() for row in _listed(client, method, table)}


def is_busy(client: Client) -> bool:
    """Whether an agent still works, or waits for its turn."""
    runs = (run for status in sorted(LIVE) for run in _listed(client, "run.list", "runs", status=status))
    return any(run["argv"] for run in runs)  # what `run.put` recorded is somebody else's


def messages(client: Client, session: str) -> tuple[Any, ...]:
    """Return all messages of a session."""
    found: list[Any] = []
    after: int | None = 0
    while after is not None:
        page = client.call("session.messages", id=session, after=after, limit=PAGE)
        found += page["messages"]
        after = page["next"]
    return tuple(found)


def text(client: Client, session: str) -> str:
    """Return a session's text log; empty when it has none."""
    parts: list[str] = []
    offset = 0
    while True:
        try:
            page = client.call("log.read", session_id=session, offset=offset, limit=READ_BYTES)
        except NotFound:
            return ""
        if not page["text"]:
            return "".join(parts)
        parts.append(page["text"])
        offset = page["next_offset"]


def _listed(client: Client, method: str, table: str, **params: Any) -> Iterator[dict[str, Any]]:
    cursor = None
    while True:
        page = client.call(method, limit=PAGE, **params, **({} if cursor is None else {"cursor": cursor}))
        yield from page[table]
        cursor = page["next_cursor"]
        if cursor is None:
            return

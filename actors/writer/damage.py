"""Damage that is found while files are used, and not at a start: told once, in the log and as a recorded event.

Nobody reads all session files at a start, so one that was cut or overwritten while nothing ran is found when somebody
reads its messages, or adds some.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from actors.messages.proposal import Live
from actors.storage.contract import Store
from actors.writer.desk import Desk


def tell_damage(desk: Desk, store: Store) -> None:
    """Tell what the last job on the background thread found."""
    for damaged in store.take_damaged():
        message = f"session {damaged.session_id} has lost messages {_ranges(damaged.missing)}: its file is damaged"
        detail = {
            "level": "error",
            "message": message,
            "hint": "perdure doctor tells what stands there; perdure restore brings an earlier file back",
            "id": damaged.session_id,
            "missing": damaged.missing,
        }
        desk.log.error(message, id=damaged.session_id, missing=damaged.missing)
        desk.events.tell(Live("session:damaged", detail, recorded=True))


def _ranges(missing: Iterable[Sequence[int]]) -> str:
    return ", ".join(str(first) if first == last else f"{first} to {last}" for first, last in missing)

"""
The numbers of the last list: `perdure session list` shows them, and a command takes them instead of ids.

They are kept in the user's cache, for each state directory the ids of the list that was shown last. Losing them costs
another look at the list, so a cache that cannot be written is no failure.
"""

import contextlib
import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path

NUMBERS_MAX = 10_000


def remember(state_path: Path, ids: Sequence[str]) -> None:
    """Keep the ids of a list in their order."""
    place = _place(state_path)
    beside = place.with_name(f"{place.name}.{os.getpid()}.tmp")
    with contextlib.suppress(OSError):
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        beside.write_text(json.dumps(list(ids)[:NUMBERS_MAX]), encoding="utf-8")
        beside.replace(place)


def numbered(state_path: Path, number: int) -> str | None:
    """The id that had this number, counted from 1; None where the last list had none."""
    try:
        ids = json.loads(_place(state_path).read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(ids, list) or not 1 <= number <= len(ids):
        return None
    return str(ids[number - 1])


def _place(state_path: Path) -> Path:
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    name = hashlib.sha256(os.fsencode(state_path)).hexdigest()[:16]
    return Path(cache) / "perdure" / f"sessions-{name}.json"

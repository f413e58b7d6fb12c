"""The shape of a query."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from actors.decisions.decision import At
from actors.model.searched import Unfinished
from actors.model.state import Tables


class FromDisk(msgspec.Struct, frozen=True):
    """What only a file knows."""

    row_id: str
    """Whose file it is: what waits to be written into it is written first. Empty for the journal, which is never
    behind; `*` for the files of all sessions."""
    job: Callable[[Any], bytes | Unfinished]
    """Gets the writer's `Store` on its background thread; returns the encoded result, or is called again later."""

    def __call__(self, store: Any) -> Any:
        """Read it now."""
        return self.job(store)


Answer = bytes | FromDisk
"""What a query gives: the encoded result, or how to read it."""

Query = Callable[[Tables, Any, At], Answer]

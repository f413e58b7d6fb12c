"""Following the journal under trio: a connection of its own, resumed after every loss from the last line seen."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from supervisor.client.exchange import outcome
from supervisor.client.following import Follower


class Subscription(Follower):
    """Iterate to get `{subscription, seq, ts, events}` for each line of the journal, in order and without a gap.

    `after_seq` None begins now: with the first line after the block was entered. Reconnecting takes `timeout_s` at
    most; then NotRunning is raised.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        after_seq: int | None,
        kinds: Sequence[str] | None,
        timeout_s: float,
        wait_s: float,
    ) -> None:
        super().__init__(path, timeout_s=timeout_s, wait_s=wait_s)
        self._after_seq = after_seq
        self._kinds = kinds

    async def __anext__(self) -> dict[str, Any]:
        """Return the next line; waits for ever when nothing happens."""
        while True:
            message = await self._connection.next()
            if message is None or message.get("method") == "event.gap":
                # Lost, or too slow: the journal still has what was missed.
                await self._begin(self._timeout_s)
            elif message.get("method") == "event":
                line: dict[str, Any] = message["params"]
                if line.get("seq") is not None:
                    self._after_seq = line["seq"]
                return line

    async def _subscribe(self) -> bool:
        """Ask for what comes after the last line seen."""
        params: dict[str, Any] = {} if self._kinds is None else {"kinds": list(self._kinds)}
        if self._after_seq is not None:
            params["after_seq"] = self._after_seq
        reply = await self._connection.ask("event.subscribe", params)
        if reply is None:
            return False
        begun = outcome(reply)
        if self._after_seq is None:
            self._after_seq = begun["seq"]
        return True

"""Following what a run prints under trio, byte for byte: a connection of its own, resumed from the byte after the last.

As `output` does it for the blocking client: text without U+FFFD is exactly what was printed; where that stands, and
where anything is missing, the bytes themselves are read, a page at a time, so that little is held.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from typing import Any

from supervisor.client.exchange import outcome
from supervisor.client.following import Follower
from supervisor.client.output import DOUBTFUL, READ_BYTES, Printed


class OutputFollower(Follower):
    """Iterate to get `Printed` pieces of the streams that `offsets` names, each from its offset on, until all are over.

    The pieces of a stream are gap-free and in order. Raises NotFound when there is no such run; reconnecting takes
    `timeout_s` at most, then NotRunning is raised.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        run_id: str,
        *,
        offsets: Mapping[str, int],
        timeout_s: float,
        wait_s: float,
    ) -> None:
        super().__init__(path, timeout_s=timeout_s, wait_s=wait_s)
        self._run_id = run_id
        self._at = dict(offsets)
        self._still_open = set(offsets)
        self._to_read: tuple[str, bool] | None = None
        """A stream of which bytes are to be read, and whether it is over with them."""

    async def __anext__(self) -> Printed:
        """Return the next piece; waits for ever while the run prints nothing."""
        while self._still_open:
            if self._to_read is None:
                piece = await self._hear()
            else:
                piece = await self._read(*self._to_read)
            if piece is not None:
                return piece
        raise StopAsyncIteration

    async def _subscribe(self) -> bool:
        """Ask for what is still open, from where it was left."""
        self._to_read = None
        for stream in sorted(self._still_open):
            params = {"id": self._run_id, "stream": stream, "offset": self._at[stream]}
            reply = await self._connection.ask("output.subscribe", params)
            if reply is None:
                return False
            outcome(reply)
        return True

    async def _hear(self) -> Printed | None:
        message = await self._connection.next()
        if message is None:
            await self._begin(self._timeout_s)
            return None
        told: dict[str, Any] = message.get("params", {})
        stream = told.get("stream")
        if message.get("method") != "output" or stream not in self._still_open:
            return None
        if DOUBTFUL in told["data"] or told["offset"] > self._at[stream]:
            self._to_read = (stream, told["eof"])
            return None
        if told["eof"]:
            self._still_open.discard(stream)
        return self._piece(stream, told["data"].encode()[self._at[stream] - told["offset"] :])

    async def _read(self, stream: str, is_over: bool) -> Printed | None:  # noqa: FBT001  a pair that was kept
        params = {"id": self._run_id, "stream": stream, "offset": self._at[stream], "limit": READ_BYTES}
        reply = await self._connection.ask("run.output", {**params, "encoding": "base64"})
        if reply is None:
            await self._begin(self._timeout_s)
            return None
        page = outcome(reply)
        data = base64.b64decode(page["data"])
        if page["eof"] or not data:
            self._to_read = None
            if is_over:
                self._still_open.discard(stream)
        return self._piece(stream, data)

    def _piece(self, stream: str, data: bytes) -> Printed | None:
        if not data:
            return None
        piece = Printed(stream, self._at[stream], data)
        self._at[stream] += len(data)
        return piece

"""A core that is asked from outside of trio, step by step: for state machines whose rules are plain functions."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import trio
import trio.lowlevel

from tests.kit.core import PATIENCE_S, Core, running_core


class CoreThread:
    """A core over a directory, in a thread of its own, from now until `close`. Raises what its start raises."""

    core: Core

    def __init__(self, root: Path) -> None:
        self._root = root
        self._failed: BaseException | None = None
        self._begun: SimpleQueue[bool] = SimpleQueue()
        self._over = trio.Event()
        self._thread = threading.Thread(target=self._live, name="core")
        self._thread.start()
        if not self._begun.get(timeout=PATIENCE_S):
            self.close()

    def run(self, act: Callable[[Core], Awaitable[Any]]) -> Any:
        """Do something with the core; return what comes of it, or raise."""
        return trio.from_thread.run(act, self.core, trio_token=self._token)

    def close(self) -> None:
        """Stop everybody in order; raise what went wrong in the core."""
        if self._failed is None:
            trio.from_thread.run_sync(self._over.set, trio_token=self._token)
        self._thread.join(PATIENCE_S)
        if self._failed is not None:
            raise self._failed

    def _live(self) -> None:
        try:
            trio.run(self._serve)
        except BaseException as error:  # noqa: BLE001 - raised again where the test is
            self._failed = error
            self._begun.put(False)

    async def _serve(self) -> None:
        self._token = trio.lowlevel.current_trio_token()
        async with running_core(self._root) as self.core:
            self._begun.put(True)
            await self._over.wait()

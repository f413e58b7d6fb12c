"""Waiting for the disk without looking dead: the writer beats while a thread of its own works."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import trio

from actors.kernel.actor import BEAT_EVERY_S, Context
from actors.kernel.io_thread import IoThread, Job

T = TypeVar("T")


class Waiting:
    """One incarnation's: `context` is what it beats for."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def call(self, thread: IoThread, call: Callable[[], T]) -> T:
        """Do a call on a thread, after those before it; return what it returns, or raise what it raises."""
        result: T = await self.result_of(thread.submit(call))
        return result

    async def result_of(self, job: Job) -> Any:
        """Wait for a job that was handed over before; return what it returned, or raise what it raised."""
        await self.end_of(job)
        return job.result()

    async def end_of(self, job: Job) -> None:
        """Wait for a job to end, however it ends."""
        while not job.ended.is_set():
            with trio.move_on_after(BEAT_EVERY_S):
                await job.ended.wait()
            self._context.beat()

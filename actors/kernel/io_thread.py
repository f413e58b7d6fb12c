"""A thread that does blocking calls one after another, and answers into the trio loop.

The writer has two: one for the journal, one for everything behind it. Jobs run strictly in order. An answer costs one
`run_sync_soon` (a fifth of `trio.to_thread`). A job cannot be cancelled: when the task that waits for it goes away, the
job still ends, and `join` waits for that, so that nobody recovers while a write of the one before is under way.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Any, TypeVar

import trio

T = TypeVar("T")


class Job:
    """One call under way: its end, and what came of it."""

    __slots__ = ("_call", "_error", "_result", "_then", "_token", "ended")

    def __init__(
        self, call: Callable[[], Any], token: trio.lowlevel.TrioToken, then: Callable[[Job], None] | None
    ) -> None:
        self.ended = trio.Event()
        self._then = then
        self._call = call
        self._token = token
        self._result: Any = None
        self._error: BaseException | None = None

    def run(self) -> None:
        """Do the call; runs in the thread."""
        try:
            self._result = self._call()
        except BaseException as error:  # noqa: BLE001 - whatever it was, it belongs to whoever waits
            self._error = error
        try:
            self._token.run_sync_soon(self._end)
        except trio.RunFinishedError:
            return  # the loop is gone, and with it everyone who could wait

    def _end(self) -> None:
        self.ended.set()
        if self._then is not None:
            self._then(self)

    def result(self) -> Any:
        """Return what the call returned, or raise what it raised; valid once it has ended."""
        if self._error is not None:
            raise self._error
        return self._result


class IoThread:
    """See the module's text."""

    def __init__(self, name: str) -> None:
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def submit(self, call: Callable[[], Any], then: Callable[[Job], None] | None = None) -> Job:
        """Queue a call; wait for `job.ended`, or let `then` be called on the loop, and take `job.result()`."""
        job = Job(call, trio.lowlevel.current_trio_token(), then)
        self._jobs.put(job)
        return job

    async def call(self, call: Callable[[], T]) -> T:
        """Do a call and wait for what comes of it; when cancelled, the call still runs to its end."""
        job = self.submit(call)
        await job.ended.wait()
        result: T = job.result()
        return result

    def close(self) -> None:
        """Let the thread end after what is queued; returns at once."""
        self._jobs.put(None)

    def joined(self, within_s: float) -> bool:
        """Wait until the thread has ended; blocks. Return False when it has not in time."""
        self._thread.join(within_s)
        return not self._thread.is_alive()

    @property
    def alive(self) -> bool:
        """Whether the thread still works."""
        return self._thread.is_alive()

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job.run()

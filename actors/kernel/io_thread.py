"""A thread that does blocking calls one after another, and answers into the trio loop.

The writer has two: one for the journal, one for everything behind it. Jobs run strictly in order. An answer costs one
`run_sync_soon` (a fifth of `trio.to_thread`). A job cannot be cancelled: when the task that waits for it goes away, the
job still ends, and `join` waits for that, so that nobody recovers while a write of the one before is under way.

Whoever expects a call to be over in no time may wait for it on the spot, for a moment (`call_briefly`): the loop stands
still meanwhile, but the way through the loop costs more than such a call itself. What takes longer goes on as ever.
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

    __slots__ = ("_call", "_error", "_is_over", "_on_the_spot", "_result", "_then", "_token", "_turnstile", "ended")

    def __init__(
        self, call: Callable[[], Any], token: trio.lowlevel.TrioToken, then: Callable[[Job], None] | None
    ) -> None:
        self.ended = trio.Event()
        self._then = then
        self._call = call
        self._token = token
        self._result: Any = None
        self._error: BaseException | None = None
        self._on_the_spot: threading.Lock | None = None
        """Held while the loop stands still for this job."""
        self._turnstile = threading.Lock()
        self._is_over = False

    def run(self) -> None:
        """Do the call; runs in the thread."""
        try:
            self._result = self._call()
        except BaseException as error:  # noqa: BLE001 - whatever it was, it belongs to whoever waits
            self._error = error
        with self._turnstile:
            self._is_over = True
            if self._on_the_spot is not None:
                self._on_the_spot.release()
                return
        try:
            self._token.run_sync_soon(self._end)
        except trio.RunFinishedError:
            return  # the loop is gone, and with it everyone who could wait

    def expect_at_once(self) -> None:
        """Say, before it is queued, that `wait_briefly` follows."""
        self._on_the_spot = threading.Lock()
        self._on_the_spot.acquire()

    def wait_briefly(self, seconds: float) -> None:
        """Block until it has ended, no longer than this; afterwards `ended` is set, or will be by the loop."""
        if self._on_the_spot is None:
            return
        if not self._on_the_spot.acquire(timeout=seconds):
            with self._turnstile:
                if not self._is_over:
                    self._on_the_spot = None
                    return
        self._end()

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

    def call_briefly(self, call: Callable[[], Any], seconds: float) -> Job:
        """Queue a call and block for it, no longer than this; when it takes longer, wait for `job.ended` as ever."""
        job = Job(call, trio.lowlevel.current_trio_token(), None)
        job.expect_at_once()
        self._jobs.put(job)
        job.wait_briefly(seconds)
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

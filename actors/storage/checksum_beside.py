"""A checksum that a thread computes while the caller works on what it is computed of.

Hashing lets go of the interpreter's lock, so on two processors the sum of a large file costs the reader next to no
time. Nothing is read or written here, and the thread has ended when the with-block is left, however that happens. Where
the system has no thread to give, the caller computes it: a recovery must not fail for that.
"""

from __future__ import annotations

import contextlib
import hashlib
import queue
import threading
from types import TracebackType
from typing import Final, Self

CHUNKS_MAX: Final = 4
"""How many chunks may wait for the thread: it keeps up, and what it does not bounds the memory that is held."""


class ChecksumBeside:
    """SHA-256 of the chunks it is given, in their order. For one with-block."""

    def __init__(self) -> None:
        self._sum = hashlib.sha256()
        self._chunks: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._room = threading.Semaphore(CHUNKS_MAX)
        self._thread = threading.Thread(target=self._run, name="checksum", daemon=True)

    def __enter__(self) -> Self:
        with contextlib.suppress(RuntimeError):
            self._thread.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _where: TracebackType | None
    ) -> None:
        self._end()

    def take(self, chunk: bytes) -> None:
        """Take the next chunk; waits while too many wait already."""
        if not self._thread.is_alive():
            self._sum.update(chunk)
            return
        self._room.acquire()
        self._chunks.put(chunk)

    def hexdigest(self) -> str:
        """Wait for the thread and return the sum of all that was taken."""
        self._end()
        return self._sum.hexdigest()

    def _end(self) -> None:
        if self._thread.is_alive():
            self._chunks.put(None)
            self._thread.join()

    def _run(self) -> None:
        while (chunk := self._chunks.get()) is not None:
            self._sum.update(chunk)
            self._room.release()

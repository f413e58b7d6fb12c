"""How many bytes of something long are done, on a terminal: `progress`, told in steps instead of totals."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from supervisor.cli.progress import progress

KILOBYTE = 1000


@contextmanager
def bytes_progress(what: str, total_bytes: Callable[[], int]) -> Iterator[Callable[[int], None]]:
    """Give a function that is told of bytes that are done; `total_bytes` is only asked where somebody sees it."""
    done_bytes = 0
    with progress() as told:
        total = None if told is None else total_bytes() // KILOBYTE

        def advance(number: int) -> None:
            nonlocal done_bytes
            done_bytes += number
            if told is not None:
                told(f"{what}, kB", done_bytes // KILOBYTE, total)

        yield advance

"""
How far long work is, on a terminal: a line on standard error that goes away when the work is done.

It appears only when the work takes longer than a moment, and never in a pipe. Nothing draws in the background: the work
tells how far it is (`actors.storage.work`), and a telling that comes too soon after the one before draws nothing.
"""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

Told = Callable[[str, int, int | None], None]
"""(what is being done, how much of it is done, of how much or None)"""

APPEARS_AFTER_S: Final = 0.5
DRAWN_EVERY_S: Final = 0.1


@contextmanager
def progress() -> Iterator[Told | None]:
    """Whom long work tells how far it is; None where nobody would see it."""
    if not sys.stderr.isatty():
        yield None
        return
    line = _Line()
    try:
        yield line.told
    finally:
        line.end()


class _Line:
    def __init__(self) -> None:
        self._begun_s = self._drawn_s = time.monotonic()
        self._drawing: Progress | None = None
        self._task: TaskID | None = None

    def told(self, what: str, done: int, total: int | None) -> None:
        now_s = time.monotonic()
        if now_s - self._begun_s < APPEARS_AFTER_S or (self._drawing and now_s - self._drawn_s < DRAWN_EVERY_S):
            return
        self._drawn_s = now_s
        drawing, task = self._begin()
        drawing.update(task, description=what, completed=done, total=total)
        drawing.refresh()

    def end(self) -> None:
        if self._drawing is not None:
            self._drawing.stop()

    def _begin(self) -> "tuple[Progress, TaskID]":
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        if self._drawing is None or self._task is None:
            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
            console = Console(file=sys.stderr, highlight=False)
            self._drawing = Progress(*columns, console=console, auto_refresh=False, transient=True)
            self._task = self._drawing.add_task("", total=None)
            self._drawing.start()
        return self._drawing, self._task

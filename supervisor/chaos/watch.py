"""The watch: looks, all the while, that no two processes have a journal open for writing at the same moment."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Final, Self

LOOK_EVERY_S: Final = 0.01


class Watch:
    """A thread from `with` to its end; `root_pid` gives the root's pid, None while there is none.

    Linux only: elsewhere it makes no looks.
    """

    def __init__(self, state_path: Path, root_pid: Callable[[], int | None]) -> None:
        self.looks = 0
        self.findings: list[str] = []
        self._journal = str(state_path.resolve() / "journal") + os.sep
        self._root_pid = root_pid
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
        self._known: set[int] = set()
        """Every child that a root had: a runtime may outlive its root for a moment."""

    def __enter__(self) -> Self:
        """Begin to look."""
        if Path("/proc/self/fd").is_dir():
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop looking."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def look(self) -> None:
        """Look once."""
        self.looks += 1
        root = self._root_pid()
        if root is not None:
            self._known |= _children(root)
        self._known = {pid for pid in self._known if Path(f"/proc/{pid}").exists()}
        writers = [pid for pid in sorted(self._known) if self.writes(pid)]
        # One of them may have ended before the next was looked at: only those count that still write after all were.
        still = [pid for pid in writers if self.writes(pid)] if len(writers) > 1 else []
        if len(still) > 1:
            self.findings.append(f"processes {', '.join(map(str, still))} had the journal open for writing at once")

    def writes(self, pid: int) -> bool:
        """Whether a process has a segment open for writing."""
        folder = Path(f"/proc/{pid}/fd")
        try:
            return any(
                str(link.readlink()).startswith(self._journal) and _is_for_writing(pid, link.name)
                for link in folder.iterdir()
            )
        except OSError:
            return False  # it ended meanwhile, or closed what was being looked at: the next look tells

    def _run(self) -> None:
        while not self._stop.wait(LOOK_EVERY_S):
            self.look()


def _children(pid: int) -> set[int]:
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        return {int(child) for task in tasks for child in (task / "children").read_text(encoding="ascii").split()}
    except OSError:
        return set()


def _is_for_writing(pid: int, number: str) -> bool:
    told = Path(f"/proc/{pid}/fdinfo/{number}").read_text(encoding="ascii")
    flags = int(told.split("flags:")[1].split()[0], 8)
    return flags & os.O_ACCMODE != os.O_RDONLY

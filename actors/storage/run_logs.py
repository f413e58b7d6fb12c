"""logs/run_<id>.stdout.log and .stderr.log: what agents print, byte for byte, written at absolute offsets.

Whoever delivers output may deliver it twice: the same bytes at the same place change nothing. So the file holds every
byte once, whoever was killed when. How long the file is says how far it was written; durable is it after `sync`. A file
that somebody else cuts or removes meanwhile is written on: what is gone is gone, and the agent must not wait for it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from actors.model.errors import StorageFailed
from actors.storage.layout import Layout
from actors.storage.open_files import OpenFiles

STREAMS: Final = ("stdout", "stderr")

ENDS_MAX: Final = 4096
"""Files of which it is remembered how far they were written: more than ever are written at a time."""


class RunLogs:
    """The output of runs. For one thread. Every OSError goes out; the same call may be repeated."""

    def __init__(self, layout: Layout, files: OpenFiles) -> None:
        self._layout = layout
        self._files = files
        self._ends: dict[Path, int] = {}
        """How far each was written here, in the order of their last use."""

    def write(self, run_id: str, stream: str, offset: int, data: bytes, *, follows: bool = False) -> None:
        """Write `data` at `offset`, making the file when there is none.

        With `follows`, raise StorageFailed when it was not written up to `offset`: the write before it failed, and
        whoever looks how far it was written would take the hole for what was printed.
        """
        path = self._layout.run_log(run_id, stream)
        if follows and offset > max(self._size(path), self._ends.get(path, 0)):
            raise StorageFailed(f"{path.name} ends before byte {offset}", hint="what comes before it is written again")
        self._files.write(path, offset, data)
        end = max(offset + len(data), self._ends.pop(path, 0))
        while len(self._ends) >= ENDS_MAX:
            del self._ends[next(iter(self._ends))]
        self._ends[path] = end

    def read(self, run_id: str, stream: str, offset: int, limit: int) -> bytes:
        """Return up to `limit` bytes from `offset`; empty at the end, and when nothing was written."""
        try:
            return self._files.read(self._layout.run_log(run_id, stream), offset, limit)
        except FileNotFoundError:
            return b""

    def sizes(self, run_id: str) -> tuple[int, int]:
        """Return how many bytes of stdout and stderr are there."""
        stdout, stderr = (self._size(self._layout.run_log(run_id, stream)) for stream in STREAMS)
        return stdout, stderr

    def sync(self, run_id: str) -> None:
        """Make what was written durable."""
        self._files.sync([self._layout.run_log(run_id, stream) for stream in STREAMS])

    def _size(self, path: Path) -> int:
        status = self._files.status(path)
        return 0 if status is None else status.size_bytes

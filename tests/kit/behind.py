"""Everything that is written behind the journal, built on one disk, as the writer builds it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from attrs import frozen

from actors.storage.archive import Archive
from actors.storage.files import Disk
from actors.storage.layout import Layout
from actors.storage.line_files import LineFiles
from actors.storage.open_files import OPEN_MAX, WINDOW_BYTES_MAX, OpenFiles
from actors.storage.quarantine import Quarantine
from actors.storage.reports import Reports
from actors.storage.session_files import SessionFiles
from actors.storage.session_index import SessionIndex
from actors.storage.task_files import TaskFiles
from actors.storage.text_logs import TaskLogs, TextLogs

STAMP = "20260101T000000.000000Z"


@frozen
class Behind:
    """The parts, on one disk and one state directory."""

    disk: Disk
    layout: Layout
    quarantine: Quarantine
    files: OpenFiles
    lines: LineFiles
    archive: Archive
    sessions: SessionFiles
    index: SessionIndex
    tasks: TaskFiles
    logs: TextLogs
    task_logs: TaskLogs
    reports: Reports

    def quarantined(self) -> bytes:
        """Return everything that was set aside, joined."""
        found = sorted(self.layout.quarantine.rglob("*"))
        return b"".join(path.read_bytes() for path in found if path.is_file() and path.name != "report.json")


def build(root: Path, disk: Disk, open_max: int = OPEN_MAX, window_bytes_max: int = WINDOW_BYTES_MAX) -> Behind:
    """Make the directories and the parts. Whoever builds without `behind` closes `files` himself."""
    layout = Layout(root)
    layout.make_directories(disk)
    quarantine = Quarantine(disk, layout, STAMP)
    files = OpenFiles(disk, open_max, window_bytes_max)
    lines = LineFiles(files, quarantine)
    archive = Archive(disk, layout, files)
    sessions = SessionFiles(disk, layout, lines, archive)
    return Behind(
        disk=disk,
        layout=layout,
        quarantine=quarantine,
        files=files,
        lines=lines,
        archive=archive,
        sessions=sessions,
        index=SessionIndex(disk, layout, sessions),
        tasks=TaskFiles(disk, layout, quarantine),
        logs=TextLogs(layout, files, quarantine),
        task_logs=TaskLogs(layout, lines),
        reports=Reports(disk, layout),
    )


def names(directory: Path) -> list[str]:
    """Return the names in a directory, sorted."""
    return sorted(path.name for path in directory.iterdir())


@contextmanager
def behind(root: Path, disk: Disk | None = None, open_max: int = OPEN_MAX) -> Iterator[Behind]:
    """Build the parts for the length of a with-block."""
    parts = build(root, disk or Disk(), open_max)
    try:
        yield parts
    finally:
        parts.files.close()

"""Where everything lies in the state directory: the names of its files, put together and taken apart.

`Layout` is the only place that puts file names together or takes them apart. Ids arrive cleaned (`actors.model.ids`);
the check here is the second lock on the same door.
"""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec
from attrs import field, frozen

from actors.model.run import output_path
from actors.storage.files import TEMPORARY_MARK, Disk

FORMAT_VERSION: Final = "2.0.0"

DIRECTORIES: Final = ("journal", "tasks", "sessions", "logs", "reports", "archive", "quarantine", "spool")
_SEGMENT: Final = re.compile(r"(?!0{20})(\d{20})\.jsonl")
_BACKUP: Final = re.compile(r"state\.backup\.(\d{8}T\d{6}\.\d{6}Z)\.(\d{1,20})\.json")
_BACKUP_V1: Final = re.compile(r"state\.backup\.(?!\d{8}T).*\.json")


class Backup(msgspec.Struct, frozen=True):
    """A backup's file name, taken apart."""

    path: Path
    stamp: str
    seq: int


class Segment(msgspec.Struct, frozen=True):
    """A journal segment: its file and the seq that its name says it begins with."""

    path: Path
    first_seq: int


@frozen
class Layout:
    """The paths of one state directory."""

    root: Path = field(converter=Path)

    @property
    def state(self) -> Path:
        """The snapshot."""
        return self.root / "state.json"

    @property
    def identity(self) -> Path:
        """Made once: daemon_id, node_id, created_at, version."""
        return self.root / "identity.json"

    @property
    def journal(self) -> Path:
        """The directory of segments."""
        return self.root / "journal"

    @property
    def tasks(self) -> Path:
        """The directory of task files."""
        return self.root / "tasks"

    @property
    def sessions(self) -> Path:
        """The directory of session files."""
        return self.root / "sessions"

    @property
    def sessions_index(self) -> Path:
        """The index of the sessions, a cache."""
        return self.root / "sessions" / "sessions.json"

    @property
    def search_cache(self) -> Path:
        """The words of the sessions' messages, a cache that SQLite keeps."""
        return self.root / "sessions" / "search.sqlite"

    @property
    def logs(self) -> Path:
        """The directory of text logs, agents' output and the structured log."""
        return self.root / "logs"

    @property
    def perdure_log(self) -> Path:
        """The structured log."""
        return self.root / "logs" / "perdure.log"

    @property
    def reports(self) -> Path:
        """The directory of reports."""
        return self.root / "reports"

    @property
    def archive(self) -> Path:
        """What retention moved out of the way."""
        return self.root / "archive"

    @property
    def quarantine(self) -> Path:
        """Damaged bytes, one directory per recovery that found some."""
        return self.root / "quarantine"

    @property
    def spool(self) -> Path:
        """What the session hook leaves while nothing runs."""
        return self.root / "spool"

    @property
    def root_lock(self) -> Path:
        """Held by the supervisor process."""
        return self.root / "perdure.lock"

    @property
    def writer_lock(self) -> Path:
        """Held by the runtime that writes."""
        return self.root / "writer.lock"

    @property
    def pre_migration_backup(self) -> Path:
        """The version 1 state as it was."""
        return self.root / "state.pre-migration.backup.json"

    @property
    def migration_log(self) -> Path:
        """What the migration did."""
        return self.root / "state.migration-v1-to-v2.log"

    @property
    def pre_migration_copy(self) -> Path:
        """The full copy of the version 1 directory."""
        return self.root / "archive" / "pre-migration"

    @property
    def rollback_mark(self) -> Path:
        """There while `perdure rollback` is under way; its text is where what version 2 made goes."""
        return self.root / "archive" / "rolling-back"

    def segment(self, first_seq: int) -> Path:
        """Return the path of the segment whose first line has `first_seq`."""
        return self.root / "journal" / f"{first_seq:020d}.jsonl"

    def backup(self, stamp: str, seq: int) -> Path:
        """Return the path of the backup of the snapshot as of `seq`."""
        return self.root / f"state.backup.{stamp}.{seq}.json"

    def task_file(self, task_id: str) -> Path:
        """Return the path of the task's readable file."""
        return self.root / "tasks" / f"{_safe(task_id)}.json"

    def session_file(self, session_id: str) -> Path:
        """Return the path of the session's append-only file."""
        return self.root / "sessions" / f"{_safe(session_id)}.jsonl"

    def session_log(self, session_id: str) -> Path:
        """Return the path of the session's text log."""
        return self.root / "logs" / f"session_{_safe(session_id)}.log"

    def task_log(self, task_id: str) -> Path:
        """Return the path of the task's older log entries."""
        return self.root / "logs" / f"task_{_safe(task_id)}.log"

    def run_log(self, run_id: str, stream: str) -> Path:
        """Return the path of what a run wrote on `stream` (stdout or stderr)."""
        return self.root / output_path(_safe(run_id), _safe(stream))

    def archived(self, kind: str, id: str) -> Path:
        """Return the directory in the archive for what left under an id; `kind` is a table's name."""
        return self.root / "archive" / _safe(kind) / _safe(id)

    def report_file(self, report_id: str) -> Path:
        """Return the path of the report."""
        return self.root / "reports" / f"report_{_safe(report_id)}.json"

    def segments(self, disk: Disk) -> list[Segment]:
        """List the journal's segments by first seq; empty when there is no journal."""
        found = [
            Segment(self.journal / name, int(match[1]))
            for name in names_in(disk, self.journal)
            if (match := _SEGMENT.fullmatch(name))
        ]
        return sorted(found, key=lambda segment: segment.first_seq)

    def backups(self, disk: Disk) -> list[Backup]:
        """List the backups, oldest first: by seq (time may jump), then by stamp."""
        found = [one for name in names_in(disk, self.root) if (one := backup_of(self.root / name)) is not None]
        return sorted(found, key=lambda backup: (backup.seq, backup.stamp))

    def backups_v1(self, disk: Disk) -> list[Path]:
        """List the backups that version 1 left, oldest first (their names sort by time)."""
        return [self.root / name for name in names_in(disk, self.root) if _BACKUP_V1.fullmatch(name)]

    def temporaries(self, disk: Disk) -> list[Path]:
        """List the files that a crash left under temporary names."""
        found: list[Path] = []
        for directory in (self.root, *(self.root / name for name in DIRECTORIES)):
            with suppress(FileNotFoundError, NotADirectoryError):
                found += [directory / name for name in disk.names_with(directory, TEMPORARY_MARK)]
        return found

    def make_directories(self, disk: Disk) -> list[str]:
        """Make what is missing of the root and its directories, durably; return the names of what was made."""
        made = ["."] if disk.ensure_dir(self.root) else []
        return made + [name for name in DIRECTORIES if disk.ensure_dir(self.root / name)]


def backup_of(path: Path) -> Backup | None:
    """Take a backup's file name apart; None when it is not one's."""
    match = _BACKUP.fullmatch(path.name)
    return None if match is None else Backup(path, match[1], int(match[2]))


def first_seq_of(segment: Path) -> int:
    """Return the seq that a segment's name says it begins with."""
    return int(segment.stem)


def stamp_of(moment: datetime) -> str:
    """Return the UTC stamp used in file names: sorts by time, no character that a file system refuses."""
    return moment.astimezone(UTC).strftime("%Y%m%dT%H%M%S.%fZ")


def names_in(disk: Disk, directory: Path) -> list[str]:
    """List a directory; nothing when there is none."""
    try:
        return disk.listdir(directory)
    except (FileNotFoundError, NotADirectoryError):
        return []


def _safe(name: str) -> str:
    if not name or name.startswith(".") or "/" in name or "\0" in name:
        raise ValueError(f"not a file name: {name!r}")
    return name

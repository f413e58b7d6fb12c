"""Carries out what has to be written behind the journal, and knows up to which line that is done, and durable.

A portion may come twice, also after a restart: whole files are replaced, messages and entries go by number, text by
offset, a move to the archive that is done already is found done. The watermark rises only over portions that follow one
another, so one that failed holds it until it has been written after all.

The background thread calls everything but `close`; the lock is there for `close` alone, which may come while a read
still runs.
"""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Final

import attrs
import msgspec

from actors.model.errors import NotFound, StorageFailed
from actors.model.searched import Searched, Unfinished
from actors.storage.archive import ROW, ROW_BYTES_MAX, Archive
from actors.storage.behind import Behind, SessionWork, task_of_log, was_done
from actors.storage.contract import DamagedSession, MessagesPage, WrittenBehind
from actors.storage.files import Disk
from actors.storage.json_record import parsed
from actors.storage.layout import Layout
from actors.storage.line_files import LineFiles
from actors.storage.open_files import OpenFiles
from actors.storage.quarantine import Quarantine
from actors.storage.reports import Reports, UnreadableReport
from actors.storage.run_logs import RunLogs
from actors.storage.session_files import SessionFiles, SessionLine, SessionScan, session_header
from actors.storage.session_index import INDEX_ROWS_EAGER, SessionIndex, row_of
from actors.storage.session_search import SessionSearch
from actors.storage.survey import Survey
from actors.storage.task_files import TASK_BYTES_MAX, TaskFiles
from actors.storage.text_logs import TaskLogs, TextLogs

PAGE_BYTES_MAX: Final = 8 << 20
"""Messages of one page: half a frame, so that the reply around them fits."""


class BehindFiles:
    """Task, session, log and report files of one state directory. Every OSError goes out; any call may be repeated."""

    def __init__(self, disk: Disk, layout: Layout, quarantine: Quarantine) -> None:
        self._disk = disk
        self._layout = layout
        self._lock = threading.Lock()
        self._is_open = True
        self._files = OpenFiles(disk)
        lines = LineFiles(self._files, quarantine)
        self._archive = Archive(disk, layout, self._files)
        self.tasks = TaskFiles(disk, layout, quarantine)
        self.sessions = SessionFiles(disk, layout, lines, self._archive)
        self._index = SessionIndex(disk, layout, self.sessions)
        self._search = SessionSearch(disk, layout, self.sessions)
        self._texts = TextLogs(layout, self._files, quarantine)
        self._task_logs = TaskLogs(layout, lines)
        self._reports = Reports(disk, layout)
        self._run_logs = RunLogs(layout, self._files)
        self._index_rows: dict[str, bytes] = {}
        self._is_index_stale = False
        self._damaged: deque[DamagedSession] = deque()
        self._known_damage: dict[str, DamagedSession] = {}
        self._written_seq = 0
        self.durable_seq = 0
        """Up to which line all files are durable."""

    def begin(self, durable_seq: int, session_rows: dict[str, bytes]) -> None:
        """Start from what recovery found."""
        self._written_seq = self.durable_seq = durable_seq
        self._index_rows = session_rows
        self._is_index_stale = self._index.read().rows.keys() != session_rows.keys()

    def write(self, behind: Behind) -> WrittenBehind:
        """Write a portion.

        A directory that somebody removed meanwhile is made anew: it must not keep back what belongs into the others.
        """
        with self._opened():
            try:
                return self._write(behind)
            except FileNotFoundError:
                if not self._layout.make_directories(self._disk):
                    raise
                return self._write(behind)

    def sync(self) -> int:
        """Make durable what was written; return the watermark."""
        with self._opened():
            written_seq = self._written_seq
            self._files.sync()
            self.durable_seq = written_seq
            if len(self._index_rows) <= INDEX_ROWS_EAGER:
                self._write_index()
            return written_seq

    def read_messages(self, session_id: str, after: int, limit: int, count: int) -> MessagesPage:
        """Return messages with an index above `after`, and which of `count` the page should hold and does not."""
        with self._opened():
            page = self.sessions.read(session_id, after, limit, PAGE_BYTES_MAX)
            until = count if page.next is None else page.next
            missing = self.sessions.missing(session_id, after, until)
            self._note_damage(session_id, count)
        return MessagesPage(messages=page.messages, next=page.next, missing=missing)

    def take_damaged(self) -> Sequence[DamagedSession]:
        """Return what was found damaged since the last call. For any thread."""
        found = []
        with contextlib.suppress(IndexError):
            while True:
                found.append(self._damaged.popleft())
        return found

    def search_messages(self, text: str, daemon_id: str) -> Searched | Unfinished:
        """Return the sessions with a message that says it, or do a slice of the work before that."""
        with self._opened():
            return self._search.search(text, daemon_id)

    def read_log(self, name: str, offset: int, limit: int) -> tuple[bytes, int]:
        """Return text from an offset, whole characters only, and the offset after it."""
        with self._opened():
            return self._texts.read(_session_of(name), offset, limit)

    def write_output(self, run_id: str, stream: str, offset: int, data: bytes, *, follows: bool) -> None:
        """Write what a run printed at its offset."""
        with self._opened():
            self._run_logs.write(run_id, stream, offset, data, follows=follows)

    def sync_output(self, run_id: str) -> None:
        """Make what a run printed durable."""
        with self._opened():
            self._run_logs.sync(run_id)

    def output_sizes(self, run_id: str) -> tuple[int, int]:
        """Return how many bytes of a run's stdout and stderr were written."""
        with self._opened():
            return self._run_logs.sizes(run_id)

    def read_output(self, run_id: str, stream: str, offset: int, limit: int) -> bytes:
        """Return what a run printed, from an offset."""
        with self._opened():
            return self._run_logs.read(run_id, stream, offset, limit)

    def read_report(self, report_id: str) -> bytes:
        """Return the report's file as compact JSON; raises NotFound, or StorageFailed when it is damaged."""
        with self._opened():
            report = self._reports.read(report_id)
        if report is None:
            raise NotFound(f"there is no report {report_id}")
        if isinstance(report, UnreadableReport):
            raise StorageFailed(
                f"the file of report {report_id} cannot be read: {report.reason}", hint="look at the file in reports/"
            )
        return report

    def read_archived(self, session_id: str) -> tuple[bytes, str] | None:
        """Return the row of the session that left last, and its number in the archive."""
        with self._opened():
            found = self._archive.last_leaving("sessions", session_id)
            if found is None:
                return None
            return self._disk.read_file(found.path / ROW, ROW_BYTES_MAX), str(found.number)

    def close(self) -> None:
        """Sync and close every file; further calls raise StorageFailed."""
        with self._lock:
            if self._is_open:
                self._is_open = False
                self._write_index()
                self._search.close()
                self._files.close()

    def _write(self, behind: Behind) -> WrittenBehind:
        for spill in behind.leaving_spills:
            self._spill(*spill)
        for task_id, (rev, row) in behind.archived_tasks.items():
            self._archive_task(task_id, rev, row)
        for run_id, row in behind.archived_runs.items():
            self._archive.archive_run(run_id, row)
        edited = [str(one.quarantined) for one in self.tasks.write_batch(behind.tasks).edited]
        for session_id, works in behind.sessions.items():
            self._search.note(session_id, works)  # first: one that fails half-way has changed the file too
            leaves = any(work.archive for work in works)  # most do not: then nothing was done before
            for number, work in enumerate(works):
                if not (leaves and self._has_left_since(session_id, works[number:])):
                    self._do(session_id, work)
        for name, offset, data in behind.texts:
            self._texts.append_at(_session_of(name), offset, data)
        for spill in behind.spills:
            self._spill(*spill)
        for report_id, body in behind.reports.items():
            self._write_report(report_id, body)
        if behind.after_seq <= self._written_seq:
            self._written_seq = max(self._written_seq, behind.seq)
        return WrittenBehind(edited=edited)

    # Sessions

    def _do(self, session_id: str, work: SessionWork) -> None:
        work = self._completed(session_id, work) if work.partial else work
        if work.restore_from is not None:
            with contextlib.suppress(FileExistsError):  # brought back before, and in use since
                self._archive.restore_session(session_id)
        if work.archive:
            self._archive_session(session_id, work)
            return
        if work.rewind is not None and work.header is not None and work.meta is not None:
            source, keep = self._layout.root / work.rewind[0], work.rewind[1]
            self.sessions.rewind(session_id, work.header, SessionLine.meta(*work.meta), source, keep)
        messages = [SessionLine.message(index, data, work.rev) for index, data in work.messages]
        meta = [SessionLine.meta(*work.meta)] if work.meta is not None else []
        if work.rewrite and work.header is not None:
            self.sessions.rewrite(session_id, work.header, [*meta, *messages])
        elif work.header is not None:
            self.sessions.append(session_id, work.header, [*meta, *messages])
        else:  # a line that counts messages comes after them, so that it is never ahead of the file
            self.sessions.append(session_id, None, [*messages, *meta])
        self._note_damage(session_id, self.sessions.last_index(session_id))
        held = self.sessions.held(session_id)
        if held is not None:
            self._index_rows[session_id] = held[1]
            self._is_index_stale = True

    def _note_damage(self, session_id: str, count: int) -> None:
        """Keep it for whoever tells that a session's file has lost messages; the same loss once."""
        damaged = DamagedSession(session_id=session_id, missing=self.sessions.missing(session_id, 0, count))
        if damaged.missing and self._known_damage.get(session_id) != damaged:
            self._known_damage[session_id] = damaged
            self._damaged.append(damaged)

    def _completed(self, session_id: str, work: SessionWork) -> SessionWork:
        """Put what changed into the row that the file holds; without one only a new file can begin with it."""
        held = self.sessions.held(session_id)
        if work.meta is None or held is None:
            return work if work.rewrite else attrs.evolve(work, meta=None)
        rev, changed = work.meta
        if rev <= held[0]:
            return work
        merged = msgspec.json.decode(held[1]) | msgspec.json.decode(changed)
        header = work.header and session_header(session_id, merged.get("created_at") or "")
        return attrs.evolve(work, meta=(rev, msgspec.json.encode(merged)), header=header)

    def _has_left_since(self, session_id: str, works: Sequence[SessionWork]) -> bool:
        """Whether the first of these was done before, and the file is in the archive by now."""
        if self._disk.exists(self._layout.session_file(session_id)):
            return False
        leavings = self._archive.leavings("sessions", session_id)
        return was_done(works, [self._disk.read_file(left.path / ROW, ROW_BYTES_MAX) for left in leavings])

    def _archive_session(self, session_id: str, work: SessionWork) -> None:
        scan = self.sessions.scan(session_id)
        held = row_of(scan) if isinstance(scan, SessionScan) else None
        if isinstance(scan, SessionScan) and scan.last_meta is not None and scan.last_meta[0] > work.rev:
            return  # done before: by now the file is that of a session made anew under this id
        row = work.meta[1] if work.meta is not None else held
        if row is not None:
            self._archive.archive_session(session_id, row)
        elif isinstance(scan, SessionScan):
            # Nothing in it says whose it was: a replay put together again what lies in the archive. A session that is
            # made anew under this id must not find it in its file's place.
            self._archive.put_away(self._layout.session_file(session_id), session_id, work.rev)
        self._is_index_stale |= self._index_rows.pop(session_id, None) is not None

    def _write_index(self) -> None:
        """Bring the index up to date; it is a cache, so a disk that refuses it is no failure."""
        if self._is_index_stale:
            with contextlib.suppress(OSError):
                self._index.write(self._index_rows.values())
                self._is_index_stale = False

    # Reports and tasks

    def _write_report(self, report_id: str, body: bytes | None) -> None:
        if body is not None:
            self._reports.write(report_id, body)
        elif self._disk.exists(self._layout.report_file(report_id)):
            self._archive.archive_report(report_id, msgspec.json.encode({"id": report_id}))

    def _spill(self, name: str, first: int, entries: list[bytes]) -> None:
        """Append a task's older entries to its log, without those that left for the archive before."""
        task_id = task_of_log(name)
        there = self._last_archived_entry(task_id) - first + 1
        if there < len(entries):
            self._task_logs.append(task_id, first + max(0, there), entries[max(0, there) :])

    def _last_archived_entry(self, task_id: str) -> int:
        """Return the number of the last entry that a task of this id took into the archive, 0 when none did."""
        leaving = self._archive.last_leaving("tasks", task_id)
        path = None if leaving is None else leaving.path / self._layout.task_log(task_id).name
        if path is None or not self._disk.exists(path):
            return 0
        return Survey.of(self._disk.read_range(path, 0, self._disk.lstat(path).st_size)).last_index

    def _archive_task(self, task_id: str, rev: int, row: bytes | None) -> None:
        row = row if row is not None else self._row_in_file(task_id, rev)
        if row is not None:
            self._archive.archive_task(task_id, row)

    def _row_in_file(self, task_id: str, left_rev: int) -> bytes | None:
        """Return the row in the task's file, unless it is that of a task which has the id since the other one left."""
        try:
            task = parsed(self._disk.read_file(self._layout.task_file(task_id), TASK_BYTES_MAX), task_id)
        except FileNotFoundError:
            return None
        if isinstance(task, str) or not isinstance(task.get("rev"), int) or task["rev"] >= left_rev:
            return None
        return msgspec.json.encode(task)

    @contextlib.contextmanager
    def _opened(self) -> Iterator[None]:
        with self._lock:
            if not self._is_open:
                raise StorageFailed("the storage is closed")
            yield


def _session_of(name: str) -> str:
    return name.removeprefix("session_")

"""What a store in memory keeps of what a disk would hold, and how files behind the journal change it."""

from __future__ import annotations

from typing import Any

import msgspec
from attrs import Factory, define

from actors.storage.behind import Behind, SessionWork, was_done
from actors.storage.contract import Cut


@define
class Medium:
    """What outlives a store."""

    bodies: list[bytes] = Factory(list)
    """Journal lines; the first has seq 1."""
    identity: dict[str, Any] = Factory(dict)
    snapshots: list[Cut] = Factory(list)
    """Oldest first; the last one is state.json, the others its backups."""
    tasks: dict[str, bytes] = Factory(dict)
    sessions: dict[str, dict[int, bytes]] = Factory(dict)
    archived: dict[str, list[tuple[bytes, dict[int, bytes]]]] = Factory(dict)
    session_rows: dict[str, bytes] = Factory(dict)
    texts: dict[str, bytearray] = Factory(dict)
    spills: dict[str, dict[int, bytes]] = Factory(dict)
    reports: dict[str, bytes] = Factory(dict)
    archived_runs: dict[str, tuple[bytes, dict[str, bytearray]]] = Factory(dict)
    """Rows of runs that left, each with what it printed."""
    outputs: dict[tuple[str, str], bytearray] = Factory(dict)
    """What runs printed, by run and stream."""
    spool: dict[str, bytes] = Factory(dict)
    """What the session hook left."""
    files_seq: int = 0
    saved_files_seq: int = 0
    """What the last snapshot says of the files: what recovery believes."""
    refuses: OSError | None = None
    """What every write meets while it is set."""

    def check(self) -> None:
        """Raise what a disk in this state would raise."""
        if self.refuses is not None:
            raise self.refuses

    def write(self, behind: Behind) -> None:
        """Write a portion of what lies behind the journal; once more changes nothing."""
        for task_id, task in behind.tasks.items():
            self.tasks.pop(task_id, None)
            if task is not None:
                self.tasks[task_id] = task
        for run_id, row in behind.archived_runs.items():
            taken = {stream: data for (of, stream), data in self.outputs.items() if of == run_id}
            self.outputs = {key: data for key, data in self.outputs.items() if key[0] != run_id}
            self.archived_runs.setdefault(run_id, (row, taken))
        for session_id, works in behind.sessions.items():
            for number, work in enumerate(works):
                left = [row for row, _messages in self.archived.get(session_id, ())]
                if session_id in self.sessions or not was_done(works[number:], left):
                    self._do(session_id, work)
        for name, offset, data in behind.texts:
            text = self.texts.setdefault(name, bytearray())
            text.extend(bytes(max(0, offset - len(text))))
            text[offset : offset + len(data)] = data
        for name, first, entries in (*behind.leaving_spills, *behind.spills):
            self.spills.setdefault(name, {}).update(enumerate(entries, first))
        for report_id, body in behind.reports.items():
            self.reports.pop(report_id, None)
            if body is not None:
                self.reports[report_id] = body

    def _do(self, session_id: str, work: SessionWork) -> None:
        if work.restore_from is not None and self.archived.get(session_id):
            row, self.sessions[session_id] = self.archived[session_id].pop()
            self.session_rows[session_id] = row
        if work.archive:
            messages = self.sessions.pop(session_id, {})
            row = work.meta[1] if work.meta is not None else self.session_rows.get(session_id, b"")
            self.archived.setdefault(session_id, []).append((row, messages))
            return
        if work.rewrite:
            self.sessions[session_id] = {}
        if work.rewind is not None:
            held = self.sessions.get(session_id, {})
            self.sessions[session_id] = {index: held[index] for index in held if index <= work.rewind[1]}
        held = self.sessions.setdefault(session_id, {})
        for index, message in work.messages:
            held.setdefault(index, message)
        if work.meta is not None:
            before = msgspec.json.decode(self.session_rows.get(session_id, b"{}")) if work.partial else {}
            self.session_rows[session_id] = msgspec.json.encode(before | msgspec.json.decode(work.meta[1]))

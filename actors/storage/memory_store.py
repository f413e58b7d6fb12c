"""The store in memory: the same contract without a disk, for tests of whoever uses a store and for trying things out.

What a disk would hold is a `Medium`; a second store over the same medium finds what the first made durable. `refuses`
on the medium plays a disk that fails.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from actors.model.errors import NotFound, StorageFailed
from actors.model.room import Room
from actors.model.search_words import said_in, words_of
from actors.model.searched import Searched
from actors.model.state import Limits, Line, Tables, Tombstone, rows_after
from actors.storage.behind import Behind
from actors.storage.contract import (
    Appended,
    Cut,
    DamagedSession,
    JournalSize,
    MessagesPage,
    Recovered,
    Saved,
    WrittenBehind,
)
from actors.storage.identity import made_anew
from actors.storage.journal_decoding import decode_body
from actors.storage.memory_medium import Medium

__all__ = ["Medium", "MemoryStore"]

_BACKUPS_KEPT = 10


class MemoryStore:
    """See `contract.Store`."""

    def __init__(self, medium: Medium, limits: Limits, stamp: Callable[[], str], version: str = "0") -> None:
        self._medium = medium
        self._limits = limits
        self._stamp = stamp
        self._version = version
        self._is_open = False
        self._written_seq = 0

    def recover(self) -> Recovered:
        """See `contract.Store`."""
        medium = self._medium
        initialised = not medium.identity
        if initialised:
            medium.check()
            medium.identity = made_anew(self._stamp(), self._version)
        tables = Tables(self._limits)
        self._written_seq = medium.files_seq = medium.saved_files_seq
        behind = Behind(seq=medium.files_seq, after_seq=medium.files_seq)
        lines = self._lines(1)
        for line in lines:
            rows = rows_after(tables, line.facts)
            leaving = tables.leaving(line.facts, rows)
            tables.absorb(line, rows)
            if line.seq > medium.files_seq:
                behind.note(line, rows, leaving)
        base_seq = medium.snapshots[-1].seq if medium.snapshots else 0
        self._forget(tables)
        self._is_open = True
        return Recovered(
            tables=tables,
            epoch=max((cut.epoch for cut in medium.snapshots), default=0),
            identity=medium.identity,
            lines=lines,
            refs=frozenset(line.cmd.ref for line in lines if line.cmd.ref and line.seq > base_seq),
            behind=behind,
            report=self._report("A" if initialised else "B", base_seq, tables.seq),
        )

    def commit(self, bodies: Sequence[bytes]) -> Appended:
        """See `contract.Store`."""
        if not self._is_open:
            raise OSError("the journal is closed")
        try:
            self._medium.check()
        except OSError:
            self._is_open = False
            raise
        first = len(self._medium.bodies) + 1
        self._medium.bodies += bodies
        return Appended(first_seq=first, last_seq=len(self._medium.bodies), bytes=sum(map(len, bodies)), sync_s=0.0)

    def sync(self) -> None:
        """See `contract.Store`."""
        if not self._is_open:
            raise OSError("the journal is closed")

    def room(self) -> Room:
        """See `contract.Store`; memory is never short."""
        return Room(free_bytes=1 << 40, reserve_bytes=0)

    def reopen(self, cut: Cut) -> None:
        """See `contract.Store`."""
        self.save(cut)
        self._is_open = True

    @property
    def beside(self) -> str | None:
        """See `contract.Store`; there is no other place."""
        return None

    @property
    def has_fallback(self) -> bool:
        """See `contract.Store`."""
        return False

    def go_beside(self, cut: Cut, why: OSError) -> None:
        """See `contract.Store`."""
        del cut
        raise why

    def come_back(self, cut: Cut) -> None:
        """See `contract.Store`; it has never left."""
        del cut

    def rotate(self, saved_seq: int) -> JournalSize:
        """See `contract.Store`."""
        del saved_seq  # nothing is ever let go
        return JournalSize(bytes=sum(map(len, self._medium.bodies)), segments=1)

    def write_behind(self, behind: Behind) -> WrittenBehind:
        """See `contract.Store`."""
        medium = self._medium
        medium.check()
        medium.write(behind)
        if behind.after_seq <= self._written_seq:
            self._written_seq = max(self._written_seq, behind.seq)
        return WrittenBehind(edited=())

    def sync_behind(self) -> int:
        """See `contract.Store`."""
        self._medium.check()
        self._medium.files_seq = self._written_seq
        return self._written_seq

    def save(self, cut: Cut) -> Saved:
        """See `contract.Store`."""
        self._medium.check()
        snapshots = self._medium.snapshots
        self._medium.saved_files_seq = self._medium.files_seq
        forgotten = [grave for grave in cut.tombstones if grave.seq <= self._forget_seq()]
        if not snapshots or snapshots[-1].seq != cut.seq:
            snapshots.append(cut)
            del snapshots[: -_BACKUPS_KEPT - 1]
        return Saved(path="state.json", seq=cut.seq, bytes=0, duration_s=0.0, forgotten=forgotten)

    def read_messages(self, session_id: str, after: int, limit: int, count: int = 0) -> MessagesPage:
        """See `contract.Store`; memory loses nothing."""
        del count
        messages = self._medium.sessions.get(session_id, {})
        indexes = sorted(index for index in messages if index > after)
        shown = indexes[:limit]
        return MessagesPage(
            messages=[messages[index] for index in shown], next=shown[-1] if len(indexes) > len(shown) else None
        )

    def take_damaged(self) -> Sequence[DamagedSession]:
        """See `contract.Store`."""
        return ()

    def search_messages(self, text: str) -> Searched:
        """See `contract.Store`; all match equally well."""
        words = [word.casefold() for word in words_of(text)]
        return Searched(
            tuple(
                session_id
                for session_id, messages in self._medium.sessions.items()
                if words and any(all(word in said_in(one).casefold() for word in words) for one in messages.values())
            )
        )

    def read_log(self, name: str, offset: int, limit: int) -> tuple[bytes, int]:
        """See `contract.Store`."""
        data = bytes(self._medium.texts.get(name, b"")[offset : offset + limit])
        return data, offset + len(data)

    def write_output(self, run_id: str, stream: str, offset: int, data: bytes, *, follows: bool = False) -> None:
        """See `contract.Store`."""
        self._medium.check()
        text = self._medium.outputs.setdefault((run_id, stream), bytearray())
        if follows and offset > len(text):
            raise StorageFailed(f"what was printed ends before byte {offset}")
        text.extend(bytes(max(0, offset - len(text))))
        text[offset : offset + len(data)] = data

    def sync_output(self, run_id: str) -> None:
        """See `contract.Store`."""
        del run_id  # memory needs no sync
        self._medium.check()

    def output_sizes(self, run_id: str) -> tuple[int, int]:
        """See `contract.Store`."""
        stdout, stderr = (len(self._medium.outputs.get((run_id, stream), b"")) for stream in ("stdout", "stderr"))
        return stdout, stderr

    def read_output(self, run_id: str, stream: str, offset: int, limit: int) -> bytes:
        """See `contract.Store`."""
        return bytes(self._medium.outputs.get((run_id, stream), b"")[offset : offset + limit])

    def read_spool(self, files_max: int) -> list[tuple[str, bytes]]:
        """See `contract.Store`."""
        self._medium.check()
        return sorted(self._medium.spool.items())[:files_max]

    def remove_spooled(self, name: str) -> None:
        """See `contract.Store`."""
        self._medium.check()
        self._medium.spool.pop(name, None)

    def set_aside_spooled(self, name: str, reason: str) -> None:
        """See `contract.Store`; memory has no quarantine."""
        del reason
        self.remove_spooled(name)

    def read_report(self, report_id: str) -> bytes:
        """See `contract.Store`. Raises NotFound."""
        if report_id not in self._medium.reports:
            raise NotFound(f"there is no report {report_id}")
        return self._medium.reports[report_id]

    def read_lines(self, from_seq: int, lines_max: int) -> list[Line]:
        """See `contract.Store`."""
        return self._lines(max(1, from_seq))[:lines_max]

    def read_archived(self, session_id: str) -> tuple[bytes, str] | None:
        """See `contract.Store`."""
        found = self._medium.archived.get(session_id)
        return (found[-1][0], str(len(found))) if found else None

    def backups(self) -> list[dict[str, Any]]:
        """See `contract.Store`."""
        return [
            {"name": f"state.backup.{cut.seq}", "path": "", "seq": cut.seq, "stamp": cut.saved_at, "bytes": 0}
            for cut in reversed(self._medium.snapshots[:-1])
        ]

    def verify(self) -> dict[str, Any]:
        """See `contract.Store`."""
        return {"ok": True, "findings": [], "counts": {"journal_lines": len(self._medium.bodies)}}

    def health(self) -> dict[str, Any]:
        """See `contract.Store`."""
        return {
            "state_dir_exists": True,
            "writeable": self._medium.refuses is None,
            "disk_free_bytes": 1 << 40,
            "backup_count": len(self.backups()),
            "quarantine_count": 0,
        }

    def close(self) -> None:
        """See `contract.Store`."""
        self._is_open = False

    def _lines(self, first: int) -> list[Line]:
        return [decode_body(body, seq) for seq, body in enumerate(self._medium.bodies[first - 1 :], first)]

    def _forget_seq(self) -> int:
        oldest = self._medium.snapshots[0].seq if len(self._medium.snapshots) > 1 else 0
        return min(oldest, self._medium.files_seq)

    def _forget(self, tables: Tables) -> None:
        """A snapshot would not hold these tombstones any more."""
        saved = self._medium.snapshots[-1].tombstones if self._medium.snapshots else ()
        for grave in list(tables.tombstones.values()):
            if self._is_forgotten(grave, saved):
                del tables.tombstones[grave.table, grave.id]

    def _is_forgotten(self, grave: Tombstone, saved: Sequence[Tombstone]) -> bool:
        return grave.seq <= self._forget_seq() and grave not in saved

    @staticmethod
    def _report(case: str, base_seq: int, seq: int) -> dict[str, Any]:
        return {
            "case": case,
            "base": "state.json" if base_seq else "empty",
            "base_seq": base_seq,
            "seq": seq,
            "lines_replayed": seq - base_seq,
            "initialised": case == "A",
            "corrupted": False,
            "warnings": [],
            "duration_s": 0.0,
        }

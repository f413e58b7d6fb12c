"""Merging a fallback directory's journal into that of the state directory, as `fallback_case` decides.

The segments are copied as they are, each durable before the next step, and what they replace goes to quarantine before
that. They stay where they were: removing them comes when the state directory has gone on (`Fallback.retire`). Doing it
again, after a crash at any point, changes nothing.
"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any, Final

import msgspec

from actors.model.errors import UNDECODABLE
from actors.storage.fallback_case import Compared, Outcome, decide
from actors.storage.files import Disk
from actors.storage.journal_decoding import decode_line
from actors.storage.journal_lines import FIRST_PREV, read_content_end
from actors.storage.journal_scan import Scan
from actors.storage.layout import Layout, Segment
from actors.storage.quarantine import Quarantine
from actors.storage.segment_head import begins_at
from actors.storage.segments import is_blank, write_segment
from actors.storage.snapshot_form import read_head as read_snapshot_head

NOT_MERGED_REASON: Final = "journal of a fallback directory that the state directory has not followed"
REPLACED_REASON: Final = "end of the journal that the fallback directory has replaced"

IDS_LISTED_MAX: Final = 1000


class Merged(msgspec.Struct, frozen=True, kw_only=True):
    """What a merge found and did."""

    outcome: Outcome
    path: str
    lines: int
    first_seq: int
    last_seq: int
    epoch: int
    ids: tuple[str, ...] = ()
    """Rows that lines which were set aside speak of."""

    def as_mapping(self) -> dict[str, Any]:
        """Return it as the report of a recovery shows it."""
        return {
            "path": self.path,
            "outcome": self.outcome.value,
            "lines": self.lines,
            "seqs": [self.first_seq, self.last_seq] if self.lines else [],
            "epoch": self.epoch,
            "ids": list(self.ids),
        }


class FallbackMerge:
    """Both journals, that of the state directory and that beside it. Every OSError goes out."""

    def __init__(self, disk: Disk, main: Layout, beside: Layout) -> None:
        self._disk = disk
        self._main = main
        self._beside = beside

    def compare(self) -> Compared:
        """Look at both journals above the base; changes nothing."""
        found, base_seq = begins_at(self._disk, self._beside)
        crcs = {line.seq: line.crc for line in Scan(self._disk, self._beside, base_seq)} if found else {}
        base_crc = found[0][1].base_crc.encode() if found else b""
        same, differ, fits, main_last_seq = 0, False, True, 0
        for line in Scan(self._disk, self._main, max(0, base_seq - 1)) if crcs else ():
            main_last_seq = line.seq
            if line.seq == base_seq:
                fits = base_crc in (line.crc, FIRST_PREV, b"")
            elif line.seq in crcs:
                same += line.crc == crcs[line.seq]
                differ = differ or line.crc != crcs[line.seq]
        heads = [read_snapshot_head(self._disk, path) for path in self._snapshots()]
        return Compared(
            lines=len(crcs),
            same=same,
            differ=differ,
            fits=fits,
            last_seq=max(crcs, default=0),
            epoch=max((head.epoch for _, head in found), default=0),
            main_last_seq=max([main_last_seq, *(head.seq for head in heads if head is not None)]),
            main_epoch=max((head.epoch for head in heads if head is not None), default=0),
        )

    def merge(self, quarantine: Quarantine) -> Merged | None:
        """Bring what lies beside into the state directory's journal; None when there is nothing."""
        found, base_seq = begins_at(self._disk, self._beside)
        if not found:
            return None
        compared = self.compare()
        outcome = decide(compared)
        ids: tuple[str, ...] = ()
        if outcome is Outcome.MERGE:
            self._clear_main(base_seq, quarantine)
            for segment, _ in found:
                self._copy(segment)
        elif outcome is Outcome.SET_ASIDE:
            ids = self._ids(base_seq)
            for segment, _ in found:
                quarantine.keep_copy(segment.path, NOT_MERGED_REASON)
        return Merged(
            outcome=outcome,
            path=str(self._beside.root),
            lines=compared.lines,
            first_seq=base_seq + 1,
            last_seq=compared.last_seq,
            epoch=compared.epoch,
            ids=ids,
        )

    def _clear_main(self, base_seq: int, quarantine: Quarantine) -> None:
        """Whatever the state directory has above the base would go before what is copied: it leaves, durably."""
        names = {segment.path.name for segment in self._beside.segments(self._disk)}
        for segment in self._main.segments(self._disk):
            if segment.first_seq <= base_seq:
                continue
            if not is_blank(self._disk, segment.path):
                quarantine.keep_copy(segment.path, REPLACED_REASON)
            if segment.path.name not in names:
                self._disk.unlink(segment.path)
                self._disk.sync_dir(self._main.journal)

    def _copy(self, segment: Segment) -> None:
        if not is_blank(self._disk, segment.path):
            end = read_content_end(self._disk, segment.path, 0)
            with closing(self._disk.read_range(segment.path, 0, end)) as parts:  # a full disk leaves it half read
                write_segment(self._disk, self._main, segment.first_seq, parts)

    def _ids(self, base_seq: int) -> tuple[str, ...]:
        ids: dict[str, None] = {}
        for raw in Scan(self._disk, self._beside, base_seq):
            try:
                ids.update(dict.fromkeys(fact.id for fact in decode_line(raw).facts))
            except UNDECODABLE:
                continue  # whatever it says, the whole of it lies in quarantine
            if len(ids) >= IDS_LISTED_MAX:
                break
        return tuple(ids)[:IDS_LISTED_MAX]

    def _snapshots(self) -> list[Path]:
        return [self._main.state, *(backup.path for backup in self._main.backups(self._disk))]

"""The fallback directory: where the journal goes on while the state directory cannot be written (recovery case J).

It holds `journal/`, with segments that open with a head (`segment_head`), and `fallback.json`, which says whose it is.
The state directory in turn notes in its own `fallback.json` which place it has: so a fallback that is not there (its
disk is not mounted), or a configuration that does not name it any more, is noticed before anything is built on half of
the journal.

Merging copies the segments into the state directory's journal as they are, each durable before the next step; only
when the state directory has gone on from there are they removed here. Doing it again, after a crash at any point,
changes nothing.
"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any, Final

import msgspec
from attrs import field, frozen

from actors.model.errors import InvalidParams
from actors.storage.fallback_case import Compared, Outcome, decide
from actors.storage.files import Disk
from actors.storage.identity import read_identity
from actors.storage.journal_decoding import decode_line
from actors.storage.journal_lines import FIRST_PREV, read_content_end
from actors.storage.journal_scan import Scan
from actors.storage.layout import Layout, Segment
from actors.storage.quarantine import Quarantine
from actors.storage.segment_head import begins_at
from actors.storage.segments import is_blank, write_segment
from actors.storage.snapshot_form import read_head as read_snapshot_head

MARK: Final = "fallback.json"
"""The name of the note, in both directories."""

NOT_MERGED_REASON: Final = "journal of a fallback directory that the state directory has not followed"
REPLACED_REASON: Final = "end of the journal that the fallback directory has replaced"

IDS_LISTED_MAX: Final = 1000

_SUPERSEDED: Final = ".superseded-"


class FallbackUnreachable(InvalidParams):
    """The journal may go on in a directory that cannot be used now: to start without it could lose what is there."""

    default_hint = "mount or repair it, or start with perdure up --ignore-fallback: what is only there is left out"


@frozen
class LayoutBeside(Layout):
    """A state directory whose journal goes on in a fallback: everything is where it was but the newest segments."""

    fallback: Layout = field(kw_only=True)
    base_seq: int = field(kw_only=True)

    def segments(self, disk: Disk) -> list[Segment]:
        """List the segments of both, as if they lay in one place."""
        own = [segment for segment in Layout(self.root).segments(disk) if segment.first_seq <= self.base_seq]
        return own + self.fallback.segments(disk)


@frozen(kw_only=True)
class Merged:
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


class Fallback:
    """One fallback directory, as one state directory uses it. Every OSError goes out but where it is said."""

    def __init__(self, disk: Disk, main: Layout, path: Path) -> None:
        self.layout = Layout(path)
        self._disk = disk
        self._main = main

    @property
    def path(self) -> Path:
        """Where it is."""
        return self.layout.root

    def check(self, *, is_known: bool) -> None:
        """Make sure that it can be used, and is ours; `is_known`: it was in use before, so its mark must be there.

        Raises FallbackUnreachable.
        """
        if self.path.is_relative_to(self._main.root):
            raise FallbackUnreachable(
                f"the fallback directory {self.path} lies inside the state directory",
                hint="name a directory on another disk as state.fallback_path",
            )
        try:
            owner = _read_mark(self._disk, self.layout).get("daemon_id")
            if owner is None and is_known:
                raise FallbackUnreachable(f"{self.path} is not the fallback directory that it was: its {MARK} is gone")
            if not is_known:
                self._make()
        except OSError as error:
            raise FallbackUnreachable(
                f"the fallback directory {self.path} cannot be used: {error.strerror or error}"
            ) from error
        ours = read_identity(self._disk, self._main)
        if owner is not None and isinstance(ours, dict) and owner != ours["daemon_id"]:
            raise FallbackUnreachable(
                f"the fallback directory {self.path} belongs to another state directory",
                hint="give each state directory a state.fallback_path of its own",
            )

    def mark(self, daemon_id: str) -> None:
        """Write whose it is, and note it in the state directory."""
        if _read_mark(self._disk, self.layout).get("daemon_id") != daemon_id:
            self._write_mark(self.layout, {"v": 1, "daemon_id": daemon_id, "state_path": str(self._main.root)})
        if noted_path(self._disk, self._main) != self.path:
            self._write_mark(self._main, {"v": 1, "path": str(self.path)})

    def forget(self) -> None:
        """The configuration names it no more, and nothing is in it."""
        self._disk.unlink(self._main.root / MARK)
        self._disk.sync_dir(self._main.root)

    def beside(self) -> Layout:
        """Return the layout that reads both journals as one."""
        found, base_seq = begins_at(self._disk, self.layout)
        return LayoutBeside(self._main.root, fallback=self.layout, base_seq=base_seq) if found else self._main

    @property
    def epoch(self) -> int:
        """The highest epoch of its segments; 0 when it has none."""
        found, _ = begins_at(self._disk, self.layout)
        return max((head.epoch for _, head in found), default=0)

    # Merging

    def compare(self) -> Compared:
        """Look at both journals above the base; changes nothing."""
        found, base_seq = begins_at(self._disk, self.layout)
        crcs = {line.seq: line.crc for line in Scan(self._disk, self.layout, base_seq)} if found else {}
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
        """Bring what is here into the state directory's journal; None when there is nothing. `retire` comes later."""
        found, base_seq = begins_at(self._disk, self.layout)
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
            path=str(self.path),
            lines=compared.lines,
            first_seq=base_seq + 1,
            last_seq=compared.last_seq,
            epoch=compared.epoch,
            ids=ids,
        )

    def retire(self, quarantine: Quarantine) -> None:
        """Remove the segments: the state directory has all of it, durably. What was superseded goes to quarantine."""
        if not self._disk.exists(self.layout.journal) or not self._disk.listdir(self.layout.journal):
            return
        for name in self._disk.listdir(self.layout.journal):
            if _SUPERSEDED in name:
                quarantine.keep_copy(self.layout.journal / name, NOT_MERGED_REASON)
                self._disk.unlink(self.layout.journal / name)
        for segment in reversed(self.layout.segments(self._disk)):
            self._disk.unlink(segment.path)
        self._disk.sync_dir(self.layout.journal)

    def clear_name(self, first_seq: int, epoch: int) -> None:
        """Let the segment that begins with `first_seq` be begun anew: what is in it is doubtful, and renamed."""
        path = self.layout.segment(first_seq)
        if self._disk.exists(path) and not is_blank(self._disk, path):
            self._disk.rename(path, path.with_name(f"{path.name}{_SUPERSEDED}{epoch}"))
            self._disk.sync_dir(self.layout.journal)

    def keep_copy(self, first_seq: int, epoch: int) -> None:
        """Keep a copy of a segment that is about to be replaced by its own good lines."""
        path = self.layout.segment(first_seq)
        if self._disk.exists(path) and not is_blank(self._disk, path):
            self._disk.write_new_file(path.with_name(f"{path.name}{_SUPERSEDED}{epoch}"), self._disk.read_file(path))

    # Parts

    def _clear_main(self, base_seq: int, quarantine: Quarantine) -> None:
        """Whatever the state directory has above the base would go before what is copied: it leaves, durably."""
        names = {segment.path.name for segment in self.layout.segments(self._disk)}
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
        for raw in Scan(self._disk, self.layout, base_seq):
            try:
                ids.update(dict.fromkeys(fact.id for fact in decode_line(raw).facts))
            except msgspec.DecodeError:
                continue  # whatever it says, the whole of it lies in quarantine
            if len(ids) >= IDS_LISTED_MAX:
                break
        return tuple(ids)[:IDS_LISTED_MAX]

    def _snapshots(self) -> list[Path]:
        return [self._main.state, *(backup.path for backup in self._main.backups(self._disk))]

    def _make(self) -> None:
        missing = [self.path, *self.path.parents]
        for path in reversed([path for path in missing if not self._disk.exists(path)]):
            self._disk.ensure_dir(path)
        self._disk.ensure_dir(self.layout.journal)
        self._disk.write_new_file(self.layout.journal / "probe", b"")
        self._disk.unlink(self.layout.journal / "probe")

    def _write_mark(self, layout: Layout, members: dict[str, Any]) -> None:
        self._disk.write_new_file(layout.root / MARK, msgspec.json.encode(members) + b"\n")


def noted_path(disk: Disk, main: Layout) -> Path | None:
    """Return the fallback directory that the state directory says it has."""
    noted = _read_mark(disk, main).get("path")
    return None if noted is None else Path(str(noted))


def _read_mark(disk: Disk, layout: Layout) -> dict[str, Any]:
    """Return what the note says; nothing when there is none, or none that can be read as one."""
    try:
        found = msgspec.json.decode(disk.read_file(layout.root / MARK, 1 << 16))
    except (FileNotFoundError, NotADirectoryError, msgspec.DecodeError):
        return {}
    return found if isinstance(found, dict) else {}

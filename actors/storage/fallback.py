"""The fallback directory: where the journal goes on while the state directory cannot be written (recovery case J).

It holds `journal/`, with segments that open with a head (`segment_head`), and `fallback.json`, which says whose it is.
The state directory in turn notes in its own `fallback.json` which place it has: so a fallback that is not there (its
disk is not mounted), or a configuration that does not name it any more, is noticed before anything is built on half of
the journal.

Only when the state directory has gone on from what was merged (`fallback_merge`) are the segments removed here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import msgspec
from attrs import field, frozen

from actors.model.errors import UNDECODABLE, InvalidParams
from actors.storage.fallback_case import Compared
from actors.storage.fallback_merge import NOT_MERGED_REASON, FallbackMerge, Merged
from actors.storage.files import Disk
from actors.storage.identity import read_identity
from actors.storage.layout import Layout, Segment
from actors.storage.quarantine import Quarantine
from actors.storage.segment_head import begins_at
from actors.storage.segments import is_blank

MARK: Final = "fallback.json"
"""The name of the note, in both directories."""

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


class Fallback:
    """One fallback directory, as one state directory uses it. Every OSError goes out but where it is said."""

    def __init__(self, disk: Disk, main: Layout, path: Path) -> None:
        self.layout = Layout(path)
        self._disk = disk
        self._main = main
        self._merge = FallbackMerge(disk, main, self.layout)

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

    def compare(self) -> Compared:
        """Look at both journals above the base; changes nothing."""
        return self._merge.compare()

    def merge(self, quarantine: Quarantine) -> Merged | None:
        """Bring what is here into the state directory's journal; None when there is nothing. `retire` comes later."""
        return self._merge.merge(quarantine)

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
    except (FileNotFoundError, NotADirectoryError, *UNDECODABLE):
        return {}
    return found if isinstance(found, dict) else {}

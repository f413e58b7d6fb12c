"""Where the journal is: in the state directory, or beside it in the fallback directory, and the way there and back.

at a start       `find` (or refuse), `merge`, recovery, `settle`;  where the state directory refuses: beside it
while it runs    the state directory refuses: `enter`;  it works again: `merge`, snapshot, new segment, `leave`
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Final

from actors.storage.contract import Cut
from actors.storage.fallback import Fallback, FallbackUnreachable, noted_path
from actors.storage.fallback_case import Outcome
from actors.storage.fallback_merge import Merged
from actors.storage.fallback_recovery import head_maker, recover_beside
from actors.storage.files import Disk
from actors.storage.journal import Journal
from actors.storage.layout import Layout
from actors.storage.quarantine import Quarantine
from actors.storage.recovery import Opened
from actors.storage.recovery_ground import Ground
from actors.storage.settings import StorageSettings

EPOCH_LEAP: Final = 1 << 32
"""Added to the epoch by a start with --ignore-fallback: no life on a fallback has begun so often."""


class Whereabouts:
    """See the module's text. Every OSError goes out."""

    def __init__(self, disk: Disk, layout: Layout, settings: StorageSettings) -> None:
        self._disk = disk
        self._layout = layout
        self._settings = settings
        self._active: Fallback | None = None
        self._former: Fallback | None = None
        """One that the configuration names no more, and that may still hold something."""
        self.merged: list[Merged] = []
        self.beside: str | None = None
        """Why the journal is not in the state directory; None when it is."""

    @property
    def has_fallback(self) -> bool:
        """Whether there is a place to go to."""
        return self._active is not None

    @property
    def layout(self) -> Layout:
        """Where the journal is read."""
        return self._layout if self.beside is None or self._active is None else self._active.beside()

    # At a start

    def find(self) -> None:
        """Find the fallback directory; raises FallbackUnreachable when the journal may go on where we cannot look."""
        self.merged.clear()
        self.beside = None
        self._active = self._former = None
        if self._settings.ignore_fallback:
            return
        noted, wanted = noted_path(self._disk, self._layout), self._settings.fallback_path
        path = noted if wanted == "noted" else wanted
        if isinstance(path, Path):
            self._active = Fallback(self._disk, self._layout, path)
            self._active.check(is_known=path == noted)
        if noted is not None and noted != path:
            self._former = Fallback(self._disk, self._layout, noted)
            self._former.check(is_known=True)

    def merge(self, quarantine: Quarantine) -> None:
        """Bring what lies beside into the state directory's journal."""
        for place in (self._former, self._active):
            merged = None if place is None else place.merge(quarantine)
            if merged is not None:
                self.merged.append(merged)

    def settle(self, identity: Mapping[str, Any], quarantine: Quarantine) -> None:
        """The state directory has gone on with what was merged: let go of it, and note which place there is."""
        for place in (self._former, self._active):
            if place is not None:
                place.retire(quarantine)
        if self._active is not None:
            self._active.mark(str(identity["daemon_id"]))
        elif self._former is not None:
            self._former.forget()
        self._former = None

    def recover_beside(self, ground: Ground, cause: OSError) -> Opened:
        """Recover without writing to the state directory; raises `cause` when that cannot be done."""
        if self._active is None or self._former is not None:
            raise cause
        opened = recover_beside(ground, self._active, cause)
        self.beside = str(cause)
        return opened

    def told(self, report: Mapping[str, Any]) -> dict[str, Any]:
        """Return the report of a recovery with what was merged before it."""
        lost = [merged for merged in self.merged if merged.outcome is Outcome.SET_ASIDE]
        if not self.merged:
            return dict(report)
        return {
            **report,
            "case": f"J{report['case']}",
            "corrupted": bool(report["corrupted"] or lost),
            "seqs_lost": [*report["seqs_lost"], *([merged.first_seq, merged.last_seq] for merged in lost)],
            "ids_lost": [*report["ids_lost"], *({"table": None, "id": row} for merged in lost for row in merged.ids)],
            "fallback": [merged.as_mapping() for merged in self.merged],
        }

    @property
    def epoch(self) -> int:
        """The highest epoch that was met beside."""
        return max((merged.epoch for merged in self.merged), default=0)

    # While it runs

    def enter(self, cut: Cut, last_crc: bytes | None, why: OSError) -> Journal:
        """Go on beside the state directory, which refused with `why`; raises that when there is no such place."""
        if self._active is None:
            raise why
        if self.beside is None:  # all that it holds was merged, and removing it was cut short
            for segment in reversed(self._active.layout.segments(self._disk)):
                self._disk.unlink(segment.path)
        self._active.clear_name(cut.seq + 1, cut.epoch)
        journal = Journal(
            self._disk,
            self._active.layout,
            next_seq=cut.seq + 1,
            last_crc=last_crc,
            segment_bytes_max=self._settings.segment_bytes_max,
            preallocate_bytes=self._settings.preallocate_bytes,
            head=partial(head_maker, cut.epoch, str(cut.identity.get("daemon_id", ""))),
        )
        self.beside = str(why)
        return journal

    def leave(self, quarantine: Quarantine) -> None:
        """The state directory has gone on: let go of what lies beside. What cannot be removed is found merged later."""
        self.beside = None
        self.merged.clear()
        if self._active is not None:
            with suppress(OSError):
                self._active.retire(quarantine)


__all__ = ["EPOCH_LEAP", "FallbackUnreachable", "Whereabouts"]

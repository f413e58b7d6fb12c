"""Two disks under one recorder: the one of the state directory fails when told to, the one of its fallback does not.

And a life of a store over both, with every way there and back, and what each directory that a power cut leaves of it
must hold.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from attrs import define, field

from actors.model.state import Limits
from actors.storage.contract import Cut, cut_of
from actors.storage.disk_store import DiskStore
from actors.storage.fallback import MARK
from actors.storage.files import Disk
from actors.storage.layout import Layout
from actors.storage.verify import verify_directory
from tests.kit.disks import RecordingDisk
from tests.kit.stores import Driver, Ticks, settings

MAIN: Final = "main"
BESIDE: Final = "fallback"


class TwoDisks(RecordingDisk):
    """While `is_failing`, everything that changes the state directory fails, after a write has gone into the cache."""

    is_failing = False

    def open(self, path: Path, flags: int, *, links_max: int = 1) -> int:
        if flags & os.O_CREAT and not os.path.lexists(path):
            self._refuse(path)
        descriptor = super().open(path, flags, links_max=links_max)
        self._places[descriptor] = path
        return descriptor

    def __init__(self, root: Path, forgets_at: tuple[str, str] | None = None) -> None:
        """`forgets_at` names a call, and the folder below which it is only pretended: a mutant."""
        super().__init__(root)
        self._forgets_at = forgets_at
        self._places: dict[int, Path] = {}

    def fsync(self, descriptor: int) -> None:
        if not self._is_forgotten("fsync", self._places.get(descriptor)):
            self._sync_or_fail(descriptor, super().fsync)

    def fdatasync(self, descriptor: int) -> None:
        if not self._is_forgotten("fdatasync", self._places.get(descriptor)):
            self._sync_or_fail(descriptor, super().fdatasync)

    def sync_dir(self, path: Path) -> None:
        self._refuse(path)
        if not self._is_forgotten("sync_dir", path / "any"):
            super().sync_dir(path)

    def rename(self, source: Path, target: Path) -> None:
        self._refuse(target)
        super().rename(source, target)

    def link(self, source: Path, target: Path) -> None:
        self._refuse(target)
        super().link(source, target)

    def unlink(self, path: Path) -> None:
        self._refuse(path)
        super().unlink(path)

    def mkdir(self, path: Path) -> None:
        if not os.path.lexists(path):
            self._refuse(path)
        super().mkdir(path)

    def _sync_or_fail(self, descriptor: int, sync: Callable[[int], None]) -> None:
        place = self._places.get(descriptor)
        if place is not None and self._is_refused(place):
            self.sync_failed(descriptor)
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(place))
        sync(descriptor)

    def _is_forgotten(self, call: str, path: Path | None) -> bool:
        if path is None or self._forgets_at is None or call != self._forgets_at[0]:
            return False
        return path.is_relative_to(self.root / self._forgets_at[1])

    def _refuse(self, path: Path) -> None:
        if self._is_refused(path):
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))

    def _is_refused(self, path: Path) -> bool:
        return self.is_failing and path.is_relative_to(self.root / MAIN)


def store_over(root: Path, disk: Disk, clock: Ticks, **changes: Any) -> DiskStore:
    """Make a store on `root/main` with `root/fallback` beside it."""
    return DiskStore(
        disk=disk,
        layout=Layout(root / MAIN),
        settings=settings(fallback_path=root / BESIDE, **changes),
        limits=Limits(),
        stamp=clock.stamp,
        version="0.1.0",
    )


@define
class History:
    """What was submitted: the ids of the tasks after each line; a line that failed has a state of its own."""

    states: dict[int, list[frozenset[str]]] = field(factory=lambda: {0: [frozenset()]})
    """By seq: what was there after the line that failed first, and so on; last after the one that was acknowledged."""

    def candidates(self, seq: int, acknowledged_seq: int) -> list[frozenset[str]]:
        """Return what may be there: what failed, only while nothing was acknowledged in its place."""
        found = self.states.get(seq, [])
        return found[-1:] if seq <= acknowledged_seq else found


class Life:
    """A store in use, witnessed."""

    def __init__(self, root: Path, disk: TwoDisks, history: History, **changes: Any) -> None:
        self.root = root
        self.disk = disk
        self.history = history
        self.clock = Ticks()
        self.epoch = 0
        self._changes = changes
        self.open()

    def open(self) -> None:
        """Start."""
        self.driver = Driver(store_over(self.root, self.disk, self.clock, **self._changes), clock=self.clock)
        self.epoch = max(self.epoch, self.driver.recovered.epoch) + 1
        self.disk.mark(acknowledged=self.driver.tables.seq)

    def restart(self) -> None:
        """Die without a word and start again."""
        self.driver.store.close()
        self.open()

    def create(self, *task_ids: str) -> None:
        """Create tasks, a line each, and acknowledge them."""
        self._submit(task_ids)
        self.driver.create(*task_ids)
        self.disk.mark(acknowledged=self.driver.acknowledged_seq)

    def create_in_vain(self, *task_ids: str) -> None:
        """Create tasks while the sync of the journal fails, and go on wherever that is possible."""
        self._submit(task_ids)
        try:
            self.driver.create(*task_ids)
        except OSError:
            self.epoch += 1
            self.driver.store.reopen(self.cut())
        else:
            raise AssertionError("the disk was to fail")

    def come_back(self) -> None:
        """Go back into the state directory."""
        self.driver.store.come_back(self.cut())

    def cut(self) -> Cut:
        """Return what is durable now."""
        driver = self.driver
        return cut_of(driver.tables, self.epoch, driver.recovered.identity, self.clock.stamp())

    def _submit(self, task_ids: Sequence[str]) -> None:
        there = frozenset(self.driver.tables.tasks.rows)
        for number, task_id in enumerate(task_ids, 1):
            there |= {task_id}
            self.history.states.setdefault(self.driver.tables.seq + number, []).append(there)


def live(life: Life) -> None:
    """Every way into the fallback and back: while it runs, over a restart, over one that cannot write either."""
    life.create("a", "b")
    life.driver.settle_files()
    life.driver.save()
    life.create("c")
    life.disk.is_failing = True
    life.create_in_vain("lost 1", "lost 2")
    life.create("d")
    life.create("e", "f")
    life.disk.is_failing = False
    life.come_back()
    life.create("g")
    life.disk.is_failing = True
    life.create_in_vain("lost 3")
    life.create("h")
    life.restart()
    life.create("i")
    life.disk.is_failing = False
    life.restart()
    life.create("j")
    life.driver.settle_files()
    life.driver.save()
    life.disk.is_failing = True
    life.create_in_vain("lost 4")
    life.create("k")
    life.disk.is_failing = False
    life.come_back()
    life.driver.stop()


def promises(history: History) -> Callable[[Path, Mapping[str, int]], None]:
    """Return the check of one directory that holds both."""

    def check(root: Path, marks: Mapping[str, int]) -> None:
        acknowledged_seq = marks.get("acknowledged", 0)
        _rename(root)
        (root / MAIN).mkdir(mode=0o700, exist_ok=True)
        seq, there, report = _recovered(root)
        assert seq >= acknowledged_seq, f"acknowledged, and gone: only {seq} of {acknowledged_seq} is there"
        assert there in history.candidates(seq, acknowledged_seq), f"not the state as of {seq}: {sorted(there)}"
        assert not report["corrupted"], f"a power cut is no damage: {report['case']}, {report['rejected']}"
        assert _recovered(root)[:2] == (seq, there), "recovering twice gives two states"
        assert not list((root / BESIDE / "journal").glob("*.jsonl")), "all of it was merged"
        shutil.rmtree(root / BESIDE)
        (root / MAIN / MARK).unlink()
        assert _recovered(root)[:2] == (seq, there), "what was merged does not need the fallback any more"
        verified = verify_directory(Disk(), Layout(root / MAIN))
        errors = [finding for finding in verified["findings"] if finding["severity"] == "error"]
        assert not errors, str(errors)

    return check


def _rename(root: Path) -> None:
    """The note in the state directory holds an absolute path; this directory lies elsewhere."""
    note = root / MAIN / MARK
    if note.exists():
        note.write_text(json.dumps({"v": 1, "path": str(root / BESIDE)}))


def _recovered(root: Path) -> tuple[int, frozenset[str], Mapping[str, Any]]:
    store = store_over(root, Disk(), Ticks(1_767_300_000.0))
    try:
        found = store.recover()
        return found.tables.seq, frozenset(found.tables.tasks.rows), found.report
    finally:
        store.close()

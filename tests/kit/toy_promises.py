"""What must hold in every directory that a power cut leaves behind a toy store, and the work that is cut short.

The marks (`ToyStore` sets them) say what could be relied on at the cut: `acknowledged`, `submitted`, `saved` (seq of
the last snapshot reported), `backups` (how many were there then), `idle` (no write under way: all on disk is clean),
`life of N` (which of the bodies submitted as seq N was acknowledged), `kept` (torn ends of the journal set aside).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from actors.storage.files import Disk
from actors.storage.journal_scan import Scan
from actors.storage.layout import Layout
from actors.storage.snapshot_reader import Problem, read_snapshot
from tests.kit.disks import RecordingDisk
from tests.kit.toy_store import ToyOptions, ToyStore, body_of

TORN_MARK: Final = b'"cmd":"toy"'
"""Stands in every torn end that `ToyStore.die_writing` leaves."""


def check_promises(directory: Path, marks: Mapping[str, int]) -> None:
    """Raise AssertionError unless every promise of the bytes' level holds for what a power cut left in `directory`."""
    disk, layout = Disk(), Layout(directory)
    check_bases(disk, layout, marks)
    check_quarantine(layout, marks)
    rows = recover_and_check(disk, directory, marks)
    again = ToyStore.open(disk, directory)
    try:
        assert again.rows == rows, "recovering twice gives something else"
        assert again.report.torn is None, "a cut end of the journal came back"
        assert not again.report.superseded, "an end of the journal that was superseded is still there"
        again.commit(2)
    finally:
        again.journal.close()
    count = len(rows) + 2
    assert len(recover_and_check(disk, directory, {"acknowledged": count, "submitted": count})) == count


def check_bases(disk: Disk, layout: Layout, marks: Mapping[str, int]) -> None:
    """What was said to be saved is there, every base is whole, and the journal reaches back to each without a hole."""
    image = read_snapshot(disk, layout.state)
    assert image.problem in (None, Problem.MISSING), f"state.json {image.problem}"
    assert image.seq >= marks.get("saved", 0), f"state.json is of seq {image.seq}, saved was {marks['saved']}"
    backups = layout.backups(disk)
    if "saved" in marks:
        seqs = {image.seq, *(backup.seq for backup in backups)}
        assert marks["saved"] in seqs, f"the snapshot of seq {marks['saved']} is gone before it was a backup"
    assert len(backups) >= marks.get("backups", 0), f"{len(backups)} backups left of {marks['backups']}"
    for backup in backups:
        problem = read_snapshot(disk, backup.path).problem
        assert problem is None, f"{backup.path.name} {problem}"
        report = Scan(disk, layout, backup.seq).read_all()
        assert not report.damages, f"from {backup.path.name}: {report.damages[0]}"
    segments = layout.segments(disk)
    report = Scan(disk, layout, segments[0].first_seq - 1 if segments else 0).read_all()
    assert not report.damages, f"a hole in the journal: {report.damages[0]}"
    if marks.get("idle"):
        report = Scan(disk, layout, image.seq).read_all()
        assert report.torn is None, f"torn though nothing was being written: {report.torn}"
        assert not report.superseded, "an end of the journal that was superseded is still there"


def check_quarantine(layout: Layout, marks: Mapping[str, int]) -> None:
    """A torn end that was cut is kept, and the report that says so can be read."""
    if marks.get("kept"):
        pieces = [path for path in layout.quarantine.glob("*/*") if path.name != "report.json"]
        kept = [piece for piece in pieces if TORN_MARK in piece.read_bytes()]
        assert len(kept) >= marks["kept"], "the bytes that were cut are gone"
        told = sum(_items_of(path) for path in layout.quarantine.glob("*/report.json"))
        assert told >= marks["kept"], "nothing says what was cut"


def _items_of(report: Path) -> int:
    try:
        return len(json.loads(report.read_bytes())["items"])
    except ValueError:
        return 0


def recover_and_check(disk: Disk, directory: Path, marks: Mapping[str, int]) -> dict[int, bytes]:
    """Recover and hold the result against what was acknowledged and submitted; return the rows."""
    store = ToyStore.open(disk, directory)
    store.journal.close()
    count = len(store.rows)
    assert not store.report.damages, f"called damaged after a mere power loss: {store.report.damages[0]}"
    assert sorted(store.rows) == list(range(1, count + 1)), "not a gap-free prefix"
    assert count >= marks.get("acknowledged", 0), f"{marks['acknowledged']} acknowledged, {count} there"
    assert count <= marks.get("submitted", 0), f"{marks.get('submitted')} submitted, {count} there"
    for seq, body in store.rows.items():
        life = marks.get(f"life of {seq}") if seq <= marks.get("acknowledged", 0) else None
        lives = range(5) if life is None else (life,)
        assert body in [body_of(seq, life) for life in lives], f"seq {seq} is not what was acknowledged"
    return store.rows


def run_workload(
    disk: RecordingDisk, root: Path, options: ToyOptions, kind: type[ToyStore] = ToyStore, batches: int = 17
) -> None:
    """Batches of several sizes, rotation by size, snapshots, backups pruned, segments removed; two kills in between."""
    store = kind.open(disk, root, options)
    kept = 0
    for number in range(1, batches + 1):
        store.commit(1 + number * 5 % 4)
        if number % 3 == 0 and number < batches - 1:
            store.snapshot()
        if number in (batches // 3, batches - 1):
            store.die_writing()
            store = kind.open(disk, root, options)
            kept += 1
            store.mark(kept=kept)
    store.journal.close()

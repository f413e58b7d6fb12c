"""What the journal is replayed on: state.json, the newest good backup, or what can be read of all of them.

Looking changes nothing. A snapshot that is whole is taken as it is. Of damaged ones every record that its own crc
vouches for is known; put together, the newest rev of each row wins, and a tombstone beats the rows it buried.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
from attrs import Factory, define

from actors.model.errors import UNDECODABLE, IncompatibleVersion
from actors.model.keys import KeyRecord
from actors.model.state import Limits, Tables, Tombstone
from actors.model.tables import Row, any_row
from actors.storage.files import Disk
from actors.storage.layout import Backup, Layout
from actors.storage.recovery_case import Seen
from actors.storage.snapshot_reader import Problem, SnapshotImage, read_snapshot
from actors.storage.snapshot_state import KEYS, SECTION_OF, TOMBSTONES, Loaded, decode_key, decode_tombstone, load_image

LEASE_LEAP = 1 << 20
"""Added to the highest lease seen when nothing proves that none was given out after it: tokens never repeat."""

SEQ_MAX = 1 << 53
"""No journal gets this far: a snapshot's unproven word beyond it is damage."""


class DamagedSnapshot(msgspec.Struct, frozen=True):
    """A snapshot that is not whole, with what can be read of it."""

    path: Path
    image: SnapshotImage
    backup: Backup | None
    """None for state.json."""


@define
class Snapshots:
    """Everything that was seen of snapshots."""

    state: Seen
    backup: Seen = Seen.MISSING
    good: SnapshotImage | None = None
    """state.json when it is good, else the newest good backup."""
    good_path: Path | None = None
    good_loaded: Loaded | None = None
    damaged: list[DamagedSnapshot] = Factory(list)
    copied_from: Backup | None = None
    """state.json is a copy of this backup, put there by hand."""


def look(disk: Disk, layout: Layout, limits: Limits) -> Snapshots:
    """Read state.json, and the backups from the newest on where it is not good, until one is."""
    image = read_snapshot(disk, layout.state)
    seen, loaded = _judge(image, limits)
    found = Snapshots(seen)
    if seen is Seen.GOOD:
        found.good, found.good_path, found.good_loaded = image, layout.state, loaded
        found.copied_from = _copied_from(disk, layout, image)
        return found
    if seen is Seen.DAMAGED:
        found.damaged.append(DamagedSnapshot(layout.state, image, None))
    for backup in reversed(layout.backups(disk) if seen is not Seen.NEWER else []):
        image = read_snapshot(disk, backup.path)
        found.backup, loaded = _judge(image, limits)
        if found.backup is not Seen.DAMAGED:
            found.good, found.good_path, found.good_loaded = image, backup.path, loaded
            break
        found.damaged.append(DamagedSnapshot(backup.path, image, backup))
    return found


def refuse_newer(snapshots: Snapshots, layout: Layout) -> None:
    """Raise IncompatibleVersion when a snapshot was written by a newer version."""
    if Seen.NEWER in (snapshots.state, snapshots.backup):
        raise IncompatibleVersion(
            f"{layout.root} was written by a newer version of Perdure; nothing was touched",
            hint="use the newer Perdure that wrote it; if there never was one, its state.json is damaged:"
            " cp a state.backup file over it",
        )


def put_together(snapshots: Snapshots, limits: Limits) -> Loaded:
    """Return the tables that all snapshots together give: the newest rev of each row; its seq is the good one's."""
    pieces = [damaged.image for damaged in snapshots.damaged]
    if snapshots.good is not None:
        pieces.insert(0, snapshots.good)
    rows, graves, keys = _Rows(), _Graves(), _KeyRecords()
    for image in pieces:
        rows.take(image)
        graves.take(image)
        keys.take(image)
    tables = Tables(limits)
    tables.tombstones = graves.newest
    for table, newest in rows.newest.items():
        alive = [row for row in newest.values() if not _is_buried(tables, table, row)]
        tables.by_name[table].load(alive)
    for (table, row_id), grave in list(tables.tombstones.items()):
        row = tables.row(table, row_id)
        if row is not None and row.rev > grave.rev:
            del tables.tombstones[table, row_id]
    tables.keys.load(sorted(keys.newest.values(), key=lambda record: record.seq))
    tables.seq = 0 if snapshots.good is None else snapshots.good.seq
    tables.lease_max = _lease_max(pieces, tables) + LEASE_LEAP
    return Loaded(
        tables=tables,
        epoch=max((_number(image.header.get("epoch")) for image in pieces), default=0),
        identity=next((i.header["identity"] for i in pieces if i.header.get("identity")), {}),
        files_seq=0 if snapshots.good_loaded is None else snapshots.good_loaded.files_seq,
    )


def newer_rows(snapshots: Sequence[DamagedSnapshot], tables: Tables) -> list[tuple[str, str]]:
    """Return the rows (table, id) of which a damaged snapshot proves a state that the tables have never had."""
    found: list[tuple[str, str]] = []
    for damaged in snapshots:
        for table, row in _rows(damaged.image):
            now = tables.row(table, row.id)
            if not _is_buried(tables, table, row) and row.rev > (0 if now is None else now.rev) and table != "events":
                found.append((table, row.id))
        late = (grave for grave in _tombstones(damaged.image) if grave.seq > tables.seq)
        found += [(grave.table, grave.id) for grave in late if tables.row(grave.table, grave.id) is not None]
    return found


def highest_seq(snapshots: Snapshots) -> int:
    """Return the highest seq that damaged snapshots vouch for, or say they had; no line may have it again."""
    seqs = [0]
    for damaged in snapshots.damaged:
        said = (damaged.image.seq, 0 if damaged.backup is None else damaged.backup.seq)
        seqs += [seq for seq in said if seq <= SEQ_MAX]
        seqs += [record.seq for record in _keys(damaged.image)]
        seqs += [grave.seq for grave in _tombstones(damaged.image)]
    return max(seqs)


def _judge(image: SnapshotImage, limits: Limits) -> tuple[Seen, Loaded | None]:
    if image.problem is Problem.MISSING:
        return Seen.MISSING, None
    if image.problem is Problem.NEWER:
        return Seen.NEWER, None
    if image.problem is not None:
        return Seen.DAMAGED, None
    try:
        return Seen.GOOD, load_image(image, limits)
    except (*UNDECODABLE, TypeError):
        return Seen.DAMAGED, None


def _copied_from(disk: Disk, layout: Layout, image: SnapshotImage) -> Backup | None:
    """A state.json that is not newer than a backup, and no second name of it, was put there by hand."""
    newer = [backup for backup in layout.backups(disk) if backup.seq >= image.seq]
    if not newer:
        return None
    state = disk.lstat(layout.state)
    if any(disk.lstat(backup.path).st_ino == state.st_ino for backup in newer):
        return None
    return next((backup for backup in newer if backup.seq == image.seq), newer[0])


class _Rows:
    def __init__(self) -> None:
        self.newest: dict[str, dict[str, Row]] = {table: {} for table in (*SECTION_OF, "daemon")}

    def take(self, image: SnapshotImage) -> None:
        for table, row in _rows(image):
            known = self.newest[table].get(row.id)
            if known is None or row.rev > known.rev:
                self.newest[table][row.id] = row


class _Graves:
    def __init__(self) -> None:
        self.newest: dict[tuple[str, str], Tombstone] = {}

    def take(self, image: SnapshotImage) -> None:
        for grave in _tombstones(image):
            known = self.newest.get((grave.table, grave.id))
            if known is None or grave.rev > known.rev:
                self.newest[grave.table, grave.id] = grave


class _KeyRecords:
    def __init__(self) -> None:
        self.newest: dict[str, KeyRecord] = {}

    def take(self, image: SnapshotImage) -> None:
        for record in _keys(image):
            known = self.newest.get(record.key)
            if known is None or record.seq > known.seq:
                self.newest[record.key] = record


def _rows(image: SnapshotImage) -> Iterator[tuple[str, Row]]:
    for table, section in SECTION_OF.items():
        for record in image.sections[section]:
            try:
                yield table, any_row(table, record)
            except UNDECODABLE:
                continue  # a good crc over something else: it is in quarantine with its file
    daemon = image.header.get("daemon")
    if isinstance(daemon, dict) and isinstance(daemon.get("id"), str):
        yield "daemon", any_row("daemon", msgspec.json.encode(daemon))


def _tombstones(image: SnapshotImage) -> Iterator[Tombstone]:
    for record in image.sections[TOMBSTONES]:
        try:
            yield decode_tombstone(record)
        except UNDECODABLE:
            continue


def _keys(image: SnapshotImage) -> Iterator[KeyRecord]:
    for record in image.sections[KEYS]:
        try:
            yield decode_key(record)
        except UNDECODABLE:
            continue


def _is_buried(tables: Tables, table: str, row: Row) -> bool:
    grave = tables.tombstones.get((table, row.id))
    return grave is not None and grave.rev >= row.rev


def _lease_max(images: Sequence[SnapshotImage], tables: Tables) -> int:
    marks: list[Any] = [(image.header.get("watermarks") or {}).get("lease_max") for image in images]
    leases = [msgspec.json.decode(row.encoded).get("lease") for row in tables.tasks.rows.values()]
    return max(map(_number, [*marks, *leases]), default=0)


def _number(value: Any) -> int:
    return value if isinstance(value, int) else 0

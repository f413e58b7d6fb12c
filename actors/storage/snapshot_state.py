"""Between the tables and the snapshot: what goes into which section, and back.

Rows go in as the bytes they are and come back so; only the columns that tables look up are read from them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from actors.model.keys import KeyRecord
from actors.model.state import Limits, Tables, Tombstone
from actors.model.tables import any_row, maker_of
from actors.storage.contract import Cut
from actors.storage.files import Disk
from actors.storage.layout import Layout
from actors.storage.quarantine import Quarantine
from actors.storage.snapshot import SnapshotHeader, SnapshotWriter, SnapshotWritten
from actors.storage.snapshot_form import SECTIONS
from actors.storage.snapshot_reader import SnapshotImage

SECTION_OF: Final = {
    "tasks": "tasks",
    "sessions": "sessions",
    "runs": "runs",
    "events": "recent_events",
    "logs": "logs",
    "reports": "reports",
    "services": "services",
}
"""Table → section. The daemon's one row is the header's member `daemon`."""

KEYS: Final = "idempotency"
TOMBSTONES: Final = "tombstones"

_encode = msgspec.json.Encoder().encode
_decode_key = msgspec.json.Decoder(KeyRecord).decode
_decode_tombstone = msgspec.json.Decoder(Tombstone).decode


class Loaded(msgspec.Struct, frozen=True, kw_only=True):
    """What a snapshot holds, as tables."""

    tables: Tables
    epoch: int
    identity: Mapping[str, Any]
    files_seq: int
    """Up to which seq all files behind the journal were durable."""


def write_cut(
    disk: Disk,
    layout: Layout,
    cut: Cut,
    *,
    files_seq: int,
    tombstones: Sequence[Tombstone],
    quarantine: Quarantine,
    backups_kept: int,
) -> SnapshotWritten:
    """Write the cut as state.json, durably. Raises OSError; then the state.json before it is still there."""
    daemon = cut.rows["daemon"]
    header = SnapshotHeader(
        seq=cut.seq,
        epoch=cut.epoch,
        last_saved=cut.saved_at,
        metrics=_encode(cut.metrics),
        identity=_encode(cut.identity),
        daemon=daemon[0].encoded if daemon else b"{}",
        watermarks=_encode({"lease_max": cut.lease_max, "files_seq": files_seq}),
    )
    writer = SnapshotWriter(disk, layout, header, quarantine)
    sections: dict[str, Iterable[bytes]] = {
        section: (row.encoded for row in cut.rows[table]) for table, section in SECTION_OF.items()
    }
    sections[KEYS] = (_encode(record) for record in cut.keys)
    sections[TOMBSTONES] = (_encode(tombstone) for tombstone in tombstones)
    try:
        for section in SECTIONS:
            writer.write(section, sections[section])
        return writer.finish(backups_kept)
    except BaseException:
        writer.abort()
        raise


def load_image(image: SnapshotImage, limits: Limits) -> Loaded:
    """Build the tables of a whole snapshot, their tasks' indexes deferred until a replay builds them.

    Raises msgspec.DecodeError for a record that is no row of its table.
    """
    tables = Tables(limits)
    tables.tasks.defer_indexes()
    for table, section in SECTION_OF.items():
        tables.by_name[table].load(list(map(maker_of(table), image.sections[section])))
    tables.keys.load([_decode_key(record) for record in image.sections[KEYS]])
    for record in image.sections[TOMBSTONES]:
        tombstone = _decode_tombstone(record)
        tables.tombstones[tombstone.table, tombstone.id] = tombstone
    daemon = image.header.get("daemon")
    if daemon:
        tables.put_row("daemon", any_row("daemon", _encode(daemon)))
    watermarks = image.header.get("watermarks") or {}
    tables.seq = image.seq
    tables.stamp = str(image.header.get("last_saved") or "")
    tables.lease_max = int(watermarks.get("lease_max") or 0)
    return Loaded(
        tables=tables,
        epoch=int(image.header.get("epoch") or 0),
        identity=image.header.get("identity") or {},
        files_seq=min(int(watermarks.get("files_seq") or 0), image.seq),
    )


def decode_key(record: bytes) -> KeyRecord:
    """Return a record of the section `idempotency`; raises msgspec.DecodeError."""
    return _decode_key(record)


def decode_tombstone(record: bytes) -> Tombstone:
    """Return a record of the section `tombstones`; raises msgspec.DecodeError."""
    return _decode_tombstone(record)

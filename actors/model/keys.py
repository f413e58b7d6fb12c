"""The idempotency table: which keyed commands took effect, so that a repeat changes nothing (SPEC section 3.3).

It is bounded by number and by age. Age is told by the stamps of the journal's own lines (the newest line is "now"), so
that replay forgets exactly what the live process forgot, and a clock that jumps back forgets nothing.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import msgspec


class KeyRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What is remembered of one keyed command."""

    key: str
    seq: int
    hash: str
    ids: tuple[str, ...]
    """The row that the command made or changed; several for a batch."""
    at: str


class Keys:
    """The newest keys, oldest first."""

    def __init__(self, kept: int, kept_s: float) -> None:
        self.records: dict[str, KeyRecord] = {}
        self._kept = kept
        self._kept_s = kept_s
        self._newest_s = 0.0

    def __len__(self) -> int:
        return len(self.records)

    def get(self, key: str) -> KeyRecord | None:
        """Return what is remembered of the key, or None."""
        return self.records.get(key)

    def put(self, record: KeyRecord) -> None:
        """Remember a key; forget those beyond the bounds."""
        self.records.pop(record.key, None)
        self.records[record.key] = record
        self._newest_s = max(self._newest_s, _seconds(record.at))
        while len(self.records) > self._kept or self._oldest_is_stale():
            del self.records[next(iter(self.records))]

    def load(self, records: Sequence[KeyRecord]) -> None:
        """Remember what a snapshot holds, oldest first; it was within the bounds then."""
        for record in records[:-1]:
            self.records[record.key] = record
        if records:
            self._newest_s = _seconds(max(record.at for record in records))
            self.put(records[-1])

    def _oldest_is_stale(self) -> bool:
        if len(self.records) <= 1:
            return False
        oldest = self.records[next(iter(self.records))]
        return self._newest_s - _seconds(oldest.at) > self._kept_s


def _seconds(stamp: str) -> float:
    return dt.datetime.fromisoformat(stamp).timestamp()


class Command(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a journal line says of the command that it carries out (`cmd`)."""

    method: str
    ref: str = ""
    key: str | None = None
    hash: str | None = None
    ids: tuple[str, ...] = ()

    def key_record(self, seq: int, at: str) -> KeyRecord | None:
        """Return what the idempotency table remembers of this command, None when it has no key."""
        if self.key is None:
            return None
        return KeyRecord(key=self.key, seq=seq, hash=self.hash or "", ids=self.ids, at=at)


def as_json(record: KeyRecord) -> bytes:
    """Encode a record as the snapshot keeps it."""
    return msgspec.json.encode(record)


def from_json(encoded: bytes | dict[str, Any]) -> KeyRecord:
    """Decode a record; raises msgspec.ValidationError when it is none."""
    if isinstance(encoded, dict):
        return msgspec.convert(encoded, KeyRecord)
    return msgspec.json.decode(encoded, type=KeyRecord)

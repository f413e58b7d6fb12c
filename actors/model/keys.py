"""The idempotency table: which keyed commands took effect, so that a repeat changes nothing (SPEC section 3.3).

It is bounded by number and by age. Age is told by the stamps of the journal's own lines (the line that brings a new key
is "now"), so that replay forgets exactly what the live process forgot, and a clock that jumps back forgets nothing. One
that jumps forward makes every key look old at once: so a new key drives out at most STALE_PER_KEY of them. That keeps
pace with keys that really age, and a clock that is put right again stops it before much is lost.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any, Final

import msgspec

STALE_PER_KEY: Final = 2
"""More than one, or a table that was once behind would stay so."""


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

    def __len__(self) -> int:
        return len(self.records)

    def get(self, key: str) -> KeyRecord | None:
        """Return what is remembered of the key, or None."""
        return self.records.get(key)

    def put(self, record: KeyRecord) -> None:
        """Remember a key; forget those beyond the bounds."""
        self.records.pop(record.key, None)
        self.records[record.key] = record
        stale_before_s = _seconds(record.at) - self._kept_s
        for _ in range(STALE_PER_KEY):
            oldest = next(iter(self.records.values()))
            if oldest is record or _seconds(oldest.at) >= stale_before_s:
                break
            del self.records[oldest.key]
        while len(self.records) > self._kept:
            del self.records[next(iter(self.records))]

    def load(self, records: Sequence[KeyRecord]) -> None:
        """Remember what a snapshot holds, oldest first: as it was then, but no more than may be kept now."""
        for record in records[max(0, len(records) - self._kept) :]:
            self.records[record.key] = record


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

"""The parts of state.json's form that its writer and its reader share."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import msgspec

from actors.storage.files import Disk

SECTIONS: Final = (
    "tasks",
    "sessions",
    "runs",
    "recent_events",
    "idempotency",
    "tombstones",
    "logs",
    "reports",
    "services",
)
"""The arrays, in the order in which they are written. The last three are Perdure's own: byte counts of text logs, the
index of the reports, and the services; older files lack the services' one, and one that is missing is empty."""

SEALED_MEMBERS: Final = ("metrics", "identity", "daemon", "watermarks")
"""The header's objects; each is sealed. `watermarks` is Perdure's own: the highest lease given out (`lease_max`), and
the seq up to which all task and session files were durable (`files_seq`)."""

CHECKSUM_HEAD: Final = b'"checksum":"sha256:'
CHECKSUM_TAIL: Final = b'"}\n'
CHECKSUM_BYTES: Final = len(CHECKSUM_HEAD) + 64 + len(CHECKSUM_TAIL)
"""The last line has always this length."""

_HEAD: Final = re.compile(
    rb'\{\n"version":"(\d{1,9})\.(\d{1,9})\.[^"\n]{0,40}",\n"seq":(\d{1,20}),\n'
    rb'"epoch":(\d{1,20}),\n"last_saved":"([^"\n\\]{1,64})",\n'
)
_HEAD_BYTES_MAX: Final = 512


class Head(msgspec.Struct, frozen=True):
    """The first members of a snapshot."""

    version: tuple[int, int]
    seq: int
    epoch: int
    last_saved: str
    length_bytes: int


def read_head(disk: Disk, path: Path) -> Head | None:
    """Return what the file says of itself in its first lines (not checked), None when they are not a snapshot's."""
    try:
        return parse_head(disk.read_file(path, _HEAD_BYTES_MAX, links_max=2))
    except OSError:
        return None


def parse_head(data: bytes) -> Head | None:
    """Take the first lines of a snapshot apart; None when they have not that form."""
    match = _HEAD.match(data)
    if match is None:
        return None
    major, minor, seq, epoch, last_saved = match.groups()
    return Head((int(major), int(minor)), int(seq), int(epoch), last_saved.decode("utf-8", "replace"), match.end())

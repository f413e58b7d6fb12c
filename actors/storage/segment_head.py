"""The first line of a segment that was begun in a fallback directory: on what it builds, and by whom.

`{"v":1,"epoch":…,"base_seq":…,"base_crc":"…","daemon_id":"…","crc":"…"}`. It is no line of the journal; readers pass it
over, so that such a segment can be copied into the state directory as it is.
"""

from __future__ import annotations

import msgspec

from actors.storage.codec import Bad, seal, unseal
from actors.storage.files import Disk
from actors.storage.journal_lines import HEAD_BEGIN, HEAD_BYTES_MAX
from actors.storage.layout import Layout, Segment

_encode = msgspec.json.Encoder().encode


class SegmentHead(msgspec.Struct, frozen=True, kw_only=True):
    """See the module's text."""

    epoch: int
    """Of the writer that began it."""
    base_seq: int
    """The line that it follows; durable when the segment was begun."""
    base_crc: str
    """That line's crc, zeros when the writer had not read it."""
    daemon_id: str
    """Whose journal it is."""

    def encoded(self) -> bytes:
        """Return the line, with its LF."""
        return seal(_encode({"v": 1, **msgspec.structs.asdict(self)})) + b"\n"


def read_head(disk: Disk, segment: Segment) -> SegmentHead | None:
    """Return the segment's head; None when it has none that can be believed. Raises OSError."""
    line = disk.read_file(segment.path, HEAD_BYTES_MAX).partition(b"\n")[0]
    found = unseal(line) if line.startswith(HEAD_BEGIN) else Bad.FORM
    if isinstance(found, Bad):
        return None
    try:
        members = msgspec.json.decode(found, type=dict[str, int | str])
        return SegmentHead(
            epoch=int(members["epoch"]),
            base_seq=int(members["base_seq"]),
            base_crc=str(members["base_crc"]),
            daemon_id=str(members["daemon_id"]),
        )
    except (msgspec.DecodeError, KeyError, ValueError):
        return None


def begins_at(disk: Disk, layout: Layout) -> tuple[list[tuple[Segment, SegmentHead]], int]:
    """Return the segments with their heads, and the seq that the first builds on; one without a head has its name."""
    found: list[tuple[Segment, SegmentHead]] = []
    for segment in layout.segments(disk):
        head = read_head(disk, segment)
        if head is None:
            known = found[-1][1] if found else SegmentHead(epoch=0, base_seq=0, base_crc="", daemon_id="")
            head = SegmentHead(
                epoch=known.epoch, base_seq=segment.first_seq - 1, base_crc="", daemon_id=known.daemon_id
            )
        found.append((segment, head))
    return found, found[0][1].base_seq if found else 0

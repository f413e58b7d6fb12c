"""Journal segments as files: begun, replaced and removed so that a power cut at any point leaves a journal that reads.

A segment comes into being complete or not at all: temporary name, content, fsync, rename, directory synced. Only then
is it appended to. Removing goes from the oldest on, one durable step at a time, so that there is never a hole.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

from actors.model.errors import StorageFailed
from actors.storage.files import Disk
from actors.storage.journal_lines import HEAD_BEGIN
from actors.storage.layout import Layout


def begin_segment(
    disk: Disk, layout: Layout, first_seq: int, preallocate_bytes: int = 0, head: bytes = b""
) -> tuple[int, Path]:
    """Make the segment that begins with `first_seq`: its head, then zeros; return its open descriptor and path.

    An existing segment of that name is replaced if it holds no more than a head and zeros; otherwise StorageFailed is
    raised: its lines must have been copied or set aside before. Raises OSError when the disk refuses; then there is no
    new segment, or (when only the last step failed) an empty one.
    """
    path = layout.segment(first_seq)
    if disk.exists(path) and not is_blank(disk, path):
        raise StorageFailed(f"{path.name} still holds lines", hint="this is a defect: the journal was not recovered")
    descriptor, temporary = disk.create_temporary(path)
    try:
        if head or preallocate_bytes:
            disk.pwrite_all(descriptor, head.ljust(preallocate_bytes, b"\0"), 0)
        disk.fsync(descriptor)
        disk.rename(temporary, path)
        disk.sync_dir(layout.journal)
    except BaseException:
        disk.close(descriptor)
        disk.discard(temporary)
        raise
    return descriptor, path


def write_segment(disk: Disk, layout: Layout, first_seq: int, pieces: Iterable[bytes]) -> Path:
    """Put a segment with this content in place, durably, replacing what has its name. Raises OSError."""
    path = layout.segment(first_seq)
    descriptor, temporary = disk.create_temporary(path)
    try:
        for piece in pieces:
            disk.write_all(descriptor, piece)
        disk.fsync(descriptor)
        disk.rename(temporary, path)
    except BaseException:
        disk.discard(temporary)
        raise
    finally:
        disk.close(descriptor)
    disk.sync_dir(layout.journal)
    return path


def remove_segments(disk: Disk, layout: Layout, needed_after_seq: int) -> list[str]:
    """Remove the segments whose every seq is at or below `needed_after_seq`; return their names.

    The caller has made sure that no kept backup, and no task or session file that is still behind, needs them: the
    removal of an older backup is durable. The last segment stays always. Raises OSError; what was removed stays so.
    """
    removed: list[str] = []
    segments = layout.segments(disk)
    for segment, following in pairwise(segments):
        if following.first_seq > needed_after_seq + 1:
            break
        disk.unlink(segment.path)
        disk.sync_dir(layout.journal)
        removed.append(segment.path.name)
    return removed


def is_blank(disk: Disk, path: Path) -> bool:
    """Tell whether the segment holds nothing but zeros, or a head and zeros."""
    content = disk.read_file(path)
    if content.startswith(HEAD_BEGIN):
        content = content.partition(b"\n")[2]
    return not content.strip(b"\0")

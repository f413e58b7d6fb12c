"""Which file holds a session's messages as they were at a rev: its own, or a copy that the archive keeps.

Each version of a session's file begins with the metadata of the rev at which it was begun (`base_rev`) and ends at the
rev at which the next one replaced it: that stands in the copy's name, `before-rev-<rev>.jsonl`. A file that left with
its session ended at the rev after the one in `row.archived`. The session's own file has not ended. Within a version
messages are only ever appended, so the first ones of it are those of each rev that lies in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec
import orjson

from actors.model.errors import UNDECODABLE
from actors.storage.archive import ROW, ROW_BYTES_MAX
from actors.storage.files import Disk
from actors.storage.layout import Layout
from actors.storage.survey import Survey

NEVER: Final = 1 << 62
"""The rev at which a session's own file ends."""

_BEFORE: Final = re.compile(r"before-rev-(\d{1,18})(\.\d+)?\.jsonl")


class _Rev(msgspec.Struct):
    rev: int = 0


class Version(msgspec.Struct, frozen=True):
    """One version of a session's file."""

    path: Path
    ended_rev: int


def versions(disk: Disk, layout: Layout, session_id: str) -> list[Version]:
    """Return every version there is, the one that ended first in front."""
    return sorted(_found(disk, layout, session_id), key=lambda version: version.ended_rev)


def version_of(disk: Disk, layout: Layout, session_id: str, rev: int, created_at: str) -> tuple[Path, int] | None:
    """Return the file whose version has `rev` in it, and how many messages without a gap it begins with; None: none."""
    best: tuple[Path, int] | None = None
    best_ended_rev = NEVER
    for version in versions(disk, layout, session_id):
        if version.ended_rev <= rev or (best is not None and version.ended_rev > best_ended_rev):
            continue
        survey = _survey(disk, version.path)
        if survey is None or survey.base_rev > rev or not _is_of(survey, created_at):
            continue
        count = survey.missing[0][0] - 1 if survey.missing else survey.last_index
        if best is None or count > best[1]:  # of several that ended together, a replay made all but one, from parts
            best, best_ended_rev = (version.path, count), version.ended_rev
    return best


def _found(disk: Disk, layout: Layout, session_id: str) -> Iterator[Version]:
    own = layout.session_file(session_id)
    if disk.exists(own):
        yield Version(own, NEVER)
    folder = layout.archive / "sessions" / session_id
    for name in disk.listdir(folder) if disk.exists(folder) else ():
        if match := _BEFORE.fullmatch(name):
            yield Version(folder / name, int(match[1]))
        elif name.isdigit() and disk.exists(folder / name / own.name):
            yield Version(folder / name / own.name, _rev_of_row(disk, folder / name / ROW) + 1)


def _rev_of_row(disk: Disk, path: Path) -> int:
    try:
        return msgspec.json.decode(disk.read_file(path, ROW_BYTES_MAX, links_max=2), type=_Rev).rev
    except (OSError, *UNDECODABLE):
        return 0


def _survey(disk: Disk, path: Path) -> Survey | None:
    try:
        return Survey.of(disk.read_range(path, 0, disk.lstat(path).st_size))
    except OSError:
        return None


def _is_of(survey: Survey, created_at: str) -> bool:
    """Tell whether the file's head is that of the session made then: an id may have been used twice."""
    if survey.header is None:
        return True
    return orjson.loads(survey.header).get("created_at") in ("", None, created_at)

"""What a directory is, judged before anything in it is touched: Perdure's, version 1's, nobody's, or somebody else's.

A directory that is not empty and bears no mark of either version is refused: what lies in it is somebody's.
`supervisor.root.directory` tells the same marks, and a test holds the two judgements equal.
"""

from __future__ import annotations

import json
import re
from enum import Enum
from pathlib import Path
from typing import Any, Final

from actors.storage.files import TEMPORARY_MARK, Disk
from actors.storage.layout import DIRECTORIES, Layout, names_in

KNOWN_VERSION: Final = (2, 0)
"""Major and minor of the newest format that this program reads; the third number never changes the format."""

_MARKS: Final = frozenset(
    {"identity.json", "perdure.lock", "writer.lock", "perdure.sock", "perdure.sock.path", "spool"}
)
_VERSION: Final = re.compile(rb'"version"\s*:\s*"(\d{1,9})(?:\.(\d{1,9}))?[^"]{0,40}"')
_OWN_TEMPORARIES: Final = tuple(f"{name}{TEMPORARY_MARK}" for name in ("identity.json", "state.json"))
_HEAD_BYTES: Final = 64 << 10
_STATE_V1_BYTES_MAX: Final = 256 << 20  # a whole version 1 state is parsed to be recognised; none was ever this big


class Standing(Enum):
    """What a directory is, judged before anything in it is touched."""

    MISSING = "missing"
    EMPTY = "empty"
    OURS = "ours"
    VERSION_1 = "version 1"
    FOREIGN = "foreign"
    """Not empty, and no mark of Perdure or of version 1: refused, exit 7."""
    NOT_A_DIRECTORY = "not a directory"


def classify(disk: Disk, layout: Layout) -> Standing:
    """Tell what `layout.root` is, reading as little as it takes and changing nothing."""
    try:
        names = set(disk.listdir(layout.root))
    except FileNotFoundError:
        return Standing.MISSING
    except NotADirectoryError:
        return Standing.NOT_A_DIRECTORY
    names.discard("lost+found")  # the root of a file system of its own
    names = {name for name in names if not name.startswith(_OWN_TEMPORARIES)}
    if not names:
        return Standing.EMPTY
    if "state.json" in names and (standing := _standing_of_state(disk, layout.state)) is not None:
        return standing
    if names & _MARKS or layout.backups(disk) or layout.segments(disk) or _is_ours_by_journal(disk, layout, names):
        return Standing.OURS
    if layout.backups_v1(disk) or _has_task_files(disk, layout):
        return Standing.VERSION_1
    return Standing.OURS if "state.json" in names and _is_damaged(disk, layout.state) else Standing.FOREIGN


def read_version(disk: Disk, path: Path) -> tuple[int, int] | None:
    """Return the major and minor version that the file at `path` says it has, None when it says none."""
    try:
        head = disk.read_file(path, _HEAD_BYTES, links_max=2)
    except OSError:
        return None
    match = _VERSION.search(head)
    return (int(match[1]), int(match[2] or 0)) if match else None


def _standing_of_state(disk: Disk, path: Path) -> Standing | None:
    """Judge by state.json alone; None when it says nothing (damaged, or somebody else's)."""
    version = read_version(disk, path)
    if version is not None and version >= (2, 0):
        return Standing.OURS
    state = _json_object(disk, path)
    if state is None:
        return None
    if (version or (0, 0))[0] == 1 or (
        version is None and any(isinstance(state.get(name), list) for name in ("tasks", "sessions"))
    ):
        return Standing.VERSION_1
    return None


def _json_object(disk: Disk, path: Path) -> dict[str, Any] | None:
    try:
        state = json.loads(disk.read_file(path, _STATE_V1_BYTES_MAX, links_max=2))
    except (OSError, ValueError, RecursionError):
        return None
    return state if isinstance(state, dict) else None


def _is_damaged(disk: Disk, path: Path) -> bool:
    """Tell whether state.json is no JSON at all: nobody's any more, and a start with nothing else loses nothing."""
    try:
        json.loads(disk.read_file(path, _STATE_V1_BYTES_MAX, links_max=2))
    except (OSError, ValueError, RecursionError):
        return True
    return False


def _is_ours_by_journal(disk: Disk, layout: Layout, names: set[str]) -> bool:
    """A first start that a crash cut short leaves some of our directories, all empty."""
    return names <= set(DIRECTORIES) and "journal" in names and not any(names_in(disk, layout.root / n) for n in names)


def _has_task_files(disk: Disk, layout: Layout) -> bool:
    for name in names_in(disk, layout.tasks):
        if name.endswith(".json"):
            task = _json_object(disk, layout.tasks / name)
            return task is not None and {"id", "description", "status"} <= task.keys()
    return False

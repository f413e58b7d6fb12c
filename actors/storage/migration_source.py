"""Reading what a directory of version 1 holds, whatever state it is in.

Its state.json, else its newest good backup, else its task files alone. Nothing is changed; what cannot be read is told.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
import orjson

from actors.storage.files import Disk
from actors.storage.layout import Layout
from actors.storage.migration_v1 import OldState

FILE_BYTES_MAX: Final = 256 << 20
"""No file of version 1 was ever this big; a longer one is not read."""


class Source(msgspec.Struct, frozen=True):
    """What was found, and where."""

    old: OldState
    name: str
    """The file that the list of tasks and sessions comes from; "task files" when no state could be read."""
    problems: tuple[str, ...]


def read_source(disk: Disk, layout: Layout) -> Source:
    """Read everything that the step to version 2 needs."""
    problems: list[str] = []
    name, state = _state(disk, layout, problems)
    old = OldState(
        version=str(state.get("version", "1")),
        tasks=_objects(state.get("tasks"), "task", problems),
        sessions=_objects(state.get("sessions"), "session", problems),
        last_saved=state.get("last_saved") if isinstance(state.get("last_saved"), str) else None,
    )
    for path, content in _json_files(disk, layout.tasks, problems):
        if isinstance(content, dict):
            old.task_files[path.stem] = content
        else:
            problems.append(f"tasks/{path.name} is not a JSON object")
    for path, content in _json_files(disk, layout.reports, problems):
        old.reports[path.stem.removeprefix("report_")] = content
    old.logs = _names(disk, layout.logs)
    return Source(old, name, tuple(problems))


def _state(disk: Disk, layout: Layout, problems: list[str]) -> tuple[str, dict[str, Any]]:
    for path in (layout.state, *reversed(layout.backups_v1(disk))):
        if not disk.exists(path):
            problems.append(f"{path.name} is missing")
            continue
        content = _json(disk, path, problems)
        if isinstance(content, dict) and any(isinstance(content.get(name), list) for name in ("tasks", "sessions")):
            return path.name, content
        if content is not None:
            problems.append(f"{path.name} is no state of version 1")
    return "task files", {}


def _json_files(disk: Disk, directory: Path, problems: list[str]) -> Iterator[tuple[Path, Any]]:
    for name in _names(disk, directory):
        if name.endswith(".json"):
            content = _json(disk, directory / name, problems)
            if content is not None:
                yield directory / name, content


def _json(disk: Disk, path: Path, problems: list[str]) -> Any:
    """Return what the file holds, None (and a problem) when it cannot be read."""
    try:
        content = orjson.loads(disk.read_file(path, FILE_BYTES_MAX, links_max=2))
        orjson.dumps(content)  # what is nested too deeply can be read but not be written again
    except (OSError, ValueError, TypeError) as error:
        problems.append(f"{path.name} cannot be read: {error}")
        return None
    return content


def _objects(found: Any, noun: str, problems: list[str]) -> list[dict[str, Any]]:
    if not isinstance(found, list):
        return []
    objects = [one for one in found if isinstance(one, dict)]
    if len(objects) < len(found):
        problems.append(f"{len(found) - len(objects)} entries of the {noun}s are no objects: they are in the old copy")
    return objects


def _names(disk: Disk, directory: Path) -> list[str]:
    try:
        return disk.listdir(directory)
    except (FileNotFoundError, NotADirectoryError):
        return []

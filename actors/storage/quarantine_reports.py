"""Making the report of a quarantine anew from the pieces that lie there; what the old one says of them is kept."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any, Final

from actors.storage.files import TEMPORARY_MARK, Disk
from actors.storage.quarantine import REPORT

REPORT_BYTES_MAX: Final = 64 << 20
"""Of a longer one nothing is read: there are no so many pieces."""

OLD: Final = f"{REPORT}.old"


def read_report(disk: Disk, path: Path) -> dict[str, Any] | str:
    """Return the report, or why it is none ("missing" when there is none)."""
    try:
        report = json.loads(disk.read_file(path, REPORT_BYTES_MAX, links_max=2))
    except FileNotFoundError:
        return "missing"
    except OSError as error:
        return error.strerror or str(error)
    except (ValueError, RecursionError) as error:
        return f"not JSON: {error}"
    items = report.get("items") if isinstance(report, dict) else None
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        return "no report"
    return dict(report)


def pieces(disk: Disk, directory: Path) -> list[str]:
    """Return the names of what was set aside there."""
    names = disk.listdir(directory)
    return [name for name in names if TEMPORARY_MARK not in name and name != REPORT and not name.startswith(OLD)]


def size_bytes(disk: Disk, path: Path) -> int | None:
    """Return a piece's size; None for a directory or a link, which have none to compare."""
    status = disk.lstat(path)
    return status.st_size if stat.S_ISREG(status.st_mode) else None


def write_report_anew(disk: Disk, directory: Path) -> None:
    """Put a report in place that lists what is there, durably; one that was there stays beside it. Raises OSError."""
    path = directory / REPORT
    known = read_report(disk, path)
    old: dict[str, Any] = known if isinstance(known, dict) else {"v": 1, "stamp": directory.name, "items": []}
    said = {str(item.get("file")): item for item in old["items"]}
    items = []
    for name in pieces(disk, directory):
        unknown = {"file": name, "source": name, "offset": 0, "reason": "not known: the report did not list it"}
        size = size_bytes(disk, directory / name)
        items.append(
            {**said.get(name, unknown), "bytes": disk.lstat(directory / name).st_size if size is None else size}
        )
    if disk.exists(path):
        target, number = directory / OLD, 1
        while disk.exists(target):
            number += 1
            target = directory / f"{OLD}.{number}"
        disk.link(path, target)
    disk.write_new_file(path, json.dumps({**old, "items": items}, indent=2).encode() + b"\n")

"""What a fault left on the disk, recovered offline and laid beside the oracle: FAULTS' invariant over one directory."""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import inf
from pathlib import Path
from typing import Any

from attrs import Factory, define

from actors.model.state import Tables
from actors.storage.files import Disk
from actors.storage.layout import Layout
from actors.storage.verify import verify_directory
from tests.kit.histories import opened
from tests.kit.oracle import Broken, Oracle, Visible, difference
from tests.kit.perdure import fingerprint
from tests.kit.stores import Driver


def visible(tables: Tables) -> Visible:
    """Return what the model speaks of, as the tables have it."""

    def rows(name: str) -> dict[str, dict[str, Any]]:
        return {row_id: json.loads(row.encoded) for row_id, row in tables.by_name[name].rows.items()}

    return {
        "tasks": {
            name: {
                "rev": row["rev"],
                "description": row["description"],
                "status": row["status"],
                "logs": [entry["message"] for entry in row["logs"]],
            }
            for name, row in rows("tasks").items()
        },
        "sessions": {
            name: {"rev": row["rev"], "title": row["title"], "messages": row["message_count"]}
            for name, row in rows("sessions").items()
        },
        "logs": {name: {"bytes": row["bytes"]} for name, row in rows("logs").items()},
        "reports": {name: {"rev": row["rev"]} for name, row in rows("reports").items()},
        "events": {row["message"]: {} for row in rows("events").values() if row["type"] == "oracle"},
    }


def recover(root: Path) -> tuple[Visible, Mapping[str, Any], int]:
    """Recover offline, write what lies behind, and close; return what can be seen, the report, and the seq."""
    driver = Driver(opened(root, Disk()))
    try:
        driver.settle_files()
        return visible(driver.tables), driver.report, driver.tables.seq
    finally:
        driver.store.close()


def check_directory(oracle: Oracle, root: Path, at_s: float = inf) -> Visible:
    """Check a directory that nothing runs on (a copy will do; it is recovered): FAULTS' invariant. Raises `Broken`."""
    torn = torn_ends(root)
    first, report, seq = recover(root)
    oracle.check(first, at_s)
    if set(report["case"]) - set("ABFHJ"):
        raise Broken(f"nothing was damaged, and recovery took case {report['case']}: {dict(report)}")
    second, _, again = recover(root)
    if (first, seq) != (second, again):
        raise Broken(f"recovering twice gives two states: {difference(first, second)}, seq {seq} and {again}")
    kept = b"\n".join(path.read_bytes() for path in sorted((root / "quarantine").rglob("*")) if path.is_file())
    journal = b"\n".join(path.read_bytes() for path in sorted((root / "journal").glob("*.jsonl")))
    for end in torn:
        if end not in kept and end not in journal:
            raise Broken(f"{len(end)} torn bytes were deleted, and not set aside: {end[:80]!r}")
    verified = verify_directory(Disk(), Layout(root))
    if not verified["ok"]:
        raise Broken(f"after recovery the directory is not sound: {verified['findings']}")
    return first


def torn_ends(root: Path) -> list[bytes]:
    """Return what follows the last newline of each segment, without zeros: no line, and nobody's to delete."""
    ends = [path.read_bytes().rstrip(b"\0").rpartition(b"\n")[2] for path in (root / "journal").glob("*.jsonl")]
    return [end for end in ends if end]


@define
class Surroundings:
    """What lies beside the state directory, and must stay as it is."""

    folder: Path
    _before: Mapping[str, str] = Factory(dict)

    @classmethod
    def planted(cls, folder: Path) -> Surroundings:
        """Make a folder with things in it that nobody has any business with."""
        (folder / "deeper").mkdir(parents=True)
        (folder / "state.json").write_text('{"version": "1.0.0"}')
        (folder / "deeper" / "journal.jsonl").write_text("not ours\n")
        return cls(folder, fingerprint(folder))

    def check(self) -> None:
        """Raise `Broken` when something changed."""
        if fingerprint(self.folder) != self._before:
            raise Broken(f"something outside the state directory changed: {self.folder}")

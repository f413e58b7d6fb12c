"""The workload of the interposer's trials, and the directory that it begins with.

It migrates a version-1 directory, crosses snapshots and rotations (by snapshot and by size), is killed in the middle,
recovers, goes on, and stops in order; every kind of file is written, replaced, archived and removed on the way.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from tests.kit.oracle import Step, Visible, steps_of
from tests.kit.oracle_disk import recover
from tests.kit.powerloss import scratch

SAMPLE_V1: Final = Path(__file__).parents[1] / "samples" / "state-v1"
SESSION: Final = "11111111-2222-4333-8444-555555555555"
OTHER: Final = "99999999-2222-4333-8444-555555555555"


def _session(session_id: str, *texts: str) -> tuple[str, dict[str, Any]]:
    about = {"title": "A session", "provider": "anthropic", "model": "m", "working_directory": "/w"}
    return "session.create", {"id": session_id, **about, "messages": [{"text": text} for text in texts]}


def _task(name: str) -> tuple[str, dict[str, Any]]:
    return "task.create", {"id": name, "description": f"do {name} " + "x" * 300}


WORKLOAD: Final[Sequence[Step]] = steps_of(
    _task("a"),
    _session(SESSION, "one", "two"),
    ("batch.apply", {"commands": [
        {"method": method, "params": params}
        for method, params in (_task("b"), ("task.start", {"id": "b"}), ("task.log", {"id": "b", "message": "begun"}))
    ]}),
    [_task(f"burst-{number}") for number in range(8)],
    ("state.save", {}),
    ("task.log", {"id": "b", "message": "half of it"}),
    ("session.append", {"id": SESSION, "messages": [{"text": "three"}, {"text": "four"}]}),
    ("log.append", {"session_id": SESSION, "text": "a line of the log\n"}),
    ("report.save", {"id": "r", "data": {"n": 1}}),
    ("task.complete", {"id": "b", "result": {"ok": True}}),
    ("task.delete", {"id": "a"}),
    _session(OTHER, "soon gone"),
    ("session.delete", {"id": OTHER}),
    ("task.update", {"id": "burst-0", "description": "changed " + "y" * 300}),
    ("event.record", {"type": "oracle", "message": "before the crash"}),
    ("task.log", {"id": "burst-1", "message": "after the crash"}),
    ("session.append", {"id": SESSION, "messages": [{"text": "five"}]}),
    ("session.save", {"id": SESSION, "messages": [{"text": "all new"}]}),
    ("state.save", {}),
    ("log.append", {"session_id": SESSION, "text": "another line\n"}),
    ("session.rename", {"id": SESSION, "title": "Renamed"}),
    _task("last"),
)  # fmt: skip
CRASH_AT: Final = 15
"""Before this step the runtime is killed, whatever else happens: so every workload holds a recovery with a tail."""


def nothing() -> Visible:
    """Return what is seen of an empty directory."""
    return {"tasks": {}, "sessions": {}, "logs": {}, "reports": {}, "events": {}}


def migrated() -> Visible:
    """Return what is seen of the version-1 sample, migrated without a fault."""
    with scratch() as folder:
        shutil.copytree(SAMPLE_V1, folder / "state")
        return recover(folder / "state")[0]

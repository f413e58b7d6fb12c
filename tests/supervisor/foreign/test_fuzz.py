"""Whatever stands in other tools' files: readers tell what they cannot read, and what they yield can be sent."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from actors.model.errors import PerdureError
from supervisor.foreign.as_nanocoder import as_nanocoder
from supervisor.foreign.importer import Importer
from supervisor.foreign.kinds import KINDS
from supervisor.foreign.report import Report
from supervisor.foreign.values import (
    EventsFound,
    Found,
    LogFound,
    Message,
    ReportFound,
    RunFound,
    SessionFound,
    TaskFound,
)
from supervisor.wire import strict_json, validation
from supervisor.wire.methods import METHODS
from tests.kit.foreign import SAMPLES
from tests.kit.perdure import fingerprint
from tests.kit.spoiled import contents

FILES = [
    ("nanocoder", "nanocoder-sessions", "0dc28ace-dc67-490b-ad6c-2e1e81b96574.json"),
    ("sessions-db", "sessions-db/good", "sessions-db-events.jsonl"),
    ("sessions-db", "sessions-db/good", "sessions-db.json"),
    ("claude", "claude-transcripts", "edge_cases.jsonl"),
    ("claude", "claude-transcripts", "todowrite_examples.jsonl"),
    (
        "codex",
        "codex",
        "sessions/2026/11/21/rollout-2026-11-21T06-00-00-0190163d-8694-739b-aea5-966c26f8ad91.jsonl",
    ),
    ("codexd", "codexd", "state/identity.json"),
    ("codexd", "codexd", "state/daemon-state.json"),
    ("codexd", "codexd", "state/session-registry.json"),
    ("codexd", "codexd", "state/run-registry.json"),
    ("codexd", "codexd", "state/recent-events.json"),
    ("state-v1", "state-v1", "state.json"),
    ("state-v1", "state-v1", "tasks/task_1704067200000.json"),
    ("state-v1", "state-v1", "reports/report_weekly.json"),
    ("state-v1", "state-v1", "logs/session_1704067200001.log"),
]
"""Kind, its sample, and the file in it that is spoiled."""


def sent(method: str, **params: Any) -> None:
    """What goes over the wire: it is encoded, and the runtime takes it or refuses it in its own words."""
    line = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}, ensure_ascii=False).encode()
    try:
        validation.validate(METHODS[method], strict_json.loads(line)["params"])
    except PerdureError:
        return


def send_all(found: Found) -> None:
    """Send what was found, as an import does."""
    if isinstance(found, SessionFound):
        sent("session.put", session=found.members)
        for message in found.messages():
            if isinstance(message, Message):
                sent("session.append", id="0dc28ace-dc67-490b-ad6c-2e1e81b96574", messages=[message.body])
                as_nanocoder(message.body)
    elif isinstance(found, TaskFound):
        sent("task.save", task=found.task)
    elif isinstance(found, RunFound):
        sent("run.put", run=found.run)
    elif isinstance(found, ReportFound):
        sent("report.save", id=found.id, data=found.data)
    elif isinstance(found, LogFound):
        assert all(isinstance(piece, str) for piece in found.text())
    elif isinstance(found, EventsFound):
        for event in found.events():
            if isinstance(event, tuple):
                sent("event.record", **event[1])


@pytest.mark.parametrize(("kind", "folder", "name"), FILES, ids=[f"{kind}-{name[-20:]}" for kind, _, name in FILES])
@settings(max_examples=settings().max_examples // 2, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_whatever_stands_in_a_file_is_read_or_told_and_what_is_read_can_be_sent(
    tmp_path: Path, kind: str, folder: str, name: str, data: st.DataObject
) -> None:
    directory = tmp_path / "source"
    if not directory.exists():
        shutil.copytree(SAMPLES / folder, directory)
        if name == "sessions-db.json":
            (directory / "sessions-db-events.jsonl").unlink()  # a cache is read only where there is nothing else
    (directory / name).write_bytes(data.draw(contents([(SAMPLES / folder / name).read_bytes()]), label=name))
    before = fingerprint(directory)
    for one in KINDS.values():
        one.looks_like(directory)
    importer = Importer(None, Report(kind, str(directory), True, at="2026-01-01T00:00:00.000Z"), lambda _bytes: None)
    for found in KINDS[kind].read(directory):
        importer.take(found)
        send_all(found)
    importer.tell_parents()
    assert fingerprint(directory) == before

"""Any content in the place of any one file of a state directory: whoever reads it takes it or tells what is wrong.

The files are spoiled as no disk does it (other JSON, deep nesting, lines that are sealed anew), for people, programs
that synchronise and other versions do it so. Nothing but errors of our own may come out, and recovering twice gives the
same.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.model.errors import PerdureError
from actors.storage import offline
from actors.storage.codec import Bad, seal, unseal
from actors.storage.files import Disk
from actors.storage.layout import Layout
from actors.storage.migrations import plan
from actors.storage.peek import read_tables
from actors.storage.restore import Moment
from actors.storage.standing import classify
from supervisor.root.directory import is_foreign
from supervisor.root.lock import read_lock
from tests.kit.histories import OTHER_SESSION, SESSION, opened, recovered
from tests.kit.powerloss import scratch
from tests.kit.spoiled import DEEP, contents

GOLDEN: Final = Path(__file__).parents[1] / "actors" / "storage" / "golden" / "v2"
STATE_V1: Final = Path(__file__).parents[1] / "samples" / "state-v1"

SEALED: Final = ("journal/", "sessions/")
"""Where lines are sealed one by one."""

LOCK: Final = b'{"pid": 1, "phase": "up", "since": "2026-01-01T00:00:00.000Z", "restarts": 0, "last_error": null}\n'
MARK: Final = b'{"v":1,"path":"/nowhere"}\n'
ADDED: Final = {"perdure.lock": LOCK, "fallback.json": MARK}
"""Files that a directory may have besides those of the sample."""


def looked_at(root: Path) -> None:
    """Whoever looks without changing anything."""
    layout, disk = Layout(root), Disk()
    classify(disk, layout)
    is_foreign(root)
    read_lock(root)
    looks: tuple[Callable[[], Any], ...] = (
        lambda: offline.verify(root),
        lambda: offline.backups(root),
        lambda: offline.clean(root, dry_run=True, quarantine_days=0, archive_days=0, tasks_days=0),
        lambda: offline.restore(root, Moment(seq=5), dry_run=True),
        lambda: offline.restore(root, Moment(time="2026-01-01T00:00:06.000Z"), dry_run=True),
        lambda: read_tables(disk, layout),
        lambda: plan(disk, layout, stamp="2026-01-02T00:00:00.000Z"),
    )
    for look in looks:
        with contextlib.suppress(PerdureError):
            look()


def lived_in(root: Path) -> None:
    """A runtime that reads whatever there is to be read."""
    store = opened(root)
    try:
        found = store.recover()
        reads: tuple[Callable[[], Any], ...] = (
            *(lambda id=id: store.read_report(id) for id in found.tables.reports.rows),
            *(lambda id=id: store.read_messages(id, 0, 100) for id in (SESSION, OTHER_SESSION)),
            lambda: store.read_archived(OTHER_SESSION),
            lambda: store.read_log("task_t1", 0, 100),
            lambda: store.read_lines(1, 100),
            lambda: store.search_messages("naïve"),
            lambda: store.read_spool(10),
            store.verify,
            store.health,
        )
        for read in reads:
            with contextlib.suppress(PerdureError):
                read()
    finally:
        store.close()


def survived(root: Path) -> None:
    """Look at it, live in it twice, repair it and build it anew."""
    looked_at(root)
    with contextlib.suppress(PerdureError):  # a newer version is refused
        lived_in(root)
        assert recovered(root)[0]["rows"] == recovered(root)[0]["rows"]
    for mend in (offline.repair, offline.rebuild):
        with contextlib.suppress(PerdureError):
            mend(root)


def resealed(content: bytes) -> bytes:
    """The content with a right checksum in every line that could have one."""
    lines = content.split(b"\n")
    for number, line in enumerate(lines):
        if line[:1] == b"{" and line[-1:] == b"}":
            body = unseal(line)
            head = line.rpartition(b',"crc"')[0] + b"}" if isinstance(body, Bad) and b',"crc"' in line else line
            lines[number] = line if not isinstance(body, Bad) else seal(head)
    return b"\n".join(lines)


def of(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


@pytest.mark.parametrize("name", [*of(GOLDEN), *ADDED])
@settings(max_examples=max(1, settings().max_examples // 5))
@given(data=st.data())
def test_whatever_stands_in_a_file_it_is_taken_or_told(name: str, data: st.DataObject) -> None:
    sample = ADDED[name] if name in ADDED else (GOLDEN / name).read_bytes()
    content = data.draw(contents([sample]), label=name)
    if name.startswith(SEALED) and data.draw(st.booleans(), label="sealed anew"):
        content = resealed(content)
    with scratch() as folder:
        root = folder / "state"
        shutil.copytree(GOLDEN, root)
        (root / name).write_bytes(content)
        survived(root)


@pytest.mark.parametrize("name", of(STATE_V1))
@settings(max_examples=max(1, settings().max_examples // 5))
@given(data=st.data())
def test_whatever_stands_in_a_file_of_version_1_it_is_migrated_or_told(name: str, data: st.DataObject) -> None:
    content = data.draw(contents([(STATE_V1 / name).read_bytes()]), label=name)
    with scratch() as folder:
        root = folder / "state"
        shutil.copytree(STATE_V1, root)
        (root / name).write_bytes(content)
        survived(root)
        with contextlib.suppress(PerdureError):
            offline.rollback(root)


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("state.backup.20260101T000006.000000Z.0.json", b'"last_saved":"', b'"last_saved":"\0'),
        ("archive/sessions/99999999-2222-4333-8444-555555555555/1/row.archived", b"{", b'{"a":' * DEEP),
        ("archive/sessions/99999999-2222-4333-8444-555555555555/1/row.archived", b'"m"', b'"\xff"'),
        ("perdure.lock", b"{", b'{"a":' * DEEP),
        ("fallback.json", b"/nowhere", b"\xff"),
        ("identity.json", b'"node"', b"[" * DEEP),
    ],
)
def test_what_broke_somebody_once_breaks_nobody(name: str, good: bytes, bad: bytes) -> None:
    with scratch() as folder:
        root = folder / "state"
        shutil.copytree(GOLDEN, root)
        content = ADDED[name] if name in ADDED else (root / name).read_bytes()
        assert good in content
        (root / name).write_bytes(content.replace(good, bad, 1))
        survived(root)

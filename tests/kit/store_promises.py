"""A workload over the whole store, and the promises that every directory a power cut leaves of it must keep."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from attrs import define, field

from actors.model.facts import Fact
from actors.model.state import Limits, Tables, rows_after
from actors.storage.contract import Appended
from actors.storage.disk_store import DiskStore
from actors.storage.files import Disk
from actors.storage.journal_decoding import decode_body
from actors.storage.layout import Layout
from actors.storage.verify import verify_directory
from tests.kit.disks import RecordingDisk
from tests.kit.mortal_disk import MortalDisk
from tests.kit.stores import (
    OTHER_SESSION,
    SESSION,
    Driver,
    Ticks,
    created,
    deleted,
    described,
    disk_store,
    encode,
    session_appended,
    session_created,
    session_deleted,
    session_saved,
    settings,
    state_of,
)

MESSAGES = {"first": [{"n": 1}, {"n": 2}], "more": [{"n": 3}], "other": [{"n": 10}], "after": [{"n": 11}]}


@define
class Truth:
    """What was submitted: the state as of every seq, and the messages of every session then."""

    states: dict[int, dict[str, Any]] = field(factory=dict)
    messages: dict[int, dict[str, list[Any]]] = field(factory=dict)
    archived_at: int = 1 << 60
    """The line that moved the other session to the archive."""
    rewritten_at: int = 1 << 60
    """The line that replaced the session's messages."""
    _tables: Tables = field(factory=lambda: Tables(Limits()))
    _held: dict[str, list[Any]] = field(factory=dict)

    def __attrs_post_init__(self) -> None:
        self.states[0] = state_of(self._tables)
        self.messages[0] = {}

    def take(self, first_seq: int, bodies: Sequence[bytes]) -> None:
        """Note lines before they are written."""
        for seq, body in enumerate(bodies, first_seq):
            line = decode_body(body, seq)
            self._tables.absorb(line, rows_after(self._tables, line.facts))
            for fact in line.facts:
                self._hold(fact, seq)
            self.states[seq] = state_of(self._tables)
            self.messages[seq] = {name: list(held) for name, held in self._held.items()}

    def _hold(self, fact: Fact, seq: int) -> None:
        if fact.op == "session.deleted":
            self.archived_at = seq
            self._held.pop(fact.id, None)
        elif fact.op in {"session.created", "session.appended", "session.saved"}:
            given = fact.members()["messages"]
            kept = self._held.get(fact.id, []) if fact.op == "session.appended" else []
            self._held[fact.id] = [*kept, *given]
            if fact.op == "session.saved":
                self.rewritten_at = seq


class Recorded:
    """A store on a recording disk whose acknowledgements are marked in the trace."""

    def __init__(self, root: Path, disk: RecordingDisk | MortalDisk, truth: Truth, **changes: Any) -> None:
        self.root = root
        self.disk = disk
        self.truth = truth
        self.changes = changes
        self.clock = Ticks()
        self.driver = self._opened()

    def restart(self) -> None:
        """Die without a word and start again."""
        self.driver.store.close()
        self.driver = self._opened()

    def commit(self, *facts: Fact) -> None:
        """Commit one line; it is submitted before the write and acknowledged after it."""
        self.driver.commit(*facts)
        self._acknowledge()

    def commit_all(self, lines: list[tuple[Fact, ...]]) -> None:
        self.driver.commit_all(lines)
        self._acknowledge()

    def _acknowledge(self) -> None:
        self.disk.mark(acknowledged=self.driver.acknowledged_seq)

    def _opened(self) -> Driver:
        store = WitnessedStore(
            disk=self.disk,
            layout=Layout(self.root),
            settings=settings(**self.changes),
            limits=Limits(),
            stamp=self.clock.stamp,
            version="0.1.0",
        )
        store.truth = self.truth
        return Driver(store, clock=self.clock)


class WitnessedStore(DiskStore):
    """A store whose commits are told to the truth before they are written."""

    truth: Truth

    def commit(self, bodies: Sequence[bytes]) -> Appended:
        self.truth.take(self._journal.current.next_seq, bodies)
        return super().commit(bodies)


def run_workload(one: Recorded) -> None:
    """Use everything a store has: batches, files, sessions and their rewriting, snapshots, restarts."""
    one.commit_all([(created("a"),), (created("b"),)])
    one.commit(session_created(messages=MESSAGES["first"]))
    one.driver.write_files(tasks_max=1)
    one.driver.save()
    one.commit(described("a", 2, "changed"), session_appended(2, 3, MESSAGES["more"]))
    one.driver.settle_files()
    one.commit(log_appended(0, "line one\n"), report_saved())
    one.driver.save()
    one.commit(deleted("b", 2))
    one.commit(session_saved(3, MESSAGES["other"]), created("c"))
    one.driver.write_files()
    one.restart()
    one.commit(session_appended(4, 2, MESSAGES["after"]), log_appended(9, "line two\n"))
    one.commit(session_created(OTHER_SESSION, MESSAGES["first"]))
    one.driver.settle_files()
    one.commit(session_deleted(2, OTHER_SESSION))
    one.driver.save()
    one.commit(created("b", rev=3))
    one.driver.settle_files()
    one.commit(described("c", 2, "last"))
    one.driver.save()
    one.driver.stop()


def log_appended(offset: int, text: str) -> Fact:
    name, rev = f"session_{SESSION}", offset + 1
    row = {"id": name, "bytes": offset + len(text), "rev": rev, "offset": offset, "text": text}
    return Fact(op="log.appended", id=name, rev=rev, data=row)


def report_saved() -> Fact:
    data = {"id": "r", "created_at": "2026-01-01T00:00:00.000Z", "bytes": 2, "rev": 1, "data": [1]}
    return Fact(op="report.saved", id="r", rev=1, data=data)


def promises(truth: Truth) -> Callable[[Path, Mapping[str, int]], None]:
    """Return the check of one directory."""

    def check(root: Path, marks: Mapping[str, int]) -> None:
        first, report = _recovered(root)
        assert first["seq"] >= marks.get("acknowledged", 0), f"acknowledged, and gone: only {first['seq']} is there"
        assert first == truth.states[first["seq"]], f"not the state as of {first['seq']}"
        assert set(report["case"]) <= set("ABF"), f"a power cut is no damage: case {report['case']}"
        second, _ = _recovered(root)
        assert second == first, "recovering twice gives two states"
        _check_files(root, truth, first["seq"])

    return check


def _check_archive(root: Path, truth: Truth, seq: int, driver: Driver) -> None:
    """What left, and what was replaced, is in the archive with every byte."""
    if seq >= truth.archived_at:
        found = driver.store.read_archived(OTHER_SESSION)
        assert found is not None, "the session that was deleted is not in the archive"
        folder = root / "archive" / "sessions" / OTHER_SESSION / found[1]
        content = (folder / f"{OTHER_SESSION}.jsonl").read_bytes()
        assert all(encode(message) in content for message in MESSAGES["first"]), "its archived file lacks messages"
    if seq >= truth.rewritten_at:
        copies = list((root / "archive" / "sessions" / SESSION).glob("before-rev-3*.jsonl"))
        given = [*MESSAGES["first"], *MESSAGES["more"]]
        assert any(all(encode(one) in copy.read_bytes() for one in given) for copy in copies), "the old messages"


def _recovered(root: Path) -> tuple[dict[str, Any], Mapping[str, Any]]:
    store = disk_store(root, Disk(), Ticks(1_767_300_000.0))
    try:
        found = store.recover()
        return state_of(found.tables), found.report
    finally:
        store.close()


def _check_files(root: Path, truth: Truth, seq: int) -> None:
    """After what lies behind has been written, every file says what its row says."""
    driver = Driver(disk_store(root, Disk(), Ticks(1_767_400_000.0)))
    try:
        driver.settle_files()
        for session_id, expected in truth.messages[seq].items():
            page = driver.store.read_messages(session_id, 0, 100)
            assert [json.loads(message) for message in page.messages] == expected, f"messages of {session_id}"
        log = driver.tables.row("logs", f"session_{SESSION}")
        if log is not None:
            text, _ = driver.store.read_log(f"session_{SESSION}", 0, 1000)
            assert text == b"line one\nline two\n"[: json.loads(log.encoded)["bytes"]], "the session's log"
        if driver.tables.row("reports", "r") is not None:
            assert json.loads(driver.store.read_report("r"))["data"] == [1], "the report"
        _check_archive(root, truth, seq, driver)
        rows = {task_id: json.loads(row.encoded) for task_id, row in driver.tables.tasks.rows.items()}
    finally:
        driver.store.close()
    files = {path.stem: json.loads(path.read_bytes()) for path in (root / "tasks").glob("*.json")}
    assert files == rows, "the task files"
    verified = verify_directory(Disk(), Layout(root))
    assert verified["ok"], str(verified["findings"])

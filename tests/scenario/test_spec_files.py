"""The state directory as the specification words it: names, modes, lines, members, backups, starts.

What is read here is read with open(2) and a JSON parser: whoever has only the specification can do the same.
"""

import hashlib
import itertools
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import uuid
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.kit.perdure import Perdure, eventually, fingerprint, perdure

Another = Callable[..., Perdure]

UUID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
STAMP = r"\d{8}T\d{6}[.\d]*Z"
NAMES = [
    r"state\.json",
    rf"state\.backup\.{STAMP}\.\d+\.json",
    r"journal(/\d{20}\.jsonl)?",
    r"tasks(/[^/]+\.json)?",
    rf"sessions(/{UUID}\.jsonl|/sessions\.json)?",
    rf"logs(/session_{UUID}\.log|/perdure\.log(\.\d+)?|/task_[^/]+\.log)?",
    r"reports(/report_[^/]+\.json)?",
    r"archive(/.*)?",
    r"quarantine(/.*)?",
    r"spool",
    r"identity\.json",
    r"(perdure|writer)\.lock",
    r"perdure\.sock(\.path)?",
]
SEED_ORDER = [
    "id",
    "description",
    "status",
    "tool",
    "created_at",
    "updated_at",
    "started_at",
    "completed_at",
    "logs",
    "result",
]
STATE_MEMBERS = [
    "version",
    "seq",
    "epoch",
    "last_saved",
    "metrics",
    "identity",
    "daemon",
    "tasks",
    "sessions",
    "runs",
    "recent_events",
    "idempotency",
    "tombstones",
    "checksum",
]
NUMBERS = itertools.count(1)


def fill(whole: Perdure) -> dict[str, Any]:
    """Give a Perdure something of everything; returns the ids."""
    session = {"title": "t", "provider": "p", "model": "m", "working_directory": "/w"}
    with whole.wire() as wire:
        task = wire.call("task.create", description="a\nb\u2028c \U0001f600", tool="CODEX", idempotency_key="k")["id"]
        wire.call("task.start", id=task)
        wire.call("task.log", id=task, message="m")
        wire.call("task.complete", id=task, result={"a": 1})
        gone = wire.call("task.create", description="gone")["id"]
        wire.call("task.delete", id=gone)
        first = wire.call("session.create", **session, messages=[{"content": "secret of a message"}])["id"]
        wire.call("session.append", id=first, messages=[{"content": "two"}, {"content": "three"}])
        wire.call("session.rename", id=first, title="renamed")
        second = wire.call("session.create", **session, messages=[{"content": "old"}])["id"]
        wire.call("session.save", id=second, messages=[{"content": "new"}])
        wire.call("log.append", session_id=first, text="log\n")
        report = wire.call("report.save", data={"a": 1})["id"]
        wire.call("run.put", run={"id": "run-1", "task_id": task})
        wire.call("event.record", type="t", message="m")
        wire.call(
            "batch.apply",
            commands=[{"method": "task.create", "params": {"description": "x", "id": f"b{n}"}} for n in "12"],
        )
        wire.call("state.save")
    return {"task": task, "gone": gone, "session": first, "second": second, "report": report}


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Perdure, dict[str, Any]]]:
    """One that was started without any umask and holds something of everything."""
    before = os.umask(0)
    with perdure(tmp_path_factory.mktemp("files") / "p") as one:
        try:
            one.start()
        finally:
            os.umask(before)
        yield one, fill(one)


@pytest.fixture
def another(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Another]:
    """Make others, not started."""
    with ExitStack() as stack:
        yield lambda **settings: stack.enter_context(perdure(tmp_path_factory.mktemp("more") / "p", **settings))


def backups(whole: Perdure) -> list[Path]:
    return sorted(whole.state_path.glob("state.backup.*"))


def make_task(whole: Perdure, **params: Any) -> str:
    task_id: str = whole.call("task.create", **{"description": "x", **params})["id"]
    return task_id


def holds(file: Path, data: bytes) -> bool:
    return file.exists() and data in file.read_bytes()


def lines_of(file: Path) -> list[bytes]:
    data = file.read_bytes().rstrip(b"\0")
    assert not data or data.endswith(b"\n")
    return data.split(b"\n")[:-1]


def checked(line: bytes) -> dict[str, Any]:
    """Decode a line whose last member is the crc of what stands before it."""
    assert re.search(rb',"crc":"[0-9a-f]{8}"}$', line)
    before = line[: line.rindex(b',"crc":"')]
    row: dict[str, Any] = json.loads(line)
    assert row["crc"] == f"{zlib.crc32(before):08x}"
    return row


class TestNames:
    def test_everything_has_a_name_of_the_table(self, filled: tuple[Perdure, dict[str, Any]]) -> None:
        root = filled[0].state_path
        for path in root.rglob("*"):
            name = str(path.relative_to(root))
            temporary = name.endswith(".tmp") or ".tmp-" in name
            assert temporary or any(re.fullmatch(known, name) for known in NAMES), name

    def test_only_the_owner_sees_anything_whatever_the_umask(self, filled: tuple[Perdure, dict[str, Any]]) -> None:
        root = filled[0].state_path
        for path in [root, *root.rglob("*")]:
            try:
                status = path.lstat()
            except FileNotFoundError:  # a temporary file, renamed since the directory was read
                continue
            mode = stat.S_IMODE(status.st_mode)
            assert mode == (0o700 if stat.S_ISDIR(status.st_mode) else 0o600), f"{path.relative_to(root)} is {mode:o}"

    def test_everything_that_should_be_there_is(self, filled: tuple[Perdure, dict[str, Any]]) -> None:
        whole, ids = filled
        for name in (
            "state.json",
            "identity.json",
            "perdure.lock",
            "writer.lock",
            "perdure.sock",
            f"tasks/{ids['task']}.json",
            f"sessions/{ids['session']}.jsonl",
            "sessions/sessions.json",
            f"logs/session_{ids['session']}.log",
            "logs/perdure.log",
            f"reports/report_{ids['report']}.json",
            "archive",
            "quarantine",
            "spool",
        ):
            eventually((whole.state_path / name).exists, name)

    def test_the_lock_names_its_holder(self, filled: tuple[Perdure, dict[str, Any]]) -> None:
        lock = json.loads((filled[0].state_path / "perdure.lock").read_text())
        assert lock["pid"] == filled[0].root_pid
        assert {"phase", "since", "restarts", "last_error"} <= set(lock)

    def test_the_log_is_json_lines(self, filled: tuple[Perdure, dict[str, Any]]) -> None:
        assert all(isinstance(line, dict) for line in filled[0].log())

    def test_the_identity_is_made_once(self, another: Another) -> None:
        whole = another()
        whole.start()
        file = whole.state_path / "identity.json"
        before = file.read_bytes()
        assert set(json.loads(before)) >= {"daemon_id", "node_id", "created_at", "version"}
        assert whole.stop() == 0
        whole.start()
        assert file.read_bytes() == before
        assert whole.call("runtime.status")["identity"]["daemon_id"] == json.loads(before)["daemon_id"]


class TestJournal:
    MEMBERS = ("v", "seq", "durable", "ts", "cmd", "facts", "prev", "crc")

    def test_every_line_follows_the_one_before(self, filled: tuple[Perdure, dict[str, Any]]) -> None:
        before = None
        for segment in filled[0].segments():
            assert re.fullmatch(r"\d{20}\.jsonl", segment.name)
            for number, line in enumerate(lines_of(segment)):
                row = checked(line)
                assert tuple(row) == self.MEMBERS
                assert row["v"] == 1
                assert number or row["seq"] == int(segment.stem)
                assert row["seq"] == (before["seq"] + 1 if before else 1)
                assert not before or row["prev"] == before["crc"]
                assert row["durable"] < row["seq"]
                assert not before or row["durable"] >= before["durable"]
                assert b"\r" not in line
                before = row
        assert before
        assert before["seq"] >= 10

    def test_facts_are_named_in_the_past_and_carry_what_resulted(self, filled: tuple[Perdure, dict[str, Any]]) -> None:
        for line in filled[0].journal():
            assert line["facts"]
            for fact in line["facts"]:
                assert list(fact) == ["op", "id", "rev", "data"]
                assert re.fullmatch(r"[a-z_]+\.[a-z_]+", fact["op"])
                assert isinstance(fact["rev"], int)
                assert isinstance(fact["data"], dict)

    def test_a_command_is_one_line(self, filled: tuple[Perdure, dict[str, Any]]) -> None:
        found = [line for line in filled[0].journal() if {fact["id"] for fact in line["facts"]} & {"b1", "b2"}]
        assert [{fact["id"] for fact in line["facts"]} for line in found] == [{"b1", "b2"}]

    def test_what_was_acknowledged_is_in_the_file_already(self, filled: tuple[Perdure, dict[str, Any]]) -> None:
        whole = filled[0]
        with whole.wire() as wire:
            for _ in range(20):
                task_id = wire.call("task.create", description="x")["id"]
                assert task_id.encode() in whole.segments()[-1].read_bytes()

    def test_a_query_leaves_no_line(self, filled: tuple[Perdure, dict[str, Any]]) -> None:
        whole, ids = filled
        with whole.wire() as wire:
            before = wire.call("runtime.ping")["seq"]
            for method, params in (
                ("task.get", {"id": ids["task"]}),
                ("task.list", {}),
                ("session.get", {"id": ids["session"]}),
                ("session.messages", {"id": ids["session"]}),
                ("run.list", {}),
                ("event.list", {}),
                ("report.list", {}),
                ("state.get", {}),
                ("state.verify", {}),
                ("state.backups", {}),
                ("runtime.status", {}),
                ("runtime.health", {}),
                ("actor.list", {}),
            ):
                wire.call(method, **params)
            assert wire.call("runtime.ping")["seq"] == before

    def test_zeros_are_cut_when_a_segment_is_closed(self, another: Another) -> None:
        whole = another()
        whole.start()
        make_task(whole)
        assert whole.stop() == 0
        for segment in whole.segments():
            assert not segment.read_bytes().endswith(b"\0"), segment.name


class TestSnapshot:
    def test_it_is_json_with_the_members_and_ends_with_its_checksum(
        self, filled: tuple[Perdure, dict[str, Any]]
    ) -> None:
        data = (filled[0].state_path / "state.json").read_bytes()
        state = json.loads(data)
        assert [name for name in state if name in STATE_MEMBERS] == STATE_MEMBERS
        assert state["version"] == "2.0.0"
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", state["last_saved"])
        last = data.rstrip(b"\n").rsplit(b"\n", 1)[-1]
        assert last.startswith(b'"checksum":')
        before = data[: data.rindex(last)]
        assert hashlib.sha256(before).hexdigest() in state["checksum"]

    def test_every_record_stands_on_a_line_of_its_own_with_its_crc(
        self, filled: tuple[Perdure, dict[str, Any]]
    ) -> None:
        text = (filled[0].state_path / "state.json").read_text()
        state = json.loads(text)
        lines = text.split("\n")
        for name in ("tasks", "sessions", "runs", "recent_events", "idempotency", "tombstones"):
            for record in state[name]:
                assert list(record)[-1] == "crc"
                assert re.fullmatch(r"[0-9a-f]{8}", record["crc"])
                assert (
                    sum(json.loads(line.rstrip(",")) == record for line in lines if f'"{record["crc"]}"' in line) == 1
                )
        assert state["tasks"]
        assert state["sessions"]
        assert state["runs"]
        assert state["idempotency"]

    def test_it_holds_the_metadata_of_sessions_and_no_messages(self, filled: tuple[Perdure, dict[str, Any]]) -> None:
        text = (filled[0].state_path / "state.json").read_text()
        assert "renamed" in text
        assert "secret of a message" not in text

    def test_its_metrics_count_the_tasks(self, another: Another) -> None:
        whole = another()
        whole.start()
        with whole.wire() as wire:
            for number, (status, seconds) in enumerate([("completed", 10), ("completed", 20), ("failed", 5)]):
                task = {"id": f"t{number}", "description": "x", "status": status}
                begun = {"created_at": "2024-01-01T10:00:00Z", "started_at": "2024-01-01T10:00:00Z"}
                wire.call("task.save", task={**task, **begun, "completed_at": f"2024-01-01T10:00:{seconds:02}Z"})
            wire.call("task.create", description="x")
            wire.call("state.save")
        metrics = json.loads((whole.state_path / "state.json").read_text())["metrics"]
        assert (metrics["total_tasks"], metrics["completed_tasks"], metrics["failed_tasks"]) == (4, 2, 1)
        assert metrics["average_completion_time"] == pytest.approx(15)

    def test_ten_backups_are_ten_different_states_the_newest_ones(self, another: Another) -> None:
        whole = another()
        whole.start()
        saved = []
        with whole.wire() as wire:
            for _ in range(13):
                wire.call("task.create", description="x")
                saved.append(wire.call("state.save")["seq"])
                assert (whole.state_path / "state.json").exists()
                assert len(backups(whole)) <= 10
            listed = wire.call("state.backups")["backups"]
        found = {}
        for path in backups(whole):
            match = re.fullmatch(rf"state\.backup\.{STAMP}\.(\d+)\.json", path.name)
            assert match, path.name
            found[int(match[1])] = json.loads(path.read_text())
        assert all(state["seq"] == number for number, state in found.items())
        assert sorted(found) == saved[-11:-1]
        assert sorted(row["seq"] for row in listed) == sorted(found)

    def test_nothing_new_makes_no_snapshot(self, another: Another) -> None:
        whole = another()
        whole.start()
        make_task(whole)
        first = whole.call("state.save")
        before = fingerprint(whole.state_path / "state.json"), [path.name for path in backups(whole)]
        for _ in range(3):
            assert whole.call("state.save")["seq"] == first["seq"]
        assert (fingerprint(whole.state_path / "state.json"), [path.name for path in backups(whole)]) == before

    def test_it_is_saved_by_itself(self, another: Another) -> None:
        whole = another(state__autosave_interval_s="0.2")
        whole.start()
        task_id = make_task(whole)
        eventually(lambda: task_id in (whole.state_path / "state.json").read_text(), "a snapshot")

    def test_a_stop_saves_it(self, another: Another) -> None:
        whole = another()
        whole.start()
        task_id = make_task(whole)
        assert whole.stop() == 0
        assert task_id in (whole.state_path / "state.json").read_text()


class TestTaskFiles:
    def test_members_stand_in_the_order_of_the_seeds(self, filled: tuple[Perdure, dict[str, Any]]) -> None:
        whole, ids = filled
        file = whole.state_path / "tasks" / f"{ids['task']}.json"
        eventually(lambda: file.exists() and json.loads(file.read_text())["status"] == "completed", "the file")
        text = file.read_text()
        assert list(json.loads(text))[: len(SEED_ORDER)] == SEED_ORDER
        assert list(json.loads(text)["logs"][0]) == ["timestamp", "level", "type", "message"]
        assert "rev" in json.loads(text)
        assert re.match(r'\{\n +"id": ', text)
        assert json.loads(text) == whole.call("task.get", id=ids["task"])

    def test_a_deleted_tasks_file_is_gone(self, filled: tuple[Perdure, dict[str, Any]]) -> None:
        whole, ids = filled
        file = whole.state_path / "tasks" / f"{ids['gone']}.json"
        eventually(lambda: not file.exists(), "the removal")

    def test_a_file_that_somebody_edited_is_not_overwritten_silently(self, another: Another) -> None:
        whole = another()
        whole.start()
        task_id = make_task(whole)
        file = whole.state_path / "tasks" / f"{task_id}.json"
        eventually(file.exists, "the file")
        file.write_text(file.read_text().replace('"description": "x"', '"description": "edited by hand"'))
        before = whole.call("runtime.ping")["seq"]
        whole.call("task.update", id=task_id, description="changed by command")
        eventually(lambda: "changed by command" in file.read_text(), "the new content")
        kept = [path for path in (whole.state_path / "quarantine").rglob("*") if path.is_file()]
        assert any("edited by hand" in path.read_text() for path in kept)
        assert any(path.name == "report.json" for path in kept)
        eventually(
            lambda: any(task_id in json.dumps(event) for event in event_list(whole, before, "event.recorded")),
            "an event",
        )


def event_list(whole: Perdure, after_seq: int, kind: str) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = whole.call("event.list", after_seq=after_seq, kinds=[kind])["events"]
    return events


class TestSessionFiles:
    def test_the_first_line_holds_what_never_changes(self, filled: tuple[Perdure, dict[str, Any]]) -> None:
        whole, ids = filled
        file = whole.state_path / "sessions" / f"{ids['session']}.jsonl"
        eventually(partial(holds, file, b"\n"), "the first line")
        row = checked(lines_of(file)[0])
        assert row["id"] == ids["session"]
        assert row["created_at"] == whole.call("session.get", id=ids["session"])["created_at"]
        assert row["version"]
        assert not {"title", "message_count", "last_accessed_at", "model"} & set(row)

    def test_messages_are_appended_with_index_and_crc(self, filled: tuple[Perdure, dict[str, Any]]) -> None:
        whole, ids = filled
        file = whole.state_path / "sessions" / f"{ids['session']}.jsonl"
        eventually(partial(holds, file, b"renamed"), "the last change")
        rows = [checked(line) for line in lines_of(file)]
        found = [row for row in rows if "index" in row]
        assert [row["index"] - found[0]["index"] for row in found] == [0, 1, 2]
        assert [word in json.dumps(row) for row, word in zip(found, ["secret", "two", "three"], strict=True)] == [
            True
        ] * 3

    def test_a_file_only_grows(self, another: Another) -> None:
        whole = another()
        whole.start()
        with whole.wire() as wire:
            session = wire.call("session.create", title="t", provider="p", model="m", working_directory="/w")["id"]
            file = whole.state_path / "sessions" / f"{session}.jsonl"
            before = b""
            for number in range(5):
                wire.call("session.append", id=session, messages=[{"content": f"<{number}>"}])
                wire.call("session.rename", id=session, title=f"title {number}")
                title = f"title {number}".encode()
                eventually(partial(holds, file, title), "the lines")
                after = file.read_bytes().rstrip(b"\0")
                assert after.startswith(before)
                before = after

    def test_the_index_lists_every_session(self, filled: tuple[Perdure, dict[str, Any]]) -> None:
        whole, ids = filled
        file = whole.state_path / "sessions" / "sessions.json"
        eventually(
            lambda: (
                file.exists() and {row["id"] for row in json.loads(file.read_text())} >= {ids["session"], ids["second"]}
            ),
            "the index",
        )


class TestStarts:
    def test_a_foreign_directory_is_refused_untouched(self, another: Another) -> None:
        whole = another()
        whole.state_path.mkdir(mode=0o755)
        (whole.state_path / "thesis.txt").write_text("years of work")
        before = fingerprint(whole.state_path)
        ended = whole.ended("up")
        assert ended.returncode == 7
        assert len(ended.stderr.splitlines()) == 1
        assert fingerprint(whole.state_path) == before

    def test_a_newer_version_is_refused_untouched(self, another: Another) -> None:
        whole = another()
        whole.start()
        make_task(whole)
        assert whole.stop() == 0
        file = whole.state_path / "state.json"
        file.write_text(file.read_text().replace('"version":"2.0.0"', '"version":"99.0.0"', 1))
        before = dict(fingerprint(whole.state_path))
        ended = whole.ended("up")
        assert ended.returncode == 6
        assert "newer" in ended.stderr
        after = dict(fingerprint(whole.state_path))
        changed = {name for name in before | after if before.get(name) != after.get(name)}
        assert changed <= {".", "perdure.lock", "writer.lock", "logs", "logs/perdure.log"}

    def test_a_tilde_is_expanded(self, tmp_path: Path) -> None:
        (tmp_path / "mine").mkdir()
        (tmp_path / "mine" / "thesis.txt").write_text("x")
        ended = subprocess.run(
            [sys.executable, "-m", "supervisor", "up"],
            env={**os.environ, "HOME": str(tmp_path), "STATE_PATH": "~/mine", "PYTHONPATH": str(Path.cwd())},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            cwd=tmp_path,
            check=False,
        )
        assert ended.returncode == 7
        assert not (tmp_path / "~").exists()

    def test_an_empty_directory_gets_what_it_needs(self, another: Another) -> None:
        whole = another()
        whole.state_path.mkdir(mode=0o755)
        whole.start()
        for name in ("journal", "tasks", "sessions", "logs", "reports"):
            assert stat.S_IMODE((whole.state_path / name).stat().st_mode) == 0o700
        assert stat.S_IMODE(whole.state_path.stat().st_mode) == 0o700

    @pytest.mark.parametrize("how", ["cut", "flipped"])
    def test_a_damaged_snapshot_is_made_good_exactly(self, another: Another, how: str) -> None:
        whole = another()
        whole.start()
        first = make_task(whole)
        whole.call("state.save")
        second = make_task(whole)
        rows = [whole.call("task.get", id=task_id) for task_id in (first, second)]
        assert whole.stop() == 0
        file = whole.state_path / "state.json"
        data = file.read_bytes()
        damaged = {
            "cut": data[: len(data) // 2],
            "flipped": data.replace(first.encode(), first.encode()[:-1] + b"!"),
        }[how]
        file.write_bytes(damaged)
        whole.start()
        assert [whole.call("task.get", id=task_id) for task_id in (first, second)] == rows
        kept = [path for path in (whole.state_path / "quarantine").rglob("*") if path.is_file()]
        assert any(path.read_bytes() == damaged for path in kept)
        report = next(path for path in kept if path.name == "report.json")
        assert "state.json" in report.read_text()

    def test_a_backup_copied_in_place_is_no_travel_in_time(self, another: Another) -> None:
        whole = another()
        whole.start()
        make_task(whole)
        whole.call("state.save")
        last = make_task(whole)
        assert whole.stop() == 0
        shutil.copy(backups(whole)[0], whole.state_path / "state.json")
        whole.start()
        assert whole.call("task.get", id=last)["rev"] == 1

    def test_a_task_edited_by_hand_wins_when_the_snapshot_was_removed(self, another: Another) -> None:
        whole = another()
        whole.start()
        task_id, other = make_task(whole), make_task(whole)
        assert whole.stop() == 0
        file = whole.state_path / "tasks" / f"{task_id}.json"
        file.write_text(file.read_text().replace('"description": "x"', '"description": "by hand"'))
        (whole.state_path / "state.json").unlink()
        whole.start()
        assert whole.call("task.get", id=task_id)["description"] == "by hand"
        assert whole.call("task.get", id=other)["description"] == "x"
        assert [event["id"] for event in event_list(whole, 0, "task.adopted")] == [task_id]

    def test_a_torn_tail_is_cut_and_kept_aside(self, another: Another) -> None:
        whole = another()
        whole.start()
        task_id = make_task(whole)
        whole.kill_root()
        segment = whole.segments()[-1]
        lines = segment.read_bytes().rstrip(b"\0")
        segment.write_bytes(lines + b'{"v":1,"seq":999,"torn')
        whole.start()
        assert whole.call("task.get", id=task_id)["rev"] == 1
        kept = [path.read_bytes() for path in (whole.state_path / "quarantine").rglob("*") if path.is_file()]
        assert any(b'"torn' in data for data in kept)
        assert make_task(whole)
        lines_seen = [line["seq"] for line in whole.journal()]
        assert lines_seen == list(range(1, len(lines_seen) + 1))

    def test_a_flipped_bit_in_the_journal_is_told_and_the_rest_is_kept(self, another: Another) -> None:
        whole = another()
        whole.start()
        ids = [make_task(whole, description=f"number {number}") for number in range(5)]
        files = [whole.state_path / "tasks" / f"{task_id}.json" for task_id in ids]
        eventually(lambda: all(file.exists() for file in files), "the files")
        whole.kill_root()
        segment = whole.segments()[-1]
        data = segment.read_bytes()
        assert b"number 2" in data
        segment.write_bytes(data.replace(b"number 2", b"number X"))
        whole.start()
        for number, task_id in enumerate(ids):
            assert whole.call("task.get", id=task_id)["description"] == f"number {number}"
        eventually(
            lambda: any(event["data"]["type"] == "state:corrupted" for event in event_list(whole, 0, "event.recorded")),
            "state:corrupted",
        )
        assert any(b"number X" in path.read_bytes() for path in whole.state_path.rglob("*") if path.is_file())
        assert whole.call("runtime.health")["status"] == "degraded"

    def test_nothing_that_was_deleted_rises_from_the_dead(self, another: Another) -> None:
        whole = another()
        whole.start()
        task_id = make_task(whole)
        file = whole.state_path / "tasks" / f"{task_id}.json"
        eventually(file.exists, "the file")
        content = file.read_bytes()
        whole.call("task.delete", id=task_id)
        assert whole.stop() == 0
        file.write_bytes(content)
        (whole.state_path / "state.json").unlink()
        whole.start()
        with whole.wire() as wire:
            assert wire.fault("task.get", id=task_id)["data"]["kind"] == "not_found"

    def test_a_path_too_long_for_a_socket_is_served_elsewhere(self, tmp_path_factory: pytest.TempPathFactory) -> None:
        deep = tmp_path_factory.mktemp("deep") / ("d" * 60) / ("e" * 60)
        deep.parent.mkdir()
        with perdure(deep) as whole:
            whole.start()
            told = (whole.state_path / "perdure.sock.path").read_text().strip()
            assert len(told) < 108
            assert stat.S_IMODE(Path(told).stat().st_mode) == 0o600
            assert whole.ended("task", "add", "from afar").returncode == 0
            session = str(uuid.uuid4())
            assert whole.call("log.append", session_id=session, text="x") == {"bytes": 1}

"""Damaged, edited, foreign, old and newer directories: what the next start of a whole Perdure does with them."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.kit.crew import at_work
from tests.kit.perdure import Perdure, eventually, fingerprint

SAMPLE_V1 = Path(__file__).parents[2] / "configs" / "demo" / "state-v1"
ROOTS_OWN = {".", "perdure.lock", "writer.lock", "logs", "logs/perdure.log", "perdure.sock"}
"""What the root writes before anybody knows what the directory holds; nothing else is written."""


def recovery(whole: Perdure) -> dict[str, Any]:
    """The report of the last start."""
    report: dict[str, Any] = whole.call("runtime.status")["recovery"]
    return report


def facts(whole: Perdure) -> dict[str, Any]:
    """Everything that the state says of tasks, sessions and runs."""
    state = whole.call("state.get")
    return {noun: sorted(state[noun], key=lambda row: str(row["id"])) for noun in ("tasks", "sessions", "runs")}


def with_tasks(whole: Perdure, *ids: str) -> None:
    """Start, and make tasks whose files are written."""
    whole.start()
    for task_id in ids:
        whole.call("task.create", id=task_id, description=f"the task {task_id}")
    files = [whole.state_path / "tasks" / f"{task_id}.json" for task_id in ids]
    eventually(lambda: all(file.exists() for file in files), "the task files are written")


def edit(whole: Perdure, task_id: str, description: str) -> None:
    """Do what a person with an editor does."""
    file = whole.state_path / "tasks" / f"{task_id}.json"
    task = json.loads(file.read_text())
    file.write_text(json.dumps({**task, "description": description}, indent=2))


# Task files that a person edited


def test_an_edited_task_file_is_there_after_state_json_was_removed(make: Callable[..., Perdure]) -> None:
    whole = make()
    with_tasks(whole, "edited", "untouched")
    before = whole.call("task.get", id="untouched")
    assert whole.stop() == 0
    edit(whole, "edited", "by hand")
    (whole.state_path / "state.json").unlink()
    whole.start()
    edited = whole.call("task.get", id="edited")
    assert (edited["description"], edited["rev"]) == ("by hand", 2)
    assert whole.call("task.get", id="untouched") == before
    (adopted,) = whole.call("event.list", kinds=["task.adopted"])["events"]
    assert (adopted["id"], adopted["rev"], adopted["data"]["description"]) == ("edited", 2, "by hand")
    assert recovery(whole)["adopted"] == [{"table": "tasks", "id": "edited", "rev": 2}]
    assert (whole.state_path / "state.json").exists()


def test_an_edited_task_file_beside_a_good_state_loses_and_is_kept(make: Callable[..., Perdure]) -> None:
    whole = make()
    with_tasks(whole, "edited")
    edit(whole, "edited", "by hand, while it runs")
    whole.call("task.update", id="edited", priority=0)
    file = whole.state_path / "tasks" / "edited.json"
    # Between the edited copy's leaving and the new file's coming there is none for a moment.
    eventually(lambda: _rev_in(file) == 2, "the file is written again")
    assert whole.call("task.get", id="edited")["description"] == "the task edited"
    assert holders(whole, b"by hand, while it runs"), "the edited copy is gone"


def _rev_in(file: Path) -> int | None:
    try:
        return int(json.loads(file.read_text())["rev"])
    except FileNotFoundError:
        return None


def test_a_deleted_task_does_not_rise_from_the_dead_when_its_file_is_put_back(make: Callable[..., Perdure]) -> None:
    whole = make()
    with_tasks(whole, "deleted", "other")
    file = whole.state_path / "tasks" / "deleted.json"
    copy = file.read_bytes()
    whole.call("task.delete", id="deleted")
    eventually(lambda: not file.exists(), "the file is removed")
    whole.stop()
    file.write_bytes(copy)
    (whole.state_path / "state.json").unlink()
    whole.start()
    assert [task["id"] for task in whole.call("task.list")["tasks"]] == ["other"]


# Backups


@pytest.mark.parametrize("which", [0, -1], ids=["the oldest", "the newest"])
def test_a_backup_copied_over_state_json_starts_and_nothing_is_lost(which: int, make: Callable[..., Perdure]) -> None:
    whole = make()
    whole.start()
    for n in range(3):
        whole.call("task.create", id=f"task-{n}", description="x")
        whole.call("state.save")
    whole.call("task.create", id="after-the-last-save", description="x")
    whole.kill_root()
    backup = sorted(whole.state_path.glob("state.backup.*.json"))[which]
    shutil.copy(backup, whole.state_path / "state.json")
    whole.start()
    ids = {task["id"] for task in whole.call("task.list")["tasks"]}
    assert ids == {"task-0", "task-1", "task-2", "after-the-last-save"}
    (warning,) = recovery(whole)["warnings"]
    assert backup.name in warning
    assert "nothing is lost" in warning
    assert any(warning in line.get("warnings", ()) for line in whole.log())


def test_a_damaged_state_json_is_replaced_from_a_backup_exactly_and_kept_aside(make: Callable[..., Perdure]) -> None:
    whole = make()
    whole.start()
    with at_work(whole, 4) as crew:
        crew.wait_for_rounds(8)
        whole.call("state.save")
        crew.wait_for_rounds(8)
    before = facts(whole)
    whole.kill_root()
    state = whole.state_path / "state.json"
    damaged = bytearray(state.read_bytes())
    damaged[len(damaged) // 2 : len(damaged) // 2 + 10] = b"DAMAGED!!!"
    state.write_bytes(damaged)
    whole.start()
    assert facts(whole) == before
    crew.check()
    # The log's report shows the beginning of what was rejected, and that may reach as far as the damage.
    assert set(holders(whole, b"DAMAGED!!!")) - {"logs"} == {"quarantine"}


# The journal


def torn(whole: Perdure, end: bytes) -> None:
    """Kill the root; put something after the journal's last line, where preallocated zeros were."""
    whole.kill_root()
    segment = whole.segments()[-1]
    segment.write_bytes(segment.read_bytes().rstrip(b"\0") + end)


@pytest.mark.parametrize(
    "end",
    [b'{"v":1,"seq":999,"durable":99', b'{"v":1,"seq":999}\n', b"\xff" * 300, b"garbage\n" * 50, b"\0" * 4096 + b"x\n"],
    ids=["half a line", "no checksum", "bytes", "lines", "behind zeros"],
)
def test_a_torn_tail_is_cut_kept_and_told_and_nothing_fuses_with_it(end: bytes, make: Callable[..., Perdure]) -> None:
    whole = make()
    with_tasks(whole, "before")
    torn(whole, end)
    whole.start()
    report = recovery(whole)
    assert report["torn"] is not None
    assert report["seqs_lost"] == []
    assert whole.call("runtime.health")["status"] == "ok", "a torn tail was never acknowledged"
    assert "quarantine" in holders(whole, end.strip(b"\0"))
    whole.call("task.create", id="after", description="x")
    whole.kill_root()
    whole.start()
    assert [task["id"] for task in whole.call("task.list")["tasks"]] == ["before", "after"]
    assert recovery(whole)["torn"] is None


def test_zeros_at_the_end_of_the_journal_are_its_normal_end(make: Callable[..., Perdure]) -> None:
    whole = make()
    with_tasks(whole, "before")
    torn(whole, b"\0" * 100_000)
    whole.start()
    report = recovery(whole)
    assert (report["torn"], report["quarantined"], report["corrupted"]) == (None, [], False)
    assert [task["id"] for task in whole.call("task.list")["tasks"]] == ["before"]


def test_a_flipped_bit_in_the_middle_is_told_exactly_and_everything_else_is_there(
    make: Callable[..., Perdure],
) -> None:
    whole = make()
    with_tasks(whole, "one", "two")
    for n in range(10):
        whole.call("event.record", type="flip", message=f"message {n}")
    whole.call("task.log", id="two", message="behind the damage")
    whole.kill_root()
    segment = whole.segments()[-1]
    content = bytearray(segment.read_bytes())
    at = content.index(b"message 5")
    content[at] ^= 0x04
    segment.write_bytes(content)
    lost_line = content[:at].count(b"\n") + 1
    lost_seq = json.loads(content.split(b"\n")[lost_line - 1])["seq"]
    whole.start()
    report = recovery(whole)
    assert report["seqs_lost"] == [[lost_seq, lost_seq]]
    (rejected,) = report["rejected"]
    assert (rejected["file"], rejected["line"]) == (f"journal/{segment.name}", lost_line)
    assert rejected["excerpt"]
    told = [event["data"]["message"] for event in whole.call("event.list", kinds=["event.recorded"])["events"]]
    assert [message for message in told if message.startswith("message")] == [
        f"message {n}" for n in range(10) if n != 5
    ]
    assert [entry["message"] for entry in whole.call("task.get", id="two")["logs"]] == ["behind the damage"]
    health = whole.call("runtime.health")
    assert health["status"] == "degraded"
    assert health["quarantine_count"] >= 1
    assert "quarantine" in holders(whole, b"iessage 5"), "the damaged bytes are kept"
    (corrupted,) = [one for one in _recorded(whole) if one["type"] == "state:corrupted"]
    assert corrupted["level"] == "error"
    assert corrupted["detail"]["seqs_lost"] == [[lost_seq, lost_seq]]
    assert whole.call("task.create", id="three", description="service goes on")["rev"] == 1
    whole.kill_root()
    whole.start()
    assert recovery(whole)["corrupted"] is False, "what was told once is not told again"
    assert whole.call("runtime.health")["status"] == "ok"


def test_a_task_whose_line_is_damaged_comes_back_from_its_file(make: Callable[..., Perdure]) -> None:
    whole = make()
    with_tasks(whole, "one", "two", "three")
    before = facts(whole)
    whole.kill_root()
    segment = whole.segments()[-1]
    segment.write_bytes(segment.read_bytes().replace(b"the task two", b"the tasX two"))
    whole.start()
    assert facts(whole) == before
    assert recovery(whole)["adopted"] == [{"table": "tasks", "id": "two", "rev": 1}]


def test_a_lost_segment_is_told_and_the_rest_is_there(make: Callable[..., Perdure]) -> None:
    whole = make(state__segment_bytes_max="4096", state__task_files_delay_s="60")
    whole.start()
    for n in range(40):
        whole.call("task.create", id=f"task-{n:02}", description="x" * 200)
    whole.kill_root()
    segments = whole.segments()
    lost = [json.loads(line) for line in segments[len(segments) // 2].read_bytes().rstrip(b"\0").splitlines()]
    segments[len(segments) // 2].unlink()
    whole.start()
    assert recovery(whole)["seqs_lost"] == [[lost[0]["seq"], lost[-1]["seq"]]]
    gone = {fact["id"] for line in lost for fact in line["facts"]}
    there = {task["id"] for task in whole.call("task.list")["tasks"]}
    assert there == {f"task-{n:02}" for n in range(40)} - gone
    assert whole.call("runtime.health")["status"] == "degraded"


def test_recovering_twice_gives_the_same(make: Callable[..., Perdure]) -> None:
    whole = make()
    whole.start()
    with at_work(whole, 4) as crew:
        crew.wait_for_rounds(12)
    torn(whole, b'{"v":1,"seq":')
    whole.start()
    first = facts(whole)
    for _ in range(2):
        whole.kill_root()
        whole.start()
        assert facts(whole) == first
    crew.check()


# Whose directory it is


def test_a_directory_of_somebody_else_is_refused_with_7_and_untouched(make: Callable[..., Perdure]) -> None:
    whole = make()
    whole.state_path.mkdir(mode=0o755)
    (whole.state_path / "thesis.tex").write_text("years of work")
    (whole.state_path / "tasks").mkdir()
    (whole.state_path / "tasks" / "buy milk.txt").write_text("two bottles")
    before = fingerprint(whole.state_path)
    refused = whole.ended("up")
    assert refused.returncode == 7
    assert refused.stderr.count("\n") == 1
    assert str(whole.state_path) in refused.stderr
    assert fingerprint(whole.state_path) == before


def test_a_file_in_the_place_of_the_directory_is_refused_with_7(make: Callable[..., Perdure]) -> None:
    whole = make()
    whole.state_path.write_text("not a directory")
    refused = whole.ended("up")
    assert refused.returncode == 7
    assert whole.state_path.read_text() == "not a directory"


def test_a_planted_link_in_the_place_of_state_json_is_not_followed(
    make: Callable[..., Perdure], tmp_path: Path
) -> None:
    whole = make()
    with_tasks(whole, "one")
    whole.stop()
    outside = tmp_path / "outside.json"
    outside.write_text("somebody else's")
    state = whole.state_path / "state.json"
    state.unlink()
    state.symlink_to(outside)
    whole.start()
    assert [task["id"] for task in whole.call("task.list")["tasks"]] == ["one"]
    whole.stop()
    assert outside.read_text() == "somebody else's"
    assert not state.is_symlink()


@pytest.mark.parametrize("version", ["2.1.0", "3.0.0", "10.2.0"])
def test_a_newer_version_is_refused_with_6_and_untouched(version: str, make: Callable[..., Perdure]) -> None:
    whole = make()
    with_tasks(whole, "one")
    whole.stop()
    state = whole.state_path / "state.json"
    state.write_text(state.read_text().replace('"version":"2.0.0"', f'"version":"{version}"', 1))
    before = fingerprint(whole.state_path)
    refused = whole.ended("up")
    assert refused.returncode == 6
    assert "newer" in refused.stderr.splitlines()[-1]
    assert "Traceback" not in refused.stderr
    after = fingerprint(whole.state_path)
    assert {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)} <= ROOTS_OWN


# Version 1


def test_version_1_is_migrated_and_rolled_back_byte_for_byte(make: Callable[..., Perdure]) -> None:
    whole = make()
    shutil.copytree(SAMPLE_V1, whole.state_path)
    before = contents(whole.state_path)
    old = {task["id"]: task for task in json.loads((whole.state_path / "state.json").read_text())["tasks"]}
    whole.start()
    tasks = {task["id"]: task for task in whole.call("task.list")["tasks"]}
    assert tasks.keys() == old.keys()
    in_progress = [task_id for task_id, task in old.items() if task["status"] == "in_progress"]
    assert in_progress, "the sample shows nothing"
    for task_id, task in tasks.items():
        assert task["description"] == old[task_id]["description"]
        if task_id in in_progress:
            assert (task["status"], task["metadata"]["original_status"]) == ("pending", "in_progress")
        else:
            assert task["status"] == old[task_id]["status"]
    report = recovery(whole)
    assert report["migration"]["tasks"] == len(old)
    log = (whole.state_path / "state.migration-v1-to-v2.log").read_text()
    assert in_progress[0] in log
    pre_migration = whole.state_path / "state.pre-migration.backup.json"
    assert pre_migration.read_bytes() == before["state.json"]
    whole.call("task.create", id="made-since", description="kept in the archive")
    whole.stop()
    assert whole.ended("rollback", "--yes").returncode == 0
    after = contents(whole.state_path)
    for name in ROOTS_OWN:
        after.pop(name, None)
    assert {name: data for name, data in after.items() if not name.startswith("archive/")} == before
    assert holders(whole, b"made-since") == ["archive"]


def test_a_migrated_directory_is_not_migrated_again_and_can_be_migrated_after_a_rollback(
    make: Callable[..., Perdure],
) -> None:
    whole = make()
    shutil.copytree(SAMPLE_V1, whole.state_path)
    whole.start()
    migrated = facts(whole)
    whole.kill_root()
    whole.start()
    assert recovery(whole)["migration"] is None
    assert facts(whole) == migrated
    whole.stop()
    assert whole.ended("rollback", "--yes").returncode == 0
    whole.start()
    assert recovery(whole)["migration"] is not None
    again = facts(whole)
    assert [task["id"] for task in again["tasks"]] == [task["id"] for task in migrated["tasks"]]


def contents(tree: Path) -> dict[str, bytes]:
    """Every file below `tree`."""
    return {str(path.relative_to(tree)): path.read_bytes() for path in tree.rglob("*") if path.is_file()}


def holders(whole: Perdure, data: bytes) -> list[str]:
    """The directories of the state directory in which some file holds `data`."""
    found = {name.partition("/")[0] for name, content in contents(whole.state_path).items() if data in content}
    return sorted(found)


def _recorded(whole: Perdure) -> list[dict[str, Any]]:
    return [event["data"] for event in whole.call("event.list", kinds=["event.recorded"], limit=1000)["events"]]

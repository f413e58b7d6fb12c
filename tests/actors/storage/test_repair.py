"""Repairing a directory: every planted fault is named, none is left, and what could be kept is there."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from actors.storage import offline
from tests.kit.disks import read_tree
from tests.kit.histories import SESSION, backups, edit_task, flip, flip_in, quarantined, recovered, segments, task_of
from tests.kit.lives import busy_life, run_recorded
from tests.kit.stores import OTHER_SESSION, Driver, deleted, disk_store, session_created, state_of

Plant = Callable[[Path], object]


def everything(root: Path) -> bytes:
    """Return all bytes that lie anywhere in the directory."""
    return b"".join(path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file() and not path.is_symlink())


def told(found: dict[str, Any]) -> list[str]:
    return [f"{one['file']}: {one['problem']}" for one in found["findings"]]


def names(found: dict[str, Any], file: str, problem: str) -> bool:
    return any(one["file"].startswith(file) and problem in one["problem"] for one in found["findings"])


def swap_for_link(path: Path, elsewhere: Path) -> None:
    shutil.move(path, elsewhere)
    path.symlink_to(elsewhere)


def state_a_directory(root: Path) -> None:
    (root / "state.json").unlink()
    (root / "state.json").mkdir()


def spool_a_file(root: Path) -> None:
    shutil.rmtree(root / "spool")
    (root / "spool").touch()


def tear(root: Path) -> None:
    path = segments(root)[-1]
    path.write_bytes(path.read_bytes().rstrip(b"\0") + b'{"v":1,"seq":')


def lose_messages(root: Path) -> None:
    path = root / "sessions" / f"{SESSION}.jsonl"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-3]))


def append(path: Path, text: str) -> None:
    path.write_text(path.read_text() + text)


def strange_task(root: Path) -> None:
    task = json.loads((root / "tasks" / "t1.json").read_text())
    (root / "tasks" / "strange.json").write_text(json.dumps({**task, "id": "strange"}))
    (root / "tasks" / "strange.json").chmod(0o600)


def break_report_of_quarantine(root: Path) -> None:
    folder = root / "quarantine" / "20260101T000000.000000Z"
    folder.mkdir(mode=0o700, parents=True)
    (folder / "report.json").write_text("{")
    (folder / "piece").write_bytes(b"set aside long ago")


def leave_without_row(root: Path) -> None:
    folder = root / "archive" / "tasks" / "gone" / "1"
    folder.mkdir(mode=0o700, parents=True)
    (folder / "gone.json").write_text("{}")
    for path in (folder.parent.parent, folder.parent, folder):
        path.chmod(0o700)


def break_archived_row(root: Path) -> None:
    leave_without_row(root)
    (root / "archive" / "tasks" / "gone" / "1" / "row.archived").write_text("no row")


def link_task_outside(root: Path) -> None:
    os.link(root / "tasks" / "t1.json", root.parent / "second-name")


FAULTS: dict[str, tuple[Plant, str, str]] = {
    "state.json damaged": (lambda root: flip_in(root / "state.json", b"changed once"), "state.json", "checksum"),
    "state.json gone": (lambda root: (root / "state.json").unlink(), "state.json", "missing"),
    "state.json a directory": (
        state_a_directory,
        "state.json",
        "where only files belong",
    ),
    "a backup damaged": (lambda root: flip(backups(root)[0], 99), "state.backup", "checksum"),
    "the identity damaged": (lambda root: (root / "identity.json").write_text("{"), "identity.json", "truncated"),
    "a journal line damaged": (lambda root: flip_in(segments(root)[-1], b"changed"), "journal/", "checksum"),
    "an old journal line damaged": (lambda root: flip_in(segments(root)[1], b"changed once"), "journal/", "checksum"),
    "a segment missing": (lambda root: segments(root)[1].unlink(), "journal", "are missing"),
    "a torn journal": (tear, "journal/", "middle of line"),
    "a segment that is a link": (
        lambda root: swap_for_link(segments(root)[1], root.parent / "segment"),
        "journal/",
        "symbolic link",
    ),
    "a task edited": (lambda root: edit_task(root, "t1", description="by hand"), "tasks/t1.json", "changed it"),
    "a task file ahead": (lambda root: edit_task(root, "t1", rev=99), "tasks/t1.json", "above the row's"),
    "a task file behind": (lambda root: edit_task(root, "t1", rev=1), "tasks/t1.json", "below the row's"),
    "a task file that is none": (lambda root: (root / "tasks" / "t1.json").write_text("{"), "tasks/t1.json", "JSON"),
    "a task file gone": (lambda root: (root / "tasks" / "t4.json").unlink(), "tasks/t4.json", "missing"),
    "a task file of nobody": (strange_task, "tasks/strange.json", "no such task"),
    "a task file with a name outside": (link_task_outside, "tasks/t1.json", "names (hard links)"),
    "a task file that is a link": (
        lambda root: swap_for_link(root / "tasks" / "t1.json", root.parent / "task"),
        "tasks/t1.json",
        "symbolic link",
    ),
    "a session line damaged": (
        lambda root: flip_in(root / "sessions" / f"{SESSION}.jsonl", b'"two"'),
        f"sessions/{SESSION}",
        "messages 2 to 2 are missing",
    ),
    "a session cut short": (lose_messages, f"sessions/{SESSION}", "are missing"),
    "a session file torn": (
        lambda root: append(root / "sessions" / f"{SESSION}.jsonl", '{"kind":'),
        f"sessions/{SESSION}",
        "torn tail",
    ),
    "a session file gone": (
        lambda root: (root / "sessions" / f"{SESSION}.jsonl").unlink(),
        f"sessions/{SESSION}",
        "the file is missing",
    ),
    "a session file of nobody": (
        lambda root: (root / "sessions" / "22222222-2222-4333-8444-555555555555.jsonl").touch(0o600),
        "sessions/22222222",
        "no such session",
    ),
    "the index no list": (lambda root: (root / "sessions" / "sessions.json").write_text("{}"), "sessions/", "list"),
    "a session's log cut": (
        lambda root: os.truncate(root / "logs" / f"session_{SESSION}.log", 3),
        "logs/session_",
        "ends at 3 of",
    ),
    "a session's log longer": (
        lambda root: append(root / "logs" / f"session_{SESSION}.log", "by hand"),
        "logs/session_",
        "longer than the journal knows",
    ),
    "a task's log damaged": (lambda root: flip_in(root / "logs" / "task_t1.log", b"old"), "logs/task_t1.log", "line 1"),
    "a run's log of nobody": (
        lambda root: (root / "logs" / "run_nobody.stdout.log").touch(0o600),
        "logs/run_nobody",
        "no such run",
    ),
    "a run's log gone": (lambda root: (root / "logs" / "run_r1.stdout.log").unlink(), "logs/run_r1", "is missing"),
    "a report damaged": (lambda root: (root / "reports" / "report_r.json").write_text("["), "reports/report_r", "JSON"),
    "a report gone": (lambda root: (root / "reports" / "report_r.json").unlink(), "reports/report_r", "is missing"),
    "others may look": (lambda root: (root / "tasks").chmod(0o755), "tasks", "others may use it"),
    "others may write": (lambda root: (root / "tasks" / "t1.json").chmod(0o666), "tasks/t1.json", "others may use it"),
    "nobody may read": (lambda root: (root / "tasks" / "t1.json").chmod(0), "tasks/t1.json", "may not use it"),
    "a stray link": (lambda root: (root / "logs" / "link").symlink_to("/etc/passwd"), "logs/link", "symbolic link"),
    "a stray file": (lambda root: (root / "notes.txt").write_text("mine"), "notes.txt", "belongs to nothing"),
    "a stray report": (lambda root: (root / "report.json").write_text("mine"), "report.json", "belongs to nothing"),
    "a stray directory": (lambda root: (root / "tasks" / "old").mkdir(), "tasks/old", "where only files belong"),
    "a pipe": (lambda root: os.mkfifo(root / "logs" / "pipe"), "logs/pipe", "not a regular file"),
    "a temporary": (lambda root: (root / "state.json.tmp-1-1").touch(), "state.json.tmp", "temporary name"),
    "a directory gone": (lambda root: shutil.rmtree(root / "spool"), "spool", "missing"),
    "a file in a directory's place": (
        spool_a_file,
        "spool",
        "not a directory",
    ),
    "a quarantine without a report": (break_report_of_quarantine, "quarantine/2026", "not JSON"),
    "a leaving that never ended": (leave_without_row, "archive/tasks/gone/1", "it never ended"),
    "an archived row that is none": (break_archived_row, "archive/tasks/gone/1", "no row"),
    "a planted lock": (lambda root: (root / "writer.lock").symlink_to("/dev/null"), "writer.lock", "symbolic link"),
}


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """Return a directory in which everything happened that can, and the state at its end."""
    root = tmp_path_factory.mktemp("past") / "state"
    return root, busy_life(root)


@pytest.fixture
def life(past: tuple[Path, dict[str, Any]], tmp_path: Path) -> tuple[Path, dict[str, Any]]:
    root = tmp_path / "state"
    shutil.copytree(past[0], root, copy_function=shutil.copy2)
    (root / "writer.lock").unlink(missing_ok=True)
    return root, past[1]


def test_a_busy_directory_has_no_findings_and_its_repair_touches_nothing(life: tuple[Path, dict[str, Any]]) -> None:
    root, _ = life
    assert told(offline.verify(root)) == []
    before = {name: data for name, data in read_tree(root)[0].items() if not name.endswith(".lock")}
    repaired = offline.repair(root)
    assert (repaired["ok"], repaired["repaired"], repaired["recovery"]) == (True, [], None)
    assert {name: data for name, data in read_tree(root)[0].items() if not name.endswith(".lock")} == before


@pytest.mark.parametrize(("plant", "file", "problem"), FAULTS.values(), ids=FAULTS.keys())
def test_each_fault_is_named_with_its_remedy_and_gone_after_the_repair(
    life: tuple[Path, dict[str, Any]], plant: Plant, file: str, problem: str
) -> None:
    root, _ = life
    plant(root)
    found = offline.verify(root)
    assert names(found, file, problem), told(found)
    assert all(one["repair"] for one in found["findings"] if not one["problem"].startswith("cannot be read"))
    repaired = offline.repair(root)
    assert (repaired["findings"], repaired["ok"]) == ([], True)
    assert told(offline.verify(root)) == []


def test_many_faults_at_once_are_all_named_and_what_could_be_kept_is_there(life: tuple[Path, dict[str, Any]]) -> None:
    root, state = life
    together = [name for name in FAULTS if name not in _EXCLUDED]
    session = (root / "sessions" / f"{SESSION}.jsonl").read_bytes()
    for name in together:
        FAULTS[name][0](root)
    found = offline.verify(root)
    missed = [name for name in together if not names(found, FAULTS[name][1], FAULTS[name][2])]
    assert (len(together) >= 20, missed) == (True, [])
    repaired = offline.repair(root)
    assert (repaired["findings"], repaired["lost"]) == ([], [])
    after, report = recovered(root)
    for table in ("tasks", "sessions", "runs", "reports", "logs"):
        assert after["rows"][table] == state["rows"][table], table
    assert report["case"] == "B"
    kept = b"\n".join(quarantined(root))
    assert all(piece in kept for piece in (b"mine", b"by hand", b'"id": "strange"'))
    lines = session.splitlines()
    assert all(line in everything(root) for line in lines if b'"kind":"message"' in line)


_EXCLUDED = {
    # Those that stand in each other's way: one file can only have one fault.
    *("state.json gone", "state.json a directory", "a task edited", "a task file ahead", "a task file behind"),
    *("a task file that is none", "a task file with a name outside", "a task file that is a link", "nobody may read"),
    *("others may write", "a session line damaged", "a session file torn", "a session file gone"),
    *(
        "a session's log cut",
        "a report gone",
        "a directory gone",
        "a segment that is a link",
        "a leaving that never ended",
    ),
    # Those that lose for good, or hide others.
    *(
        "a segment missing",
        "a journal line damaged",
        "an old journal line damaged",
        "a run's log gone",
        "a planted lock",
    ),
    *("a file in a directory's place", "a task file gone"),
}


def test_what_the_journal_still_has_comes_back_into_the_files(life: tuple[Path, dict[str, Any]]) -> None:
    root, _ = life
    before = {
        name: data for name, data in read_tree(root)[0].items() if name.startswith(("sessions/1", "logs/s", "reports"))
    }
    lose_messages(root)
    os.truncate(root / "logs" / f"session_{SESSION}.log", 0)
    (root / "reports" / "report_r.json").unlink()
    assert offline.repair(root)["lost"] == []
    after = read_tree(root)[0]
    for name, data in before.items():
        assert sorted(after[name].splitlines()) == sorted(data.splitlines()), name


def test_what_nothing_holds_any_more_is_put_on_record_once(life: tuple[Path, dict[str, Any]]) -> None:
    root, _ = life
    log = root / "logs" / "run_r1.stdout.log"
    log.unlink()
    repaired = offline.repair(root)
    assert [one["file"] for one in repaired["lost"]] == ["logs/run_r1.stdout.log"]
    assert offline.repair(root)["lost"] == []
    records = [json.loads(path.read_text()) for path in root.glob("quarantine/*/report.json")]
    assert [one["source"] for record in records for one in record.get("lost", ())] == ["logs/run_r1.stdout.log"]


def test_rows_whose_beginning_was_lost_with_old_lines_are_put_on_record_once(tmp_path: Path) -> None:
    root = tmp_path / "state"
    ids = [f"lost-{number}" for number in range(30)]
    driver = Driver(disk_store(root))
    driver.create("t1")
    driver.save()
    driver.create(*ids)
    driver.save()
    for task_id in ids:
        driver.describe(task_id, "changed")
    driver.settle_files()
    driver.store.close()
    files = [root / "tasks" / f"{task_id}.json" for task_id in ids]
    for lost in (segments(root)[-2], root / "state.json", backups(root)[-1], *files):
        lost.unlink()
    repaired = offline.repair(root)
    told_of = [one["problem"] for one in repaired["lost"]]
    assert sorted(told_of) == sorted(f"task {task_id} is not there, the journal says 2" for task_id in ids)
    assert offline.verify(root)["ok"]
    assert offline.repair(root)["lost"] == []


def test_a_damaged_journal_is_set_aside_with_the_backups_that_lead_nowhere(life: tuple[Path, dict[str, Any]]) -> None:
    root, state = life
    content = segments(root)[0].read_bytes()
    flip_in(segments(root)[0], b"do t2")
    damaged = segments(root)[0].read_bytes()
    assert content != damaged
    offline.repair(root)
    assert damaged in quarantined(root)
    assert recovered(root)[0]["rows"]["tasks"] == state["rows"]["tasks"]


def test_a_state_of_another_day_is_told_and_the_journal_wins(life: tuple[Path, dict[str, Any]]) -> None:
    root, state = life
    shutil.copy2(backups(root)[0], root / "other-day")
    (root / "state.json").unlink()
    (root / "other-day").rename(root / "state.json")
    assert told(offline.verify(root)) == []  # an older snapshot loses nothing: the journal leads from there
    assert recovered(root)[0]["rows"]["tasks"] == state["rows"]["tasks"]


def test_where_the_journal_has_lost_its_end_the_state_stays_as_it_is(tmp_path: Path) -> None:
    root = tmp_path / "state"
    driver = Driver(disk_store(root))
    driver.create("t1", "t2")
    driver.commit(session_created(messages=["one"]))
    driver.settle_files()
    driver.save()
    driver.describe("t1", "changed")
    driver.commit(deleted("t2", 2))
    driver.commit(session_created(OTHER_SESSION, ["other"]))
    driver.commit(run_recorded("r1", 0))
    driver.settle_files()
    driver.save()
    state = state_of(driver.tables)
    driver.store.close()
    for lost in segments(root)[1:]:
        lost.unlink()
    assert told(offline.verify(root)) == ["journal: the lines 4 to 7 are missing"]
    repaired = offline.repair(root)
    assert (repaired["ok"], repaired["lost"]) == (True, [])
    assert not any("state.json" in name for name in repaired["quarantined"])
    after = recovered(root)[0]["rows"]
    for table in ("tasks", "sessions", "runs"):
        assert after[table] == state["rows"][table], table


def test_a_state_that_is_behind_its_journal_is_built_anew_although_its_seq_is_higher(tmp_path: Path) -> None:
    root, other = tmp_path / "state", tmp_path / "other"
    for place, members in ((root, "abc"), (other, "defgh")):
        driver = Driver(disk_store(place))
        driver.create(*members)
        driver.settle_files()
        driver.save()
        driver.store.close()
    for path in segments(root)[1:]:
        path.unlink()
    shutil.copy2(other / "state.json", root / "state.json")
    about_state = [one for one in told(offline.verify(root)) if one.startswith("state.json")]
    assert about_state == [f"state.json: task {task_id} is not there, the journal says 1" for task_id in "abc"]
    offline.repair(root)
    assert {"a", "b", "c"} <= recovered(root)[0]["rows"]["tasks"].keys()


def test_an_edited_task_is_kept_in_quarantine_and_its_row_stays(life: tuple[Path, dict[str, Any]]) -> None:
    root, state = life
    edit_task(root, "t1", description="by hand")
    offline.repair(root)
    assert any(b"by hand" in piece for piece in quarantined(root))
    assert task_of(recovered(root)[0], "t1") == task_of(state, "t1")


def test_a_repair_is_told_in_the_journal(life: tuple[Path, dict[str, Any]]) -> None:
    root, _ = life
    (root / "notes.txt").write_text("mine")
    offline.repair(root)
    events = [json.loads(row) for row in recovered(root)[0]["rows"]["events"].values()]
    assert ("state:repaired", ["notes.txt: belongs to nothing here"]) in [
        (event["type"], event["detail"].get("findings")) for event in events if event["detail"]
    ]


def test_a_repair_that_was_killed_is_finished_by_the_next(life: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    root, state = life
    lose_messages(root)
    strange_task(root)
    flip(backups(root)[0], 99)
    (root / "notes.txt").write_text("mine")
    program = (
        "import os, sys; from pathlib import Path\n"
        "from actors.storage import offline; from actors.storage.files import Disk\n"
        "left = int(sys.argv[2])\n"
        "def dying(name):\n"
        "    real = getattr(Disk, name)\n"
        "    def call(self, *given, **named):\n"
        "        global left\n"
        "        left -= 1\n"
        "        os._exit(9) if left < 0 else None\n"
        "        return real(self, *given, **named)\n"
        "    return call\n"
        "for name in ('write', 'pwrite', 'rename', 'link', 'unlink', 'fsync', 'ftruncate'):\n"
        "    setattr(Disk, name, dying(name))\n"
        "offline.repair(Path(sys.argv[1]))\n"
    )
    killed = 0
    for calls in range(3, 120, 13):
        copy = tmp_path / str(calls)
        shutil.copytree(root, copy)
        status = subprocess.run([sys.executable, "-c", program, str(copy), str(calls)], check=False).returncode
        killed += status == 9
        assert offline.repair(copy)["findings"] == []
        assert recovered(copy)[0]["rows"]["tasks"] == state["rows"]["tasks"]
        assert b"mine" in quarantined(copy)
    assert killed >= 3
